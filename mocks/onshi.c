/* オンライン資格確認等システム: card and consent make a PMH link key. Knows card serials, binding numbers and PMH keys; no number. */

#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "gateway/jose/claims.h"
#include "mocks/routes.h"

enum { JTI_BYTES = 16, CLAIMS_MAX = 2048, ANSWER_MAX = 8192, ITEMS_MAX = 8 };

void onshi_receive(struct nation *n, uint32_t at, const char *pmh_key, const char *binding)
{
    struct person *p = people_at(&n->people, at);
    snprintf(p->onshi.pmh_key, sizeof p->onshi.pmh_key, "%s", pmh_key);
    snprintf(p->onshi.binding, sizeof p->onshi.binding, "%s", binding);
}

const char *onshi_key_of(struct nation *n, uint32_t at)
{
    struct person *p = people_at(&n->people, at);
    return p->onshi.pmh_key[0] ? p->onshi.pmh_key : NULL;
}

static uint64_t now_s(const struct nation *n) { return clock_wall(loop_clock(n->l)) / 1000; }

size_t onshi_consents_valid(const struct nation *n)
{
    size_t valid = 0;
    for (size_t i = 0; i < CONSENTS_KEPT; i++)
        valid += n->consents.until_s[i] > now_s(n);
    return valid;
}

/* Consent to "eligibility" is the only one that there is. */
static bool items_ok(json_t *obj)
{
    json_t *items = json_object_get(obj, "items"), *item;
    size_t i;
    if (!json_is_array(items) || json_array_size(items) < 1 || json_array_size(items) > ITEMS_MAX)
        return false;
    json_array_foreach (items, i, item)
        if (!json_is_string(item) || strcmp(json_string_value(item), "eligibility") != 0)
            return false;
    return true;
}

static void random_id(struct buf *out)
{
    uint8_t id[JTI_BYTES];
    rnd_bytes(id, sizeof id);
    b64url_encode(ARR(id), out);
}

struct consent {
    struct buf id, link_key;
    uint64_t until_s;
};

/* A fresh key every time: two keys of one person have nothing in common that a clinic could see. */
static struct err link_key_mint(struct nation *n, const struct person *p, const struct caller *clinic, struct consent *c)
{
    struct buf jti, claims;
    buf_init(&jti, 64);
    buf_init(&claims, CLAIMS_MAX);
    random_id(&jti);
    random_id(&c->id);
    uint64_t now = now_s(n);
    c->until_s = now + CONSENT_LIFE_S;
    struct link_claims k = {
        .iss = LIT("onshi.local"), .pmh_key = slice_str(p->onshi.pmh_key), .aud = slice_str(clinic->code), .purpose = LIT("treatment"),
        .scope = LIT("eligibility"), .jti = buf_slice(&jti), .consent_id = buf_slice(&c->id), .consent_version = 1, .iat = now, .exp = c->until_s,
    };
    link_claims_write(&k, &claims);
    struct err e = buf_check(&claims);
    if (err_ok(e))
        e = jwe_seal(n->link_keys, slice_str(n->kid), buf_slice(&claims), &c->link_key);
    if (err_ok(e))
        e = buf_check(&c->link_key);
    buf_done(&claims);
    buf_done(&jti);
    return e;
}

static void consent_write(const struct consent *c, struct buf *out)
{
    struct jsonw w;
    char until[24];
    clock_format_utc(c->until_s * 1000, until);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "link_key", buf_slice(&c->link_key));
    jsonw_str(&w, "consent_id", buf_slice(&c->id));
    jsonw_str(&w, "expires_at", ARR(until));
    jsonw_end_object(&w);
}

static struct err consent_make(struct nation *n, struct req *r, struct buf *out)
{
    json_t *obj;
    struct slice serial;
    struct consent c;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (json_object_size(obj) != 2 || !member_text(obj, "card_serial", SERIAL_MAX, &serial) || !items_ok(obj))
        return FAIL(E_FIELD);
    uint32_t at = people_by_serial(&n->people, serial);
    if (at == TABLE_NONE || !onshi_key_of(n, at))
        return FAIL(E_NOTHING);
    buf_init(&c.id, 64);
    buf_init(&c.link_key, JWE_MAX);
    struct err e = link_key_mint(n, people_at(&n->people, at), req_caller(r), &c);
    if (err_ok(e)) {
        consent_write(&c, out);
        n->consents.until_s[n->consents.next++ % CONSENTS_KEPT] = c.until_s;
    }
    buf_done(&c.id);
    buf_done(&c.link_key);
    return e;
}

static void consent_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct fault fx = faults_take(&n->faults, SYSTEM_ONSHI);
    struct buf body;
    buf_init(&body, ANSWER_MAX);
    struct err e = consent_make(n, r, &body);
    if (err_ok(e)) {
        n->count.consents++;
        n->count.link_keys++;
        answer_send(n, r, &fx, 201, &body);
    } else {
        n->count.consents_refused++;
        answer_fail(n, r, &fx, e);
    }
    buf_done(&body);
}

const struct route ONSHI_ROUTES[] = {
    { M_POST, "/onshi/v1/consents", { "giveConsent" }, CALLER_BIT(CALLER_CLINIC), false, 4096, "application/json", 130000, consent_post },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t ONSHI_ROUTES_N = sizeof ONSHI_ROUTES / sizeof *ONSHI_ROUTES;
