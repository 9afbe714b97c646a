#ifndef GW_ZONE_NUMBER
#error "silence.h belongs to the number zone"
#endif
#ifndef KEYS_INQUIRY_SILENCE_H
#define KEYS_INQUIRY_SILENCE_H

/* What a municipality gives another of a person, from the sealed fields of p:{h}. Sans I/O.
 *
 * Given are the immunizations that this municipality recorded, the newest version of each that was not cancelled. Nothing is given while a control flag
 * (不開示, 閲覧停止, リカバリー) of any municipality that the person has not left silences it, and the flags of the municipality that gives count also after the
 * person has left it: it is asked because the person has. Nothing either when it has ended the person for another reason than a move. */

#include "gateway/base/json_write.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

/* Appends the list, at least "[]". OK: *ret_records are in it. Otherwise it is "[]", and why: NOTHING, NOT_DISCLOSED, FORBIDDEN (a municipality without a key might
 * be against it), SEAL (a field does not open), FULL (too much for one answer). */
ERR nz_give(struct store *s, const struct store_name *person, const char muni[static 6], ymd_t today, const struct redis_reply *hash, struct buf *out,
            uint32_t *ret_records);

/* Notes in each of the records that nz_give() gives that the inquirer was told its present version: one command of b, which does nothing when the person's
 * vaccination data are not what hash says any more (its reply is 0 then, otherwise 1). *ret_changed false: that is noted already, nothing was appended. FULL, NOMEM, SEAL. */
struct nz_given_to { char provider[6], inquirer[6]; uint64_t now_ms; };
ERR nz_note_given(struct store *s, const struct store_name *person, const struct nz_given_to *to, const struct redis_reply *hash, struct redis_batch *b, bool *ret_changed);

#endif
