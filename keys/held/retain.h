#ifndef GW_ZONE_NUMBER
#error "retain.h belongs to the number zone"
#endif
#ifndef KEYS_HELD_RETAIN_H
#define KEYS_HELD_RETAIN_H

/* Forgets tasks that ended and are older than task_keep_days: t:, tr:, tu:, o:, their places in tl: and tb:, and a file's folder, a few at a time, once an hour. A task with a row
 * that waits or is held stays, however old. One script a task looks again, so that a row that is released meanwhile is not lost. */

#include "keys/intake/intake.h"

struct nz_retain;
ERR nz_retain_new(struct nz_retain **ret_r, struct nz_intake *in);
void nz_retain_close(struct nz_retain *r); /* starts nothing new; NULL is fine */
void nz_retain_free(struct nz_retain *r);  /* after the loop */

#endif
