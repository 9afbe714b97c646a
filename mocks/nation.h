#ifndef MOCKS_NATION_H
#define MOCKS_NATION_H

/* The mock nation: one process, a door per system, one struct that they share. Each system reads and writes only its own part
 * of a person and of the counters. The nation knows individual numbers, as the real one does; its log never has them. */

#include <jansson.h>

#include "connectors/core/client.h"
#include "gateway/jose/jwe.h"
#include "gateway/serve/serve.h"
#include "mocks/faults.h"
#include "mocks/journal.h"
#include "mocks/people.h"

enum pseudonym_order { ORDER_PUSH, ORDER_FIRST_USE };
enum { NUMBERING_MAX = 1000 /* rows of one request */, CONSENT_LIFE_S = 24 * 3600, CONSENTS_KEPT = 65536 };

struct counters {
    uint64_t numbering_requests, numbers_asked, keys_new, keys_reused;
    uint64_t consents, link_keys, consents_refused;
    uint64_t logins, logins_refused, posts_ok, posts_failed;
};

struct vrs;    /* vrs.h */
struct partners; /* partners.h */
struct apps;     /* apps.h */
struct held;   /* answers that a fault delays */
struct login;  /* citizens who wait for their pseudonym to be linked */
struct desk;   /* desk/desk.h */

struct nation {
    struct loop *l;
    struct client *client;        /* the portal's connections to the gateway */
    struct journal *journal;
    struct people people;
    struct faults faults;
    struct counters count;
    struct mac *ids;              /* makes the identifiers that systems issue */
    struct jwe_keys *link_keys;
    const char *portal_door;
    struct {
        const char *key_path, *kid_default; /* of the command line */
        char kid[KEY_ID_MAX + 1];           /* of link_keys */
    } mint;
    enum pseudonym_order order;
    struct door *doors[SYSTEM__MAX];
    struct route *control_routes; /* with the pages */
    struct desk *desk; /* NULL: not asked for */
    struct held *held;
    struct vrs *vrs;
    struct partners *partners;
    struct apps *apps;
    struct {
        uint64_t until_s[CONSENTS_KEPT]; /* end of the newest consents, a ring */
        size_t next;
    } consents;
    struct {
        uint32_t *queue;          /* a ring of positions whose pseudonym is to be posted; every person at most once */
        size_t head, n, cap;
        unsigned sending;
        unsigned backoff_ms;      /* 0: the last post went well */
        struct timer *retry;
        struct login *logins;
        bool stopping;
    } portal;
};

/* ---- answer.c: every answer of a system goes through here, so that its fault applies ---- */

/* Answers with the body, changed or delayed as the fault says. The bytes are taken out of *body. */
void answer_send(struct nation *n, struct req *r, const struct fault *fx, int status, struct buf *body);
void answer_fail(struct nation *n, struct req *r, const struct fault *fx, struct err e);
/* On the control door: 200 with the body, which is ended; 204, or what went wrong. */
void control_answer(struct req *r, struct buf *body);
void control_end(struct req *r, struct err e);
/* Ends the answers that wait. */
void answer_stop(struct nation *n);
/* A text member of an object, 1..max bytes. */
bool member_text(json_t *obj, const char *name, size_t max, struct slice *ret_text);
/* Handler of GET /health. */
void health_get(struct req *r);

/* ---- one file per system ---- */

/* intermediary.c. Makes sure that the number has a key and a binding number; *ret_fresh when they are new (and in the journal,
 * not synced yet). A number that nobody knows becomes a person with a card. Errors of people_add and journal_put. */
ERR intermediary_issue(struct nation *n, struct slice number, uint32_t *ret_at, bool *ret_fresh);
/* Passes key and binding number on to online qualification. */
void intermediary_hand_over(struct nation *n, uint32_t at);

/* onshi.c */
void onshi_receive(struct nation *n, uint32_t at, const char *pmh_key, const char *binding);
/* The key for the portal, which asks at the citizen's first use; NULL when there is none. Borrowed. */
const char *onshi_key_of(struct nation *n, uint32_t at);
size_t onshi_consents_valid(const struct nation *n);

/* portal.c */
ERR portal_start(struct nation *n);
void portal_stop(struct nation *n);
void portal_receive(struct nation *n, uint32_t at, const char *pmh_key);
/* Hands over everybody who is numbered and not linked yet: after a start and after a change of the order. */
void portal_catch_up(struct nation *n);

/* control.c */
void state_write(struct nation *n, struct buf *out);

/* record.c: the lines of the journal */
ERR record_person(struct nation *n, uint32_t at);
ERR record_key(struct nation *n, uint32_t at);
ERR record_linked(struct nation *n, uint32_t at);
ERR record_renewed(struct nation *n, struct slice old_serial, uint32_t at);
ERR record_order(struct nation *n);
/* journal_sync; CANCELED when the nation is stopping. */
ERR record_sync(struct nation *n, journal_done_fn *done, void *arg);
/* Opens the journal and brings the nation to where it was. The people of the data files are there already. */
ERR record_replay(struct nation *n, const char *path);
/* Adds the persons of DIR/ *.cards.jsonl. A missing or empty directory is fine. */
ERR record_load_people(struct nation *n, const char *dir);

/* ids.c: identifiers are derived with a key of the nation, so that the same person gets the same one after any crash. */
ERR ids_open(struct nation *n, const char *key_path); /* makes the key file when missing */
/* ID_CHARS of base64url and a NUL. kind: literal naming the identifier. */
ERR ids_make(struct nation *n, const char *kind, struct slice of, char out[static ID_CHARS + 1]);
/* The key that mints link keys. A file link-jwe.kid beside key_path names it, and link-jwe-<kid>.key there holds it; otherwise it is the 32 bytes
 * of key_path as kid. CONFIG, IO. */
ERR ids_open_link_keys(struct nation *n, const char *key_path, const char *kid);
/* Takes up another one when link-jwe.kid names it. */
ERR ids_fresh_link_key(struct nation *n);

#endif
