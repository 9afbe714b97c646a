#include "keys/ctl/certificate.h"

#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "gateway/base/text.h"
#include "gateway/cert/shc.h"

enum { PAYLOAD_MAX = 64 * 1024, CER_MAX = 4096 };
#define SEAL_USAGE "2.23.136.1.1.14.2"

const char *certificate_verdict_word(enum certificate_verdict v)
{
    static const char *const WORDS[CERTIFICATE__MAX] = { "good", "superseded", "revoked", "unknown_key", "bad_signature", "malformed" };
    return v < CERTIFICATE__MAX ? WORDS[v] : "?";
}

void certificate_done(struct certificate *c) { buf_done(&c->payload); }

static struct slice text_of(const json_t *obj, const char *name)
{
    const json_t *v = json_object_get(obj, name);
    return json_is_string(v) ? slice_of(json_string_value(v), json_string_length(v)) : SLICE_NONE;
}

static bool name_take(struct slice s, struct certificate *c)
{
    if (s.n > CERTIFICATE_NAME_MAX || memchr(s.n ? s.p : (const uint8_t *)"", 0, s.n))
        return false;
    memcpy(c->name, s.n ? s.p : (const uint8_t *)"", s.n);
    c->name[s.n] = 0;
    return true;
}

static bool coordinate(struct slice b64, uint8_t out[static ES256_COORDINATE])
{
    struct buf b;
    buf_init(&b, ES256_COORDINATE);
    bool good = b64url_decode(b64, &b) && b.n == ES256_COORDINATE;
    if (good)
        memcpy(out, b.p, ES256_COORDINATE);
    buf_done(&b);
    return good;
}

static bool signed_by(const struct es256_key *k, struct slice text, struct slice signature)
{
    struct es256_verifier *v = NULL;
    bool good = err_ok(es256_verifier_new(&v, k)) && es256_verify(v, text, signature);
    es256_verifier_free(v);
    return good;
}

/* ---- cards ---- */

static bool key_of(const json_t *jwks, struct slice kid, struct es256_key *ret_k)
{
    size_t i;
    json_t *k;
    json_array_foreach(json_object_get(jwks, "keys"), i, k)
        if (slice_eq(text_of(k, "kid"), kid))
            return slice_eq(text_of(k, "kty"), LIT("EC")) && slice_eq(text_of(k, "crv"), LIT("P-256")) && coordinate(text_of(k, "x"), ret_k->x) &&
                   coordinate(text_of(k, "y"), ret_k->y);
    return false;
}

static json_t *json_of(struct slice s)
{
    json_t *v = json_loadb((const char *)s.p, s.n, JSON_REJECT_DUPLICATES, NULL);
    if (json_is_object(v))
        return v;
    json_decref(v);
    return NULL;
}

static bool header_read(struct slice b64, struct certificate *c)
{
    struct buf text;
    buf_init(&text, PAYLOAD_MAX);
    json_t *h = b64url_decode(b64, &text) ? json_of(buf_slice(&text)) : NULL;
    struct slice kid = text_of(h, "kid");
    bool good = h && slice_eq(text_of(h, "alg"), LIT("ES256")) && slice_eq(text_of(h, "zip"), LIT("DEF")) && !json_object_get(h, "crit") && kid.n == ES256_KID;
    if (good)
        memcpy(c->kid, kid.p, ES256_KID);
    json_decref(h);
    buf_done(&text);
    return good;
}

static bool payload_read(struct slice b64, struct certificate *c)
{
    struct buf packed;
    buf_init(&packed, PAYLOAD_MAX);
    bool good = b64url_decode(b64, &packed) && err_ok(shc_inflate(buf_slice(&packed), &c->payload));
    buf_done(&packed);
    json_t *p = good ? json_of(buf_slice(&c->payload)) : NULL;
    const json_t *vc = json_object_get(p, "vc");
    good = p && json_is_object(vc) && name_take(text_of(vc, "rid"), c);
    json_decref(p);
    return good;
}

static enum certificate_verdict read_card(struct slice jws, const json_t *jwks, struct certificate *c)
{
    struct jws_parts p;
    struct es256_key key;
    struct buf signature;
    if (!jws_split(jws, &p) || !header_read(p.header, c) || !payload_read(p.payload, c))
        return CERTIFICATE_SHAPE;
    if (!key_of(jwks, slice_of(c->kid, ES256_KID), &key))
        return CERTIFICATE_UNKNOWN_KEY;
    buf_init(&signature, ES256_SIGNATURE);
    bool good = b64url_decode(p.signature, &signature) && signed_by(&key, p.signed_text, buf_slice(&signature));
    buf_done(&signature);
    return good ? CERTIFICATE_GOOD : CERTIFICATE_SIGNATURE;
}

/* ---- seals ---- */

static bool is_for_seals(X509 *cert)
{
    EXTENDED_KEY_USAGE *uses = X509_get_ext_d2i(cert, NID_ext_key_usage, NULL, NULL);
    ASN1_OBJECT *want = OBJ_txt2obj(SEAL_USAGE, 1);
    bool found = false;
    for (int i = 0; want && i < sk_ASN1_OBJECT_num(uses); i++)
        found = found || OBJ_cmp(sk_ASN1_OBJECT_value(uses, i), want) == 0;
    ASN1_OBJECT_free(want);
    EXTENDED_KEY_USAGE_free(uses);
    return found;
}

