/* Reaches link_claims_parse and token_claims_parse. What is accepted keeps the limits, and survives being written again. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "gateway/jose/claims.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { NOW = 1795000000 };

static void need(bool good)
{
    if (!good)
        abort();
}

static void link_again(const struct link_claims *c, struct arena *a)
{
    struct buf out;
    struct link_claims back;
    need(c->pmh_key.n >= 1 && c->pmh_key.n <= CLAIM_KEY_MAX && c->jti.n <= CLAIM_JTI_MAX && c->aud.n == 10 && all_digits(c->aud));
    need(c->exp > c->iat && c->exp - c->iat <= LINK_KEY_LIFE_S && c->iat <= NOW + CLOCK_SKEW_S && c->exp + CLOCK_SKEW_S > NOW);
    buf_init(&out, 4096);
    link_claims_write(c, &out);
    need(err_ok(buf_check(&out)) && err_ok(link_claims_parse(&back, a, buf_slice(&out), NOW)));
    need(slice_eq(back.pmh_key, c->pmh_key) && slice_eq(back.scope, c->scope) && slice_eq(back.consent_id, c->consent_id) &&
         slice_eq(back.iss, c->iss) && slice_eq(back.purpose, c->purpose) && back.consent_version == c->consent_version &&
         back.exp == c->exp);
    buf_done(&out);
}

static void token_again(const struct token_claims *c, struct arena *a)
{
    struct buf out;
    struct token_claims back;
    need(c->sub.n >= 1 && c->exp > NOW);
    buf_init(&out, 4096);
    token_claims_write(c, &out);
    need(err_ok(buf_check(&out)) && err_ok(token_claims_parse(&back, a, buf_slice(&out), NOW)));
    need(slice_eq(back.sub, c->sub) && memcmp(back.cert_sha256, c->cert_sha256, sizeof c->cert_sha256) == 0);
    buf_done(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct link_claims l;
    struct token_claims t;
    struct arena *a = arena_new(1 << 20);
    json_in_setup();
    struct err e = link_claims_parse(&l, a, slice_of(data, size), NOW);
    need(err_ok(e) || err_is(e, E_NOTHING));
    if (err_ok(e))
        link_again(&l, a);
    e = token_claims_parse(&t, a, slice_of(data, size), NOW);
    need(err_ok(e) || err_is(e, E_TOKEN));
    if (err_ok(e))
        token_again(&t, a);
    arena_free(a);
    return 0;
}
