#ifndef GW_ZONE_NUMBER
#error "again.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_AGAIN_H
#define KEYS_PERSON_AGAIN_H

/* A resident was changed between what was read of it and what was written: the request begins anew in a moment, so that its caller does not have to. */

#include "gateway/loop/loop.h"
#include "gateway/serve/serve.h"

struct nz_again { struct timer *timer; unsigned tries; }; /* zeroed; nz_again_done() ends it */
/* fn(arg) comes once, after a pause that grows, about four seconds in all. BUSY: it was so too often, or the request has no time left. NOMEM. */
ERR nz_again(struct nz_again *a, struct req *r, loop_fn *fn, void *arg);
void nz_again_done(struct nz_again *a);

#endif
