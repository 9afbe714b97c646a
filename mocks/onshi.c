/* オンライン資格確認等システム: card and consent make a PMH link key. Knows card serials, binding numbers and PMH keys; no number. */

#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "gateway/jose/claims.h"
#include "mocks/routes.h"

enum { JTI_BYTES = 16, CLAIMS_MAX = 2048, ANSWER_MAX = 16384, ITEMS_MAX = 16, SCOPE_MAX = 1024 };

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

/* ---- what is asked for ---- */

struct wish {
    struct slice serial, purpose, consent_id, fault;
    char scope[SCOPE_MAX];
    uint32_t version;
};

static bool scope_add(struct wish *w, const char *item)
{
    size_t n = strlen(w->scope);
    int k = snprintf(w->scope + n, sizeof w->scope - n, "%s%s", n ? " " : "", item);
    return k > 0 && (size_t)k < sizeof w->scope - n;
}

/* Kinds of data, each whole, or "eligibility.<field>". */
static bool items_read(json_t *obj, struct wish *w)
{
    json_t *items = json_object_get(obj, "items"), *item;
    struct link_scope scope;
    size_t i;
    if (!json_is_array(items) || json_array_size(items) < 1 || json_array_size(items) > ITEMS_MAX)
        return false;
    json_array_foreach (items, i, item)
        if (!json_is_string(item) || !scope_add(w, json_string_value(item)))
            return false;
    return link_scope_parse(slice_str(w->scope), &scope);
}

/* A member that may be missing. */
static bool text_if(json_t *obj, const char *name, size_t max, struct slice *out, size_t *ret_members)
{
    if (!json_object_get(obj, name))
        return true;
    ++*ret_members;
    return member_text(obj, name, max, out);
}

static bool version_if(json_t *obj, struct wish *w, size_t *ret_members)
{
    json_t *v = json_object_get(obj, "consent_version");
    if (!v)
        return true;
    ++*ret_members;
    w->version = (uint32_t)json_integer_value(v);
    return json_is_integer(v) && json_integer_value(v) >= 1 && json_integer_value(v) <= UINT32_MAX;
}

static bool wish_read(json_t *obj, struct wish *w)
{
    size_t members = 2;
    *w = (struct wish){ .purpose = LIT("treatment"), .version = 1 };
    return member_text(obj, "card_serial", SERIAL_MAX, &w->serial) && items_read(obj, w) &&
           text_if(obj, "purpose", CLAIM_PURPOSE_MAX, &w->purpose, &members) && text_if(obj, "consent_id", 64, &w->consent_id, &members) &&
           text_if(obj, "fault", 32, &w->fault, &members) && version_if(obj, w, &members) && json_object_size(obj) == members;
}

/* ---- faulty keys, for tests of the gateway: "fault" names one ---- */

static void key_expired(struct link_claims *k) { k->iat -= 7200, k->exp = k->iat + 3600; }
static void key_future(struct link_claims *k) { k->iat += 3600, k->exp += 3600; }
static void key_long(struct link_claims *k) { k->exp = k->iat + 2 * LINK_KEY_LIFE_S; }
static void key_other_clinic(struct link_claims *k) { k->aud = LIT("9999999999"); }
static void key_other_environment(struct link_claims *k) { k->iss = LIT("onshi.other"); }
static void key_other_purpose(struct link_claims *k) { k->purpose = LIT("advertising"); }

static void text_truncated(struct buf *t) { t->n -= t->n > 4 ? 4 : 0; }
static void text_padded(struct buf *t) { buf_puts(t, "=="); }
static void text_flipped(struct buf *t) { t->p[t->n / 2] = t->p[t->n / 2] == 'A' ? 'B' : 'A'; }
static void text_long(struct buf *t)
{
    while (t->n < JWE_MAX)
        buf_putc(t, 'A');
}

