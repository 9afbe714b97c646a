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
    uint64_t wall_ms;              /* set by pmhgw-audit when the record arrives */
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
size_t audit_waiting(const struct audit *a); /* calls that nobody has been told of */
uint64_t audit_heard(const struct audit *a); /* another number, from 1, for each piece of replies that came in together */

typedef void audit_done_fn(void *arg, struct err e);
/* OK: the record is on disk. AUDIT_DOWN otherwise (not answered in time, disk full, ...). done once, from the loop. */
void audit_append(struct audit *a, const struct audit_rec *rec, uint64_t deadline, audit_done_fn *done, void *arg);

/* Like audit_append, for the record of what is going to be told on a link key, whose handle (ref) works once: audit_is_use(), with until_s.
 * OK: the record is on disk, and the first one of this ref; used_ms is its wall_ms. USED: nothing was written; used_ms: when the first one was, by the log's clock.
 * AUDIT_DOWN: it is not known, ref may be used up. Several at a time for one ref: one of them at most hears OK. */
typedef void audit_use_fn(void *arg, struct err e, uint64_t used_ms);
void audit_use(struct audit *a, const struct audit_rec *rec, uint64_t deadline, audit_use_fn *done, void *arg);
/* A lookup by a clinic with ref that was told something, or "nothing". audit_append() of it is a breach: there is no other way to use a key up. */
bool audit_is_use(const struct audit_rec *rec);
enum { AUDIT_USE_S = 25 * 3600 /* a use is remembered so long at least, and until until_s; longer than any link key lives, so that no clock lets one work twice */ };

/* Between municipalities: the code of the other one, which the record has in ref. false for events that have none. */
bool audit_counterpart(const struct audit_rec *rec, struct slice *ret_code);

/* Fills actor from the certificate identity; what is outside [a-z0-9/_-] becomes '_'. */
void audit_set_actor(struct audit_rec *rec, struct slice identity);

/* The wire and storage form, AUDIT_REC_BYTES long. audit_decode refuses anything out of range. */
void audit_encode(const struct audit_rec *rec, uint8_t out[static AUDIT_REC_BYTES]);
bool audit_decode(const uint8_t in[static AUDIT_REC_BYTES], struct audit_rec *ret_rec);

/* ---- reading: front by person, intake by municipality; an entry that is about another is NOTHING. client_read.c ---- */

enum { AUDIT_LEAF_BYTES = AUDIT_REC_BYTES + 16 /* record | seq u64 | role u8 | 7 zero */, AUDIT_HASH_BYTES = 32, AUDIT_PATH_MAX = 30, AUDIT_FIND_MAX = 64, AUDIT_ACTS_MAX = 7 };

enum audit_key_kind { AK_PERSON = 1, AK_MUNI = 2, AK__MAX };
struct audit_key { enum audit_key_kind kind; uint8_t b[AUDIT_HANDLE_BYTES]; };
struct audit_key audit_key_person(const uint8_t handle[static AUDIT_HANDLE_BYTES]);
struct audit_key audit_key_muni(const char code[static 6]); /* entries whose data (muni) or actor ("municipality/<code>/...") is this one's */
/* What the entry is about: one person and two municipalities at most. */
enum { AUDIT_KEYS_MAX = 3 };
size_t audit_keys_of(const struct audit_rec *rec, struct audit_key ret_k[static AUDIT_KEYS_MAX]);
bool audit_is_about(const struct audit_rec *rec, const struct audit_key *k);

/* Sequence numbers, newest first. next: hand it in as `before` for what is older; 0: there is nothing more. n may be 0 with next set (a bounded
 * piece of the log was looked through). */
struct audit_hits { size_t n; uint64_t seq[AUDIT_FIND_MAX], next; };
typedef void audit_find_fn(void *arg, struct err e, const struct audit_hits *h); /* h: borrowed for the call, NULL unless OK */
struct audit_find { struct audit_key key; uint64_t before; /* 0: the newest */ uint64_t from_ms, to_ms; /* whole segments outside are passed over; 0, UINT64_MAX: all */ };
void audit_find(struct audit *a, const struct audit_find *q, uint64_t deadline, audit_find_fn *done, void *arg);

