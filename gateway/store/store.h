#ifndef GW_STORE_STORE_H
#define GW_STORE_STORE_H

/* redis-link: the names of its keys, and how values are sealed. Shared by intake (writes records) and front (reads them,
 * writes pseudonyms, uses and sessions). No number and no hash of one is ever part of a name or a value.
 *
 *   h = first 16 bytes of MAC(KEY_LINK_INDEX; "h", pmh_key), in hex
 *
 *   p:{h}              HASH  everything about one person, one slot:
 *     r:<muni>:<rid>         sealed record          KEY_LINK_DATA of muni   (r: 受給者証, c: 検診, v: 予防接種対象者, k: 接種券)
 *     e:<muni>               sealed end of the person in this municipality (struct store_end)   KEY_LINK_DATA of muni
 *     s:<muni>               subject id, 32 hex     (which subject of the municipality this person is)
 *     ps:<portal>            sealed pseudonym       KEY_LINK_COMMON
 *     f: ce cw: co: sn:      control flags, withdrawals, consents, open sessions, see gateway/consent
 *     i: q: nt: ct: iv       vaccinations given, questionnaires, notices, certificates, and the number of changes, see docs/vaccination.md
 *   ep                 STRING  a number that every act raises which must not be forgotten, see gateway/epoch
 *   u:{h}:<32 hex>     STRING  the attributes of a card that were used for a certificate (wall ms of the use), see gateway/portal; expires. Link keys are used up in the audit log
 *   ps:<32 hex>        STRING  sealed pmh_key of a pseudonym    KEY_LINK_COMMON; name = MAC("ps", portal, pseudonym)
 *   s:<32 hex sid>     HASH  a subject of one municipality:
 *     k                      sealed pmh_key         KEY_LINK_DATA of muni
 *     rk                     32 hex of the resident key's name below
 *     to                     32 hex of the subject it was merged into, or that has its place under a new number (keys/change);
 *                            k is that one's PMH key then
 *   rk:<muni>:<32 hex> STRING  subject id, 32 hex; name = MAC("rk", muni, resident_key)
 *   us:<muni>          HASH  staff: <32 hex> of MAC("us", muni, user id) -> sealed user   KEY_LINK_DATA of muni, see keys/staff
 *   ss:<32 hex>        HASH  u: that name of the user, v: sealed session of staff; name = MAC("ss", token); expires
 *   sf: sr: sa:        failed logins, numbers revealed, orders that wait for a second officer, see keys/staff/names.h
 *   ch:<muni>:<32 hex> STRING  sealed journal of a resident change, see keys/change; name = MAC("ch", muni, operation key)
 *   tk:<32 hex>        HASH  whose a ticket is, see gateway/vaccine/ticket_index.h; name = MAC("tk", muni, ticket number)
 *   tf:<32 hex>        STRING  ticket lines that a clinic has read in vain; expires
 *   vi:<muni>          ZSET    0 -> h of everybody who has something of this municipality that is about vaccinations
 *   nx nl: nh: no: nd nf                 outbox of messages to partners without the number, see gateway/notice and gateway/courier
 *   vq vd vw                             marks of what VRS is to be told, of what it did not take, and of what it is to take back, see gateway/vaccine/vrs_mark.h
 *   t: tr: tu: o: oq tl: tb: er:   tasks and outbox, see keys/intake
 *
 * Every sealed value has the Redis key (and "|" and the field, in a hash) as associated data: it cannot be moved. */

#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "gateway/crypto/keyring.h"

enum { STORE_NAME_MAX = 96, STORE_RECORD_MAX = 64 * 1024, PMH_KEY_MAX = 128, PSEUDONYM_MAX = 128, SUBJECT_BYTES = 16,
       STORE_HANDLE_BYTES = 16 /* of a MAC: the hex at the end of u:, and in cw: co: sn: */, STORE_TOKEN_BYTES = 32 };

struct store; /* the keys, ready for use */
ERR store_new(struct store **ret_s, const struct keyring *ring); /* CONFIG when a needed key is missing */
void store_free(struct store *s);
/* The keys of another ring instead of the ones it has; on an error it keeps those. Nothing of it may be in use across the call but the pointer. */
ERR store_renew(struct store *s, const struct keyring *ring);
bool store_knows_muni(const struct store *s, struct slice muni);

/* A name in Redis. */
struct store_name { char c[STORE_NAME_MAX]; size_t n; };
static inline struct slice store_name_slice(const struct store_name *k) { return slice_of(k->c, k->n); }

