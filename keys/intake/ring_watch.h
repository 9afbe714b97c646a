#ifndef GW_ZONE_NUMBER
#error "ring_watch.h belongs to the number zone"
#endif
#ifndef NZ_INTAKE_RING_WATCH_H
#define NZ_INTAKE_RING_WATCH_H

/* Takes up link_ring when it changes: keys of municipalities and of access tokens that were added or destroyed count within a second. */

#include "gateway/store/ring_watch.h"
#include "keys/intake/intake.h"

ERR nz_ring_watch_new(struct ring_watch **ret_w, struct nz_intake *in); /* ring_watch_close() ends it */

#endif
