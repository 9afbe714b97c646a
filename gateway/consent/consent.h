#ifndef GW_CONSENT_CONSENT_H
#define GW_CONSENT_CONSENT_H

/* What p:{h} says besides records: control flags, withdrawals, consents, open sessions (docs/access.md). Decides and builds commands; sans I/O.
 *
 * Every question is asked of the reply to HGETALL p:{h}; every change is added as commands to a batch that the caller sends. Fields and their seals:
 *   f:<muni>    KEY_LINK_DATA of muni   version u8 (1) | bits u8 | set_ms u64 | reason
 *   ce          KEY_LINK_COMMON         version u8 (1) | at_ms u64
 *   cw:<32 hex> KEY_LINK_COMMON         stamp, then sealed: stamp | version u8 (1) | consent version u32
 *   co:<32 hex> KEY_LINK_COMMON         stamp, then sealed: stamp | version u8 (1) | consent version u32 | given_s u64 | kinds u8 | clinic[10] | purpose
 *   sn:<32 hex> KEY_LINK_COMMON         stamp, then sealed: stamp | version u8 (2) | consent[16] | consent version u32 | given_s u64 | kinds u8 | clinic[10]
 *                                       | certificate[32] | fields u16 | length u8, purpose | nothing, or muni[6], program
 * stamp = until_ms u64 | at_ms u64: in the open, so that what is past its time is found without opening it; what is opened must repeat it.
 *
 * All functions that read give SEAL when a value that they need does not open, FORBIDDEN when the municipality of a flag has no key on the ring. */

#include "gateway/jose/claims.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

enum { CONSENT_KEEP_MAX = 64 /* of each of co: sn: cw: */, CONSENT_CLINIC_MAX = 8 /* of co: and of sn:, by one clinic */, CONSENT_REASON_MAX = 32, CONSENT_CLINIC_CHARS = 10 };

/* ---- control flags of one municipality ---- */

enum { FLAG_NOT_DISCLOSED = 1 /* 不開示 */, FLAG_VIEWING_STOPPED = 2 /* 閲覧停止 */, FLAG_RECOVERY = 4 /* リカバリー */, FLAGS_ALL = 7 };

struct control_flags {
    uint8_t bits;             /* FLAG_*; any of them silences the person */
    uint64_t set_ms;
    char reason[CONSENT_REASON_MAX]; /* [a-z_]{1,32}, NUL-padded */
};

void flags_field(const char muni[static 6], struct store_name *ret_f);  /* f:<muni> */
bool flags_field_is(struct slice field, struct slice *ret_muni);        /* and back; false for other fields */
ERR flags_open(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct control_flags *ret_f);
/* HSET p:{h} f:<muni>; bits 0: HDEL, so that a field that is there always silences. FIELD: reason or bits out of range. */
ERR flags_add(struct store *s, const struct store_name *person, const char muni[static 6], const struct control_flags *f, struct redis_batch *b);

/* The plain form under the seal. */
ERR flags_encode(const struct control_flags *f, struct buf *out); /* FIELD */
bool flags_decode(struct slice plain, struct control_flags *ret_f);

/* ---- names: 16 bytes of a MAC; in hex in fields and to the citizen, raw in the audit log (ref) ---- */

struct consent_name { uint8_t b[STORE_HANDLE_BYTES]; };

ERR consent_name_of(struct store *s, const struct person *p, struct slice consent_id, struct consent_name *ret_n);
void consent_name_hex(const struct consent_name *n, char out[static 32]);
bool consent_name_parse(struct slice hex32, struct consent_name *ret_n); /* exactly 32 characters of lower-case hex */

/* ---- is it still good? ---- */

/* A consent as a link key or a session names it. */
struct consent_claim {
    struct consent_name name;
    uint32_t version;
    uint64_t given_s; /* iat of the link key */
};

/* OK, or CONSENT: withdrawn. By ce when it was given until then, or first seen until then; by cw: when that names its version or a later one. */
ERR consent_judge(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_claim *c);
/* OK: sn: is there, of this consent, before its end, and the consent was not withdrawn. SESSION, or CONSENT. */
ERR session_judge(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_name *session,
                  const struct consent_claim *c, uint64_t now_ms);

/* ---- all of it, for the citizen and for pruning ---- */

