#include "gateway/consent/consent_int.h"

/* What a first use leaves in p:{h}: co: and sn:. */

static ERR version_told(const struct consent_place *at, const struct redis_reply *hash, uint32_t *ret_version)
{
    struct consent_entry there;
    struct slice value = consent__find(hash, store_name_slice(&at->field));
    *ret_version = 0;
    if (!value.n)
        return OK;
    TRY(consent__open_given(at, value, &there));
    *ret_version = there.version;
    return OK;
}

static bool is_there(const struct consent_place *at, const struct redis_reply *hash) { return consent__find(hash, store_name_slice(&at->field)).n > 0; }

/* A consent that is there already takes no room, and may not be the one that makes some. */
static ERR prune(const struct consent_place *given, const struct redis_reply *hash, const struct consent_entry *e, const struct session_entry *n, uint64_t now_ms,
                 struct redis_batch *b)
{
    struct consent_room room = { .consents = e && !is_there(given, hash), .sessions = 1, .clinic = n->clinic };
    return consent_add_pruning(given->store, given->person, hash, now_ms, room, b);
}

struct err consent_add_use(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_entry *e,
                           const struct session_entry *n, const struct session_held *h, uint64_t now_ms, struct redis_batch *b)
{
    uint32_t told = 0;
    struct consent_place open = consent__place(s, person, CF_SESSION, &n->name), given = consent__place(s, person, CF_GIVEN, e ? &e->name : &n->name);
    TRY(prune(&given, hash, e, n, now_ms, b));
    if (e)
        TRY(version_told(&given, hash, &told));
    if (e && told < e->version)
        TRY(consent__put_given(&given, e, b));
    return consent__put_session(&open, n, h, b);
}

/* ---- in two halves: before the hash is known, and after ---- */

struct err consent_use_seal(struct store *s, const struct store_name *person, const struct consent_entry *e, const struct session_entry *n, const struct session_held *h,
                            struct consent_use *ret_u)
{
    struct consent_place open = consent__place(s, person, CF_SESSION, &n->name), given = consent__place(s, person, CF_GIVEN, &e->name);
    ret_u->given_field = given.field;
    ret_u->session_field = open.field;
    buf_init(&ret_u->given, CONSENT_VALUE_MAX);
    buf_init(&ret_u->session, CONSENT_VALUE_MAX);
    struct err err = consent__seal_given(&given, e, &ret_u->given);
    return err_ok(err) ? consent__seal_session(&open, n, h, &ret_u->session) : err;
}

void consent_use_done(struct consent_use *u)
{
    buf_done(&u->given);
    buf_done(&u->session);
}

struct err consent_use_settle(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_entry *e,
                              const struct session_entry *n, bool noted, uint64_t now_ms, struct redis_batch *b, bool *ret_matters)
{
    uint32_t told;
    struct consent_place given = consent__place(s, person, CF_GIVEN, &e->name);
    TRY(prune(&given, hash, e, n, now_ms, b));
    TRY(version_told(&given, hash, &told));
    *ret_matters = told < e->version && !noted; /* also where another one noted it at this moment, and may take it back */
    return *ret_matters ? consent__put_given(&given, e, b) : OK;
}

struct err consent_use_take_back(const struct store_name *person, const struct consent_name *consent, const struct consent_name *session, struct redis_batch *b)
{
    struct store_name given, open;
    consent__field(CF_SESSION, session, &open);
    if (!consent)
        return session_add_end(person, session, b);
    consent__field(CF_GIVEN, consent, &given);
    REDIS_ADD(b, LIT("HDEL"), store_name_slice(person), store_name_slice(&open), store_name_slice(&given));
    return OK;
}
