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
    struct store_name name, person;
    struct consent_name handle;
    struct session session;
};

static ERR ask(struct read_session *s, struct slice command, const struct store_name *key, redis_done_fn *done)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, command, store_name_slice(key));
    access_send(&s->a, b, done, s);
    return OK;
}

static ERR still_open(struct read_session *s, const struct redis_reply *records)
{
    struct err e = session_judge(s->a.env->store, &s->person, records, &s->handle, &s->session.consent, clock_wall(loop_clock(req_loop(s->a.r))));
    return err_is(e, E_CONSENT) ? (struct err){ E_SESSION, e.site } : e; /* it has ended with its consent */
}

static ERR give(struct read_session *s, const struct redis_reply *records)
{
    struct jsonw w;
    char until[24];
    TRY(still_open(s, records));
    s->a.fields = s->session.scope.fields;
    TRY(access_judge(&s->a, &w, &s->person, records));
    clock_format_utc(s->session.expires_ms, until);
    jsonw_str(&w, "session", s->form.session.text);
    session_write_id(&w, &s->handle);
    jsonw_str(&w, "session_expires_at", ARR(until));
    jsonw_end_object(&w);
    return buf_check(req_out(s->a.r));
}

static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct read_session *s = arg;
    TRY(still_open(s, hash));
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

static ERR open_session(struct read_session *s, struct slice sealed)
{
    struct buf plain;
    buf_init(&plain, SESSION_PLAIN_MAX);
    struct err e = store_open(s->a.env->store, SLICE_NONE, &s->name, SLICE_NONE, sealed, &plain);
    if (err_ok(e))
        e = session_decode(buf_slice(&plain), &s->session);
    buf_done(&plain);
    return e;
}

static bool is_of(const struct session *s, const struct caller *c)
{
    return slice_eq(slice_str(s->identity), slice_str(c->identity)) && slice_eq(ARR(s->cert), ARR(c->cert_sha256));
}

static ERR check_session(struct read_session *s, const struct redis_reply *sealed)
{
    struct access *a = &s->a;
    if (redis_reply_type(sealed) != REDIS_STR)
        return FAIL(E_SESSION);
    TRY(open_session(s, redis_reply_str(sealed)));
    memcpy(a->rec.subject, s->session.handle, sizeof a->rec.subject);
    memcpy(a->rec.ref, s->handle.b, sizeof a->rec.ref);
    a->rec.until_s = (uint32_t)(s->session.expires_ms / 1000 + 1);
    a->rec.items = AUDIT_ITEM_ELIGIBILITY;
    if (!is_of(&s->session, req_caller(a->r)))
        return FAIL(E_CERT_REFUSED);
    if (s->session.expires_ms <= clock_wall(loop_clock(req_loop(a->r))) || !(s->session.scope.kinds & 1u << LINK_ELIGIBILITY))
        return FAIL(E_SESSION);
    TRY(access_basis(a, slice_of(s->session.purpose, strnlen(s->session.purpose, sizeof s->session.purpose)), AUDIT_ITEM_ELIGIBILITY));
    store_name_person(&s->session.person, &s->person);
    fresh_watch(a, &s->person, still_good, s);
    return ask(s, LIT("HGETALL"), &s->person, on_records);
}

static void on_session(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct read_session *s = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = check_session(s, replies[0]);
    if (!err_ok(e))
        access_end(&s->a, e);
}

void clinic_read_session(struct req *r)
{
    struct read_session *s = access_new(r, sizeof *s);
    if (!s || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &s->form) || !access_open(&s->a, r, AU_SESSION_READ))
        return;
    struct err e = session_name_of(s->a.env->store, s->form.session.text, &s->handle);
    store_name_of_session(s->handle.b, &s->name);
    if (err_ok(e))
        e = ask(s, LIT("GET"), &s->name, on_session);
    if (!err_ok(e))
        access_end(&s->a, e);
}
