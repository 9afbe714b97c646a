#ifndef KEYS_CTL_VRS_MARKS_H
#define KEYS_CTL_VRS_MARKS_H

/* How much VRS is still to be told, how much it did not take, and how much of both it is to take back. */

#include "keys/ctl/state.h"

struct vrs_marks { uint64_t waiting, not_taken, taken_back /* of both together */; };
ERR vrs_marks_read(const struct state *s, struct vrs_marks *ret_m);

#endif
