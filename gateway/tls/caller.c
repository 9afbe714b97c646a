#include "gateway/tls/caller.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>
#include <time.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/tls/crl.h"

enum { CHAIN_DEPTH = 3, AUTH_LEVEL = 2 /* 112 bits */, NAME_MAX_LEN = 32 };

static const struct {
    struct slice prefix;
    enum caller_role role;
    size_t digits; /* of the code; 0: none */
    bool named;    /* a name follows */
} SHAPES[] = {
    { LIT("pmhgw:municipality/"), CALLER_MUNICIPALITY, 6, true },
    { LIT("pmhgw:clinic/"), CALLER_CLINIC, 10, false },
    { LIT("pmhgw:portal/"), CALLER_PORTAL, 0, true },
    { LIT("pmhgw:operator/"), CALLER_OPERATOR, 0, true },
    { LIT("pmhgw:gateway/"), CALLER_GATEWAY, 0, true },
    { LIT("pmhgw:vrs/"), CALLER_VRS, 0, true },
    { LIT("pmhgw:kiosk/"), CALLER_KIOSK, 0, true },
};

const char *caller_role_name(enum caller_role role)
{
    static const char *const NAMES[CALLER__MAX] = { "none", "municipality", "clinic", "portal", "operator", "gateway", "vrs", "kiosk" };
    return role < CALLER__MAX ? NAMES[role] : "?";
}

static bool name_ok(struct slice s)
{
    if (s.n == 0 || s.n > NAME_MAX_LEN)
        return false;
    for (size_t i = 0; i < s.n; i++)
        if (!((s.p[i] >= 'a' && s.p[i] <= 'z') || (s.p[i] >= '0' && s.p[i] <= '9') || s.p[i] == '-'))
            return false;
    return true;
}

static bool split(struct slice rest, size_t digits, bool named, struct slice *ret_code, struct slice *ret_name)
{
    if (digits) {
        if (!slice_take(&rest, digits, ret_code) || !all_digits(*ret_code))
            return false;
        struct slice slash;
        if (named && (!slice_take(&rest, 1, &slash) || slash.p[0] != '/'))
            return false;
    }
    if (named) {
        *ret_name = rest;
        return name_ok(rest);
    }
    return rest.n == 0;
}

bool caller_parse(struct caller *c, struct slice uri)
{
    for (size_t i = 0; i < sizeof SHAPES / sizeof SHAPES[0]; i++) {
        if (!slice_starts(uri, SHAPES[i].prefix))
            continue;
        struct slice rest = slice_of(uri.p + SHAPES[i].prefix.n, uri.n - SHAPES[i].prefix.n);
        struct slice code = LIT(""), name = LIT("");
        if (!split(rest, SHAPES[i].digits, SHAPES[i].named, &code, &name))
            return false;
        struct slice identity = slice_of(uri.p + LIT("pmhgw:").n, uri.n - LIT("pmhgw:").n);
        if (identity.n >= sizeof c->identity)
            return false;
        c->role = SHAPES[i].role;
        memcpy(c->identity, identity.p, identity.n);
        memcpy(c->code, code.p, code.n);
        memcpy(c->system, name.p, name.n);
        return true;
    }
    return false;
}

static bool end_of(X509 *x, int64_t *ret_s)
{
    struct tm tm;
    if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) != 1)
        return false;
    *ret_s = timegm(&tm);
    return true;
}

/* The first end of all of them. */
static bool note_end(struct caller *c, STACK_OF(X509) *path)
{
    int64_t end;
    c->not_after = INT64_MAX;
    for (int i = 0; i < sk_X509_num(path); i++) {
        if (!end_of(sk_X509_value(path, i), &end))
            return false;
        c->not_after = end < c->not_after ? end : c->not_after;
    }
    return true;
}

/* Every certificate of the chain but the last, which is trusted by itself. */
static bool note_chain(struct caller *c, STACK_OF(X509) *path)
{
    int n = path ? sk_X509_num(path) - 1 : -1;
    if (n < 0 || n > CALLER_CERTS_MAX)
        return false;
    for (int i = 0; i < n; i++)
        if (!crl_issuer_id(sk_X509_value(path, i + 1), c->certs[i].issuer) ||
            !crl_serial(X509_get0_serialNumber(sk_X509_value(path, i)), &c->certs[i].serial))
            return false;
    c->n_certs = (unsigned)n;
    return note_end(c, path);
}

static bool chain_ok(struct caller *c, X509_STORE *trusted, X509 *leaf, STACK_OF(X509) *chain)
{
    X509_STORE_CTX *ctx = X509_STORE_CTX_new();
    bool good = false;
    if (!ctx || X509_STORE_CTX_init(ctx, trusted, leaf, chain) != 1 || X509_STORE_CTX_set_default(ctx, "ssl_client") != 1)
        goto out;
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    X509_VERIFY_PARAM_set_depth(param, CHAIN_DEPTH);
    X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
    good = X509_verify_cert(ctx) == 1 && X509_STORE_CTX_get_error(ctx) == X509_V_OK && note_chain(c, X509_STORE_CTX_get0_chain(ctx));
    if (!good)
        LOG(INFO, "certificate_refused", LF("why", LITERAL("chain")), LF("x509_error", X509_STORE_CTX_get_error(ctx)));
out:
    X509_STORE_CTX_free(ctx);
    return good;
}

/* OpenSSL's purpose check lets a certificate without extended key usage pass; we do not. */
static bool for_clients(X509 *leaf)
{
    uint32_t flags = X509_get_extension_flags(leaf);
    bool good = (flags & EXFLAG_XKUSAGE) && !(flags & (EXFLAG_CA | EXFLAG_INVALID)) &&
                (X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT);
    if (!good)
        LOG(INFO, "certificate_refused", LF("why", LITERAL("purpose")));
    return good;
}

/* NULL unless there is exactly one subjectAltName with exactly one URI. */
static const ASN1_IA5STRING *only_uri(const GENERAL_NAMES *names)
{
    const ASN1_IA5STRING *uri = NULL;
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        const GENERAL_NAME *g = sk_GENERAL_NAME_value(names, i);
        if (g->type != GEN_URI)
            continue;
        if (uri)
            return NULL;
        uri = g->d.uniformResourceIdentifier;
    }
    return uri;
}

static bool identify(struct caller *c, X509 *leaf)
{
    GENERAL_NAMES *names = X509_get_ext_d2i(leaf, NID_subject_alt_name, NULL, NULL);
    const ASN1_IA5STRING *uri = names ? only_uri(names) : NULL;
    bool good = uri && caller_parse(c, slice_of(ASN1_STRING_get0_data(uri), (size_t)ASN1_STRING_length(uri)));
    GENERAL_NAMES_free(names);
    if (!good)
        LOG(INFO, "certificate_refused", LF("why", LITERAL("identity")));
    return good;
}

void caller_judge(struct caller *ret_c, X509_STORE *trusted, X509 *leaf, STACK_OF(X509) *chain)
{
    struct caller c = { .role = CALLER_NONE, .refusal = E_CERT_MISSING };
    ERR_clear_error();
    if (leaf && trusted) {
        unsigned n = 0;
        bool good = X509_digest(leaf, EVP_sha256(), c.cert_sha256, &n) == 1 && n == sizeof c.cert_sha256 &&
                    chain_ok(&c, trusted, leaf, chain) && for_clients(leaf) && identify(&c, leaf);
        c.refusal = good ? E_OK : E_CERT_REFUSED;
    }
    ERR_clear_error();
    *ret_c = c;
}
