#include "keys/ctl/papers.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/secret.h"
#include "gateway/base/wipe.h"

enum { SERIAL_BYTES = 16, BACKDATED_S = 300, CA_DAYS = 3650 };

/* ---- files ---- */

static FILE *new_file(const char *dir, const char *name, const char *end)
{
    struct state_path p;
    if (snprintf(p.c, sizeof p.c, "%s/%s%s", dir, name, end) >= (int)sizeof p.c)
        return NULL;
    int fd = open(p.c, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    FILE *f = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!f && fd >= 0)
        close(fd);
    return f;
}

static ERR closed(FILE *f, bool good)
{
    good = f && fflush(f) == 0 && fsync(fileno(f)) == 0 && good;
    if (f && fclose(f) != 0)
        good = false;
    return good ? OK : f ? FAIL(E_IO) : errno == EEXIST ? FAIL(E_CONFLICT) : FAIL(E_IO);
}

static ERR write_key(const char *dir, const char *name, EVP_PKEY *key)
{
    FILE *f = new_file(dir, name, ".key");
    return closed(f, f && PEM_write_PKCS8PrivateKey(f, key, NULL, NULL, 0, NULL, NULL) == 1);
}

static ERR write_cert(const char *dir, const char *name, X509 *x)
{
    FILE *f = new_file(dir, name, ".pem");
    return closed(f, f && PEM_write_X509(f, x) == 1);
}

/* ---- pieces ---- */

static bool name_fill(X509_NAME *n, const char *owner, const char *common)
{
    return n && (!owner || X509_NAME_add_entry_by_txt(n, "O", MBSTRING_UTF8, (const unsigned char *)owner, -1, -1, 0) == 1) &&
           X509_NAME_add_entry_by_txt(n, "CN", MBSTRING_UTF8, (const unsigned char *)common, -1, -1, 0) == 1;
}

static bool ext_add(X509 *x, X509V3_CTX *c, int nid, const char *value)
{
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, c, nid, value);
    bool good = e && X509_add_ext(x, e, -1) == 1;
    X509_EXTENSION_free(e);
    return good;
}

static X509 *begin(EVP_PKEY *key, unsigned days)
{
    uint8_t raw[SERIAL_BYTES];
    X509 *x = X509_new();
    BIGNUM *serial = NULL;
    rnd_bytes(raw, sizeof raw);
    raw[0] = (raw[0] & 0x3f) | 0x40;
    serial = BN_bin2bn(raw, sizeof raw, NULL);
    bool good = x && serial && X509_set_version(x, 2) == 1 && BN_to_ASN1_INTEGER(serial, X509_get_serialNumber(x)) && X509_gmtime_adj(X509_getm_notBefore(x), -BACKDATED_S) &&
                X509_time_adj_ex(X509_getm_notAfter(x), (int)days, 0, NULL) && X509_set_pubkey(x, key) == 1;
    BN_free(serial);
    if (good)
        return x;
    X509_free(x);
    return NULL;
}

static const char *eku_of(enum paper_use use)
{
    static const char *const EKUS[] = { [PAPER_SERVER] = "serverAuth", [PAPER_CLIENT] = "clientAuth", [PAPER_SIGNER] = "1.3.6.1.5.5.7.3.36" };
    return EKUS[use];
}

/* ---- CA ---- */