/* The header of another algorithm before the rest of a good token. */
static void header_put(struct buf *t, const char *json)
{
    struct buf whole;
    const uint8_t *dot = memchr(t->p, '.', t->n);
    buf_init(&whole, 2 * JWE_MAX);
    b64url_encode(slice_str(json), &whole);
    buf_put(&whole, slice_of(dot, t->n - (size_t)(dot - t->p)));
    buf_reset(t);
    buf_put(t, buf_slice(&whole));
    buf_done(&whole);
}
static void text_none(struct buf *t) { header_put(t, "{\"alg\":\"none\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}"); }
static void text_a128gcm(struct buf *t) { header_put(t, "{\"alg\":\"dir\",\"enc\":\"A128GCM\",\"kid\":\"k1\"}"); }
static void text_rsa(struct buf *t) { header_put(t, "{\"alg\":\"RSA-OAEP\",\"enc\":\"A256GCM\",\"kid\":\"k1\"}"); }
static void text_kid(struct buf *t) { header_put(t, "{\"alg\":\"dir\",\"enc\":\"A256GCM\",\"kid\":\"k999\"}"); }

static const struct key_fault {
    const char *name;
    void (*claims)(struct link_claims *k);
    void (*text)(struct buf *t);
} KEY_FAULTS[] = {
    { "expired", key_expired, NULL },         { "future", key_future, NULL },
    { "long_life", key_long, NULL },          { "other_clinic", key_other_clinic, NULL },
    { "other_environment", key_other_environment, NULL }, { "other_purpose", key_other_purpose, NULL },
    { "truncated", NULL, text_truncated },    { "padded", NULL, text_padded },
    { "flipped", NULL, text_flipped },        { "long", NULL, text_long },
    { "alg_none", NULL, text_none },          { "a128gcm", NULL, text_a128gcm },
    { "rsa_oaep", NULL, text_rsa },           { "unknown_kid", NULL, text_kid },
};

static const struct key_fault *key_fault(struct slice name)
{
    for (size_t i = 0; i < sizeof KEY_FAULTS / sizeof *KEY_FAULTS; i++)
        if (slice_eq(slice_str(KEY_FAULTS[i].name), name))
            return &KEY_FAULTS[i];
    return NULL;
}

/* ---- consent and key ---- */

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

static struct err seal(struct nation *n, const struct link_claims *k, struct buf *out)
{
    struct buf claims;
    buf_init(&claims, CLAIMS_MAX);
    link_claims_write(k, &claims);
    struct err e = buf_check(&claims);
    if (err_ok(e))
        e = ids_fresh_link_key(n);
    if (err_ok(e))
        e = jwe_seal(n->link_keys, slice_str(n->mint.kid), buf_slice(&claims), out);
    buf_done(&claims);
    return err_ok(e) ? buf_check(out) : e;
}

/* A fresh key every time: two keys of one person have nothing in common that a clinic could see. */
static struct err link_key_mint(struct nation *n, const struct person *p, const struct caller *clinic, const struct wish *w, struct consent *c)
{
    const struct key_fault *fault = key_fault(w->fault);
    struct buf jti;
    if (w->fault.n && !fault)
        return FAIL(E_FIELD);
    buf_init(&jti, 64);
    random_id(&jti);
    if (w->consent_id.n)
        buf_put(&c->id, w->consent_id);
    else
        random_id(&c->id);
    uint64_t now = now_s(n);
    c->until_s = now + CONSENT_LIFE_S;
    struct link_claims k = {
        .iss = LIT("onshi.local"), .pmh_key = slice_str(p->onshi.pmh_key), .aud = slice_str(clinic->code), .purpose = w->purpose,
        .scope = slice_str(w->scope), .jti = buf_slice(&jti), .consent_id = buf_slice(&c->id), .consent_version = w->version, .iat = now, .exp = c->until_s,
    };
    if (fault && fault->claims)
        fault->claims(&k);
    struct err e = seal(n, &k, &c->link_key);
    if (err_ok(e) && fault && fault->text)
        fault->text(&c->link_key);
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
    struct wish w;
    struct consent c;
    TRY(json_in_object(&obj, req_arena(r), req_body(r)));
    if (!wish_read(obj, &w))
        return FAIL(E_FIELD);
    uint32_t at = people_by_serial(&n->people, w.serial);
    if (at == TABLE_NONE || !onshi_key_of(n, at))
        return FAIL(E_NOTHING);
    buf_init(&c.id, 64);
    buf_init(&c.link_key, 2 * JWE_MAX);
    struct err e = link_key_mint(n, people_at(&n->people, at), req_caller(r), &w, &c);
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
