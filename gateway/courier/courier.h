#ifndef GW_COURIER_COURIER_H
#define GW_COURIER_COURIER_H

/* pmhgw-courier without its main: takes messages out of the outbox and brings them to partners that never see the individual number (docs/decisions/0039).
 *
 *   a lane is taken under a lease -> its message is opened -> for each step: the person is read, judged; the body written, signed; audited; sent; the answer judged
 *   -> who was told is noted in the record -> the message leaves the outbox
 *
 * A message is told at least once, and of one thing to one recipient in its order. Who has become silent is told of no more: the message is dropped. */

#include "gateway/audit/audit.h"
#include "gateway/basis/basis.h"
#include "gateway/conf/conf.h"
#include "gateway/redis/redis.h"
#include "gateway/signer/signer.h"
#include "gateway/store/store.h"

struct courier;
/* Everything is borrowed until courier_free(). CONFIG: a file of the settings cannot be used. Works from the loop. */
struct courier_parts { struct loop *loop; const struct conf *conf; struct redis *redis; struct store *store; struct audit *audit; struct signer *signer; struct basis *basis; };
ERR courier_new(struct courier **ret_c, const struct courier_parts *p);
void courier_close(struct courier *c);      /* takes no more; what is on its way ends within its deadlines */
bool courier_idle(const struct courier *c); /* nothing is on its way */
void courier_stop(struct courier *c);       /* gives up what still is */
void courier_free(struct courier *c);       /* after the loop; NULL is fine */

#endif