ERR papers_new_ca(struct papers *p, const char *dir, const char *owner, unsigned days)
{
    X509V3_CTX c;
    *p = (struct papers){ .days = days, .ca_key = EVP_EC_gen("P-256") };
    X509 *x = p->ca_key ? begin(p->ca_key, CA_DAYS) : NULL;
    p->ca = x;
    X509V3_set_ctx(&c, x, x, NULL, NULL, 0);
    bool good = x && name_fill(X509_get_subject_name(x), owner, "PMH gateway CA") && X509_set_issuer_name(x, X509_get_subject_name(x)) == 1 &&
                ext_add(x, &c, NID_subject_key_identifier, "hash") && ext_add(x, &c, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                ext_add(x, &c, NID_key_usage, "critical,keyCertSign,cRLSign") && X509_sign(x, p->ca_key, EVP_sha256()) > 0;
    TRY(good ? OK : FAIL(E_CRYPTO));
    TRY(write_key(dir, "ca", p->ca_key));
    return write_cert(dir, "ca", x);
}

ERR papers_open_ca(struct papers *p, const char *dir, unsigned days)
{
    struct state_path pem, key;
    *p = (struct papers){ .days = days };
    if (snprintf(pem.c, sizeof pem.c, "%s/ca.pem", dir) >= (int)sizeof pem.c || snprintf(key.c, sizeof key.c, "%s/ca.key", dir) >= (int)sizeof key.c)
        return FAIL(E_CONFIG);
    FILE *a = fopen(pem.c, "re"), *b = fopen(key.c, "re");
    p->ca = a ? PEM_read_X509(a, NULL, NULL, (void *)"") : NULL;
    p->ca_key = b ? PEM_read_PrivateKey(b, NULL, NULL, (void *)"") : NULL;
    if (a)
        fclose(a);
    if (b)
        fclose(b);
    return p->ca && p->ca_key && X509_check_private_key(p->ca, p->ca_key) == 1 ? OK : FAIL(E_CONFIG);
}

void papers_done(struct papers *p)
{
    X509_free(p->ca);
    EVP_PKEY_free(p->ca_key);
    *p = (struct papers){ 0 };
}

/* ---- what it signs ---- */

ERR papers_sign(const struct papers *p, const char *dir, const struct paper *what)
{
    X509V3_CTX c;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = key ? begin(key, p->days) : NULL;
    X509V3_set_ctx(&c, p->ca, x, NULL, NULL, 0);
    bool good = x && name_fill(X509_get_subject_name(x), what->owner, what->name) && X509_set_issuer_name(x, X509_get_subject_name(p->ca)) == 1 &&
                ext_add(x, &c, NID_subject_key_identifier, "hash") && ext_add(x, &c, NID_authority_key_identifier, "keyid") && ext_add(x, &c, NID_basic_constraints, "critical,CA:FALSE") &&
                ext_add(x, &c, NID_key_usage, "critical,digitalSignature") && ext_add(x, &c, NID_ext_key_usage, eku_of(what->use)) && ext_add(x, &c, NID_subject_alt_name, what->alt) &&
                X509_sign(x, p->ca_key, EVP_sha256()) > 0;
    struct err e = good ? write_key(dir, what->name, key) : FAIL(E_CRYPTO);
    if (err_ok(e))
        e = write_cert(dir, what->name, x);
    X509_free(x);
    EVP_PKEY_free(key);
    return e;
}

ERR papers_request(const char *dir, const struct paper *what)
{
    X509V3_CTX c;
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509_REQ *r = X509_REQ_new();
    STACK_OF(X509_EXTENSION) *exts = sk_X509_EXTENSION_new_null();
    const struct { int nid; const char *value; } wanted[] = {
        { NID_key_usage, "critical,digitalSignature" }, { NID_ext_key_usage, eku_of(what->use) }, { NID_subject_alt_name, what->alt },
    };
    bool good = key && r && exts && X509_REQ_set_version(r, 0) == 1 && name_fill(X509_REQ_get_subject_name(r), what->owner, what->name) && X509_REQ_set_pubkey(r, key) == 1;
    X509V3_set_ctx(&c, NULL, NULL, r, NULL, 0);
    for (size_t i = 0; good && i < sizeof wanted / sizeof *wanted; i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &c, wanted[i].nid, wanted[i].value);
        good = e && sk_X509_EXTENSION_push(exts, e) > 0;
    }
    good = good && X509_REQ_add_extensions(r, exts) == 1 && X509_REQ_sign(r, key, EVP_sha256()) > 0;
    struct err e = good ? write_key(dir, what->name, key) : FAIL(E_CRYPTO);
    if (err_ok(e)) {
        FILE *f = new_file(dir, what->name, ".csr");
        e = closed(f, f && PEM_write_X509_REQ(f, r) == 1);
    }
    sk_X509_EXTENSION_pop_free(exts, X509_EXTENSION_free);
    X509_REQ_free(r);
    EVP_PKEY_free(key);
    return e;
}

/* No letter that is taken for another when somebody types it. */
static void password_new(char out[static PAPERS_PASSWORD + 1])
{
    static const char LETTERS[] = "abcdefghijkmnpqrstuvwxyz23456789";
    uint8_t raw[PAPERS_PASSWORD];
    rnd_bytes(raw, sizeof raw);
    for (size_t i = 0; i < PAPERS_PASSWORD; i++)
        out[i] = i % 6 == 5 ? '-' : LETTERS[raw[i] % 32];
    out[PAPERS_PASSWORD - 1] = LETTERS[raw[PAPERS_PASSWORD - 1] % 32];
    out[PAPERS_PASSWORD] = '\0';
    explicit_bzero(raw, sizeof raw);
}

ERR papers_p12(const struct papers *p, const char *dir, const char *name, char ret_password[static PAPERS_PASSWORD + 1])
{
    struct state_path pem, key;
    if (snprintf(pem.c, sizeof pem.c, "%s/%s.pem", dir, name) >= (int)sizeof pem.c || snprintf(key.c, sizeof key.c, "%s/%s.key", dir, name) >= (int)sizeof key.c)
        return FAIL(E_CONFIG);
    FILE *a = fopen(pem.c, "re"), *b = fopen(key.c, "re");
    X509 *x = a ? PEM_read_X509(a, NULL, NULL, NULL) : NULL;
    EVP_PKEY *k = b ? PEM_read_PrivateKey(b, NULL, NULL, (void *)"") : NULL;
    STACK_OF(X509) *chain = sk_X509_new_null();
    if (a)
        fclose(a);
    if (b)
        fclose(b);
    password_new(ret_password);
    PKCS12 *box = x && k && chain && sk_X509_push(chain, p->ca) > 0 ? PKCS12_create(ret_password, name, k, x, chain, 0, 0, 0, 0, 0) : NULL;
    FILE *f = box ? new_file(dir, name, ".p12") : NULL;
    struct err e = box ? closed(f, f && i2d_PKCS12_fp(f, box) == 1) : FAIL(E_CRYPTO);
    PKCS12_free(box);
    sk_X509_free(chain);
    X509_free(x);
    EVP_PKEY_free(k);
    return e;
}
