#ifndef KEYS_CTL_DOCTOR_LISTS_H
#define KEYS_CTL_DOCTOR_LISTS_H

/* Lists of revoked client certificates as the doors would take them, for `pmhgw doctor`: of each issuer how old its list is, and from when on its clients are refused. */

#include "keys/ctl/state.h"

/* Says a line for each list, and what is wrong with what to do about it. false: clients are refused, or will be when the list that is held ends. */
bool doctor_lists(const struct state *s);

#endif