struct person { char h[32]; };
ERR store_person(struct store *s, struct slice pmh_key, struct person *ret_p);

void store_name_person(const struct person *p, struct store_name *ret_k);                     /* p:{h} */
ERR store_name_used(struct store *s, const struct person *p, struct slice jti, struct store_name *ret_k);
ERR store_name_pseudonym(struct store *s, struct slice portal, struct slice pseudonym, struct store_name *ret_k);
/* The same names by way of their 16 bytes, which the audit log keeps (ref) and which lead back to the name. */
ERR store_handle_used(struct store *s, struct slice jti, uint8_t out[static STORE_HANDLE_BYTES]);
/* The token of a session leads to its person by itself: 16 random bytes | the 16 of the person's name, masked. One MAC("se", the random ones) is the handle of the
 * session and the mask, so that two tokens of one person have nothing in common, and only who has the key finds the person. Every 32 bytes lead to somebody's name;
 * whether there is such a session, the person's hash tells. */
ERR store_token_new(struct store *s, const struct person *p, uint8_t ret_token[static STORE_TOKEN_BYTES], uint8_t ret_handle[static STORE_HANDLE_BYTES]);
ERR store_token_open(struct store *s, const uint8_t token[static STORE_TOKEN_BYTES], struct person *ret_p, uint8_t ret_handle[static STORE_HANDLE_BYTES]);
ERR store_handle_user(struct store *s, struct slice muni, struct slice user_id, uint8_t out[static STORE_HANDLE_BYTES]);
ERR store_handle_staff(struct store *s, struct slice token, uint8_t out[static STORE_HANDLE_BYTES]); /* of a session of staff */
ERR store_handle_source(struct store *s, struct slice where, uint8_t out[static STORE_HANDLE_BYTES]); /* where a login comes from */
/* What a view names a thing by: within the scope always the same, unlike in every other scope, and nothing leads back. */
ERR store_handle_view(struct store *s, struct slice scope, struct slice kind, struct slice name, uint8_t out[static STORE_HANDLE_BYTES]);
ERR store_handle_order(struct store *s, struct slice muni, struct slice order, uint8_t out[static STORE_HANDLE_BYTES]); /* that waits for a second officer */
ERR store_handle_lane(struct store *s, struct slice who, struct slice kind, struct slice ref, uint8_t out[static STORE_HANDLE_BYTES]); /* of the outbox, gateway/notice */
/* Names a version of a vaccination record at the vaccination database: of no use elsewhere, and two of them cannot be joined. */
ERR store_handle_provision(struct store *s, struct slice record, uint16_t version, uint8_t out[static STORE_HANDLE_BYTES]);
ERR store_handle_consent(struct store *s, const struct person *p, struct slice consent_id, uint8_t out[static STORE_HANDLE_BYTES]);
void store_name_of_used(const struct person *p, const uint8_t handle[static STORE_HANDLE_BYTES], struct store_name *ret_k);
#define STORE_EPOCH LIT("ep")
void store_name_subject(const uint8_t sid[static SUBJECT_BYTES], struct store_name *ret_k);   /* s:<hex> */
ERR store_name_resident(struct store *s, struct slice muni, struct slice resident_key, struct store_name *ret_k);
ERR store_name_change(struct store *s, struct slice muni, struct slice operation_key, struct store_name *ret_k); /* ch:<muni>:<hex> */
ERR store_name_ticket(struct store *s, struct slice muni, struct slice number, struct store_name *ret_k);  /* tk:<hex> of a 接種券番号 */
ERR store_name_ticket_tries(struct store *s, struct slice clinic, struct store_name *ret_k);               /* tf:<hex> */
void store_name_vaccinated(const char muni[static 6], struct store_name *ret_k);                           /* vi:<muni> */
/* Field of a record in p:{h}: r:<muni>:<rid>, rid = 8 bytes of MAC("rid", muni, certificate type, history key) in hex. */
ERR store_field_record(struct store *s, struct slice muni, struct slice type_id, struct slice history_key, struct store_name *ret_f);
/* The kinds of records, told apart by the first letter of the field. */
enum store_kind { STORE_SUBSIDY /* r */, STORE_CHECKUP /* c */, STORE_VACCINATION /* v */, STORE_TICKET /* k */, STORE_CHANGE /* none: changes others */,
                  STORE_KIND__MAX };
