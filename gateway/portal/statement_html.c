#include "gateway/portal/statement.h"
#include "gateway/portal/words.h"

enum { JAPAN_MS = 9 * 3600 * 1000 };

static const char HEAD[] =
    "<!doctype html>\n<html lang=\"ja\"><head><meta charset=\"utf-8\">\n"
    "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n"
    "<title>アクセス記録の証明書 / Statement of access</title>\n"
    "<style>@page{size:A4;margin:15mm}body{font:10pt/1.5 'Noto Sans CJK JP','Hiragino Sans','Yu Gothic',sans-serif;color:#000;background:#fff;"
    "max-width:180mm;margin:0 auto}h1{font-size:16pt;margin:0}h1 small,td small,th small{display:block;font-weight:normal;font-size:8pt;color:#333}"
    "table{border-collapse:collapse;width:100%}th,td{border:.3mm solid #555;padding:1mm 1.5mm;text-align:left;vertical-align:top;overflow-wrap:anywhere}"
    "thead{display:table-header-group}tr{break-inside:avoid}pre,code{font:8pt/1.4 monospace;white-space:pre-wrap;overflow-wrap:anywhere}</style>"
    "</head>\n<body>\n";

void statement_time(uint64_t wall_ms, char out[static STATEMENT_TIME])
{
    char at[24];
    clock_format_utc(wall_ms + JAPAN_MS, at);
    memcpy(out, at, STATEMENT_TIME);
    out[10] = ' ';
}

void statement_escape(struct buf *out, struct slice text)
{
    static const struct { uint8_t c; const char *as; } MARKS[] = { { '&', "&amp;" }, { '<', "&lt;" }, { '>', "&gt;" }, { '"', "&quot;" }, { '\'', "&#39;" } };
    for (size_t i = 0; i < text.n; i++) {
        const char *as = NULL;
        for (size_t k = 0; k < sizeof MARKS / sizeof MARKS[0]; k++)
            if (MARKS[k].c == text.p[i])
                as = MARKS[k].as;
        if (as)
            buf_puts(out, as);
        else if (text.p[i] == '\n' || text.p[i] >= 0x20)
            buf_putc(out, text.p[i]);
    }
}

static void put_both(struct buf *out, struct slice ja, struct slice en)
{
    statement_escape(out, ja);
    buf_puts(out, "<small>");
    statement_escape(out, en);
    buf_puts(out, "</small>");
}

static void put_words(struct buf *out, struct words w) { put_both(out, slice_str(w.ja), slice_str(w.en)); }

static void put_time(struct buf *out, uint64_t wall_ms)
{
    char at[STATEMENT_TIME];
    statement_time(wall_ms, at);
    buf_put(out, ARR(at));
}

/* ---- the table ---- */

static void put_items(struct buf *out, unsigned items)
{
    for (unsigned bit = 0; words_item(bit).ja; bit++) {
        if (!(items & 1u << bit))
            continue;
        buf_puts(out, "<br>");
        put_words(out, words_item(bit));
    }
}

static void put_why(struct buf *out, const struct basis *b, const struct audit_rec *rec)
{
    const struct basis_row *row = rec->basis ? basis_row_of(b, rec->basis) : NULL;
    const struct basis_purpose *purpose = rec->purpose ? basis_purpose_of(b, rec->purpose) : NULL;
    if (purpose)
        put_words(out, (struct words){ purpose->ja, purpose->en });
    if (row)
        put_words(out, (struct words){ row->law_ja, row->law_en });
    if (!purpose && !row)
        buf_putc(out, '-');
}

static void put_entry(struct buf *out, const struct lookup_env *env, const struct audit_proof *p)
{
    const struct audit_rec *rec = &p->rec;
    struct slice code = words_institution(rec);
    buf_puts(out, "<tr><td>");
    buf_u64(out, p->seq);
    buf_puts(out, "</td><td>");
    put_time(out, rec->wall_ms);
    buf_puts(out, "</td><td>");
    put_both(out, institution_name(env->institutions, code, INSTITUTION_JA), institution_name(env->institutions, code, INSTITUTION_EN));
    put_words(out, words_behalf(rec->behalf));
    buf_puts(out, "</td><td>");
    put_words(out, words_event(rec->event));
    put_items(out, rec->items);
    buf_puts(out, "</td><td>");
    put_words(out, words_result(rec->result));
    buf_puts(out, "</td><td>");
    put_why(out, env->basis, rec);
    buf_puts(out, "</td></tr>\n");
}

static void put_table(struct buf *out, const struct log_page *p)
{
    buf_puts(out, "<table><thead><tr><th>番号<small>No.</small></th><th>日時(日本)<small>time in Japan</small></th><th>機関<small>institution</small></th>"
                  "<th>内容<small>what</small></th><th>結果<small>outcome</small></th><th>目的と根拠<small>purpose and law</small></th></tr></thead><tbody>\n");
    for (size_t i = 0; i < p->n; i++)
        put_entry(out, p->c.a.env, &p->entry[i]);
    buf_puts(out, "</tbody></table>\n");
    buf_puts(out, p->next ? "<p>これより前の記録もあります。<small>There are earlier entries.</small></p>\n"
                          : "<p>これより前の記録はありません。<small>There are no earlier entries.</small></p>\n");
}

/* ---- how to check it ---- */

static void put_check(struct buf *out, const struct statement *s)
{
    struct slice key = s->page.c.a.env->log_key;
    buf_puts(out, "<h2>確かめ方 / How to check it</h2>\n<p>番号は監査記録の中の通し番号です。記録はすべて、下の署名された要約(件数とルート)に含まれています。"
                  "この証明書と一緒に受け取ったファイルを、公開されている検証鍵だけで確かめられます。</p>\n"
                  "<p lang=\"en\">Each number is the place of the entry in the audit log. All entries are contained in the signed summary below (size and root). "
                  "The file that came with this statement can be checked with the public key alone.</p>\n<pre>pmhgw audit check FILE --key audit.pub</pre>\n"
                  "<p>監査記録の要約 / Summary of the audit log</p>\n<pre>");
    statement_escape(out, slice_of(s->page.note, s->page.note_n));
    buf_puts(out, "</pre>\n<p>検証鍵 / Public key of the audit log</p>\n<pre>");
    if (key.n)
        statement_escape(out, key);
    else
        buf_puts(out, "audit.pub");
    buf_puts(out, "</pre>\n");
}

void statement_html(const struct statement *s, struct buf *out)
{
    buf_puts(out, HEAD);
    buf_puts(out, "<h1>アクセス記録の証明書<small>Statement of access</small></h1>\n<p>ポータルにログインした本人に関する記録です。発行 ");
    put_time(out, s->issued_ms);
    buf_puts(out, "(日本時間)、");
    buf_u64(out, s->page.n);
    buf_puts(out, " 件、発行番号 <code>");
    buf_put(out, ARR(s->request));
    buf_puts(out, "</code></p>\n<p lang=\"en\">About the person who was logged in at the portal. Issued ");
    put_time(out, s->issued_ms);
    buf_puts(out, " (Japan), ");
    buf_u64(out, s->page.n);
    buf_puts(out, " entries.</p>\n");
    put_table(out, &s->page);
    put_check(out, s);
    buf_puts(out, "</body></html>\n");
}
