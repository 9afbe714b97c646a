#include "keys/intake/intake.h"

#include "gateway/jose/claims.h"
#include "keys/intake/order.h"
#include "keys/intake/token_form.h"

static const struct slice BEARER = { (const uint8_t *)"Bearer ", 7 };

/* ---- issue ---- */

static ERR token_make(struct nz_intake *in, const struct caller *who, struct buf *ret_token)
{
    uint64_t now = clock_wall(loop_clock(in->loop)) / 1000;
    struct token_claims c = { .sub = slice_str(who->identity), .iat = now, .exp = now + in->conf.token_life_s };
    memcpy(c.cert_sha256, who->cert_sha256, sizeof c.cert_sha256);
    struct buf claims;
    buf_init(&claims, JWE_MAX);
    token_claims_write(&c, &claims);
    struct err e = buf_check(&claims);
    if (err_ok(e))
        e = jwe_seal(in->tokens, slice_str(in->token_kid), buf_slice(&claims), ret_token);
    buf_done(&claims);
    return e;
}

static void issue_audited(void *arg, struct err e)
{
    struct req *r = arg;
    struct nz_intake *in = req_ctx(r);
    struct buf token;
    buf_init(&token, JWE_MAX);
    if (err_ok(e))
        e = token_make(in, req_caller(r), &token);
    struct jsonw w;
    jsonw_init(&w, req_out(r));
    jsonw_object(&w, NULL);
    jsonw_str(&w, "access_token", buf_slice(&token));
    jsonw_cstr(&w, "token_type", "Bearer");
    jsonw_u64(&w, "expires_in", in->conf.token_life_s);
    jsonw_end_object(&w);
    buf_done(&token);
    if (err_ok(e))
        e = buf_check(req_out(r));
    if (err_ok(e))
        req_json(r, 200, buf_slice(req_out(r)));
    else
        req_fail(r, e);
}

static ERR issue_check(struct nz_intake *in, struct req *r)
{
    TRY(nz_token_form_parse(req_body(r)));
    return store_knows_muni(in->store, slice_str(nz_req_muni(r))) ? OK : FAIL(E_FORBIDDEN);
}

/* POST /oauth2/token */
void nz_token_issue(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    struct err e = issue_check(in, r);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    struct audit_rec rec = nz_audit_of(r, AU_TOKEN_ISSUED, AR_OK, 1);
    audit_append(in->audit, &rec, nz_req_step(r, NZ_READ_MS, audit_up(in->audit)), issue_audited, r);
}

/* ---- check ---- */

static ERR token_check(struct nz_intake *in, struct req *r, struct slice token, struct buf *scratch)
{
    const struct caller *who = req_caller(r);
    struct token_claims c;
    if (!err_ok(jwe_open(in->tokens, token, scratch)) ||
        !err_ok(token_claims_parse(&c, req_arena(r), buf_slice(scratch), clock_wall(loop_clock(in->loop)) / 1000)))
        return FAIL(E_TOKEN);
    if (!slice_eq(c.sub, slice_str(who->identity)) || !secret_equal(ARR(c.cert_sha256), ARR(who->cert_sha256)))
        return FAIL(E_TOKEN);
    return store_knows_muni(in->store, slice_str(who->code)) ? OK : FAIL(E_FORBIDDEN);
}

struct err nz_token_authorize(void *ctx, struct req *r, struct slice authorization)
{
    if (!slice_starts(authorization, BEARER) || authorization.n - BEARER.n > JWE_MAX)
        return FAIL(E_TOKEN);
    struct buf scratch;
    buf_init(&scratch, JWE_MAX);
    struct err e = token_check(ctx, r, slice_of(authorization.p + BEARER.n, authorization.n - BEARER.n), &scratch);
    buf_done(&scratch);
    if (err_ok(e) && !nz_order_known(((struct nz_intake *)ctx)->order))
        e = FAIL(E_STORE_DOWN);
    return e;
}
