#include "gateway/clinic/visit.h"

enum { BATCH_MAX = 512 };

static ERR ask(struct visit *v, const char *command, const struct store_name *key, redis_done_fn *done)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, slice_str(command), store_name_slice(key));
    access_send(&v->a, b, done, v);
    return OK;
}

static ERR still_open(struct visit *v, const struct redis_reply *hash)
{
    struct err e = session_judge(v->a.env->store, &v->person, hash, &v->handle, &v->session.consent, visit_now_ms(v));
    return err_is(e, E_CONSENT) ? (struct err){ E_SESSION, e.site } : e; /* it has ended with its consent */
}

static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct visit *v = arg;
    struct judge now;
    TRY(still_open(v, hash));
    TRY(judge_heard(&now, v->a.env->store, &v->person, clock_date_jst(visit_now_ms(v)), hash));
    return v->also ? v->also(v, hash) : OK;
}

static void on_hash(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct visit *v = arg;
    const struct redis_reply *hash = err_ok(e) && n == 1 ? replies[0] : NULL;
    if (err_ok(e) && !hash)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = still_open(v, hash);
    if (err_ok(e))
        e = judge_heard(&v->judge, v->a.env->store, &v->person, clock_date_jst(visit_now_ms(v)), hash);
    if (err_is(e, E_FORBIDDEN))
        LOG(ERROR, "record_without_key", LF("request", req_id(v->a.r)));
    v->fn(v, e, hash);
}

static ERR open_session(struct visit *v, struct slice sealed)
{
    struct buf plain;
    buf_init(&plain, SESSION_PLAIN_MAX);
    struct err e = store_open(v->a.env->store, SLICE_NONE, &v->name, SLICE_NONE, sealed, &plain);
    if (err_ok(e))
        e = session_decode(buf_slice(&plain), &v->session);
    buf_done(&plain);
    return e;
}

static bool is_of(const struct session *s, const struct caller *c)
{
    return slice_eq(slice_str(s->identity), slice_str(c->identity)) && slice_eq(ARR(s->cert), ARR(c->cert_sha256));
}

static ERR check(struct visit *v, const struct redis_reply *sealed)
{
    struct access *a = &v->a;
    const struct session *s = &v->session;
    if (redis_reply_type(sealed) != REDIS_STR)
        return FAIL(E_SESSION);
    TRY(open_session(v, redis_reply_str(sealed)));
    memcpy(a->rec.subject, s->handle, sizeof a->rec.subject);
    memcpy(a->rec.ref, v->handle.b, sizeof a->rec.ref);
    a->rec.until_s = (uint32_t)(s->expires_ms / 1000 + 1);
    a->rec.items = (uint16_t)v->items;
    if (!is_of(s, req_caller(a->r)))
        return FAIL(E_CERT_REFUSED);
    if (s->expires_ms <= visit_now_ms(v) || (v->kind != LINK_KIND__MAX && !(s->scope.kinds & 1u << v->kind)))
        return FAIL(E_SESSION);
    TRY(access_basis(a, slice_of(s->purpose, strnlen(s->purpose, sizeof s->purpose)), v->items));
    store_name_person(&s->person, &v->person);
    return OK;
}

static void on_session(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct visit *v = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = check(v, replies[0]);
    if (err_ok(e))
        visit_again(v, v->fn);
    else
        v->fn(v, e, NULL);
}

void visit_again(struct visit *v, visit_fn *fn)
{
    v->fn = fn;
    fresh_watch(&v->a, &v->person, still_good, v);
    struct err e = ask(v, "HGETALL", &v->person, on_hash);
    if (!err_ok(e))
        fn(v, e, NULL);
}

void visit_open(struct visit *v, struct req *r, enum audit_event event, struct slice token, enum link_kind kind, unsigned items, visit_fn *fn)
{
    if (!access_open(&v->a, r, event))
        return;
    v->kind = kind;
    v->items = items;
    v->fn = fn;
    struct err e = session_name_of(v->a.env->store, token, &v->handle);
    store_name_of_session(v->handle.b, &v->name);
    if (err_ok(e))
        e = ask(v, "GET", &v->name, on_session);
    if (!err_ok(e))
        access_end(&v->a, e);
}
