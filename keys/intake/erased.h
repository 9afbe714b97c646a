#ifndef GW_ZONE_NUMBER
#error "erased.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_ERASED_H
#define KEYS_INTAKE_ERASED_H

/* Who was erased, so that rows that were received before do not bring them back: files and requests may be applied long after they came. Sans I/O.
 *
 *   er:<muni>  ZSET  32 hex of a resident key's name (as in rk:) or of a person (as in p:{h}), score = wall ms of the newest erasure. "*": of whom it is
 *                    not known any more, because they are too many: everybody may have been erased until then
 *
 * Received at that time or earlier (nz_received_ms()) is before. Names stay while a task that was received before is kept: keys/held/retain.c. */

#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

enum { NZ_ERASED_MAX = 200000 /* names of a municipality */, NZ_ERASED_HEX = 32 };

void nz_erased_name(const char muni[static 6], struct store_name *ret_k);
/* Appends the command that notes them; its reply does not matter. Twice, or an older erasure, changes nothing. */
void nz_erased_note(struct redis_batch *b, const char muni[static 6], uint64_t at_ms, const struct slice *hex, size_t n);

/* Appends a question about names, one reply. */
void nz_erased_ask(struct redis_batch *b, const char muni[static 6], const struct slice *hex, size_t n);
/* Of the reply: the i-th name was erased then or later. STORE_REFUSED when it is no answer to n names. */
ERR nz_erased_check(const struct redis_reply *reply, size_t n);
bool nz_erased_since(const struct redis_reply *reply, size_t i, uint64_t received_ms);

/* Appends the question how many names were erased then or later: one reply, a number. While it is the same, nobody else was. */
void nz_erased_count(struct redis_batch *b, const char muni[static 6], uint64_t received_ms);

/* Appends the command that forgets those before whose erasure no task that is kept was received, nor a request that came since before_ms. */
void nz_erased_prune(struct redis_batch *b, const char muni[static 6], uint64_t before_ms);

#endif
