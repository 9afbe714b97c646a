#ifndef GW_VACCINE_BOOK_H
#define GW_VACCINE_BOOK_H

/* All vaccination records of one person, from the reply to HGETALL p:{h}, and the way back. Decides and builds commands; sans I/O.
 *
 * p:{h} "iv" is a number that every change of a person's vaccination data raises. A change is written by one script (gateway/redis/swap.h) that first looks
 * whether that number still is what it was when the hash was read: no version is lost, and no rule is judged by what is not so any more. It looks too whether the
 * person is tied to its municipalities as it was (s:<muni>): what was erased or has moved meanwhile is not written back. */

#include "gateway/redis/swap.h"
#include "gateway/vaccine/immun.h"

enum { IMMUN_RECORDS_MAX = 128 /* no more are added */, IMMUN_BOOK_MAX = 2 * IMMUN_RECORDS_MAX /* of two residents who became one */, IMMUN_SWAP_MAX = 2 << 20,
       IMMUN_TIES_MAX = 64,
       IMMUN_PERSON_MAX = 512 * 1024 /* of all records of a person, sealed: beyond it no version is added, so that they stay readable in one piece */ };
#define VACCINE_TURN_FIELD LIT("iv")

struct immun_place { char muni[6]; struct store_name field; struct immun_record *rec; };
struct immun_book {
    struct slice turn;                   /* as read; borrows from the reply */
    size_t n_ties, bytes;                /* bytes: of the sealed records */
    struct vaccine_tie { struct slice field, subject; } tie[IMMUN_TIES_MAX]; /* s:<muni>, in the arena */
    size_t n;
    struct immun_place at[IMMUN_BOOK_MAX];
};
/* Records live in the arena. SEAL, FORBIDDEN (a municipality without a key), FULL. */
ERR immun_book_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct arena *a, struct immun_book *ret_b);
struct immun_place *immun_book_find(struct immun_book *b, const uint8_t id[static IMMUN_ID_BYTES]);
static inline const struct immun *immun_now(const struct immun_record *r) { return &r->versions[r->n_versions - 1]; }

/* For one version more, or for one record more. */
bool immun_book_has_room(const struct immun_book *b, bool for_a_record);
/* A new record, without versions, in the arena. FULL. */
ERR immun_book_add(struct immun_book *b, struct arena *a, const char muni[static 6], struct immun_place **ret_p);

/* Expects the turn and the ties of the book and raises the turn: once for each script. */
void immun_swap_turn(const struct immun_book *b, const struct store_name *person, struct redis_swap *s);
/* HSET p:{h} of the record. */
ERR immun_swap_record(struct store *s, const struct store_name *person, const struct immun_place *p, struct redis_swap *swap);

/* s:<muni>: the subject that ties a person to a municipality. */
bool vaccine_tie_is(struct slice field);
/* The value of a field of the hash; SLICE_NONE when it has none. */
struct slice hash_find(const struct redis_reply *hash, struct slice field);

#endif
