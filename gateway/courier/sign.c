#include "gateway/courier/sign.h"

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"

static ERR put_protected(const struct sign_claims *c, struct buf *out)
{
    struct buf json;
    struct jsonw w;
    buf_init(&json, SIGN_HEAD_MAX);
    jsonw_init(&w, &json);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "alg", "ES256");
    jsonw_str(&w, "kid", c->kid);
    jsonw_u64(&w, "iat", c->iat_s);
    jsonw_str(&w, "jti", c->jti);
    jsonw_str(&w, "aud", c->aud);
    jsonw_end_object(&w);
    struct err e = buf_check(&json);
    if (err_ok(e))
        b64url_encode(buf_slice(&json), out);
    buf_done(&json);
    return err_ok(e) ? buf_check(out) : e;
}

ERR sign_begin(const struct sign_claims *c, struct slice body, struct buf *protected_b64, uint8_t ret_digest[static SIGN_DIGEST])
{
    struct buf text;
    TRY(put_protected(c, protected_b64));
    buf_init(&text, SIGN_BODY_MAX);
    b64url_encode(body, &text);
    struct err e = buf_check(&text);
    const struct slice parts[] = { buf_slice(protected_b64), LIT("."), buf_slice(&text) };
    if (err_ok(e))
        e = sha256(sizeof parts / sizeof parts[0], parts, ret_digest);
    buf_done(&text);
    return e;
}

ERR sign_header(struct slice protected_b64, const uint8_t rs[static SIGN_RS], struct buf *out)
{
    buf_puts(out, "Pmhgw-Signature: ");
    buf_put(out, protected_b64);
    buf_puts(out, "..");
    b64url_encode(slice_of(rs, SIGN_RS), out);
    return buf_check(out);
}
