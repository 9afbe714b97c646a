/* GET /.well-known/jwks.json, /.well-known/webhooks/jwks.json and /.well-known/crl/{kid}.json: for anyone, also for pages of other sites. About no person. */
#include "gateway/cert/stored.h"
#include "gateway/portal/cert_desk.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"

enum { BATCH_MAX = 4096, MARGIN_MS = 200 };

struct public { struct req *r; struct lookup_env *env; char kid[ES256_KID]; uint64_t n, revoked; };

static struct public *begin(struct req *r)
{
    struct lookup_env *env = req_ctx(r);
    struct public *p = arena_get(req_arena(r), sizeof *p);
    struct err e = !p ? FAIL(E_NOMEM) : !env->certificates ? FAIL(E_NO_ROUTE) : env->stopped ? FAIL(E_CANCELED) : redis_ready(env->redis);
    if (!err_ok(e)) {
        req_fail(r, e);
        return NULL;
    }
    *p = (struct public){ .r = r, .env = env };
    return p;
}

static void ask(struct public *p, struct redis_batch *b, redis_done_fn *done)
{
    uint64_t at = req_deadline(p->r);
    p->env->in_work++;
    redis_send(p->env->redis, b, at > MARGIN_MS ? at - MARGIN_MS : 0, done, p);
}

static void finish(struct public *p, struct err e)
{
    if (err_ok(e))
        e = buf_check(req_out(p->r));
    p->env->in_work--;
    if (err_ok(e))
        req_public(p->r, "application/json", buf_slice(req_out(p->r)));
    else
        req_fail(p->r, e);
}

/* ---- keys ---- */

static void on_counts(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct public *p = arg;
    struct publish_key keys[PUBLISH_KEYS_MAX];
    struct cert_desk *d = p->env->certificates;
    if (err_ok(e) && n != d->n_published)
        e = FAIL(E_SIGNER_DOWN); /* the signer told other keys meanwhile */
    for (size_t i = 0; err_ok(e) && i < n; i++) {
        keys[i] = d->published[i];
        keys[i].ctr = (uint64_t)redis_reply_int(replies[i]);
    }
    if (err_ok(e))
        publish_jwks(keys, n, req_out(p->r));
    finish(p, e);
}

void portal_certificate_keys(struct req *r)
{
    struct public *p = begin(r);
    if (!p)
        return;
    const struct cert_desk *d = p->env->certificates;
    struct redis_batch *b = d->n_published ? redis_batch_new(BATCH_MAX) : NULL;
    if (!b) {
        req_fail(r, d->n_published ? FAIL(E_NOMEM) : FAIL(E_SIGNER_DOWN));
        return;
    }
    for (size_t i = 0; i < d->n_published; i++) {
        struct store_name list;
        cert_list_name(d->published[i].kid, &list);
        REDIS_ADD(b, LIT("ZCARD"), store_name_slice(&list));
    }
    ask(p, b, on_counts);
}

void portal_webhook_keys(struct req *r)
{
    struct public *p = begin(r);
    struct publish_key keys[SIGNER_KEYS_MAX] = { 0 };
    size_t n = 0;
    struct err e = OK;
    if (!p)
        return;
    const struct signer_keys *all = &p->env->certificates->keys;
    for (size_t i = 0; err_ok(e) && i < all->n; i++) {
        if (all->key[i].use != SIGNER_WEBHOOK)
            continue;
        memcpy(keys[n].key.x, all->key[i].x, sizeof keys[n].key.x);
        memcpy(keys[n].key.y, all->key[i].y, sizeof keys[n].key.y);
        e = es256_thumbprint(&keys[n].key, keys[n].kid);
        n++;
    }
    if (err_ok(e) && !n)
        e = FAIL(E_SIGNER_DOWN);
    if (err_ok(e)) {
        publish_jwks(keys, n, req_out(r));
        e = buf_check(req_out(r));
    }
    if (err_ok(e))
        req_public(r, "application/json", buf_slice(req_out(r)));
    else
        req_fail(r, e);
}

