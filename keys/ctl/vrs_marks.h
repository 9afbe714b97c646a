#ifndef KEYS_CTL_VRS_MARKS_H
#define KEYS_CTL_VRS_MARKS_H

/* How much VRS is still to be told, and how much it did not take. */

#include "keys/ctl/state.h"

struct vrs_marks { uint64_t waiting, not_taken; };
ERR vrs_marks_read(const struct state *s, struct vrs_marks *ret_m);

#endif
