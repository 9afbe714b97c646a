#include "gateway/tls/lib.h"

#include <openssl/core_dispatch.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/decoder.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct tls_lib {
    OSSL_LIB_CTX *context;
    OSSL_PROVIDER *provider;
};

/* Of decoders: of public keys out of DER only. Private keys are read by the default context, once. */
static const struct { int operation; const char *name; } KEPT[] = {
    { OSSL_OP_DIGEST, "SHA1" /* X509 keeps one of each certificate */ }, { OSSL_OP_DIGEST, "SHA2-256" }, { OSSL_OP_DIGEST, "SHA2-384" }, { OSSL_OP_DIGEST, "SHA2-512" },
    { OSSL_OP_CIPHER, "AES-128-GCM" }, { OSSL_OP_CIPHER, "AES-256-GCM" }, { OSSL_OP_CIPHER, "ChaCha20-Poly1305" }, { OSSL_OP_CIPHER, "AES-256-CTR" /* of CTR-DRBG */ },
    { OSSL_OP_MAC, "HMAC" }, { OSSL_OP_KDF, "HKDF" }, { OSSL_OP_KDF, "TLS13-KDF" }, { OSSL_OP_KDF, "TLS1-PRF" },
    { OSSL_OP_RAND, "CTR-DRBG" }, { OSSL_OP_RAND, "SEED-SRC" },
    { OSSL_OP_KEYMGMT, "EC" }, { OSSL_OP_KEYMGMT, "X25519" }, { OSSL_OP_KEYMGMT, "RSA" }, { OSSL_OP_KEYMGMT, "RSA-PSS" }, { OSSL_OP_KEYMGMT, "ED25519" },
    { OSSL_OP_KEYMGMT, "ED448" }, { OSSL_OP_KEYMGMT, "HKDF" }, { OSSL_OP_KEYMGMT, "TLS1-PRF" }, { OSSL_OP_KEYMGMT, "HMAC" },
    { OSSL_OP_KEYEXCH, "ECDH" }, { OSSL_OP_KEYEXCH, "X25519" }, { OSSL_OP_KEYEXCH, "HKDF" }, { OSSL_OP_KEYEXCH, "TLS1-PRF" },
    { OSSL_OP_SIGNATURE, "ECDSA" }, { OSSL_OP_SIGNATURE, "RSA" }, { OSSL_OP_SIGNATURE, "ED25519" }, { OSSL_OP_SIGNATURE, "ED448" }, { OSSL_OP_SIGNATURE, "HMAC" },
    { OSSL_OP_DECODER, "EC" }, { OSSL_OP_DECODER, "RSA" }, { OSSL_OP_DECODER, "RSA-PSS" }, { OSSL_OP_DECODER, "ED25519" }, { OSSL_OP_DECODER, "ED448" },
};
static const char OF_DECODERS[] = "input=der", OF_PUBLIC_KEYS[] = "structure=SubjectPublicKeyInfo";

enum { KEPT_MAX = sizeof KEPT / sizeof KEPT[0], OPERATIONS = OSSL_OP__HIGHEST + 1 };

/* One table for the process, written once: OpenSSL holds on to what it was given and asks without saying for whom. */
static struct {
    pthread_once_t once;
    OSSL_PROVIDER *from; /* the default provider; never unloaded */
    OSSL_ALGORITHM of[OPERATIONS][KEPT_MAX + 1]; /* the last one is empty */
} kept = { .once = PTHREAD_ONCE_INIT };

/* names: "SHA2-256:SHA-256:..." */
static bool called(const char *names, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = names; at; at = strchr(at, ':') ? strchr(at, ':') + 1 : NULL)
        if (strncasecmp(at, name, n) == 0 && (at[n] == ':' || at[n] == '\0'))
            return true;
    return false;
}

static bool wanted(int operation, const OSSL_ALGORITHM *a)
{
    if (operation == OSSL_OP_DECODER && !(strstr(a->property_definition, OF_DECODERS) && strstr(a->property_definition, OF_PUBLIC_KEYS)))
        return false;
    for (size_t i = 0; i < KEPT_MAX; i++)
        if (KEPT[i].operation == operation && called(a->algorithm_names, KEPT[i].name))
            return true;
    return false;
}

static void fill(void)
{
    kept.from = OSSL_PROVIDER_load(NULL, "default");
    for (int operation = 1; kept.from && operation < OPERATIONS; operation++) {
        int ignored;
        size_t n = 0;
        for (const OSSL_ALGORITHM *a = OSSL_PROVIDER_query_operation(kept.from, operation, &ignored); a && a->algorithm_names && n < KEPT_MAX; a++)
            if (wanted(operation, a))
                kept.of[operation][n++] = *a;
    }
}

/* ---- the provider ---- */

static const OSSL_ALGORITHM *on_query(void *context, int operation, int *ret_no_store)
{
    (void)context;
    *ret_no_store = 0;
    return operation > 0 && operation < OPERATIONS && kept.of[operation][0].algorithm_names ? kept.of[operation] : NULL;
}

static int on_capabilities(void *context, const char *which, OSSL_CALLBACK *fn, void *arg)
{
    (void)context;
    return OSSL_PROVIDER_get_capabilities(kept.from, which, fn, arg);
}

