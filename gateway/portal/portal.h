#ifndef GW_PORTAL_PORTAL_H
#define GW_PORTAL_PORTAL_H

/* The portal door: what the citizen portal may tell and ask. door_conf.ctx is a struct lookup_env. */

#include "gateway/serve/serve.h"

extern const struct route PORTAL_ROUTES[];
extern const size_t PORTAL_ROUTES_N;

/* POST /v1/portal/pseudonyms {"pmh_key","pseudonym"}: 204, also for a key that is not known yet, and again for the same pair.
 * CONFLICT when the pseudonym stands for another key, or the key has another pseudonym at this portal. */
void portal_link_pseudonym(struct req *r);
/* POST /v1/portal/eligibility {"pseudonym"}: the eligibility body, without a session. */
void portal_look_up(struct req *r);

#endif
