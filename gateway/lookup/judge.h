#ifndef GW_LOOKUP_JUDGE_H
#define GW_LOOKUP_JUDGE_H

/* What may be told about a person, from the sealed records of p:{h}. Sans I/O: one field at a time, then the verdict. */

#include "gateway/base/json_write.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

struct judge {
    struct store *store;
    struct store_name person; /* p:{h} */
    ymd_t today;              /* in Japan */
    struct jsonw *out;        /* gets one complete JSON object for each valid record */
    uint32_t count;           /* of those */
    char muni[6];             /* municipality of the first of those; "000000" when none */
    bool silent;              /* a record says not disclosed */
    bool locked;              /* a record cannot be read because the key of its municipality is not on the ring */
};

void judge_begin(struct judge *j, struct store *s, const struct store_name *person, ymd_t today, struct jsonw *out);
/* A field of the hash; fields that are not records are passed over. SEAL when a record does not open. */
ERR judge_field(struct judge *j, struct slice field, struct slice sealed);
/* OK: something was written. Otherwise nothing that was written may be told:
 *   NOTHING       no record is valid on that day
 *   NOT_DISCLOSED a record, valid or not, says isNotDisclosed: it silences the whole person
 *   FORBIDDEN     a record of a municipality without a key: it might say so */
ERR judge_verdict(const struct judge *j);

/* All of it over the reply to HGETALL p:{h}. */
ERR judge_reply(struct judge *j, const struct redis_reply *hash);

#endif
