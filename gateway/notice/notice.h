#ifndef GW_NOTICE_NOTICE_H
#define GW_NOTICE_NOTICE_H

/* A message to a partner that never sees the individual number, and its way into the outbox (docs/vaccination.md). Sans I/O.
 *
 * It says what happened to what, and not what stands in it: the courier reads that when it sends, so that nothing is told that may not be told any more.
 *
 *   nx          ZSET    due time -> lane: one recipient and one thing that is told of; what is in a lane is told in its order
 *   nl:<lane>   LIST    ids of the messages in it, oldest first
 *   nh:<lane>   HASH    who works on it and what was tried, see gateway/courier
 *   no:<id>     STRING  sealed message   KEY_LINK_COMMON
 *
 * id and lane are 32 hex; a lane is 16 bytes of MAC("nl", recipient, kind of thing, ref): no name of anybody. */

#include "gateway/redis/swap.h"
#include "gateway/store/store.h"

#define NOTICE_DUE LIT("nx")
enum { NOTICE_ID_BYTES = 16, NOTICE_HEX = 2 * NOTICE_ID_BYTES, NOTICE_WHO_MAX = 32, NOTICE_PLAIN_MAX = 192, NOTICE_LANE_MAX = 64 /* messages in a lane, of those that a script adds */ };

/* Numbers are part of the stored form. */
enum notice_kind {
    NOTICE_QUESTIONNAIRE = 1, /* to a clinic: a questionnaire was submitted; ref: its 管理ID */
    NOTICE_ELIGIBILITY = 2,   /* to a clinic: what it was told of a person changed or ended; ref: its session's id.
                               * To nobody yet (recipient empty, ref: h): the courier makes one of it for every clinic that has the person open then */
    NOTICE_RECORD = 3,        /* to a clinic: a vaccination record was confirmed, corrected or cancelled; ref: its 予防接種記録ID */
    NOTICE_CITIZEN = 4,       /* to a portal, by pseudonym: the same, for the person itself */
    NOTICE_PROVISION = 5,     /* to the vaccination database: the same, with the record */
    NOTICE_KIND__MAX
};
enum notice_what { NOTICE_NEW = 1 /* submitted, confirmed */, NOTICE_CHANGED = 2 /* corrected */, NOTICE_ENDED = 3 /* revoked, cancelled */, NOTICE_WHAT__MAX };

struct notice {
    uint8_t id[NOTICE_ID_BYTES];    /* random; the same at every attempt */
    enum notice_kind kind;
    enum notice_what what;
    char who[NOTICE_WHO_MAX];       /* 医療機関コード, or the portal's name; empty for the database. NUL-padded */
    struct person person;           /* whom it is about; never told */
    char muni[6];                   /* whose data it is */
    uint8_t ref[NOTICE_ID_BYTES];
    union {
        uint8_t session[NOTICE_ID_BYTES]; /* NOTICE_QUESTIONNAIRE, NOTICE_ELIGIBILITY: session_id of the clinic's open session */
        uint8_t subject[NOTICE_ID_BYTES]; /* of a record: the municipality's subject, which leads to whoever has the record when the resident has got another number or
                                           * was merged; zero: not known */
    };
    uint16_t version;               /* of the record or questionnaire; 0 where there is none */
    uint64_t at_ms;                 /* wall clock of what happened */
};
static inline struct slice notice_who(const struct notice *n) { return slice_of(n->who, strnlen(n->who, sizeof n->who)); }

/* The plain form under the seal. FIELD: a kind, what or recipient that cannot be. */
ERR notice_encode(const struct notice *n, struct buf *out);
ERR notice_decode(struct slice plain, struct notice *ret_n); /* SEAL */

void notice_name(const uint8_t id[static NOTICE_ID_BYTES], struct store_name *ret_k); /* no:<hex> */
/* Gives it an id and adds the commands that store it and make its lane due, for the script (or the MULTI) that writes what it tells of. who: may borrow from anywhere;
 * longer than NOTICE_WHO_MAX: FIELD. The script has no room when the lane has NOTICE_LANE_MAX messages. */
ERR notice_add(struct store *s, struct notice *n, struct slice who, struct redis_swap *swap);
ERR notice_add_to_batch(struct store *s, struct notice *n, struct slice who, struct redis_batch *b);
/* The script has no room when the outbox has so many lanes: for writers that can refuse. What follows from something that was acknowledged is added without it. */
void notice_room(struct redis_swap *swap, uint64_t max);
/* The same for other scripts: put is called for each of the three commands; slices are borrowed for the call. */
typedef void notice_put_fn(void *to, size_t n, const struct slice *args);
ERR notice_add_by(struct store *s, struct notice *n, struct slice who, notice_put_fn *put, void *to);
/* What the person's clinics were told has changed, or ended. Only of somebody who may be open at a clinic: nobody else has to be told. person: p:{h}. */
bool notice_has_sessions(const struct redis_reply *hash);
void notice_eligibility(struct notice *ret_n, const struct store_name *person, const char muni[static 6], enum notice_what what, uint64_t now_ms);
ERR notice_open(struct store *s, const uint8_t id[static NOTICE_ID_BYTES], struct slice sealed, struct notice *ret_n); /* SEAL */

#endif
