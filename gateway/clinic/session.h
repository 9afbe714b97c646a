#ifndef GW_CLINIC_SESSION_H
#define GW_CLINIC_SESSION_H

/* What a session remembers: whose data, under which consent, what of it, for which certificate, until when. All of it stands in the person's hash (sn:, gateway/consent);
 * its token leads there and is not stored. */

#include "gateway/base/json_write.h"
#include "gateway/consent/consent.h"
#include "gateway/lookup/access.h"

enum { SESSION_TOKEN_CHARS = 43 };

struct session {
    struct person person;
    struct session_entry open;
    struct session_held held;
};

/* The session is for that program, by whatever municipality; for that municipality and program. */
bool session_is_for_program(const struct session *s, struct slice program);
bool session_is_for(const struct session *s, struct slice muni, struct slice program);

/* SESSION_TOKEN_CHARS characters of base64url, for one STORE_TOKEN_BYTES (store_token_new). */
struct session_token { char text[SESSION_TOKEN_CHARS]; struct consent_name name; };
/* A fresh one. */
ERR session_token_new(struct store *store, const struct person *p, struct session_token *ret_t);
/* Whose hash would have the session, and its name there. What cannot be a token leads to somebody whom nobody is, at the same cost. */
ERR session_token_read(struct store *store, struct slice text, struct person *ret_p, struct consent_name *ret_n);

/* io_s: with its person and open.name. The hash has the session, it was opened with this caller's certificate, is not past its time, allows this kind (LINK_KIND__MAX:
 * whatever it does), there is a legal basis for it, and its consent holds; for the record, too, as far as that is known. SESSION, CERT_REFUSED, BASIS, SEAL. */
ERR session_judge_for(struct access *a, const struct redis_reply *hash, enum link_kind kind, unsigned items, struct session *io_s);
/* For fresh.h: it is still open by another reading, and its consent holds. SESSION, SEAL. */
ERR session_still_open(const struct access *a, const struct redis_reply *hash, const struct session *s);

/* Commands that open the session under a fresh token, and note the consent that opened it (NULL: none did) for the citizen's list.
 * hash: the person's. io_s: all but open.name and open.opened_ms. */
ERR session_add(struct store *store, const struct redis_reply *hash, struct session *io_s, const struct consent_entry *e, uint64_t now_ms, struct session_token *ret_t,
                struct redis_batch *b);

/* The same before the hash is known, and before anybody knows whether there is such a person: HSETNX co:, HSET sn:, for SESSION_USE_REPLIES replies.
 * Follow with consent_use_settle() or consent_use_take_back(). */
enum { SESSION_USE_REPLIES = 2 };
ERR session_add_unseen(struct store *store, struct session *io_s, const struct consent_entry *e, uint64_t now_ms, struct session_token *ret_t, struct redis_batch *b);

/* "session_id": how messages name the session (gateway/notice), and the citizen ends it. It opens nothing. */
void session_write_id(struct jsonw *w, const struct consent_name *session);

/* life_ms after now, but no later than the longest life of the link key (issued at iat) allows, and after now in any case. */
uint64_t session_expiry(uint64_t now_ms, uint64_t life_ms, uint64_t iat_s);

#endif
