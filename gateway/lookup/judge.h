#ifndef GW_LOOKUP_JUDGE_H
#define GW_LOOKUP_JUDGE_H

/* What may be told about a person, from the sealed records of p:{h}. Sans I/O: first the ends, then one field at a time, then the verdict.
 *
 * A municipality whose end of the person has come is not heard any more: its records give nothing, and their flags silence nobody. Of all
 * others, only subsidies are told; a flag (not disclosed, viewing stopped, recovery) of any kind of record silences the whole person, and so does any of the
 * person's own control flags (f:<muni>). */

#include "gateway/base/json_write.h"
#include "gateway/consent/consent.h"
#include "gateway/redis/redis.h"
#include "gateway/store/store.h"

enum { JUDGE_ENDS_MAX = 64 /* municipalities that one person has left */, JUDGE_MUNIS_MAX = 64 /* whose records are told of one */ };

struct judge_muni { char code[6]; uint32_t count; };

struct judge {
    struct store *store;
    struct store_name person; /* p:{h} */
    ymd_t today;              /* in Japan */
    uint16_t fields;          /* 0: all; else only these of a record are told, link_scope.fields */
    struct jsonw *out;        /* gets one complete JSON object for each valid record */
    uint32_t count;           /* of those */
    size_t n_munis;           /* and whose they are, in the order in which they were told */
    struct judge_muni munis[JUDGE_MUNIS_MAX];
    bool silent;              /* a record has a flag that silences, or a control flag is set */
    bool locked;              /* a record or an end cannot be read because the key of its municipality is not on the ring; too many ends or municipalities */
    size_t n_ends;
    char ended[JUDGE_ENDS_MAX][6];
};

/* fields: to be set by the caller afterwards where it is narrowed. */
void judge_begin(struct judge *j, struct store *s, const struct store_name *person, ymd_t today, struct jsonw *out);
/* Every field that may be the end in a municipality, before the first judge_field(); others are passed over. SEAL when an end does not open. */
ERR judge_end(struct judge *j, struct slice field, struct slice sealed);
/* A field of the hash; fields that are neither records nor control flags are passed over. SEAL when one does not open. */
ERR judge_field(struct judge *j, struct slice field, struct slice sealed);
/* OK: something was written. Otherwise nothing that was written may be told:
 *   NOTHING       no record is valid on that day
 *   NOT_DISCLOSED a record, valid or not, has a flag that silences the whole person
 *   FORBIDDEN     a record of a municipality without a key: it might say so */
ERR judge_verdict(const struct judge *j);

/* Of a JSON object of our own making, only those members of it: {"name":value,...} into out. SEAL when it is none. */
ERR narrow_object(struct slice json, uint16_t fields, struct jsonw *out);

/* All of it over the reply to HGETALL p:{h}. */
ERR judge_reply(struct judge *j, const struct redis_reply *hash);

/* Whether the person may be told about or act at all: OK unless something silences it (NOT_DISCLOSED), no municipality has registered anything of it, ended or
 * not (NOTHING), or a key is missing (FORBIDDEN). What is told then is the caller's business; *ret_j knows which municipalities it has left. */
ERR judge_heard(struct judge *ret_j, struct store *s, const struct store_name *person, ymd_t today, const struct redis_reply *hash);
bool judge_has_ended(const struct judge *j, struct slice muni);
/* After judge_heard(): some municipality that the person has not left has a record of it; muni SLICE_NONE, or that one. */
bool judge_lives_in(const struct judge *j, const struct redis_reply *hash, struct slice muni);
static inline bool judge_lives(const struct judge *j, const struct redis_reply *hash) { return judge_lives_in(j, hash, SLICE_NONE); }

#endif
