#ifndef MOCKS_PARTNERS_H
#define MOCKS_PARTNERS_H

/* Partners that never see the number: clinic apps, the portal's notices, the history service (ID5), the vaccination database, claims. What each was told
 * is kept, as JSON, in memory only, and told by the control door: GET and DELETE /kept/{system}. */

#include "gateway/crypto/crypto.h"
#include "gateway/jose/es256.h"
#include "mocks/nation.h"

enum { KEPT_MAX = 65536, MESSAGE_ID = 32, WEB_KEYS_MAX = 8, ID5_CHARS = 64, CLAIM_ROWS_MAX = 1 << 16 };

struct kept { char **line; size_t n, cap; };
/* One JSON value. FULL, NOMEM. */
ERR kept_add(struct kept *k, struct slice json);
void kept_write(const struct kept *k, struct jsonw *w, const char *name);
void kept_clear(struct kept *k);

struct web_key { char kid[ES256_KID]; struct es256_verifier *verifier; };
struct hook;                 /* a webhook that waits for the gateway's public keys */
struct hook_seen { char jti[MESSAGE_ID]; uint8_t nonce[ES256_COORDINATE]; /* r of the signature: the same in a copy, also in one with another s */ };
struct provision_row;

struct partners {
    struct {
        struct kept messages;
        struct web_key keys[WEB_KEYS_MAX];
        size_t n_keys;
        struct hook_seen *seen;
        size_t n_seen, cap_seen;
        uint64_t requests, repeated, bad_shape, bad_signature, stale, replayed, keys_fetched;
    } clinic;
    struct { struct kept notices; uint64_t requests, repeated; } portal;
    struct { struct kept given; uint64_t requests, unknown; } id5;
    struct {
        struct provision_row *rows;
        size_t n, cap;
        uint64_t requests, repeated, refused;
    } database;
    struct { struct kept files; uint64_t requests, refused; } claims;
    uint64_t followed;       /* requests to the place that a redirect names */
};

ERR partners_new(struct partners **ret_p);
void partners_free(struct partners *p);

/* Hex of 32, lower case. */
bool is_message_id(struct slice s);
/* A fault that comes before anything is done: another status, a redirect. The request has been answered then. */
bool partner_stopped(struct nation *n, struct req *r, const struct fault *fx);
/* The answer {name: id, more...}: of another id when the fault says other_person. status may be NULL. */
void partner_answer(struct nation *n, struct req *r, const struct fault *fx, const char *name, struct slice id, const char *status);
void partner_says(struct nation *n, struct req *r, const struct fault *fx, int http, const char *name, struct slice id, const char *status); /* with another status than 200 */

/* What a system keeps, into the open object; and forgetting it. */
void clinic_app_kept(const struct partners *p, struct jsonw *w);
void clinic_app_forget(struct partners *p);
void database_kept(const struct partners *p, struct jsonw *w);
void database_forget(struct partners *p);

handler_fn kept_get, kept_delete, portal_notice_post, redirected;

#endif
