#ifndef GW_TLS_TLS_H
#define GW_TLS_TLS_H

/* TLS of a door, and who is at the other end. */

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

/* ---- the caller, as his certificate says ----
 * The certificate carries exactly one URI of the scheme pmhgw: in subjectAltName:
 *   pmhgw:municipality/<6 digits>/<system, [a-z0-9-]{1,32}>   pmhgw:clinic/<10 digits>
 *   pmhgw:portal/<[a-z0-9-]{1,32}>                             pmhgw:operator/<[a-z0-9-]{1,32}>
 *   pmhgw:gateway/<[a-z0-9-]{1,32}>   (our own connectors, as the mocks see them)
 *   pmhgw:kiosk/<[a-z0-9-]{1,32}>     (a terminal where a citizen reads its card and prints certificates)
 *   pmhgw:vrs/<[a-z0-9-]{1,32}>       (ワクチン接種記録システム, which hands on what municipalities ask of each other)
 * and extended key usage clientAuth. Anything else is CERT_REFUSED. */
enum caller_role { CALLER_NONE, CALLER_MUNICIPALITY, CALLER_CLINIC, CALLER_PORTAL, CALLER_OPERATOR, CALLER_GATEWAY, CALLER_VRS, CALLER_KIOSK, CALLER__MAX };
#define CALLER_BIT(role) (1u << (role))

const char *caller_role_name(enum caller_role role); /* "clinic"; "none" for CALLER_NONE */

/* A certificate as a list of revoked ones names it. */
struct cert_serial { uint64_t w[3]; };  /* at most 20 bytes, the most significant word first */
struct cert_id {
    uint8_t issuer[32];        /* SHA-256 over the issuer's name and key */
    struct cert_serial serial;
};
enum { CALLER_CERTS_MAX = 4 };

struct caller {
    enum caller_role role;
    enum err_code refusal;     /* E_OK, E_CERT_MISSING or E_CERT_REFUSED: then role is NONE */
    char identity[64];         /* "clinic/3310010012", NUL-terminated; what the audit records */
    char code[11];             /* muni_code or 医療機関コード, else "" */
    char system[33];           /* system, portal or operator name, else "" */
    uint8_t cert_sha256[32];
    int64_t not_after;         /* last second of the certificate and of all that vouch for it, since 1970; a connection may outlive it */
    struct cert_id certs[CALLER_CERTS_MAX]; /* the certificate, and those between it and the issuer that is trusted */
    unsigned n_certs;
};

struct tls_door; /* certificate, key and issuers of one listening door */

/* gateway/tls/sessions.h: sessions to resume, shared by the processes of a door. */
struct tls_sessions;
struct revocations; /* gateway/tls/revoke.h */

struct tls_door_conf {
    const char *cert_path, *key_path; /* PEM, the server's chain and key */
    const char *ca_path;              /* PEM: issuers of client certificates; NULL: clients are not asked for one */
    const char *session_context;      /* name of the door, so that sessions of one door do not work on another */
    bool tls12;                       /* TLS 1.2 too: ECDHE with AEAD and extended master secret; never resumed */
    struct tls_sessions *sessions;    /* outlives the door; NULL: a table of its own */
    const struct revocations *revocations; /* outlives the door; who is revoked gets no ticket, and his sessions are not resumed. NULL: nobody is */
};
/* TLS 1.3, X25519 first, no early data, no renegotiation, no compression; plain text is cleansed.
 * A missing or refused certificate does not end the handshake: the caller then hears a problem document. It gets no ticket. */
ERR tls_door_new(struct tls_door **ret_d, const struct tls_door_conf *conf);

/* Other certificates under live connections. New handshakes and resumptions go by them at once; connections that are open go on with the keys that they
 * have, and tls_trusted() says whether their callers' issuer is still one of ours. PEM texts, borrowed for the call; ca is empty for a door that asks for
 * no certificate. CONFIG or NOMEM: nothing has changed. */
struct tls_pem { struct slice cert, key, ca; };
ERR tls_door_renew(struct tls_door *d, const struct tls_pem *pem);
void tls_door_free(struct tls_door *d);

/* ---- one connection, without sockets: bytes in, bytes out ---- */
struct tls_conn;
struct tls_conn *tls_conn_new(struct tls_door *d);
void tls_conn_free(struct tls_conn *c);

enum tls_state { TLS_HANDSHAKE, TLS_OPEN, TLS_CLOSED /* close_notify seen */, TLS_FAILED };
/* Takes cipher text from the network, appends cipher text for the network to *net_out and plain text to *plain_out
 * (at most plain_out's room; what does not fit is kept: call again with an empty slice). */
enum tls_state tls_feed(struct tls_conn *c, struct slice net_in, struct buf *net_out, struct buf *plain_out);
/* Encrypts. All of plain is taken. */
ERR tls_write(struct tls_conn *c, struct slice plain, struct buf *net_out);
/* Gives the record buffers (34 KiB) back, wiped, while nothing is under way; the next record takes them again. */
void tls_rest(struct tls_conn *c);
/* Appends close_notify. */
void tls_shutdown(struct tls_conn *c, struct buf *net_out);
/* After the handshake. Filled once; borrowed. */
const struct caller *tls_caller(struct tls_conn *c);
/* The issuers of the door have not changed since the handshake, or what the caller's certificate goes back to is still among them. */
bool tls_trusted(struct tls_conn *c);

#endif
