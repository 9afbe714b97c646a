#include "gateway/consent/tell.h"

#include <stdlib.h>

static bool has(const struct consent_clinics *c, const char clinic[static CONSENT_CLINIC_CHARS])
{
    for (size_t i = 0; i < c->n; i++)
        if (slice_eq(ARR(c->at[i].clinic), slice_of(clinic, CONSENT_CLINIC_CHARS)))
            return true;
    return false;
}

ERR consent_clinics_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, unsigned kinds, uint64_t now_ms,
                         struct consent_clinics *ret_c)
{
    struct consent_book *b = malloc(sizeof *b); /* too large for the stack */
    if (!b)
        return FAIL(E_NOMEM);
    ret_c->n = 0;
    struct err e = consent_read(s, person, hash, now_ms, b);
    for (size_t i = 0; err_ok(e) && i < b->n_sessions; i++) { /* newest first */
        const struct session_entry *n = &b->sessions[i];
        if (!(n->kinds & kinds) || has(ret_c, n->clinic))
            continue;
        struct consent_clinic *c = &ret_c->at[ret_c->n++];
        memcpy(c->clinic, n->clinic, sizeof c->clinic);
        c->session = n->name;
    }
    free(b);
    return e;
}

ERR consent_clinic_has_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_name *session, struct slice clinic,
                            uint64_t now_ms)
{
    struct consent_book *b = malloc(sizeof *b);
    if (!b)
        return FAIL(E_NOMEM);
    struct err e = consent_read(s, person, hash, now_ms, b);
    bool open = false;
    for (size_t i = 0; err_ok(e) && i < b->n_sessions; i++)
        open = open || (slice_eq(ARR(b->sessions[i].name.b), ARR(session->b)) && slice_eq(ARR(b->sessions[i].clinic), clinic));
    free(b);
    TRY(e);
    return open ? OK : FAIL(E_SESSION);
}

ERR consent_gave_way(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct session_entry *n, uint64_t now_ms, bool *ret_gave)
{
    struct consent_book *b = malloc(sizeof *b);
    if (!b)
        return FAIL(E_NOMEM);
    size_t since = 0;
    struct err e = consent_read(s, person, hash, now_ms, b);
    for (size_t i = 0; err_ok(e) && i < b->n_sessions; i++)
        since += slice_eq(ARR(b->sessions[i].clinic), ARR(n->clinic)) && b->sessions[i].opened_ms >= n->opened_ms;
    free(b);
    *ret_gave = since >= CONSENT_CLINIC_MAX;
    return e;
}
