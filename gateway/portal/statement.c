/* POST /v1/portal/access-log/statement: what the access log answers, and the same signed (JWS) and as a document to print. */
#include "gateway/portal/statement.h"

#include "gateway/jose/jws.h"
#include "gateway/portal/portal.h"

enum { PART_MAX = 1 << 20 };

static void write_members(const struct statement *s, struct jsonw *w)
{
    char at[24];
    clock_format_utc(s->issued_ms, at);
    jsonw_cstr(w, "type", "access_log_statement");
    jsonw_str(w, "issued_at", ARR(at));
    jsonw_str(w, "portal", slice_str(req_caller(s->page.c.a.r)->system));
    jsonw_str(w, "request", ARR(s->request));
    if (s->page.c.a.env->log_key.n)
        jsonw_str(w, "log_key", s->page.c.a.env->log_key);
    log_page_write(&s->page, w);
}

static ERR sign(const struct statement *s, struct buf *out)
{
    struct buf text;
    struct jsonw w;
    buf_init(&text, PART_MAX);
    jsonw_init(&w, &text);
    jsonw_object(&w, NULL);
    write_members(s, &w);
    jsonw_end_object(&w);
    struct err e = buf_check(&text);
    if (err_ok(e))
        e = jws_sign(s->page.c.a.env->statements, buf_slice(&text), out);
    buf_done(&text);
    return e;
}

static ERR write_all(const struct statement *s, struct buf *jws, struct buf *html)
{
    struct jsonw w;
    TRY(sign(s, jws));
    statement_html(s, html);
    TRY(buf_check(html));
    jsonw_init(&w, req_out(s->page.c.a.r));
    jsonw_object(&w, NULL);
    write_members(s, &w);
    jsonw_str(&w, "statement", buf_slice(jws));
    jsonw_str(&w, "html", buf_slice(html));
    jsonw_end_object(&w);
    return buf_check(req_out(s->page.c.a.r));
}

static ERR give(struct statement *s)
{
    struct buf jws, html, id;
    struct access *a = &s->page.c.a;
    s->issued_ms = citizen_now_ms(&s->page.c);
    buf_init(&id, sizeof s->request);
    buf_hex(&id, ARR(a->rec.request.b));
    memcpy(s->request, id.p, id.n);
    buf_done(&id);
    buf_init(&jws, 2 * PART_MAX);
    buf_init(&html, PART_MAX);
    struct err e = write_all(s, &jws, &html);
    buf_done(&jws);
    buf_done(&html);
    return e;
}

static void on_page(struct log_page *p, struct err e) { access_end(&p->c.a, err_ok(e) ? give((struct statement *)p) : e); }

void portal_issue_statement(struct req *r)
{
    const struct lookup_env *env = req_ctx(r);
    struct statement *s = access_new(r, sizeof *s);
    if (s && !env->statements)
        req_fail(r, FAIL(E_NO_ROUTE));
    else if (s)
        log_page_begin(&s->page, r, AU_STATEMENT_ISSUED, on_page);
}
