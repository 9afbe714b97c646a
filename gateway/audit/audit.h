#ifndef GW_AUDIT_AUDIT_H
#define GW_AUDIT_AUDIT_H

/* The audit record and the way to have it written. An answer leaves only after audit_append() has said OK.
 * Columns are typed: there is no free text, so nothing that was sent can get in. */

#include "gateway/base/log.h"
#include "gateway/ipc/ipc.h"

enum audit_event {
#define X(sym, number, name) AU_##sym = number,
#include "gateway/audit/events.def"
#undef X
};

enum { AUDIT_ACTOR_MAX = 64, AUDIT_HANDLE_BYTES = 16, AUDIT_REC_BYTES = 160 };

enum audit_result {
    AR_OK,       /* done, data given out where there was any */
    AR_NOTHING,  /* the caller heard "nothing" */
    AR_USED,     /* the caller heard "used" */
    AR_REFUSED,  /* the caller heard an error of his own making or was not allowed */
    AR_FAILED,   /* our or a partner's failure */
    AR__MAX
};

/* Numbers are part of the stored format. */
enum audit_behalf { AB_OWN = 0, AB_CITIZEN = 1 /* the person asks about itself, through a portal */, AB_STAFF = 2 /* a person of the municipality, in ref */,
                    AB__MAX };
enum { AUDIT_ITEM_ELIGIBILITY = 1, AUDIT_ITEM_CHECKUP = 2, AUDIT_ITEM_VACCINATION = 4, AUDIT_ITEM_TICKET = 8, AUDIT_ITEM_QUESTIONNAIRE = 16,
       AUDIT_ITEM_CONSENT = 32, AUDIT_ITEM_SESSION = 64, AUDIT_ITEM_ACCESS_LOG = 128, AUDIT_ITEM_FLAGS = 256, AUDIT_ITEM_NUMBER = 512, AUDIT_ITEM_RESIDENT = 1024,
       AUDIT_ITEMS_ALL = 2047 };

struct audit_rec {
    enum audit_event event;
    enum audit_result result;
    enum err_code reason;          /* E_OK or why; the true reason, also where the caller heard "nothing" */
    struct req_id request;
    char actor[AUDIT_ACTOR_MAX];   /* NUL-padded identity of the caller's certificate ("clinic/3310010012") or the daemon's name: [a-z0-9/_-] only */
    uint8_t subject[AUDIT_HANDLE_BYTES]; /* keyed handle of the person (store_audit_handle), all zero when none */
    char muni[6];                  /* 自治体コード of the data's owner, "000000" when none */
    uint32_t count;                /* rows or records concerned */
    uint64_t wall_ms;              /* set by audit_append() */
    uint16_t basis;                /* legal basis: its id in the register (gateway/basis), 0: none is needed */
    uint8_t purpose;               /* its purpose there, 0: none */
    enum audit_behalf behalf;      /* on whose behalf */
    uint16_t items;                /* AUDIT_ITEM_*: what kinds of data were asked for */
    uint8_t ref[AUDIT_HANDLE_BYTES]; /* the name in redis-link of what is concerned (use of a link key, consent, session, user), all zero when none */
    uint32_t until_s;              /* how long ref has to be remembered: seconds since 1970; 0: for good, or no ref */
    uint64_t epoch;                /* the store's epoch as this act raised it (gateway/epoch), 0: it did not */
};

struct audit; /* client side */

/* cap: the capability of our role; moved in. */
ERR audit_new(struct audit **ret_a, struct loop *l, const char *socket_path, enum ipc_role role, struct secret *cap);
void audit_close(struct audit *a);
bool audit_up(const struct audit *a);

typedef void audit_done_fn(void *arg, struct err e);
/* OK: the record is on disk. AUDIT_DOWN otherwise (not answered in time, disk full, ...). done once, from the loop. */
void audit_append(struct audit *a, const struct audit_rec *rec, uint64_t deadline, audit_done_fn *done, void *arg);

/* Fills actor from the certificate identity; what is outside [a-z0-9/_-] becomes '_'. */
void audit_set_actor(struct audit_rec *rec, struct slice identity);

/* The wire and storage form, AUDIT_REC_BYTES long. audit_decode refuses anything out of range. */
void audit_encode(const struct audit_rec *rec, uint8_t out[static AUDIT_REC_BYTES]);
bool audit_decode(const uint8_t in[static AUDIT_REC_BYTES], struct audit_rec *ret_rec);

/* IPC message types of pmhgw-audit. */
enum { AUDIT_MSG_APPEND = 1 /* body AUDIT_REC_BYTES, reply seq u64 */, AUDIT_MSG_PING = 2 /* body empty, reply seq u64 */ };

#endif
