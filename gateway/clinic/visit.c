#include "gateway/clinic/visit.h"

enum { BATCH_MAX = 512 };

static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct visit *v = arg;
    struct judge now;
    TRY(session_still_open(&v->a, hash, &v->session));
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
        e = session_judge_for(&v->a, hash, v->kind, v->items, &v->session);
    if (err_ok(e))
        e = judge_heard(&v->judge, v->a.env->store, &v->person, clock_date_jst(visit_now_ms(v)), hash);
    if (err_is(e, E_FORBIDDEN))
        LOG(ERROR, "record_without_key", LF("request", req_id(v->a.r)));
    v->fn(v, e, hash);
}

static ERR ask(struct visit *v)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&v->person));
    fresh_watch(&v->a, &v->person, still_good, v);
    access_send(&v->a, b, on_hash, v);
    return OK;
}

void visit_again(struct visit *v, visit_fn *fn)
{
    v->fn = fn;
    struct err e = ask(v);
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
    struct err e = session_token_read(v->a.env->store, token, &v->session.person, &v->session.open.name);
    store_name_person(&v->session.person, &v->person);
    if (err_ok(e))
        e = ask(v);
    if (!err_ok(e))
        access_end(&v->a, e);
}
