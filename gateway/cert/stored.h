#ifndef GW_CERT_STORED_H
#define GW_CERT_STORED_H

/* What is kept of a certificate that was issued: field ct:<32 hex> of p:{h}, sealed under the common key. Neither the certificate nor a name is kept: only
 * which versions of which records stand in it, and by what identifier (rid) it can be revoked. Decides and builds commands; sans I/O.
 *
 * A certificate that does not hold any more is named in cr:<kid>, a sorted set rid -> enum cert_state, in the same MULTI that changes its field. */

#include "gateway/redis/swap.h"
#include "gateway/store/store.h"

enum { CERT_NAME_BYTES = 16, CERT_RECORD_ID_BYTES = 16, CERT_RECORDS_MAX = 16, CERT_KID_CHARS = 43, CERT_RID_MAX = 24, CERT_KEEP_MAX = 32 };
enum cert_kind { CERT_SHC = 1, CERT_VDS = 2, CERT_KIND__MAX };
enum cert_state { CERT_GOOD = 0, CERT_SUPERSEDED = 1 /* by a newer one, or its record was corrected */, CERT_REVOKED = 2, CERT_STATE__MAX };

const char *cert_kind_name(enum cert_kind k);   /* "shc", "vds-nc" */
const char *cert_state_name(enum cert_state s); /* "good", "superseded", "revoked" */

struct cert_record { /* which version of which immunization record is in it */
    char muni[6];
    uint8_t id[CERT_RECORD_ID_BYTES];
    uint16_t version;
};

struct cert_stored {
    uint8_t name[CERT_NAME_BYTES];   /* random; the hex is what the citizen sees */
    enum cert_kind kind;
    enum cert_state state;
    char kid[CERT_KID_CHARS];        /* thumbprint of the key that signed it */
    char rid[CERT_RID_MAX];          /* NUL-padded: rid of a SMART Health Card, UVCI of a VDS-NC */
    uint64_t issued_ms, ended_ms;    /* ended: 0 while it is good */
    size_t n_records;
    struct cert_record records[CERT_RECORDS_MAX];
};

void cert_field(const uint8_t name[static CERT_NAME_BYTES], struct store_name *ret_f);
bool cert_field_is(struct slice field, uint8_t ret_name[static CERT_NAME_BYTES]); /* false for other fields */
void cert_list_name(const char kid[static CERT_KID_CHARS], struct store_name *ret_k); /* cr:<kid> */

/* The plain form under the seal. */
ERR cert_encode(const struct cert_stored *c, struct buf *out);
ERR cert_decode(struct slice plain, struct cert_stored *ret_c); /* SEAL; the name is the field's */
/* Opens such a field. SEAL. */
ERR cert_open(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct cert_stored *ret_c);

/* The same certificate with the records of which `is` says so, and with the others; false: it says so of none. */
bool cert_split(const struct cert_stored *c, bool (*is)(const void *arg, const struct cert_record *r), const void *arg, struct cert_stored *ret_those,
                struct cert_stored *ret_others);

/* All of a person, newest first, from the reply to HGETALL p:{h}; more than CERT_KEEP_MAX: the oldest are left out. SEAL. */
struct cert_book { size_t n; struct cert_stored certs[CERT_KEEP_MAX]; };
ERR cert_read(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct cert_book *ret_b);

/* Changes are commands of one script (gateway/redis/swap.h) that expects and raises the turn of the person's vaccination data (VACCINE_TURN_FIELD of
 * gateway/vaccine/book.h), so that issuing and correcting cannot pass each other unseen. The user of redis-link needs cr:* and ZADD. */

/* The value of the field. */
ERR cert_seal(struct store *s, const struct store_name *person, const struct cert_stored *c, struct buf *out);
/* HSET ct:. */
ERR cert_add(struct store *s, const struct store_name *person, const struct cert_stored *c, struct redis_swap *swap);
/* It ends: HSET ct: with the state, ZADD cr:<kid> GT. c is changed. */
ERR cert_end_add(struct store *s, const struct store_name *person, struct cert_stored *c, enum cert_state state, uint64_t now_ms, struct redis_swap *swap);
/* HDEL of the oldest that have ended, so that `room` more fit; when that is not enough, the oldest good ones end as superseded and go: their rids stay in the list.
 * Those that go leave the book. */
ERR cert_prune_add(struct store *s, const struct store_name *person, struct cert_book *book, size_t room, uint64_t now_ms, struct redis_swap *swap);

/* For whoever corrects or cancels an immunization record, in the script that writes the new version: every good certificate of the person that has the record in
 * a version below `version` is superseded. hash: the reply to HGETALL p:{h} that the change is based on. *ret_n: how many; 0: nothing was added. */
ERR cert_supersede_add(struct store *s, const struct store_name *person, const struct redis_reply *hash, const char muni[static 6],
                       const uint8_t id[static CERT_RECORD_ID_BYTES], uint16_t version, uint64_t now_ms, struct redis_swap *swap, size_t *ret_n);

#endif