/* ---- lists ---- */

static void answer_list(struct public *p, struct slice body, struct err e)
{
    if (err_ok(e))
        req_public(p->r, "application/json", body);
    else
        req_fail(p->r, e);
}

/* Kept for who asks next. */
static void keep(struct public *p, size_t n)
{
    struct cert_list *l;
    if (n > PUBLISH_LONG)
        LOG(WARN, "revocation_list_long", LF("number", (uint64_t)n));
    if (!err_ok(cert_desk_list(p->env->certificates, ARR(p->kid), &l)))
        return;
    buf_reset(&l->body);
    buf_put(&l->body, buf_slice(req_out(p->r)));
    if (l->body.failed)
        buf_reset(&l->body);
    l->n = p->n;
    l->revoked = p->revoked;
}

static void on_list(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct public *p = arg;
    struct publish_list l;
    p->env->in_work--;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        publish_list_begin(&l, p->kid, req_out(p->r));
        for (size_t i = 0; i + 1 < redis_reply_len(replies[0]); i += 2)
            publish_list_put(&l, redis_reply_str(redis_reply_at(replies[0], i)), slice_eq(redis_reply_str(redis_reply_at(replies[0], i + 1)), LIT("1")));
        e = publish_list_end(&l);
    }
    if (err_ok(e))
        keep(p, l.n);
    answer_list(p, buf_slice(req_out(p->r)), e);
}

/* Nothing leaves a list, and superseded becomes revoked but not the other way round: as long as both counts are the same, so is the list. */
static void on_state(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct public *p = arg;
    struct cert_list *l = NULL;
    struct store_name list;
    p->env->in_work--;
    if (err_ok(e) && (n != 2 || redis_reply_type(replies[0]) != REDIS_INT || redis_reply_type(replies[1]) != REDIS_INT))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = cert_desk_list(p->env->certificates, ARR(p->kid), &l);
    if (!err_ok(e)) {
        answer_list(p, SLICE_NONE, e);
        return;
    }
    p->n = (uint64_t)redis_reply_int(replies[0]);
    p->revoked = (uint64_t)redis_reply_int(replies[1]);
    struct redis_batch *b = NULL;
    if (l->body.n && l->n == p->n && l->revoked == p->revoked) {
        answer_list(p, buf_slice(&l->body), OK);
    } else if (!(b = redis_batch_new(BATCH_MAX))) {
        answer_list(p, SLICE_NONE, FAIL(E_NOMEM));
    } else {
        cert_list_name(p->kid, &list);
        REDIS_ADD(b, LIT("ZRANGE"), store_name_slice(&list), LIT("0"), LIT("-1"), LIT("WITHSCORES"));
        ask(p, b, on_list);
    }
}

void portal_revoked_certificates(struct req *r)
{
    struct public *p = begin(r);
    struct cert_list *l;
    struct store_name list;
    if (!p)
        return;
    struct err e = req_param(r).n == ES256_KID ? cert_desk_list(p->env->certificates, req_param(r), &l) : FAIL(E_NO_ROUTE);
    struct redis_batch *b = err_ok(e) ? redis_batch_new(BATCH_MAX) : NULL;
    if (!b) {
        req_fail(r, err_ok(e) ? FAIL(E_NOMEM) : err_is(e, E_NOTHING) ? FAIL(E_NO_ROUTE) : e);
        return;
    }
    memcpy(p->kid, req_param(r).p, sizeof p->kid);
    cert_list_name(p->kid, &list);
    REDIS_ADD(b, LIT("ZCARD"), store_name_slice(&list));
    REDIS_ADD(b, LIT("ZCOUNT"), store_name_slice(&list), LIT("2"), LIT("2"));
    ask(p, b, on_state);
}
