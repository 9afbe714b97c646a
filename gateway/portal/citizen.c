#include "gateway/portal/citizen.h"

enum { BATCH_MAX = 512 };

static ERR ask(struct citizen *c, struct slice command, const struct store_name *key, redis_done_fn *done)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, command, store_name_slice(key));
    access_send(&c->a, b, done, c);
    return OK;
}

/* ---- the person ---- */

static struct slice claim_of(const struct citizen *c, const struct redis_reply *hash)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (slice_eq(redis_reply_str(redis_reply_at(hash, i)), store_name_slice(&c->ps.field)))
            return redis_reply_str(redis_reply_at(hash, i + 1));
    return SLICE_NONE;
}

/* A person who is known by another pseudonym at this portal does not have this one. */
static ERR check_claim(struct citizen *c, const struct redis_reply *hash)
{
    struct slice claim = claim_of(c, hash);
    if (!c->known)
        return FAIL(E_NOTHING);
    struct err e = claim.n ? pseudonym_match_text(c->a.env->store, &c->ps, claim) : OK;
    return err_is(e, E_CONFLICT) ? FAIL(E_NOTHING) : e;
}

static void on_hash(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct citizen *c = arg;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        c->fn(c, e, NULL);
        return;
    }
    e = check_claim(c, replies[0]);
    if (err_is(e, E_NOTHING))
        c->known = false;
    c->fn(c, e, replies[0]);
}

/* The answer waited for the audit log. */
static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct citizen *c = arg;
    TRY(check_claim(c, hash));
    if (c->tells_records)
        return access_judge_again(&c->a, hash);
    TRY(citizen_heard(c, hash));
    return c->also ? c->also(c, hash) : OK;
}

static ERR read_hash(struct citizen *c)
{
    fresh_watch(&c->a, &c->ps.person, still_good, c);
    return ask(c, LIT("HGETALL"), &c->ps.person, on_hash);
}

void citizen_nobody(struct store_name *ret_k)
{
    static const char HEX[] = "0123456789abcdef";
    struct person nobody;
    uint8_t rnd[sizeof nobody.h];
    rnd_bytes(rnd, sizeof rnd);
    for (size_t i = 0; i < sizeof nobody.h; i++)
        nobody.h[i] = HEX[rnd[i] & 15];
    store_name_person(&nobody, ret_k);
}

/* As much work as for somebody, with a key that nobody has. */
static ERR name_nobody(struct citizen *c)
{
    struct store *s = c->a.env->store;
    uint8_t scratch[STORE_HANDLE_BYTES], key[STORE_HANDLE_BYTES];
    struct buf sealed, plain;
    struct pseudonym p = c->ps;
    rnd_bytes(key, sizeof key);
    p.pmh_key = ARR(key);
    buf_init(&sealed, PMH_KEY_SEALED_MAX);
    buf_init(&plain, PMH_KEY_SEALED_MAX);
    struct err e = pseudonym_seal_key(s, &p, &sealed);
    if (err_ok(e))
        e = pseudonym_open_key(s, &p, buf_slice(&sealed), &plain);
    if (err_ok(e))
        e = pseudonym_person(s, &p);
    if (err_ok(e))
        e = store_audit_handle(s, p.pmh_key, scratch);
    buf_done(&sealed);
    buf_done(&plain);
    citizen_nobody(&c->ps.person);
    return e;
}

static ERR name_somebody(struct citizen *c, struct slice sealed)
{
    struct access *a = &c->a;
    struct buf key;
    buf_init(&key, PMH_KEY_SEALED_MAX);
    struct err e = pseudonym_open_key(a->env->store, &c->ps, sealed, &key);
    c->ps.pmh_key = buf_slice(&key);
    if (err_ok(e))
        e = pseudonym_person(a->env->store, &c->ps);
    if (err_ok(e))
        e = access_subject(a, c->ps.pmh_key);
    c->ps.pmh_key = SLICE_NONE;
    buf_done(&key);
    c->known = err_ok(e);
    return e;
}

static void on_key(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct citizen *c = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_type(replies[0]) == REDIS_STR)
        e = name_somebody(c, redis_reply_str(replies[0]));
    else if (err_ok(e))
        e = name_nobody(c);
    if (err_ok(e))
        e = read_hash(c);
    if (!err_ok(e))
        c->fn(c, e, NULL);
}

void citizen_find(struct citizen *c, struct req *r, enum audit_event event, struct slice pseudonym, citizen_fn *fn)
{
    citizen_find_at(c, r, event, slice_str(req_caller(r)->system), pseudonym, fn);
}

void citizen_find_at(struct citizen *c, struct req *r, enum audit_event event, struct slice portal, struct slice pseudonym, citizen_fn *fn)
{
    if (!pseudonym_chars_ok(pseudonym)) {
        access_refuse_field(r, "pseudonym", FR_CLASS);
        return;
    }
    if (!access_open(&c->a, r, event))
        return;
    c->fn = fn;
    c->ps = (struct pseudonym){ .portal = portal, .text = pseudonym };
    struct err e = pseudonym_name(c->a.env->store, &c->ps);
    if (err_ok(e))
        e = ask(c, LIT("GET"), &c->ps.name, on_key);
    if (!err_ok(e))
        access_end(&c->a, e);
}

void citizen_again(struct citizen *c, citizen_fn *fn)
{
    c->fn = fn;
    struct err e = read_hash(c);
    if (!err_ok(e))
        access_end(&c->a, e);
}

/* ---- silence ---- */

/* Consents and the access log outlive a certificate. */
struct err citizen_heard(struct citizen *c, const struct redis_reply *hash)
{
    struct err e = judge_heard(&c->judge, c->a.env->store, &c->ps.person, clock_date_jst(citizen_now_ms(c)), hash);
    if (err_is(e, E_FORBIDDEN))
        LOG(ERROR, "record_without_key", LF("request", req_id(c->a.r)));
    return e;
}
