"""`pmhgw import FILE.csv`: files as municipal systems write them, and files that are broken."""

import csv
import io
import json
import re

import pytest

from rig import fresh_number, row_for

HEADERS = {"orgSpecificCertificateTypeId": "証明書種別ID", "myNumber": "個人番号", "basicFiveInfo.name": "氏名", "basicFiveInfo.nameKana": "氏名カナ",
           "basicFiveInfo.address": "住所", "basicFiveInfo.dateOfBirth": "生年月日", "basicFiveInfo.sex": "性別", "isNotDisclosed": "不開示",
           "medicalSubsidyInsurerNumber": "公費負担者番号", "certificationName": "受給者証名称", "medicalSubsidyRecipientNumber": "受給者番号",
           "municipalityIdentityKey": "宛名番号", "isAlwaysReimbursement": "償還払い", "validFrom": "資格取得日", "validTo": "有効期限"}


def flat(row):
    """One cell a field; 不開示 as 有・無, the birth date in the Japanese calendar, kana in half width."""
    cells = {**{k: v for k, v in row.items() if k != "basicFiveInfo"}, **{f"basicFiveInfo.{k}": v for k, v in row["basicFiveInfo"].items()}}
    year, month, day = (int(n) for n in cells["basicFiveInfo.dateOfBirth"].split("-"))
    return {**cells, "isNotDisclosed": "有" if cells["isNotDisclosed"] else "無", "basicFiveInfo.dateOfBirth": f"令和{year - 2018}年{month}月{day}日",
            "basicFiveInfo.nameKana": "ｼｹﾝ　ﾊﾅｺ"}


def table(rows, line_end="\r\n"):
    out = io.StringIO()
    w = csv.writer(out, lineterminator=line_end)
    w.writerow(HEADERS.values())
    for row in rows:
        cells = flat(row)
        w.writerow([cells.get(k, "") for k in HEADERS])
    return out.getvalue()


@pytest.fixture
def send(rig):
    def go(content, *more, name="file.csv"):
        file = rig.dir / name
        file.write_bytes(content)
        r = rig.command("import", str(file), "--muni", "331007", *more)
        for n in rig.canaries:
            assert n not in r.stdout + r.stderr
        return r
    return go


@pytest.fixture
def rows(rig):
    made = [row_for(fresh_number(), key=f"L{fresh_number()[:9]}") for _ in range(7)]
    rig.plant(made)
    return made


def count(r, word):
    m = re.search(rf"{word} (\d+)", r.stdout)
    return int(m.group(1)) if m else None


@pytest.mark.parametrize("encoding,line_end", [("utf-8", "\n"), ("utf-8-sig", "\r\n"), ("cp932", "\r\n")])
def test_a_file_is_registered_and_again_changes_nothing(rig, send, rows, encoding, line_end):
    rows[0]["basicFiveInfo"]["name"] = "髙﨑　花子"
    content = table(rows, line_end).encode(encoding)
    r = send(content)
    assert r.returncode == 0 and count(r, "registered") == 7, r.stdout + r.stderr
    r = send(content)
    assert r.returncode == 0 and count(r, "unchanged") == 7, r.stdout + r.stderr
    # The same rows as JSON, with every value as it should have become.
    for row in rows:
        row["basicFiveInfo"]["nameKana"] = "シケン　ハナコ"
    task = rig.register("331007", rows)
    assert task["counts"]["unchanged"] == 7, task["counts"]


def test_faulty_rows_are_told_and_the_others_registered(rig, send, rows):
    lines = table(rows, "\n").split("\n")
    number = rows[1]["myNumber"]
    lines[2] = lines[2].replace(number, f"{number[0]}.{number[1:3]}E+11")
    lines[5] += ",more"
    lines[6] = lines[6].replace("88331004", "8833")  # the form's to refuse
    r = send("\n".join(lines).encode())
    assert r.returncode == 1 and count(r, "registered") == 4 and count(r, "refused") == 3, r.stdout + r.stderr
    assert re.search(r"row 2 \(3:11\)  \w+  myNumber  scientific  .", r.stdout), r.stdout
    assert re.search(r"row 5 \(6:1\)  row_unreadable  column_count  .", r.stdout), r.stdout
    assert re.search(r"row 6 \(7(:\d+)?\)  field_invalid  medicalSubsidyInsurerNumber  length  .", r.stdout), r.stdout


@pytest.mark.parametrize("name,change,said", [
    ("header only", lambda t: t.split("\n")[0].encode() + b"\n", "no_rows"),
    ("UTF-16", lambda t: t.encode("utf-16"), "encoding_utf16"),
    ("mixed", lambda t: t.encode() + "髙橋,山田\n".encode("cp932"), "encoding_invalid"),
    ("a NUL", lambda t: t.encode() + b"\0\n", "nul_byte"),
    ("quote", lambda t: t.encode() + b'"a\n', "quote_not_closed"),
    ("no number", lambda t: t.replace("個人番号", "氏名", 1).encode(), "header_twice"),
    ("another header", lambda t: t.replace("個人番号", "番号", 1).encode(), "header_unknown"),
])
def test_of_a_broken_file_nothing_is_applied(rig, send, rows, name, change, said):
    r = send(change(table(rows, "\n")))
    assert r.returncode == 2 and said in r.stderr and re.search(r"line \d+ column \d+", r.stderr), (name, r.stdout, r.stderr)
    for cell in ("花子", "試験町", "髙橋"):
        assert cell not in r.stdout + r.stderr
    newest = rig.muni("331007", "GET", "/v1/tasks").json()["tasks"][0]
    assert newest["state"] == "rejected" and newest["reject"]["code"] == said, newest
    assert all(newest["counts"].get(k, 0) == 0 for k in ("registered", "updated", "unchanged", "waiting")), newest
    sent = rig.register("331007", rows)
    assert sent["counts"]["registered"] == 7, sent["counts"]


def test_an_empty_file_is_not_even_sent(rig, send, rows):
    before = rig.muni("331007", "GET", "/v1/tasks").json()["tasks"]
    r = send(b"")
    assert r.returncode == 2 and "file_empty" in r.stderr and "line 1 column 1" in r.stderr
    assert rig.muni("331007", "GET", "/v1/tasks").json()["tasks"] == before


def test_json_and_json_lines_are_taken_as_well(rig, send, rows):
    rows[2]["validFrom"] = "2024-02-30"
    r = send(json.dumps(rows).encode(), name="rows.json")
    assert r.returncode == 1 and count(r, "registered") == 6 and re.search(r"row 3 .*field_invalid  validFrom", r.stdout), r.stdout + r.stderr
    rows[2]["validFrom"] = "2024-02-29"
    r = send("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode(), name="rows.jsonl")
    assert r.returncode == 0 and count(r, "registered") == 1 and count(r, "unchanged") == 6, r.stdout + r.stderr
