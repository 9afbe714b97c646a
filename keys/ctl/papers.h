#ifndef KEYS_CTL_PAPERS_H
#define KEYS_CTL_PAPERS_H

/* Certificates for real use, made here: a CA of one's own, what it signs, requests to somebody else's CA, and p12 for browsers. P-256; keys readable by their
 * owner alone; a file that is there already is never written over (CONFLICT). */

#include <openssl/x509.h>

#include "keys/ctl/state.h"

struct papers { X509 *ca; EVP_PKEY *ca_key; unsigned days; };

enum paper_use { PAPER_SERVER, PAPER_CLIENT, PAPER_SIGNER /* of documents (RFC 9336) */ };

struct paper {
    const char *name;      /* of the files, without end; the common name */
    const char *owner;     /* organisation; NULL: none */
    enum paper_use use;
    const char *alt;       /* subjectAltName as OpenSSL writes it: "URI:pmhgw:clinic/…", "DNS:a, IP:127.0.0.1" */
};

/* A new CA: dir/ca.pem, dir/ca.key. */
ERR papers_new_ca(struct papers *p, const char *dir, const char *owner, unsigned days);
/* That of a folder. */
ERR papers_open_ca(struct papers *p, const char *dir, unsigned days);
void papers_done(struct papers *p);
/* dir/NAME.key and dir/NAME.pem. */
ERR papers_sign(const struct papers *p, const char *dir, const struct paper *what);
/* dir/NAME.key and dir/NAME.csr */
ERR papers_request(const char *dir, const struct paper *what);
/* dir/NAME.p12 of the two files that papers_sign() made, under a new password. */
enum { PAPERS_PASSWORD = 24 };
ERR papers_p12(const struct papers *p, const char *dir, const char *name, char ret_password[static PAPERS_PASSWORD + 1]);

#endif
