#ifndef GW_ZONE_NUMBER
#error "order.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_ORDER_H
#define KEYS_INTAKE_ORDER_H

/* Times of reception only grow, across restarts as well and whatever the clock of the machine does: what came later is applied over what came
 * earlier, and what came after an erasure was not there before. After the start the newest time that was ever given is read; until then nothing is received. */

#include "keys/intake/intake.h"

struct nz_order;
ERR nz_order_new(struct nz_order **ret_o, struct nz_intake *in);
void nz_order_close(struct nz_order *o); /* asks no more */
void nz_order_free(struct nz_order *o);
bool nz_order_known(const struct nz_order *o);

/* The next time: now, or just behind the one before. */
uint64_t nz_received_ms(struct nz_intake *in);
/* From when on something of that time waits, by the clock as it is now: queues go by the clock. */
uint64_t nz_waits_from_ms(const struct nz_intake *in, uint64_t received_ms);

#endif
