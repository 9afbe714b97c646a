/* Whom an entry concerns, whether it uses up a link key, and whether a store that came back older must hear of it. */

#include "gateway/audit/audit.h"
#include "gateway/base/text.h"

enum { CODE = 6 };

struct audit_key audit_key_person(const uint8_t handle[static AUDIT_HANDLE_BYTES])
{
    struct audit_key k = { .kind = AK_PERSON };
    memcpy(k.b, handle, sizeof k.b);
    return k;
}

struct audit_key audit_key_muni(const char code[static 6])
{
    struct audit_key k = { .kind = AK_MUNI };
    memcpy(k.b, code, CODE);
    return k;
}

static bool key_same(const struct audit_key *a, const struct audit_key *b) { return a->kind == b->kind && slice_eq(ARR(a->b), ARR(b->b)); }

/* "municipality/<code>/..." */
static bool actor_muni(const struct audit_rec *rec, struct slice *ret_code)
{
    struct slice word, code, rest;
    return slice_cut(ARR(rec->actor), '/', &word, &rest) && slice_eq(word, LIT("municipality")) && slice_cut(rest, '/', &code, &rest) && code.n == CODE &&
           all_digits(code) && (*ret_code = code, true);
}

size_t audit_keys_of(const struct audit_rec *rec, struct audit_key ret_k[static AUDIT_KEYS_MAX])
{
    static const uint8_t NOBODY[AUDIT_HANDLE_BYTES];
    size_t n = 0;
    struct slice code;
    if (!slice_eq(ARR(rec->subject), ARR(NOBODY)))
        ret_k[n++] = audit_key_person(rec->subject);
    if (!slice_eq(ARR(rec->muni), LIT("000000")))
        ret_k[n++] = audit_key_muni(rec->muni);
    if (actor_muni(rec, &code)) {
        struct audit_key k = audit_key_muni((const char *)code.p);
        if (!n || !key_same(&k, &ret_k[n - 1]))
            ret_k[n++] = k;
    }
    return n;
}

bool audit_is_about(const struct audit_rec *rec, const struct audit_key *k)
{
    struct audit_key own[AUDIT_KEYS_MAX];
    size_t n = audit_keys_of(rec, own);
    while (n--)
        if (key_same(&own[n], k))
            return true;
    return false;
}

bool audit_counterpart(const struct audit_rec *rec, struct slice *ret_code)
{
    static const enum audit_event BETWEEN[] = { AU_INQUIRY_SENT, AU_INQUIRY_ANSWERED, AU_IMMUNIZATIONS_PROVIDED };
    *ret_code = slice_of(rec->ref, CODE);
    for (size_t i = 0; i < sizeof BETWEEN / sizeof BETWEEN[0]; i++)
        if (rec->event == BETWEEN[i])
            return all_digits(*ret_code);
    return false;
}

static bool has_ref(const struct audit_rec *rec)
{
    static const uint8_t NONE[AUDIT_HANDLE_BYTES];
    return !slice_eq(ARR(rec->ref), ARR(NONE));
}

bool audit_is_use(const struct audit_rec *rec)
{
    return rec->event == AU_CLINIC_LOOKUP && (rec->result == AR_OK || rec->result == AR_NOTHING) && has_ref(rec);
}

bool audit_is_act(const struct audit_rec *rec)
{
    static const enum audit_event ACTS[] = { AU_CONSENT_WITHDRAWN, AU_SESSION_ENDED, AU_FLAGS_SET, AU_PERSON_ERASED };
    if (rec->epoch || (rec->event == AU_CLINIC_LOOKUP && has_ref(rec)))
        return true;
    for (size_t i = 0; i < sizeof ACTS / sizeof ACTS[0]; i++)
        if (rec->event == ACTS[i])
            return true;
    return false;
}
