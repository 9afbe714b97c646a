#include "gateway/consent/consent_int.h"

struct err consent__all_until(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t *ret_ms)
{
    struct slice value = consent__find(hash, CONSENT_ALL_FIELD);
    *ret_ms = 0;
    return value.n ? consent__open_all(s, person, value, ret_ms) : OK;
}

/* The clock of online qualification may be ahead of ours by the allowed skew: what we saw before the withdrawal was given before it. */
static ERR seen_before(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_claim *c, uint64_t all_ms)
{
    struct consent_place at = consent__place(s, person, CF_GIVEN, &c->name);
    struct slice value = consent__find(hash, store_name_slice(&at.field));
    struct consent_entry e;
    if (!value.n)
        return OK;
    TRY(consent__open_given(&at, value, &e));
    return e.version >= c->version && e.seen_ms <= all_ms ? FAIL(E_CONSENT) : OK;
}

struct err consent_judge(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_claim *c)
{
    uint64_t all_ms;
    struct consent_place at = consent__place(s, person, CF_WITHDRAWN, &c->name);
    struct slice value = consent__find(hash, store_name_slice(&at.field));
    struct consent_withdrawn w = { .version = 0 };
    TRY(consent__all_until(s, person, hash, &all_ms));
    if (value.n)
        TRY(consent__open_withdrawn(&at, value, &w));
    if (w.version >= c->version || (all_ms && c->given_s <= all_ms / 1000))
        return FAIL(E_CONSENT);
    return all_ms ? seen_before(s, person, hash, c, all_ms) : OK;
}

struct err session_find(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_name *session,
                        struct session_entry *ret_n, struct session_held *ret_h)
{
    struct consent_place at = consent__place(s, person, CF_SESSION, session);
    struct slice value = consent__find(hash, store_name_slice(&at.field));
    if (!value.n)
        return FAIL(E_SESSION);
    ret_n->name = *session;
    return consent__open_session(&at, value, ret_n, ret_h);
}

struct err session_judge(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_name *session,
                         const struct consent_claim *c, uint64_t now_ms)
{
    struct session_entry n;
    TRY(session_find(s, person, hash, session, &n, NULL));
    bool same = slice_eq(ARR(n.consent.name.b), ARR(c->name.b)) && n.consent.version == c->version && n.consent.given_s == c->given_s;
    if (!same || n.until_ms <= now_ms)
        return FAIL(E_SESSION);
    return consent_judge(s, person, hash, c);
}
