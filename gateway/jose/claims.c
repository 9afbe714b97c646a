#include "gateway/jose/claims.h"

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"
#include "gateway/check/json_flat.h"

enum { TEXT_MAX = 128, SCOPE_TEXT_MAX = 1024, LINK_MEMBERS = 10, JTI_MIN = 16, AUD_DIGITS = 10, THUMB_CHARS = 43, TOKEN_LIFE_S = 24 * 3600 };

/* Characters beside letters and digits. */
#define KEY_MARKS "._~-"
#define JTI_MARKS "-_"
#define ISS_MARKS ".-"
#define PURPOSE_MARKS "_"
#define SCOPE_MARKS ". "
#define CONSENT_MARKS "._~:-"
#define SUB_MARKS "._/-"

static bool chars_ok(struct slice s, const char *marks)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i];
        bool alnum = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
        if (!alnum && (c == 0 || !strchr(marks, c)))
            return false;
    }
    return true;
}

static bool lower(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= 'A' && s.p[i] <= 'Z')
            return false;
    return true;
}

static bool no_digit(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] >= '0' && s.p[i] <= '9')
            return false;
    return true;
}

/* A text member of min..max such characters, copied into the arena. */
static bool text_read(const struct json_flat *obj, struct slice name, size_t min, size_t max, const char *marks, struct arena *a, struct slice *out)
{
    const struct json_flat_member *m = json_flat_find(obj, name);
    if (!m || m->kind != JF_TEXT || m->text.n < min || m->text.n > max || !chars_ok(m->text, marks))
        return false;
    *out = arena_dup(a, m->text);
    return true;
}

static bool time_read(const struct json_flat *obj, struct slice name, uint64_t *out)
{
    const struct json_flat_member *m = json_flat_find(obj, name);
    if (!m || m->kind != JF_NUMBER || m->number <= 0)
        return false;
    *out = (uint64_t)m->number;
    return true;
}

/* Sums only of what is known to be small: both times come from outside. */
static bool life_ok(uint64_t iat, uint64_t exp, uint64_t now, uint64_t life_max, uint64_t skew)
{
    return exp > iat && exp - iat <= life_max && iat <= now + CLOCK_SKEW_S && (exp > now || now - exp < skew);
}

static bool version_read(const struct json_flat *obj, struct slice name, uint32_t *out)
{
    uint64_t v;
    if (!time_read(obj, name, &v) || v > UINT32_MAX)
        return false;
    *out = (uint32_t)v;
    return true;
}

static bool link_read(const struct json_flat *obj, struct arena *a, struct link_claims *c)
{
    return obj->n == LINK_MEMBERS && text_read(obj, LIT("iss"), 1, CLAIM_ISS_MAX, ISS_MARKS, a, &c->iss) && lower(c->iss) &&
           text_read(obj, LIT("pmh_key"), 1, CLAIM_KEY_MAX, KEY_MARKS, a, &c->pmh_key) && text_read(obj, LIT("aud"), AUD_DIGITS, AUD_DIGITS, "", a, &c->aud) &&
           all_digits(c->aud) && text_read(obj, LIT("purpose"), 1, CLAIM_PURPOSE_MAX, PURPOSE_MARKS, a, &c->purpose) && lower(c->purpose) &&
           no_digit(c->purpose) && text_read(obj, LIT("scope"), 1, SCOPE_TEXT_MAX, SCOPE_MARKS, a, &c->scope) &&
           link_scope_parse(c->scope, &c->allowed) && text_read(obj, LIT("jti"), JTI_MIN, CLAIM_JTI_MAX, JTI_MARKS, a, &c->jti) &&
           text_read(obj, LIT("consent_id"), 1, TEXT_MAX, CONSENT_MARKS, a, &c->consent_id) &&
           version_read(obj, LIT("consent_version"), &c->consent_version) && time_read(obj, LIT("iat"), &c->iat) && time_read(obj, LIT("exp"), &c->exp);
}

