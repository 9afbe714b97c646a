#ifndef KEYS_CTL_CERTS_CRL_H
#define KEYS_CTL_CERTS_CRL_H

/* The list of revoked certificates of the development CA: certs/crl.pem of the state directory, which is its own register. A list that cannot be read or
 * is not by certs/ca.pem is never written over: whom it revokes would come back to life. */

#include <openssl/x509.h>

#include "keys/ctl/setup.h"

enum { CERTS_CRL_DAYS = 30 };

/* NULL in *ret_list when there is none yet. CONFIG when it is not a list of our CA. */
ERR certs_crl_load(const struct state *s, X509_CRL **ret_list);
/* A new list for CERTS_CRL_DAYS with the entries of the old one, and serial (NULL: no further one). *ret_news: serial was not in it. */
ERR certs_crl_write(const struct state *s, const ASN1_INTEGER *serial, bool *ret_news);
bool certs_crl_has(X509_CRL *list, const ASN1_INTEGER *serial);
/* For `up`: the list is made, or renewed. Nothing where certs/ca.key is not there. */
ERR setup_crl(const struct state *s, const struct setup_conf *c);

ERR certs_read(const char *path, X509 **ret_cert);
/* Seconds since 1970; false when it cannot be read. */
bool certs_time(const ASN1_TIME *t, int64_t *ret_s);

#endif
