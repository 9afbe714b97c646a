#include "gateway/consent/consent_int.h"

#include <stdlib.h>

/* ---- reading all of it ---- */

struct reading {
    struct store *store;
    const struct store_name *person;
    const struct redis_reply *hash;
    uint64_t now_ms;
    struct consent_book *book;
};

static ERR withdrawn_at(const struct reading *r, struct consent_entry *e)
{
    struct consent_place at = consent__place(r->store, r->person, CF_WITHDRAWN, &e->name);
    struct slice value = consent__find(r->hash, store_name_slice(&at.field));
    struct consent_withdrawn w = { .version = 0 };
    uint64_t all_ms = r->book->all_until_ms;
    if (value.n)
        TRY(consent__open_withdrawn(&at, value, &w));
    bool by_all = all_ms && (e->given_s <= all_ms / 1000 || e->seen_ms <= all_ms);
    e->withdrawn_ms = w.version >= e->version ? w.stamp.at_ms : by_all ? all_ms : 0;
    return OK;
}

static ERR take_consent(struct reading *r, const struct consent_name *name, struct slice value)
{
    struct consent_book *b = r->book;
    struct consent_stamp stamp;
    struct consent_place at = consent__place(r->store, r->person, CF_GIVEN, name);
    if (b->n_consents == CONSENT_KEEP_MAX || (consent__stamp(value, &stamp) && stamp.until_ms <= r->now_ms))
        return OK;
    struct consent_entry *e = &b->consents[b->n_consents];
    TRY(consent__open_given(&at, value, e));
    e->name = *name;
    TRY(withdrawn_at(r, e));
    b->n_consents++;
    return OK;
}

static ERR take_session(struct reading *r, const struct consent_name *name, struct slice value)
{
    struct consent_book *b = r->book;
    struct consent_stamp stamp;
    struct consent_place at = consent__place(r->store, r->person, CF_SESSION, name);
    if (b->n_sessions == CONSENT_KEEP_MAX || (consent__stamp(value, &stamp) && stamp.until_ms <= r->now_ms))
        return OK;
    struct session_entry *n = &b->sessions[b->n_sessions];
    TRY(consent__open_session(&at, value, n, NULL));
    n->name = *name;
    struct err e = session_judge(r->store, r->person, r->hash, name, &n->consent, r->now_ms);
    b->n_sessions += err_ok(e);
    return err_is(e, E_SESSION) || err_is(e, E_CONSENT) ? OK : e;
}

static int newest_consent(const void *a, const void *b)
{
    const struct consent_entry *x = a, *y = b;
    return x->seen_ms < y->seen_ms ? 1 : x->seen_ms > y->seen_ms ? -1 : 0;
}

static int newest_session(const void *a, const void *b)
{
    const struct session_entry *x = a, *y = b;
    return x->opened_ms < y->opened_ms ? 1 : x->opened_ms > y->opened_ms ? -1 : 0;
}

struct err consent_read(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct consent_book *ret_b)
{
    struct reading r = { s, person, hash, now_ms, ret_b };
    *ret_b = (struct consent_book){ 0 };
    TRY(consent__all_until(s, person, hash, &ret_b->all_until_ms));
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        enum consent_field kind;
        struct consent_name name;
        struct slice value = redis_reply_str(redis_reply_at(hash, i + 1));
        if (!consent__field_is(redis_reply_str(redis_reply_at(hash, i)), &kind, &name))
            continue;
        if (kind == CF_GIVEN)
            TRY(take_consent(&r, &name, value));
        else if (kind == CF_SESSION)
            TRY(take_session(&r, &name, value));
    }
    qsort(ret_b->consents, ret_b->n_consents, sizeof ret_b->consents[0], newest_consent);
    qsort(ret_b->sessions, ret_b->n_sessions, sizeof ret_b->sessions[0], newest_session);
    return OK;
}
