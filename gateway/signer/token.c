#include "gateway/signer/token.h"

#include <p11-kit/p11-kit.h>
#include <p11-kit/uri.h>
#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/secret.h"

enum { SLOTS_MAX = 64, ID_MAX = 128, POINT = 1 + 2 * SIGNER_COORDINATE, POINT_MAX = 2 + POINT, PARAMS_MAX = 32 };

struct token_key {
    P11KitUri *uri;
    CK_FUNCTION_LIST **configured; /* NULL: `own` was named */
    CK_FUNCTION_LIST *own;
    struct secret *pin;            /* NULL: none is needed */
    CK_FUNCTION_LIST *module;      /* of the token, while there is a session */
    CK_SESSION_HANDLE session;
    CK_OBJECT_HANDLE key;
    uint8_t point[POINT];
};

static void tell(struct lit step, CK_RV rv) { LOG(ERROR, "token_refused", LF("step", step), LF("number", (uint64_t)rv)); }

/* ---- modules and PIN ---- */

static ERR modules_load(struct token_key *t)
{
    const char *path = p11_kit_uri_get_module_path(t->uri);
    if (!path) {
        t->configured = p11_kit_modules_load_and_initialize(0);
        return t->configured ? OK : FAIL(E_CONFIG);
    }
    t->own = p11_kit_module_load(path, P11_KIT_MODULE_CRITICAL);
    CK_RV rv = t->own ? p11_kit_module_initialize(t->own) : CKR_GENERAL_ERROR;
    if (rv == CKR_OK)
        return OK;
    if (t->own)
        p11_kit_module_release(t->own);
    t->own = NULL;
    tell(LITERAL("module"), rv);
    return FAIL(E_CONFIG);
}

static ERR pin_read(struct token_key *t)
{
    const char *source = p11_kit_uri_get_pin_source(t->uri), *value = p11_kit_uri_get_pin_value(t->uri);
    const struct slice scheme = LIT("file:");
    if (source)
        return secret_read_file(&t->pin, slice_starts(slice_str(source), scheme) ? source + scheme.n : source, 0);
    return value ? secret_new(&t->pin, slice_str(value)) : OK;
}

/* ---- a session ---- */

struct login { CK_FUNCTION_LIST *module; CK_SESSION_HANDLE session; CK_RV rv; };

static struct err login_with(struct slice pin, void *arg)
{
    struct login *l = arg;
    l->rv = l->module->C_Login(l->session, CKU_USER, (CK_UTF8CHAR *)pin.p, pin.n);
    return OK;
}

static CK_RV log_in(const struct token_key *t)
{
    struct login l = { t->module, t->session, CKR_OK };
    if (t->pin && !err_ok(secret_use(t->pin, login_with, &l)))
        return CKR_GENERAL_ERROR;
    return l.rv == CKR_USER_ALREADY_LOGGED_IN ? CKR_OK : l.rv; /* by another key of this token */
}

/* The one object of a class with that id (SLICE_NONE: any) and label (NULL: any); false: none, or more than one. */
static bool find(const struct token_key *t, CK_OBJECT_CLASS class, const CK_ATTRIBUTE *id, const CK_ATTRIBUTE *label, CK_OBJECT_HANDLE *ret_h)
{
    CK_KEY_TYPE ec = CKK_EC;
    CK_ATTRIBUTE want[4] = { { CKA_CLASS, &class, sizeof class }, { CKA_KEY_TYPE, &ec, sizeof ec } };
    CK_OBJECT_HANDLE found[2];
    CK_ULONG n = 2, got = 0;
    if (id)
        want[n++] = *id;
    if (label)
        want[n++] = *label;
    CK_RV rv = t->module->C_FindObjectsInit(t->session, want, n);
    if (rv != CKR_OK)
        return false;
    rv = t->module->C_FindObjects(t->session, found, 2, &got);
    (void)t->module->C_FindObjectsFinal(t->session);
    *ret_h = found[0];
    return rv == CKR_OK && got == 1;
}

static bool read_attribute(const struct token_key *t, CK_OBJECT_HANDLE h, CK_ATTRIBUTE *a) { return t->module->C_GetAttributeValue(t->session, h, a, 1) == CKR_OK; }

/* The point, as a DER octet string or bare; the curve must be P-256. */
static bool point_read(const struct token_key *t, CK_OBJECT_HANDLE h, uint8_t ret_point[static POINT])
{
    static const uint8_t P256[] = { 0x06, 0x08, 0x2A, 0x86, 0x48, 0xCE, 0x3D, 0x03, 0x01, 0x07 };
    uint8_t params[PARAMS_MAX], point[POINT_MAX];
    CK_ATTRIBUTE curve = { CKA_EC_PARAMS, params, sizeof params }, q = { CKA_EC_POINT, point, sizeof point };
    if (!read_attribute(t, h, &curve) || !read_attribute(t, h, &q) || !slice_eq(slice_of(params, curve.ulValueLen), ARR(P256)))
        return false;
    struct slice s = slice_of(point, q.ulValueLen), head;
    if (s.n == POINT_MAX && !(slice_take(&s, 2, &head) && head.p[0] == 0x04 && head.p[1] == POINT))
        return false;
    if (s.n != POINT || s.p[0] != 0x04)
        return false;
    memcpy(ret_point, s.p, POINT);
    return true;
}