/* An entry and its path to the root of the tree of `size` entries. */
struct audit_proof {
    uint64_t seq, size;
    struct audit_rec rec;
    enum ipc_role from;
    uint8_t leaf[AUDIT_LEAF_BYTES];
    size_t n;
    uint8_t path[AUDIT_PATH_MAX][AUDIT_HASH_BYTES];
};
typedef void audit_proof_fn(void *arg, struct err e, const struct audit_proof *p); /* p: borrowed for the call, NULL unless OK */
/* NOTHING: no such entry, not about `key`, removed after its time, or not in a tree of that size. */
void audit_prove(struct audit *a, const struct audit_key *key, uint64_t seq, uint64_t size, uint64_t deadline, audit_proof_fn *done, void *arg);

/* The signed note over a tree that has everything in it that was acknowledged when it was asked for; size: entries in it. */
typedef void audit_checkpoint_fn(void *arg, struct err e, uint64_t size, struct slice note);
void audit_checkpoint(struct audit *a, uint64_t deadline, audit_checkpoint_fn *done, void *arg);

/* The greatest epoch of the store that any entry names; 0: none. Right after a start it is told when every segment has been looked at. */
typedef void audit_u64_fn(void *arg, struct err e, uint64_t v);
void audit_epoch(struct audit *a, uint64_t deadline, audit_u64_fn *done, void *arg);

/* Entries that a store which came back older must hear of again (ctl): each that has an epoch above `since`, or none and is a use of a link key, a
 * withdrawal, an end of a session, flags or an erasure. Oldest first, behind `after`. next: hand it in as `after`; 0: there is nothing more. */
bool audit_is_act(const struct audit_rec *rec);
struct audit_acts { size_t n; struct { uint64_t seq; struct audit_rec rec; } act[AUDIT_ACTS_MAX]; uint64_t next; };
/* Blocking, for the operator's command. */
ERR audit_acts_once(const char *socket_path, const struct secret *cap, uint64_t since, uint64_t after, unsigned timeout_ms, struct audit_acts *ret_a);

/* How long the disk lasts (ctl). hours: AUDIT_HOURS_UNKNOWN while nothing was seen to grow. */
#define AUDIT_HOURS_UNKNOWN UINT32_MAX
enum { AUDIT_DISK_LOW_HOURS = 24 }; /* below: a line in the log, a warning of the command */
struct audit_disk_status { uint64_t free_bytes, total_bytes; uint32_t hours; bool writes; /* false: the last write failed */ };
ERR audit_status_once(const char *socket_path, const struct secret *cap, unsigned timeout_ms, struct audit_disk_status *ret_s);

/* IPC message types of pmhgw-audit. Numbers are big endian. */
enum {
    AUDIT_MSG_APPEND = 1,     /* body AUDIT_REC_BYTES, reply seq u64 */
    AUDIT_MSG_PING = 2,       /* body empty, reply seq u64 */
    AUDIT_MSG_FIND = 3,       /* kind u8 | key[16] | before u64 | from_ms u64 | to_ms u64; reply next u64 | seq u64 ... */
    AUDIT_MSG_PROVE = 4,      /* kind u8 | key[16] | seq u64 | size u64; reply leaf[AUDIT_LEAF_BYTES] | hash[32] ... */
    AUDIT_MSG_CHECKPOINT = 5, /* body empty; reply size u64 | note */
    AUDIT_MSG_EPOCH = 6,      /* body empty; reply epoch u64 */
    AUDIT_MSG_ACTS = 7,       /* since u64 | after u64; reply next u64 | (seq u64 | record) ... */
    AUDIT_MSG_STATUS = 8,     /* body empty; reply free u64 | total u64 | hours u32 | writes u8 */
    AUDIT_MSG_USE = 9         /* body AUDIT_REC_BYTES, audit_is_use() with until_s; reply seq u64, 0: used before | wall_ms u64 of the first use */
};
enum { AUDIT_KEY_BYTES = 1 + AUDIT_HANDLE_BYTES, AUDIT_FIND_BYTES = AUDIT_KEY_BYTES + 24, AUDIT_PROVE_BYTES = AUDIT_KEY_BYTES + 16, AUDIT_ACTS_BYTES = 16 };

#endif
