/* Reaches crl_read and crl_serial: whatever a file holds, no list of it is taken that our issuer has not signed. */

#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>

#include "gateway/tls/crl.h"
#include "tests/unit/certs.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

static STACK_OF(X509) *issuers;

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc, (void)argv;
    struct pair ca = ca_new();
    issuers = sk_X509_new_null();
    must(issuers && sk_X509_push(issuers, ca.cert));
    EVP_PKEY_free(ca.key);
    return 0;
}

static void read_all(struct slice s)
{
    struct crl_batch b;
    crl_read(&b, s, issuers);
    if (b.n != 0 || b.fault == CRL_GOOD || b.fault >= CRL_FAULT__MAX)
        abort();
    crl_batch_done(&b);
}

/* As it is, and as the content of a PEM block: else nothing gets past the armour. */
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    BIO *text = BIO_new(BIO_s_mem());
    char *at;
    read_all(slice_of(p, n));
    if (n > 0 && text && PEM_write_bio(text, PEM_STRING_X509_CRL, "", p, (long)n) > 0) {
        long len = BIO_get_mem_data(text, &at);
        read_all(slice_of(at, (size_t)len));
    }
    BIO_free(text);
    ERR_clear_error();
    return 0;
}