/* The purpose of the leaf is looked at by itself: OpenSSL knows none of this name, and takes the critical one for a server's or client's otherwise. */
static bool by_csca(X509 *cert, const char *csca_path)
{
    FILE *f = fopen(csca_path, "rbe");
    X509 *ca = f ? PEM_read_X509(f, NULL, NULL, NULL) : NULL;
    bool good = ca && X509_check_ca(ca) == 1 && X509_check_issued(ca, cert) == X509_V_OK && X509_verify(cert, X509_get0_pubkey(ca)) == 1 &&
                X509_cmp_current_time(X509_get0_notBefore(cert)) < 0 && X509_cmp_current_time(X509_get0_notAfter(cert)) > 0;
    X509_free(ca);
    if (f)
        fclose(f);
    return good;
}

static enum certificate_verdict signer_of(struct slice b64, const char *csca_path, struct es256_key *ret_k)
{
    struct buf der;
    buf_init(&der, CER_MAX);
    bool decoded = b64url_decode(b64, &der);
    const unsigned char *at = der.p;
    X509 *cert = decoded && der.n ? d2i_X509(NULL, &at, (long)der.n) : NULL;
    enum certificate_verdict v = CERTIFICATE_GOOD;
    if (!cert || !err_ok(es256_key_of_der(buf_slice(&der), ret_k)))
        v = CERTIFICATE_SHAPE;
    else if (!is_for_seals(cert) || !by_csca(cert, csca_path))
        v = CERTIFICATE_UNKNOWN_KEY;
    X509_free(cert);
    buf_done(&der);
    return v;
}

/* Numbers that are no integers have no one form, and are refused. */
static bool has_real(const json_t *v)
{
    const char *name;
    json_t *inner;
    size_t i;
    if (json_is_real(v))
        return true;
    json_object_foreach((json_t *)v, name, inner)
        if (has_real(inner))
            return true;
    json_array_foreach(v, i, inner)
        if (has_real(inner))
            return true;
    return false;
}

static bool canonical(const json_t *data, struct buf *out)
{
    char *text = json_is_object(data) && !has_real(data) ? json_dumps(data, JSON_SORT_KEYS | JSON_COMPACT) : NULL;
    if (text)
        buf_puts(out, text);
    free(text);
    return text && !out->failed;
}

static enum certificate_verdict read_seal(const json_t *seal, const char *csca_path, struct certificate *c)
{
    const json_t *data = json_object_get(seal, "data"), *sig = json_object_get(seal, "sig");
    struct es256_key key;
    struct buf signature;
    if (!canonical(data, &c->payload) || !slice_eq(text_of(sig, "alg"), LIT("ES256")) || !name_take(text_of(json_object_get(data, "msg"), "uvci"), c))
        return CERTIFICATE_SHAPE;
    enum certificate_verdict v = signer_of(text_of(sig, "cer"), csca_path, &key);
    if (v != CERTIFICATE_GOOD)
        return v;
    if (!err_ok(es256_thumbprint(&key, c->kid)))
        return CERTIFICATE_SHAPE;
    buf_init(&signature, ES256_SIGNATURE);
    bool good = b64url_decode(text_of(sig, "sigvl"), &signature) && signed_by(&key, buf_slice(&c->payload), buf_slice(&signature));
    buf_done(&signature);
    return good ? CERTIFICATE_GOOD : CERTIFICATE_SIGNATURE;
}

/* ---- either ---- */

static enum certificate_verdict read_json(struct slice text, const json_t *jwks, const char *csca_path, struct certificate *c)
{
    json_t *v = json_of(text);
    const json_t *cards = json_object_get(v, "verifiableCredential");
    enum certificate_verdict verdict = CERTIFICATE_SHAPE;
    if (cards && json_array_size(cards) == 1 && json_is_string(json_array_get(cards, 0))) {
        verdict = read_card(slice_str(json_string_value(json_array_get(cards, 0))), jwks, c);
    } else if (v && !cards) {
        c->seal = true;
        verdict = read_seal(v, csca_path, c);
    }
    json_decref(v);
    return verdict;
}

enum certificate_verdict certificate_read(struct slice text, const json_t *jwks, const char *csca_path, struct certificate *ret_c)
{
    static const struct slice PREFIX = { (const uint8_t *)"shc:/", 5 };
    *ret_c = (struct certificate){ 0 };
    buf_init(&ret_c->payload, PAYLOAD_MAX);
    while (text.n && (text.p[text.n - 1] == '\n' || text.p[text.n - 1] == '\r' || text.p[text.n - 1] == ' '))
        text.n--;
    if (text.n == 0 || text.n > CERTIFICATE_FILE_MAX)
        return CERTIFICATE_SHAPE;
    if (text.p[0] == '{')
        return read_json(text, jwks, csca_path, ret_c);
    if (!slice_starts(text, PREFIX))
        return read_card(text, jwks, ret_c);
    struct buf jws;
    buf_init(&jws, CERTIFICATE_FILE_MAX);
    bool good = err_ok(shc_of_numeric(slice_of(text.p + PREFIX.n, text.n - PREFIX.n), &jws));
    enum certificate_verdict v = good ? read_card(buf_slice(&jws), jwks, ret_c) : CERTIFICATE_SHAPE;
    buf_done(&jws);
    return v;
}

static bool has(const json_t *list, const char *name)
{
    size_t i;
    json_t *v;
    json_array_foreach(list, i, v)
        if (json_is_string(v) && strcmp(json_string_value(v), name) == 0)
            return true;
    return false;
}

bool certificate_is_list_of(const struct certificate *c, const json_t *crl)
{
    return slice_eq(text_of(crl, "kid"), slice_of(c->kid, ES256_KID)) && json_is_array(json_object_get(crl, "rids"));
}

enum certificate_verdict certificate_listed(const struct certificate *c, const json_t *crl)
{
    if (!c->name[0] || !has(json_object_get(crl, "rids"), c->name))
        return CERTIFICATE_GOOD;
    return has(json_object_get(crl, "superseded"), c->name) ? CERTIFICATE_SUPERSEDED : CERTIFICATE_REVOKED;
}
