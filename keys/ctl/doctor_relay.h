#ifndef KEYS_CTL_DOCTOR_RELAY_H
#define KEYS_CTL_DOCTOR_RELAY_H

/* The relays to a Redis that is elsewhere (docs/redis.md), for `pmhgw doctor`: their settings, the files that these name, and whether there is a master now. */

#include "keys/ctl/state.h"

/* Says a line for each relay of the state, and what is wrong with what to do about it. Without a relay: true. */
bool doctor_relay(const struct state *s);

#endif