static bool key_find(struct token_key *t, uint8_t ret_point[static POINT])
{
    uint8_t bytes[ID_MAX];
    CK_ATTRIBUTE id = { CKA_ID, bytes, sizeof bytes };
    CK_OBJECT_HANDLE public;
    return find(t, CKO_PRIVATE_KEY, p11_kit_uri_get_attribute(t->uri, CKA_ID), p11_kit_uri_get_attribute(t->uri, CKA_LABEL), &t->key) &&
           read_attribute(t, t->key, &id) && find(t, CKO_PUBLIC_KEY, &id, NULL, &public) && point_read(t, public, ret_point);
}

static void session_end(struct token_key *t)
{
    if (t->module)
        (void)t->module->C_CloseSession(t->session);
    t->module = NULL;
}

/* false: not here, or not usable (told). */
static bool session_at(struct token_key *t, CK_FUNCTION_LIST *module, CK_SLOT_ID slot, uint8_t ret_point[static POINT])
{
    CK_TOKEN_INFO info;
    if (module->C_GetTokenInfo(slot, &info) != CKR_OK || !p11_kit_uri_match_token_info(t->uri, &info))
        return false;
    CK_RV rv = module->C_OpenSession(slot, CKF_SERIAL_SESSION, NULL, NULL, &t->session);
    if (rv != CKR_OK) {
        tell(LITERAL("session"), rv);
        return false;
    }
    t->module = module;
    rv = log_in(t);
    if (rv == CKR_OK && key_find(t, ret_point))
        return true;
    tell(rv == CKR_OK ? LITERAL("key") : LITERAL("login"), rv);
    session_end(t);
    return false;
}

static bool session_in(struct token_key *t, CK_FUNCTION_LIST *module, uint8_t ret_point[static POINT])
{
    CK_SLOT_ID slots[SLOTS_MAX];
    CK_ULONG n = SLOTS_MAX;
    if (!module || module->C_GetSlotList(CK_TRUE, slots, &n) != CKR_OK)
        return false;
    for (CK_ULONG i = 0; i < n; i++)
        if (session_at(t, module, slots[i], ret_point))
            return true;
    return false;
}

static bool session_begin(struct token_key *t, uint8_t ret_point[static POINT])
{
    if (!t->configured)
        return session_in(t, t->own, ret_point);
    for (size_t i = 0; t->configured[i]; i++)
        if (session_in(t, t->configured[i], ret_point))
            return true;
    return false;
}

/* ---- life ---- */

static ERR open_all(struct token_key *t, const char *uri)
{
    t->uri = p11_kit_uri_new();
    if (!t->uri)
        return FAIL(E_NOMEM);
    if (p11_kit_uri_parse(uri, P11_KIT_URI_FOR_ANY, t->uri) != P11_KIT_URI_OK || p11_kit_uri_any_unrecognized(t->uri))
        return FAIL(E_CONFIG);
    TRY(pin_read(t));
    TRY(modules_load(t));
    if (session_begin(t, t->point))
        return OK;
    tell(LITERAL("token"), CKR_TOKEN_NOT_PRESENT);
    return FAIL(E_CONFIG);
}

struct err token_key_open(struct token_key **ret_t, const char *uri)
{
    struct token_key *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    struct err e = open_all(t, uri);
    if (err_ok(e))
        *ret_t = t;
    else
        token_key_free(t);
    return err_ok(e) || err_is(e, E_NOMEM) ? e : FAIL(E_CONFIG);
}

void token_key_free(struct token_key *t)
{
    if (!t)
        return;
    session_end(t);
    if (t->configured)
        p11_kit_modules_finalize_and_release(t->configured);
    if (t->own) {
        (void)p11_kit_module_finalize(t->own);
        p11_kit_module_release(t->own);
    }
    p11_kit_uri_free(t->uri);
    secret_free(t->pin);
    free(t);
}

void token_key_public(const struct token_key *t, uint8_t ret_x[static SIGNER_COORDINATE], uint8_t ret_y[static SIGNER_COORDINATE])
{
    memcpy(ret_x, t->point + 1, SIGNER_COORDINATE);
    memcpy(ret_y, t->point + 1 + SIGNER_COORDINATE, SIGNER_COORDINATE);
}

/* ---- signing ---- */

static bool sign_once(const struct token_key *t, const uint8_t digest[static SIGNER_DIGEST], uint8_t ret_rs[static SIGNER_SIGNATURE])
{
    CK_MECHANISM ecdsa = { CKM_ECDSA, NULL, 0 };
    uint8_t text[SIGNER_DIGEST];
    CK_ULONG n = SIGNER_SIGNATURE;
    memcpy(text, digest, sizeof text);
    CK_RV rv = t->module->C_SignInit(t->session, &ecdsa, t->key);
    if (rv == CKR_OK)
        rv = t->module->C_Sign(t->session, text, sizeof text, ret_rs, &n);
    if (rv == CKR_OK && n == SIGNER_SIGNATURE)
        return true;
    tell(LITERAL("sign"), rv);
    return false;
}

struct err token_key_sign(struct token_key *t, const uint8_t digest[static SIGNER_DIGEST], uint8_t ret_rs[static SIGNER_SIGNATURE])
{
    uint8_t point[POINT];
    if (t->module && sign_once(t, digest, ret_rs))
        return OK;
    session_end(t);
    if (!session_begin(t, point))
        return FAIL(E_SIGNER_DOWN);
    if (slice_eq(ARR(point), ARR(t->point)) && sign_once(t, digest, ret_rs)) /* another key of that name is not the one that was told */
        return OK;
    session_end(t);
    return FAIL(E_SIGNER_DOWN);
}
