#ifndef GW_VACCINE_BOOK_H
#define GW_VACCINE_BOOK_H

/* All vaccination records of one person, from the reply to HGETALL p:{h}, and the way back. Decides and builds commands; sans I/O.
 *
 * p:{h} "iv" is a number that every change of a person's vaccination data raises. A change is written by one script (gateway/redis/swap.h) that first looks
 * whether that number still is what it was when the hash was read: no version is lost, and no rule is judged by what is not so any more. */

#include "gateway/redis/swap.h"
#include "gateway/vaccine/immun.h"

enum { IMMUN_BOOK_MAX = 128, IMMUN_SWAP_MAX = 1 << 20 };
#define VACCINE_TURN_FIELD LIT("iv")

struct immun_place { char muni[6]; struct store_name field; struct immun_record *rec; };
struct immun_book {
    struct slice turn;                   /* as read; borrows from the reply */
    size_t n;
    struct immun_place at[IMMUN_BOOK_MAX];
};
/* Records live in the arena. SEAL, FORBIDDEN (a municipality without a key), FULL. */
ERR immun_book_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct arena *a, struct immun_book *ret_b);
struct immun_place *immun_book_find(struct immun_book *b, const uint8_t id[static IMMUN_ID_BYTES]);
static inline const struct immun *immun_now(const struct immun_record *r) { return &r->versions[r->n_versions - 1]; }

/* A new record, without versions, in the arena. FULL. */
ERR immun_book_add(struct immun_book *b, struct arena *a, const char muni[static 6], struct immun_place **ret_p);

/* Expects the turn of the book and raises it: once for each script. */
void immun_swap_turn(const struct immun_book *b, const struct store_name *person, struct redis_swap *s);
/* HSET p:{h} of the record. */
ERR immun_swap_record(struct store *s, const struct store_name *person, const struct immun_place *p, struct redis_swap *swap);

/* The value of a field of the hash; SLICE_NONE when it has none. */
struct slice hash_find(const struct redis_reply *hash, struct slice field);

#endif
