#ifndef GW_VACCINE_TICKET_INDEX_H
#define GW_VACCINE_TICKET_INDEX_H

/* From the number of a 接種券 to whose it is (store_name_ticket()): HASH with
 *   p  p:{h} where the ticket was stored
 *   f  its field there, k:<muni>:<rid>
 *   s  subject id, 32 hex: leads on to the person also after a new number or a merge
 * Nothing of it is trusted: whoever follows it looks whether the person's hash has a ticket with that number, under its seal. What it names may be gone: it
 * is written with the ticket, and stays when that is taken back. Sans I/O. */

#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

#define TICKET_INDEX_PERSON LIT("p")
#define TICKET_INDEX_FIELD LIT("f")
#define TICKET_INDEX_SUBJECT LIT("s")
enum { TICKET_INDEX_WORDS = 8 };

/* One command; its reply: the name p:{h} of whoever has the ticket now, or nil. */
void ticket_index_ask(const struct store_name *tk, struct redis_batch *b);
/* HSET with everything, as words of a command; they borrow. */
void ticket_index_words(const struct store_name *tk, struct slice person, struct slice field, struct slice sid_hex, struct slice ret_words[static TICKET_INDEX_WORDS]);

/* Of the record of a ticket: the name of its index. n 0: it has no number. SEAL: it is no record. */
ERR ticket_index_name(struct store *s, struct slice muni, struct slice plain, struct store_name *ret_tk);

/* The number of a ticket in the JSON of its record, as keys/registration wrote it; SLICE_NONE. */
struct slice ticket_number_of(struct slice json);

#endif