/* The same for any kind: <letter>:<muni>:<rid>, rid over kind, type_id and key (of STORE_SUBSIDY as store_field_record). */
ERR store_field(struct store *s, enum store_kind kind, struct slice muni, struct slice type_id, struct slice key, struct store_name *ret_f);
/* Kind and muni of a record's field; false for other fields. */
bool store_field_kind(struct slice field, enum store_kind *ret_kind, struct slice *ret_muni);
/* e:<muni>, and the muni of such a field; false for other fields. */
void store_field_end(const char muni[static 6], struct store_name *ret_f);
bool store_field_is_end(struct slice field, struct slice *ret_muni);
/* muni of a field "i:<muni>:<32 hex>" or "q:<muni>:<32 hex>": what was made here, not registered; false for other fields. */
bool store_field_is_made(struct slice field, struct slice *ret_muni);
/* muni of a field "r:<muni>:..."; false for other fields. */
bool store_field_is_record(struct slice field, struct slice *ret_muni);

/* Seal and open any value. muni: data key of the municipality; SLICE_NONE: the common key.
 * field: SLICE_NONE for a plain string key. SEAL when it does not open; FORBIDDEN when the municipality has no key (any more). */
ERR store_seal(struct store *s, struct slice muni, const struct store_name *key, struct slice field, struct slice plain, struct buf *out);
ERR store_open(struct store *s, struct slice muni, const struct store_name *key, struct slice field, struct slice sealed, struct buf *out);

/* Handle of a person in the audit log: h under the permutation of KEY_AUDIT_HANDLE. The log and a dump of redis-link have no name in common; whoever has
 * that key can lead a handle back to the person's keys in redis-link (never to a PMH key): `pmhgw reconcile` does. */
ERR store_audit_handle(struct store *s, struct slice pmh_key, uint8_t out[static 16]);
ERR store_handle_of_person(struct store *s, const struct person *p, uint8_t out[static 16]);
ERR store_handle_person(struct store *s, const uint8_t handle[static 16], struct person *ret_p);

/* The same person in what one municipality is told of its own acts: another name in every municipality, so that two of them cannot join what they hold. */
ERR store_handle_for_muni(struct store *s, const char muni[static 6], const uint8_t handle[static 16], uint8_t out[static 16]);

/* ---- the record (受給者証), plain form under the seal ---- */

/* That a person has left the municipality: from this day on none of its records of the person gives anything, and none is silent or loud
 * for another. Written by resident changes (転出, 死亡, 強制失効), overwritten by a later one, taken back by an undo. */
enum store_end_why { STORE_END_MOVED = 1, STORE_END_DIED = 2, STORE_END_FORCED = 3 };
struct store_end { enum store_end_why why; ymd_t from; uint64_t stored_ms; };
void store_end_encode(const struct store_end *e, struct buf *out);
ERR store_end_decode(struct slice plain, struct store_end *ret_e); /* SEAL */

struct record {
    bool not_disclosed;      /* isNotDisclosed: silences the whole person */
    bool viewing_stopped;    /* 閲覧停止: the same */
    bool recovery;           /* リカバリー (isRecovery): the same, as we read it */
    bool removal;            /* 消除: only in a row on its way, of which only `ended` and raised flags count. What is stored stays, with that end */
    bool deleted;            /* isDeleted */
    ymd_t from, to;          /* validity in Japan, both days included; 0: open */
    ymd_t ended;             /* 消除の異動日, 強制失効日: from this day on it gives nothing; 0: none */
    uint64_t stored_ms;      /* wall clock of the registration */
    uint8_t task[16];        /* the task and row that wrote it, so that a repeated apply after a crash is recognised */
    uint32_t row;
    bool updated;            /* that write replaced an older record */
    struct slice eligibility;/* JSON object as the receipt computer gets it, wire-ready */
    struct slice basic;      /* JSON object basicFiveInfo: for mix-up detection, never answered to clinics */
};
ERR record_encode(const struct record *r, struct buf *out);
/* Slices borrow from plain. SEAL when malformed. */
ERR record_decode(struct slice plain, struct record *ret_r);
/* A control flag of the record silences its person. */
bool record_silences(const struct record *r);
/* The certificate gives something on this day. */
bool record_valid_on(const struct record *r, ymd_t day);
/* Same content apart from stored_ms, task, row and updated. */
bool record_same(const struct record *a, const struct record *b);

#endif
