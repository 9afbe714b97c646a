#ifndef KEYS_CTL_CERTS_ENDS_H
#define KEYS_CTL_CERTS_ENDS_H

/* Which certificate of the state directory ends first. */

#include "keys/ctl/state.h"

struct cert_end { char name[256]; int64_t left_s; /* below 0: it has ended */ };
/* false: there is none that can be read. */
bool certs_first_end(const struct state *s, struct cert_end *ret_end);

#endif
