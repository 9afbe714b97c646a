"""The report: for programs (JSON), for people (HTML, Japanese with English)."""

import html
import json

MARK = {"pass": ("適合", "#17663a", "#e2f3e9"), "warn": ("注意", "#7a4a00", "#fdf0d5"), "fail": ("不適合", "#a8231b", "#fce8e6")}
STYLE = """body{font:16px/1.6 system-ui,"Hiragino Sans","Yu Gothic UI","Noto Sans CJK JP",sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;color:#18222e;background:#f4f6f8}
h1{font-size:1.6rem}section{background:#fff;border:1px solid #d4dbe3;border-radius:10px;padding:1rem 1.25rem;margin:1rem 0}h2{font-size:1.05rem;margin:0}p{margin:.3rem 0;color:#465362;font-size:.9rem}
table{border-collapse:collapse;width:100%;font-size:.86rem;margin-top:.5rem;table-layout:fixed}th:first-child{width:8.5rem}th:nth-child(2){width:40%}th,td{text-align:left;vertical-align:top;padding:.35rem .6rem;border-top:1px solid #d4dbe3;overflow-wrap:anywhere}
.mark{display:inline-block;border-radius:99px;padding:0 .7em;font-weight:700;font-size:.85rem;white-space:nowrap}"""


def summary(report):
    return {v: sum(c["verdict"] == v for c in report) for v in MARK}


def mark(verdict):
    word, ink, back = MARK[verdict]
    return f'<span class="mark" style="color:{ink};background:{back}">{word} / {verdict}</span>'


def page(who, report):
    e, n = html.escape, summary(report)
    out = [f"<!doctype html><html lang=ja><meta charset=utf-8><meta name=viewport content='width=device-width'><title>pmhgw 適合試験</title><style>{STYLE}</style>",
           f"<h1>pmhgw 適合試験の結果 / conformance report: {e(who)}</h1><p>{mark('pass')} {n['pass']} {mark('warn')} {n['warn']} {mark('fail')} {n['fail']}</p>"]
    for c in report:
        rows = "".join(f"<tr><td>{mark(x['verdict'])}</td><td>{e(x['ja'])}<br><span lang=en>{e(x['en'])}</span></td><td>{e(x['seen'])}</td></tr>" for x in c["checks"])
        out.append(f"<section><h2>{mark(c['verdict'])} {e(c['ja'])} <span lang=en>/ {e(c['en'])}</span> <code>{e(c['case'])}</code></h2><p>{e(c['why_ja'])}<br><span lang=en>{e(c['why_en'])}</span></p>"
                   f"<table><tr><th>判定</th><th>期待 / expected</th><th>実際 / seen</th></tr>{rows}</table></section>")
    return "\n".join(out) + "\n"


def write(folder, who, report):
    (folder / "report.json").write_text(json.dumps({"client": who, "summary": summary(report), "cases": report}, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    (folder / "report.html").write_text(page(who, report), encoding="utf-8")