static const OSSL_PARAM *on_gettable(void *context)
{
    static const OSSL_PARAM NONE[] = { OSSL_PARAM_END };
    (void)context;
    return NONE;
}

static int on_params(void *context, OSSL_PARAM params[])
{
    OSSL_PARAM *status = OSSL_PARAM_locate(params, OSSL_PROV_PARAM_STATUS);
    (void)context;
    return !status || OSSL_PARAM_set_int(status, 1);
}

static void on_teardown(void *context) { (void)context; }

/* The algorithms are the default provider's, and so is their context. */
static int on_load(const OSSL_CORE_HANDLE *handle, const OSSL_DISPATCH *in, const OSSL_DISPATCH **out, void **context)
{
    static const OSSL_DISPATCH OURS[] = {
        { OSSL_FUNC_PROVIDER_QUERY_OPERATION, (void (*)(void))on_query },
        { OSSL_FUNC_PROVIDER_GET_CAPABILITIES, (void (*)(void))on_capabilities },
        { OSSL_FUNC_PROVIDER_GETTABLE_PARAMS, (void (*)(void))on_gettable },
        { OSSL_FUNC_PROVIDER_GET_PARAMS, (void (*)(void))on_params },
        { OSSL_FUNC_PROVIDER_TEARDOWN, (void (*)(void))on_teardown },
        { 0, NULL },
    };
    (void)handle, (void)in;
    *out = OURS;
    *context = OSSL_PROVIDER_get0_provider_ctx(kept.from);
    return 1;
}

/* ---- all of it, now ----
 * OpenSSL reads the algorithms of an operation when the first one is asked for. What it has no memory for then it leaves out, for good: one allocation
 * that fails in the first handshake, and no other succeeds until the process ends. */

static const char OF_DECODERS_WANTED[] = "input=der,structure=SubjectPublicKeyInfo";

/* X(operation, how to ask for one, how to give it back) */
#define OPERATIONS_KEPT(X)                                                                             \
    X(OSSL_OP_DIGEST, EVP_MD_fetch(context, name, NULL), EVP_MD_free, EVP_MD)                          \
    X(OSSL_OP_CIPHER, EVP_CIPHER_fetch(context, name, NULL), EVP_CIPHER_free, EVP_CIPHER)              \
    X(OSSL_OP_MAC, EVP_MAC_fetch(context, name, NULL), EVP_MAC_free, EVP_MAC)                          \
    X(OSSL_OP_KDF, EVP_KDF_fetch(context, name, NULL), EVP_KDF_free, EVP_KDF)                          \
    X(OSSL_OP_RAND, EVP_RAND_fetch(context, name, NULL), EVP_RAND_free, EVP_RAND)                      \
    X(OSSL_OP_KEYMGMT, EVP_KEYMGMT_fetch(context, name, NULL), EVP_KEYMGMT_free, EVP_KEYMGMT)          \
    X(OSSL_OP_KEYEXCH, EVP_KEYEXCH_fetch(context, name, NULL), EVP_KEYEXCH_free, EVP_KEYEXCH)          \
    X(OSSL_OP_SIGNATURE, EVP_SIGNATURE_fetch(context, name, NULL), EVP_SIGNATURE_free, EVP_SIGNATURE)  \
    X(OSSL_OP_DECODER, OSSL_DECODER_fetch(context, name, OF_DECODERS_WANTED), OSSL_DECODER_free, OSSL_DECODER)

#define HAS(operation, fetch, release, type)                     \
    static bool has_##operation(OSSL_LIB_CTX *context, const char *name) \
    {                                                            \
        type *one = fetch;                                       \
        release(one);                                            \
        return one != NULL;                                      \
    }
OPERATIONS_KEPT(HAS)

#define HAS_ROW(operation, fetch, release, type) [operation] = has_##operation,
static bool (*const HAS_ALGORITHM[OPERATIONS])(OSSL_LIB_CTX *context, const char *name) = { OPERATIONS_KEPT(HAS_ROW) };

static bool whole(OSSL_LIB_CTX *context)
{
    bool good = true;
    for (size_t i = 0; good && i < KEPT_MAX; i++)
        good = HAS_ALGORITHM[KEPT[i].operation](context, KEPT[i].name);
    ERR_clear_error();
    return good;
}

struct err tls_lib_whole(const struct tls_lib *l) { return whole(tls_lib_context(l)) ? OK : FAIL(E_CRYPTO); }

/* ---- */

struct err tls_lib_new(struct tls_lib **ret_l)
{
    static const char NAME[] = "pmhgw-doors";
    struct tls_lib *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL(E_NOMEM);
    l->context = OSSL_LIB_CTX_new();
    if (l->context && pthread_once(&kept.once, fill) == 0 && kept.from && OSSL_PROVIDER_add_builtin(l->context, NAME, on_load) == 1)
        l->provider = OSSL_PROVIDER_load(l->context, NAME);
    ERR_clear_error();
    if (l->provider) {
        *ret_l = l;
        return OK;
    }
    tls_lib_free(l);
    return FAIL(E_CRYPTO);
}

void tls_lib_free(struct tls_lib *l)
{
    if (!l)
        return;
    if (l->provider)
        OSSL_PROVIDER_unload(l->provider);
    OSSL_LIB_CTX_free(l->context);
    free(l);
}

OSSL_LIB_CTX *tls_lib_context(const struct tls_lib *l) { return l ? l->context : NULL; }
