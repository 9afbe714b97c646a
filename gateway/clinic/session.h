#ifndef GW_CLINIC_SESSION_H
#define GW_CLINIC_SESSION_H

/* What a session remembers: whose data, under which consent, what of it, for which certificate, until when. Its token is random and is not
 * stored. It lives while the person's hash has it as open (sn:, gateway/consent). */

#include "gateway/audit/audit.h"
#include "gateway/base/json_write.h"
#include "gateway/consent/consent.h"

enum { SESSION_TOKEN_BYTES = 32, SESSION_TOKEN_CHARS = 43, SESSION_IDENTITY_MAX = 64, SESSION_CERT_BYTES = 32, SESSION_PROGRAM_MAX = 50, SESSION_PLAIN_MAX = 512 };

struct session {
    struct person person;
    uint8_t handle[AUDIT_HANDLE_BYTES];   /* of the person, for the audit log */
    char identity[SESSION_IDENTITY_MAX];  /* of the certificate, NUL-padded */
    uint8_t cert[SESSION_CERT_BYTES];     /* SHA-256 of the certificate */
    uint64_t expires_ms;                  /* wall clock */
    struct consent_claim consent;
    struct link_scope scope;
    char purpose[CLAIM_PURPOSE_MAX];      /* NUL-padded */
    char muni[6];                         /* a session by a ticket is for this municipality */
    char program[SESSION_PROGRAM_MAX];    /* and this program alone, NUL-padded; zeros: for all */
};

/* Plain form under the seal. */
ERR session_encode(const struct session *s, struct buf *out);
/* SEAL when malformed. */
ERR session_decode(struct slice plain, struct session *ret_s);

/* The session is for that municipality and program. */
bool session_is_for(const struct session *s, struct slice muni, struct slice program);

/* A fresh token: SESSION_TOKEN_CHARS characters of base64url. */
void session_token(char out[static SESSION_TOKEN_CHARS]);
/* Commands that store the session under a fresh token, note it as open, and the consent that opened it (NULL: none did) for the citizen's list.
 * hash: the person's. */
struct session_token { char text[SESSION_TOKEN_CHARS]; struct consent_name name; };
ERR session_add(struct store *store, const struct redis_reply *hash, const struct session *s, const struct consent_entry *e, const char clinic[static CONSENT_CLINIC_CHARS],
                uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b);

/* The use of a link key and what it leaves, in SESSION_USE_REPLIES commands of one batch, before anybody knows whether there is such a person: EVAL, whose reply is NIL, or
 * when the key was used before (nothing is left then); and the session under its name, which opens nothing while the person's hash does not have it.
 * Follow with consent_use_settle() or consent_use_take_back(). */
enum { SESSION_USE_REPLIES = 2 };
struct session_use {
    const struct store_name *key;  /* of the use; it is remembered for life_ms */
    uint64_t life_ms;
    struct consent_entry consent;  /* with its clinic */
    struct session_entry open;     /* written by session_use_add() */
};
ERR session_use_add(struct store *store, const struct session *s, struct session_use *u, uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b);

/* "session_id": how messages name the session (gateway/notice), and the citizen ends it. It opens nothing. */
void session_write_id(struct jsonw *w, const struct consent_name *session);

/* life_ms after now, but no later than the longest life of the link key (issued at iat) allows, and after now in any case. */
uint64_t session_expiry(uint64_t now_ms, uint64_t life_ms, uint64_t iat_s);

#endif
