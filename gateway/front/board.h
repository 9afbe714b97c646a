#ifndef GW_FRONT_BOARD_H
#define GW_FRONT_BOARD_H

/* What the workers of the front know of each other: a seat for each in memory that they share, made before fork(). A worker says again and again that it is there, and what keeps
 * it from answering; the supervisor says who has to be there, and who accepts on the sockets of one that is away. So any of them can say whether all who ask are answered.
 * No lock: each number is one store. Who dies leaves a seat that falls silent. */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"

struct board;
enum { BOARD_SEATS = 128, BOARD_TELL_MS = 500, BOARD_SILENT_MS = 3000, BOARD_HUNG_MS = 30000 };

ERR board_new(struct board **ret_b); /* NOMEM */
void board_free(struct board *b);    /* of this process; NULL is fine */

/* ---- the supervisor; b may be NULL ---- */

/* worker: its number, as people are told it. stand_in: seat of who accepts for it while it is away; below 0: nobody. */
enum board_part { BOARD_EMPTY, BOARD_SERVES, BOARD_AWAY };
void board_seat(struct board *b, unsigned seat, enum board_part part, unsigned worker, int stand_in);
/* How long it has said nothing; 0 when nobody has said anything there. */
uint64_t board_silent_ms(const struct board *b, unsigned seat, uint64_t now_ms);
void board_clear(struct board *b, unsigned seat); /* another process takes the seat */
void board_keep(struct board *b, uint64_t now_ms); /* that the seats are as they should be; again and again */

/* ---- a worker; b may be NULL. now_ms: of the machine's steady clock ---- */

void board_tell(struct board *b, unsigned seat, struct err trouble, uint64_t now_ms);
/* OK: every socket is accepted on by somebody who can answer; or nobody keeps the seats any more (another program has taken over), and nothing is known. Else what keeps the first one from it, WORKER when it is away or silent, and which. */
ERR board_state(const struct board *b, uint64_t now_ms, unsigned *ret_worker);

#endif
