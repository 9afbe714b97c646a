#include "gateway/clinic/look_up.h"

/* From the link key to the person whose hash is asked for, and what is left there. */

enum { USE_MARGIN_S = CLOCK_SKEW_S + 60 /* a use is remembered beyond the end of its key */ };

static ERR read_link_key(struct look_up *l)
{
    struct buf plain;
    buf_init(&plain, JWE_MAX);
    struct err e = jwe_open(l->a.env->link_keys, l->link_key, &plain);
    if (err_ok(e))
        e = link_claims_read(&l->claims, req_arena(l->a.r), buf_slice(&plain));
    buf_done(&plain);
    if (err_ok(e) && !slice_eq(l->claims.iss, l->a.env->link_key_issuer))
        e = FAIL(E_NOTHING);
    return e;
}

/* Of a key that only opens a session. */
static uint16_t items_of(uint8_t kinds)
{
    return (uint16_t)((kinds & 1u << LINK_IMMUNIZATIONS ? AUDIT_ITEM_VACCINATION : 0) | (kinds & 1u << LINK_QUESTIONNAIRE ? AUDIT_ITEM_QUESTIONNAIRE : 0));
}

/* Who the key is about, and that the caller is the one it was made for. The person is known as soon as the key is genuine: also what is refused is
 * recorded for that person to see. */
static ERR check_link_key(struct look_up *l)
{
    struct access *a = &l->a;
    struct err e = read_link_key(l);
    a->rec.items = AUDIT_ITEM_ELIGIBILITY;
    if (err_ok(e)) {
        TRY(store_person(a->env->store, l->claims.pmh_key, &l->session.person));
        TRY(store_handle_of_person(a->env->store, &l->session.person, a->rec.subject));
        e = link_claims_live(&l->claims, look_up_now_ms(l) / 1000);
    }
    if (err_is(e, E_NOTHING))
        return (struct err){ E_TOKEN, e.site };
    TRY(e);
    if (!slice_eq(l->claims.aud, slice_str(req_caller(a->r)->code)))
        return FAIL(E_FORBIDDEN);
    if (!look_up_tells_eligibility(l))
        a->rec.items = items_of(l->claims.allowed.kinds);
    return access_basis(a, l->claims.purpose, a->rec.items);
}

static void fill_session(struct look_up *l)
{
    struct session_entry *n = &l->session.open;
    struct session_held *h = &l->session.held;
    n->until_ms = session_expiry(look_up_now_ms(l), l->a.env->session_life_ms, l->claims.iat);
    n->kinds = l->claims.allowed.kinds;
    memset(n->clinic, '0', sizeof n->clinic);
    if (l->claims.aud.n == sizeof n->clinic)
        memcpy(n->clinic, l->claims.aud.p, sizeof n->clinic);
    memcpy(h->cert, req_caller(l->a.r)->cert_sha256, sizeof h->cert);
    memcpy(h->purpose, l->claims.purpose.p ? l->claims.purpose.p : (const uint8_t *)"", l->claims.purpose.n); /* at most CLAIM_PURPOSE_MAX; zeroed memory */
    h->fields = l->claims.allowed.fields;
}

static void fill_consent(struct look_up *l)
{
    const struct session_entry *n = &l->session.open;
    struct consent_entry *e = &l->consent;
    *e = (struct consent_entry){ .name = n->consent.name, .version = n->consent.version, .given_s = n->consent.given_s,
                                 .until_ms = (l->claims.iat + LINK_KEY_LIFE_S) * 1000, .seen_ms = look_up_now_ms(l), .kinds = n->kinds };
    memcpy(e->clinic, n->clinic, sizeof e->clinic);
    memcpy(e->purpose, l->session.held.purpose, sizeof e->purpose);
}

/* Names that nobody has: a refused key takes as long as one of a person without data. */
static void name_nobody(struct look_up *l)
{
    static const char HEX[] = "0123456789abcdef";
    struct person nobody;
    uint8_t rnd[sizeof nobody.h];
    rnd_bytes(rnd, sizeof rnd);
    for (size_t i = 0; i < sizeof nobody.h; i++)
        nobody.h[i] = HEX[rnd[i] & 15];
    l->session.person = nobody;
    store_name_person(&nobody, &l->person);
}

static ERR name_somebody(struct look_up *l)
{
    struct store *s = l->a.env->store;
    struct consent_claim *c = &l->session.open.consent;
    store_name_person(&l->session.person, &l->person);
    TRY(store_handle_used(s, l->claims.jti, l->a.rec.ref));
    TRY(consent_name_of(s, &l->session.person, l->claims.consent_id, &c->name));
    c->version = l->claims.consent_version;
    c->given_s = l->claims.iat;
    l->a.rec.until_s = (uint32_t)(l->claims.exp + USE_MARGIN_S);
    return OK;
}

struct err look_up_begin(struct look_up *l)
{
    struct err e = l->refused = check_link_key(l);
    if (!err_ok(e) && !err_is(e, E_TOKEN) && !err_is(e, E_FORBIDDEN) && !err_is(e, E_BASIS))
        return e;
    if (err_ok(e))
        TRY(name_somebody(l));
    else
        name_nobody(l);
    fill_session(l);
    fill_consent(l);
    return OK;
}