/* Our own shortage stays what it is; every fault of the text is the one error. */
static struct err object_read(struct json_flat *ret_obj, struct arena *a, struct slice json, enum err_code fault)
{
    struct err e = json_flat_of(ret_obj, a, json);
    return err_ok(e) || err_is(e, E_NOMEM) || err_is(e, E_FULL) ? e : FAIL(fault);
}

struct err link_claims_read(struct link_claims *ret_c, struct arena *a, struct slice json)
{
    struct json_flat obj;
    struct link_claims c = { 0 };
    TRY(object_read(&obj, a, json, E_NOTHING));
    bool good = link_read(&obj, a, &c);
    TRY(arena_check(a));
    if (!good)
        return FAIL(E_NOTHING);
    *ret_c = c;
    return OK;
}

struct err link_claims_live(const struct link_claims *c, uint64_t now_s)
{
    return life_ok(c->iat, c->exp, now_s, LINK_KEY_LIFE_S, CLOCK_SKEW_S) ? OK : FAIL(E_NOTHING);
}

struct err link_claims_parse(struct link_claims *ret_c, struct arena *a, struct slice json, uint64_t now_s)
{
    struct link_claims c;
    TRY(link_claims_read(&c, a, json));
    TRY(link_claims_live(&c, now_s));
    *ret_c = c;
    return OK;
}

void link_claims_write(const struct link_claims *c, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "iss", c->iss);
    jsonw_str(&w, "pmh_key", c->pmh_key);
    jsonw_str(&w, "aud", c->aud);
    jsonw_str(&w, "purpose", c->purpose);
    jsonw_str(&w, "scope", c->scope);
    jsonw_u64(&w, "iat", c->iat);
    jsonw_u64(&w, "exp", c->exp);
    jsonw_str(&w, "jti", c->jti);
    jsonw_str(&w, "consent_id", c->consent_id);
    jsonw_u64(&w, "consent_version", c->consent_version);
    jsonw_end_object(&w);
}

/* = RFC 8705 §3.1 */
static bool thumbprint_read(const struct json_flat *obj, struct token_claims *c)
{
    struct buf raw;
    const struct json_flat_member *m = json_flat_find(obj, LIT("cnf"));
    json_t *cnf = m ? m->other : NULL, *v = json_object_get(cnf, "x5t#S256");
    if (json_object_size(cnf) != 1 || !json_is_string(v) || json_string_length(v) != THUMB_CHARS)
        return false;
    buf_init(&raw, sizeof c->cert_sha256);
    bool good = b64url_decode(slice_of(json_string_value(v), THUMB_CHARS), &raw) && raw.n == sizeof c->cert_sha256;
    if (good)
        memcpy(c->cert_sha256, raw.p, raw.n);
    buf_done(&raw);
    return good;
}

/* We mint these ourselves, so there is no skew at their end. */
struct err token_claims_parse(struct token_claims *ret_c, struct arena *a, struct slice json, uint64_t now_s)
{
    struct json_flat obj;
    struct token_claims c = { 0 };
    TRY(object_read(&obj, a, json, E_TOKEN));
    bool good = obj.n == 4 && text_read(&obj, LIT("sub"), 1, TEXT_MAX, SUB_MARKS, a, &c.sub) && time_read(&obj, LIT("iat"), &c.iat) &&
                time_read(&obj, LIT("exp"), &c.exp) && thumbprint_read(&obj, &c);
    TRY(arena_check(a));
    if (!good || !life_ok(c.iat, c.exp, now_s, TOKEN_LIFE_S, 0))
        return FAIL(E_TOKEN);
    *ret_c = c;
    return OK;
}

void token_claims_write(const struct token_claims *c, struct buf *out)
{
    struct jsonw w;
    struct buf thumb;
    buf_init(&thumb, THUMB_CHARS);
    b64url_encode(ARR(c->cert_sha256), &thumb);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "sub", c->sub);
    jsonw_u64(&w, "iat", c->iat);
    jsonw_u64(&w, "exp", c->exp);
    jsonw_object(&w, "cnf");
    jsonw_str(&w, "x5t#S256", buf_slice(&thumb));
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    if (thumb.failed)
        out->failed = true;
    buf_done(&thumb);
}
