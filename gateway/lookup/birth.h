#ifndef GW_LOOKUP_BIRTH_H
#define GW_LOOKUP_BIRTH_H

/* The date of birth that a municipality has registered for a person, out of basicFiveInfo of its records. Sans I/O. */

#include "gateway/lookup/judge.h"

/* j: after judge_heard(). *ret_d 0: no record of that municipality says it; muni SLICE_NONE: of any that the person has not left. SEAL, FORBIDDEN. */
ERR birth_of(const struct judge *j, const struct redis_reply *hash, struct slice muni, ymd_t *ret_d);

#endif
