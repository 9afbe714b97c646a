#include "gateway/cert/page.h"

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>予防接種証明書 / Certificate of vaccination</title>\n"
    "<style>@page{size:A4;margin:15mm}body{font:10pt/1.5 'Noto Sans CJK JP','Hiragino Sans','Yu Gothic',sans-serif;color:#000;background:#fff;"
    "max-width:180mm;margin:0 auto}h1{font-size:16pt;margin:0}small{display:block;font-weight:normal;font-size:8pt;color:#333}"
    "table{border-collapse:collapse;width:100%;margin:4mm 0}th,td{border:.3mm solid #555;padding:1mm 1.5mm;text-align:left;vertical-align:top}"
    "tr,figure{break-inside:avoid}figure{margin:4mm 0;text-align:center}figure svg{width:80mm;height:80mm}figcaption{font:8pt monospace}</style>"
    "</head>\n<body>\n<h1>予防接種証明書<small>Certificate of vaccination</small></h1>\n";

static void escape(struct buf *out, struct slice text)
{
    static const struct { uint8_t c; const char *as; } MARKS[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
    for (size_t i = 0; i < text.n; i++) {
        const char *as = NULL;
        for (size_t k = 0; k < sizeof MARKS / sizeof MARKS[0]; k++)
            if (MARKS[k].c == text.p[i])
                as = MARKS[k].as;
        if (as)
            buf_puts(out, as);
        else if (text.p[i] >= 0x20)
            buf_putc(out, text.p[i]);
    }
}

static void cell(struct buf *out, struct slice text)
{
    buf_puts(out, "<td>");
    escape(out, text);
    buf_puts(out, "</td>");
}

static void line(struct buf *out, const char *ja, const char *en, struct slice text)
{
    if (!text.n)
        return;
    buf_puts(out, "<tr><th>");
    buf_puts(out, ja);
    buf_puts(out, "<small>");
    buf_puts(out, en);
    buf_puts(out, "</small></th>");
    cell(out, text);
    buf_puts(out, "</tr>\n");
}

static void line_date(struct buf *out, const char *ja, const char *en, ymd_t d)
{
    char text[10];
    ymd_format(d, text);
    line(out, ja, en, ARR(text));
}

static void put_person(struct buf *out, const struct page *p)
{
    buf_puts(out, "<table>\n");
    line(out, "氏名", "Name", p->name);
    line_date(out, "生年月日", "Date of birth", p->birth);
    line(out, "旅券番号", "Passport number", p->passport);
    line(out, "国籍・地域", "Nationality", p->nationality);
    line(out, "証明者", "Issued by", p->authority);
    line_date(out, "発行日", "Date of issue", p->issued);
    buf_puts(out, "</table>\n");
}

static void put_dose(struct buf *out, const struct page_dose *d)
{
    char date[10];
    ymd_format(d->date, date);
    buf_puts(out, "<tr>");
    cell(out, ARR(date));
    buf_puts(out, "<td>");
    buf_u64(out, d->dose);
    buf_puts(out, "</td><td>");
    escape(out, d->vaccine_ja);
    buf_puts(out, "<small>");
    escape(out, d->vaccine_en);
    buf_puts(out, "</small></td>");
    cell(out, d->product);
    cell(out, d->maker);
    cell(out, d->lot);
    buf_puts(out, "</tr>\n");
}

static void put_doses(struct buf *out, const struct page *p)
{
    buf_puts(out, "<table><tr><th>接種日<small>Date</small></th><th>回数<small>Dose</small></th><th>ワクチン<small>Vaccine</small></th><th>製品名<small>Product</small></th>"
                  "<th>製造者<small>Manufacturer</small></th><th>製造番号<small>Lot</small></th></tr>\n");
    for (size_t i = 0; i < p->n_doses; i++)
        put_dose(out, &p->doses[i]);
    buf_puts(out, "</table>\n");
}

struct err page_write(const struct page *p, struct buf *out)
{
    buf_puts(out, HEAD);
    put_person(out, p);
    put_doses(out, p);
    for (size_t i = 0; i < p->n_codes; i++) {
        buf_puts(out, "<figure>");
        TRY(qr_svg(p->codes[i].qr, out));
        buf_puts(out, "<figcaption>");
        buf_puts(out, p->codes[i].seal ? "VDS-NC " : "SMART Health Card ");
        escape(out, p->codes[i].name);
        buf_puts(out, "</figcaption></figure>\n");
    }
    buf_puts(out, "<p>二次元コードの署名を確かめてください。表の内容は読みやすくしたものです。"
                  "<small>The signature in the code is what counts; the table repeats it for people.</small></p>\n</body></html>\n");
    return buf_check(out);
}