struct consent_entry { /* co: */
    struct consent_name name;
    uint32_t version;
    uint64_t given_s, until_ms, seen_ms;
    uint8_t kinds;                              /* 1 << enum link_kind */
    char clinic[CONSENT_CLINIC_CHARS];
    char purpose[CLAIM_PURPOSE_MAX];            /* NUL-padded */
    uint64_t withdrawn_ms;                      /* 0: it holds */
};
struct session_entry { /* sn:, for the citizen; in a book only those that session_judge() would let pass */
    struct consent_name name;
    struct consent_claim consent;
    uint64_t opened_ms, until_ms;
    uint8_t kinds;
    char clinic[CONSENT_CLINIC_CHARS];
};
enum { SESSION_CERT_BYTES = 32, SESSION_PROGRAM_MAX = 50 };
struct session_held { /* sn:, for the door that opened it */
    uint8_t cert[SESSION_CERT_BYTES];           /* SHA-256 of the certificate that it is bound to */
    uint16_t fields;                            /* of eligibility, see link_scope */
    char purpose[CLAIM_PURPOSE_MAX];            /* NUL-padded */
    char muni[6];                               /* a session by a ticket is for this municipality */
    char program[SESSION_PROGRAM_MAX];          /* and this program alone, NUL-padded; zeros: for all */
};
/* What sn: says, whether it is past its time or not. SESSION: it is not there. */
ERR session_find(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_name *session, struct session_entry *ret_n,
                 struct session_held *ret_h);

struct consent_book { /* about 20 KiB: in an arena */
    uint64_t all_until_ms;                      /* ce; 0: none */
    size_t n_consents, n_sessions;
    struct consent_entry consents[CONSENT_KEEP_MAX];  /* newest first; those past their end are left out */
    struct session_entry sessions[CONSENT_KEEP_MAX];  /* newest first */
};
ERR consent_read(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct consent_book *ret_b);

/* ---- changes: commands for a batch ---- */

/* What a first use leaves: co: unless the hash tells this version already, sn:, and pruning for both. e->until_ms, n->until_ms: when they end.
 * e NULL: a session that no consent opened. */
ERR consent_add_use(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_entry *e,
                    const struct session_entry *n, const struct session_held *h, uint64_t now_ms, struct redis_batch *b);
/* The same in two halves, for a command that is sent before the hash is known. First the values for HSETNX given and HSET session ... */
struct consent_use { struct store_name given_field, session_field; struct buf given, session; };
ERR consent_use_seal(struct store *s, const struct store_name *person, const struct consent_entry *e, const struct session_entry *n, const struct session_held *h,
                     struct consent_use *ret_u);
void consent_use_done(struct consent_use *u); /* after an error too */
/* ... then, with the hash as it was before, either what is left to do: pruning, and *ret_matters the consent where HSETNX found one that this version has to replace
 * (perhaps nothing at all). noted: HSETNX said 1 ... */
ERR consent_use_settle(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_entry *e,
                       const struct session_entry *n, bool noted, uint64_t now_ms, struct redis_batch *b, bool *ret_matters);
/* ... or what takes it back: HDEL of sn:, and of co: when consent is not NULL. */
ERR consent_use_take_back(const struct store_name *person, const struct consent_name *consent, const struct consent_name *session, struct redis_batch *b);
/* cw: of this consent up to its version, and the end of its sessions. With CONSENT_KEEP_MAX withdrawals that still count, all are withdrawn. */
ERR consent_add_withdrawal(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_book *book,
                           const struct consent_entry *e, uint64_t now_ms, struct redis_batch *b);
/* ce := now_ms, and the end of all sessions. A consent given within the same second after it counts as withdrawn too: iat has whole seconds. */
ERR consent_add_withdrawal_of_all(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct redis_batch *b);
/* HDEL sn:. */
ERR session_add_end(const struct store_name *person, const struct consent_name *session, struct redis_batch *b);
ERR session_add_end_of_all(const struct store_name *person, const struct redis_reply *hash, struct redis_batch *b);
/* HDEL of what is past its time, and of what is more than may be kept: the oldest of the clinic that adds one and would have more than CONSENT_CLINIC_MAX; the
 * oldest of the clinic that has the most, so that one that opens many ends its own and not those of others. What cw: said goes over into ce. */
struct consent_room { size_t consents, sessions; const char *clinic; /* CONSENT_CLINIC_CHARS: whose they are; NULL: none are to come */ };
ERR consent_add_pruning(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct consent_room room,
                        struct redis_batch *b);

/* For `pmhgw reconcile`: what the record CONSENT_WITHDRAWN of the audit log tells. ref: its ref, zero: all until wall_ms; version: its count;
 * until_ms: its until_s. What the hash knows already of later withdrawals stays. */
struct consent_replay { struct consent_name ref; uint32_t version; uint64_t wall_ms, until_ms; };
ERR consent_add_replayed_withdrawal(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_replay *w,
                                    struct redis_batch *b);
/* How long a withdrawal has to be remembered: until_s of its audit record. */
uint64_t consent_withdrawal_until_ms(uint64_t now_ms);

#endif
