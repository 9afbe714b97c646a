/* Reaches the form of the access log, names of consents, and the printed form of any record that decodes: what is accepted is within its bounds,
 * and nothing of a record can open a tag. */

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/portal/statement.h"
#include "gateway/portal/words.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void try_form(struct slice body)
{
    json_t *v;
    struct log_form form;
    struct field_report report;
    struct consent_name name;
    uint64_t before;
    unsigned limit;
    struct arena *a = arena_new(64 * 1024);
    MUST(a);
    if (err_ok(json_in_object(&v, a, body)) && fields_read(v, LOG_FORM, LOG_FORM_N, NULL, &form, &report) && !log_form_read(&form, &before, &limit))
        MUST(before > 0 && limit >= 1 && limit <= LOG_LIMIT_MAX);
    if (consent_name_parse(body, &name)) {
        char back[32];
        consent_name_hex(&name, back);
        MUST(slice_eq(ARR(back), body));
    }
    arena_free(a);
}

static size_t tags(const struct buf *b)
{
    size_t count = 0;
    for (size_t i = 0; i < b->n; i++)
        count += b->p[i] == '<';
    return count;
}

static void try_record(const uint8_t data[static AUDIT_REC_BYTES], struct slice note)
{
    struct lookup_env env = { .session_life_ms = 0 };
    struct statement *s = calloc(1, sizeof *s);
    struct buf out;
    MUST(s);
    s->page.c.a.env = &env;
    s->page.n = 1;
    s->page.note_n = note.n < sizeof s->page.note ? note.n : sizeof s->page.note;
    memcpy(s->page.note, note.p, s->page.note_n);
    memset(s->request, '0', sizeof s->request);
    buf_init(&out, 1 << 20);
    struct audit_rec *rec = &s->page.entry[0].rec;
    if (audit_decode(data, rec)) {
        rec->basis = rec->purpose = 0; /* texts of a register, which is not here */
        statement_html(s, &out);
        MUST(err_ok(buf_check(&out)) && words_institution(rec).n <= AUDIT_ACTOR_MAX);
        size_t with = tags(&out);
        memset(rec->actor, 0, sizeof rec->actor);
        s->page.note_n = 0;
        buf_reset(&out);
        statement_html(s, &out);
        MUST(tags(&out) == with);
    }
    buf_done(&out);
    free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    try_form(slice_of(data, n));
    if (n >= AUDIT_REC_BYTES)
        try_record(data, slice_of(data + AUDIT_REC_BYTES, n - AUDIT_REC_BYTES));
    return 0;
}
