#include "gateway/clinic/clinic.h"
#include "gateway/clinic/session.h"
#include "gateway/lookup/access.h"

enum { BATCH_MAX = 512 };

struct form {
    struct field_value session;
};

static const struct field FORM[] = {
    { .name = "session", .offset = offsetof(struct form, session), .cls = FC_ALNUM, .min = SESSION_TOKEN_CHARS, .max = SESSION_TOKEN_CHARS,
      .required = true },
};

struct read_session {
    struct access a;
    struct form form;
    struct store_name person;
    struct session session;
};

static ERR give(struct read_session *s, const struct redis_reply *records)
{
    struct jsonw w;
    char until[24];
    TRY(session_judge_for(&s->a, records, LINK_ELIGIBILITY, AUDIT_ITEM_ELIGIBILITY, &s->session));
    s->a.fields = s->session.held.fields;
    TRY(access_judge(&s->a, &w, &s->person, records));
    clock_format_utc(s->session.open.until_ms, until);
    jsonw_str(&w, "session", s->form.session.text);
    session_write_id(&w, &s->session.open.name);
    jsonw_str(&w, "session_expires_at", ARR(until));
    jsonw_end_object(&w);
    return buf_check(req_out(s->a.r));
}

static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct read_session *s = arg;
    TRY(session_still_open(&s->a, hash, &s->session));
    return access_judge_again(&s->a, hash);
}

static void on_records(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read_session *s = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = give(s, replies[0]);
    access_end(&s->a, e);
}

static ERR ask(struct read_session *s)
{
    struct session *n = &s->session;
    TRY(session_token_read(s->a.env->store, s->form.session.text, &n->person, &n->open.name));
    store_name_person(&n->person, &s->person);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&s->person));
    fresh_watch(&s->a, &s->person, still_good, s);
    access_send(&s->a, b, on_records, s);
    return OK;
}

void clinic_read_session(struct req *r)
{
    struct read_session *s = access_new(r, sizeof *s);
    if (!s || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &s->form) || !access_open(&s->a, r, AU_SESSION_READ))
        return;
    struct err e = ask(s);
    if (!err_ok(e))
        access_end(&s->a, e);
}
