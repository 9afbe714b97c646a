#ifndef TESTS_CERTS_H
#define TESTS_CERTS_H

/* Certificates made for a test run: good ones, and each way of being bad. */

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct pair {
    X509 *cert;
    EVP_PKEY *key;
};

struct wish {
    const char *san;    /* "URI:pmhgw:clinic/3310010012", "IP:127.0.0.1", NULL for none */
    const char *eku;    /* "clientAuth", NULL for none */
    long from_s, to_s;  /* seconds from now; to_s 0: an hour */
    bool ca;
    const char *kind;   /* of the key: NULL for P-256; a curve, "RSA", "ED25519", "ED448" */
};

static inline EVP_PKEY *key_new(const char *kind)
{
    if (!kind)
        return EVP_EC_gen("P-256");
    if (strcmp(kind, "RSA") == 0)
        return EVP_RSA_gen(2048);
    return kind[0] == 'E' ? EVP_PKEY_Q_keygen(NULL, NULL, kind) : EVP_EC_gen(kind);
}

static inline void must(int good)
{
    if (!good) {
        fprintf(stderr, "certs.h: cannot make a certificate\n");
        abort();
    }
}

static inline void cert_ext(X509 *cert, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, cert, NULL, NULL, 0);
    X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &ctx, nid, value);
    must(e && X509_add_ext(cert, e, -1));
    X509_EXTENSION_free(e);
}

/* issuer NULL: signed by itself. */
static inline struct pair pair_new(const struct pair *issuer, struct wish w)
{
    static long serial = 1;
    struct pair p = { X509_new(), key_new(w.kind) };
    must(p.cert && p.key);
    const struct pair *by = issuer ? issuer : &p;
    X509_set_version(p.cert, 2);
    ASN1_INTEGER_set(X509_get_serialNumber(p.cert), serial++);
    X509_gmtime_adj(X509_getm_notBefore(p.cert), w.from_s ? w.from_s : -60);
    X509_gmtime_adj(X509_getm_notAfter(p.cert), w.to_s ? w.to_s : 3600);
    char cn[32];
    snprintf(cn, sizeof cn, "test %ld", serial);
    X509_NAME_add_entry_by_txt(X509_get_subject_name(p.cert), "CN", MBSTRING_ASC, (const unsigned char *)cn, -1, -1, 0);
    X509_set_issuer_name(p.cert, X509_get_subject_name(by->cert));
    X509_set_pubkey(p.cert, p.key);
    cert_ext(p.cert, by->cert, NID_basic_constraints, w.ca ? "critical,CA:TRUE" : "critical,CA:FALSE");
    cert_ext(p.cert, by->cert, NID_key_usage, w.ca ? "critical,keyCertSign,cRLSign" : "critical,digitalSignature");
    cert_ext(p.cert, by->cert, NID_subject_key_identifier, "hash");
    if (issuer)
        cert_ext(p.cert, by->cert, NID_authority_key_identifier, "keyid:always");
    if (w.eku)
        cert_ext(p.cert, by->cert, NID_ext_key_usage, w.eku);
    if (w.san)
        cert_ext(p.cert, by->cert, NID_subject_alt_name, w.san);
    bool pure = EVP_PKEY_is_a(by->key, "ED25519") || EVP_PKEY_is_a(by->key, "ED448");
    must(X509_sign(p.cert, by->key, pure ? NULL : EVP_sha256()) > 0);
    return p;
}

static inline struct pair ca_new(void) { return pair_new(NULL, (struct wish){ .ca = true }); }
static inline struct pair client_new(const struct pair *ca, const char *san)
{
    return pair_new(ca, (struct wish){ .san = san, .eku = "clientAuth" });
}

static inline void pair_free(struct pair *p)
{
    X509_free(p->cert);
    EVP_PKEY_free(p->key);
    *p = (struct pair){ 0 };
}

/* Files of a server in a new directory. */
struct pki {
    char dir[64], ca[96], cert[96], key[96];
    struct pair issuer, server;
};

static inline void pki_begin(struct pki *k)
{
    strcpy(k->dir, "/tmp/pmhgw-test-XXXXXX");
    must(mkdtemp(k->dir) != NULL);
    k->issuer = ca_new();
    k->server = pair_new(&k->issuer, (struct wish){ .san = "IP:127.0.0.1", .eku = "serverAuth" });
    snprintf(k->ca, sizeof k->ca, "%s/ca.pem", k->dir);
    snprintf(k->cert, sizeof k->cert, "%s/server.pem", k->dir);
    snprintf(k->key, sizeof k->key, "%s/server.key", k->dir);
    FILE *f = fopen(k->ca, "w");
    must(f && PEM_write_X509(f, k->issuer.cert) && fclose(f) == 0);
    f = fopen(k->cert, "w");
    must(f && PEM_write_X509(f, k->server.cert) && fclose(f) == 0);
    f = fopen(k->key, "w");
    must(f && PEM_write_PrivateKey(f, k->server.key, NULL, NULL, 0, NULL, NULL) && fclose(f) == 0);
}

static inline void pki_end(struct pki *k)
{
    unlink(k->ca);
    unlink(k->cert);
    unlink(k->key);
    rmdir(k->dir);
    pair_free(&k->issuer);
    pair_free(&k->server);
}

#endif
