#include "gateway/serve/inside.h"

enum { RETRY_S = 2, RETRY_SPREAD_S = 3 };

/* Codes of "inside the processes" are the operator's business. */
static enum err_code shown(enum err_code code)
{
    return code == E_OK || (code >= E_NOMEM && code <= E_NOT_DISCLOSED) ? E_INTERNAL : code;
}

const struct err_info *problem__shown(enum err_code code) { return err_info(shown(code)); }

int problem__status(enum err_code code) { return err_info(code == E_OK ? E_INTERNAL : code)->status; }

void problem__answer(struct http_answer *a, enum err_code code, struct req_id id)
{
    a->status = problem__status(code);
    a->content_type = "application/problem+json";
    /* spread, so that clients turned away together do not return together */
    if (err_info(code)->retry == RETRY_LATER)
        a->retry_after_s = RETRY_S + id.b[0] % RETRY_SPREAD_S;
    if (code == E_TOKEN)
        a->www_authenticate = "Bearer";
    if (code == E_CERT_MISSING) /* = RFC 9110 §15.5.2 wants a challenge; no scheme is registered for certificates */
        a->www_authenticate = "TLS-Client-Certificate";
}

void problem_write(struct buf *out, enum err_code code, struct req_id id, void (*extra)(struct jsonw *w, void *arg), void *arg)
{
    const struct err_info *row = err_info(shown(code));
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_raw(&w, "type", LIT("\"urn:pmhgw:problem:"));
    buf_puts(out, row->slug);
    buf_putc(out, '"');
    jsonw_cstr(&w, "title", row->title_ja);
    jsonw_u64(&w, "status", (uint64_t)problem__status(code));
    jsonw_cstr(&w, "code", row->slug);
    jsonw_cstr(&w, "detail", row->todo_ja);
    jsonw_cstr(&w, "title_en", row->title_en);
    jsonw_cstr(&w, "detail_en", row->todo_en);
    jsonw_cstr(&w, "actor", err_who_name(row->who));
    jsonw_cstr(&w, "retry", err_retry_name(err_info(code == E_OK ? E_INTERNAL : code)->retry));
    jsonw_raw(&w, "request_id", LIT("\""));
    buf_hex(out, ARR(id.b));
    buf_putc(out, '"');
    if (extra)
        extra(&w, arg);
    jsonw_end_object(&w);
}
