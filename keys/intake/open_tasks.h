#ifndef GW_ZONE_NUMBER
#error "open_tasks.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_OPEN_TASKS_H
#define KEYS_INTAKE_OPEN_TASKS_H

/* Which tasks of a municipality are not through: what waits is reckoned from these alone, however many tasks it has.
 *
 *   tb:<muni>  ZSET  task, score = wall ms at which it was put there. Every task with a row that waits, and every file that has not ended; others too,
 *                    until somebody looks: a task is put there when it is made and when a held row of it goes on, in the transaction that does so,
 *                    and who looks removes what is over. No path that ends a row has to think of it. */

#include "gateway/redis/redis.h"
#include "keys/intake/names.h"

enum { NZ_OPEN_LOOK = 500 /* tasks that one look goes through */ };

void nz_open_tasks_name(const char muni[static 6], struct store_name *ret_k);
/* Appends the command. */
void nz_open_tasks_add(struct redis_batch *b, const char muni[static 6], const struct nz_task_id *task, uint64_t now_ms);

struct nz_backlog {
    uint64_t rows;      /* that wait, or are still to be read of a file that is accepted */
    uint64_t files;     /* accepted and not ended */
    uint64_t oldest_ms; /* when the oldest task with either was accepted; 0: there is none */
    uint64_t tasks;     /* looked at, and not over */
    uint64_t removed;
    bool more;          /* there are tasks behind these */
};
/* Appends the command that looks at the tasks behind the first b->tasks ones; the reply is added to *b. STORE_REFUSED when it is not one. */
void nz_open_tasks_look(struct redis_batch *out, const char muni[static 6], const struct nz_backlog *b);
ERR nz_open_tasks_heard(const struct redis_reply *reply, struct nz_backlog *b);

#endif
