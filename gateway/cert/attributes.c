#include "gateway/cert/attributes.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/cert/names.h"
#include "gateway/check/json_in.h"

enum { MEMBERS = 8, JTI_MIN = 16, JTI_MAX = 64, PORTAL_MAX = 32 };

static struct slice text_of(json_t *obj, const char *name)
{
    json_t *v = json_object_get(obj, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

static bool object_of(struct slice b64, struct arena *a, json_t **ret_o)
{
    struct buf text;
    buf_init(&text, ATTRIBUTES_MAX);
    bool good = b64url_decode(b64, &text) && err_ok(json_in_object(ret_o, a, buf_slice(&text)));
    buf_done(&text);
    return good;
}

/* Nothing that asks for more than we do: no crit, no key in it, no other algorithm. */
static bool header_ok(struct slice b64, struct arena *a)
{
    json_t *h, *v;
    const char *name;
    if (!object_of(b64, a, &h) || !slice_eq(text_of(h, "alg"), LIT("ES256")))
        return false;
    json_object_foreach(h, name, v)
        if (!json_is_string(v) || !(slice_eq(slice_str(name), LIT("alg")) || slice_eq(slice_str(name), LIT("typ")) || slice_eq(slice_str(name), LIT("kid"))))
            return false;
    return true;
}

static bool signed_by(const struct es256_verifier *issuer, const struct jws_parts *p)
{
    struct buf sig;
    buf_init(&sig, ES256_SIGNATURE);
    bool good = b64url_decode(p->signature, &sig) && es256_verify(issuer, p->signed_text, buf_slice(&sig));
    buf_done(&sig);
    return good;
}

static bool jti_ok(struct slice s) { return s.n >= JTI_MIN && s.n <= JTI_MAX && all_url_safe(s); }

static bool fresh(json_t *obj, uint64_t now_s, uint64_t *ret_iat)
{
    json_t *v = json_object_get(obj, "iat");
    if (!json_is_integer(v) || json_integer_value(v) <= 0)
        return false;
    uint64_t iat = (uint64_t)json_integer_value(v);
    *ret_iat = iat;
    return iat <= now_s + ATTRIBUTES_SKEW_S && now_s < ATTRIBUTES_LIFE_S + iat;
}

static bool claims_ok(json_t *o, const struct attributes_want *want, struct attributes *c)
{
    struct slice portal = text_of(o, "portal"), name = text_of(o, "name");
    c->portal = portal;
    c->jti = text_of(o, "jti");
    return json_object_size(o) == MEMBERS && slice_eq(text_of(o, "aud"), want->audience) && secret_equal(text_of(o, "sub"), want->subject) &&
           slice_eq(text_of(o, "azp"), want->azp) && portal.n >= 1 && portal.n <= PORTAL_MAX && jti_ok(c->jti) && fresh(o, want->now_s, &c->iat) &&
           ymd_parse(text_of(o, "birthDate"), &c->birth) && err_ok(name_own(name, ATTRIBUTES_NAME_MAX, &c->family, &c->given));
}

struct err attributes_read(const struct es256_verifier *issuer, struct slice jws, const struct attributes_want *want, struct arena *a, struct attributes *ret_a)
{
    struct jws_parts p;
    struct attributes c = { 0 };
    json_t *o;
    bool good = jws.n <= ATTRIBUTES_MAX && jws_split(jws, &p) && signed_by(issuer, &p) && header_ok(p.header, a) && object_of(p.payload, a, &o) && claims_ok(o, want, &c);
    TRY(arena_check(a));
    if (!good)
        return FAIL(E_ATTRIBUTES);
    *ret_a = c; /* its texts are in the JSON value, which the arena keeps */
    return OK;
}
