/* A new fence: after it, nothing that was sent under the old one is carried out any more. */

#include "keys/bulk/work.h"

static void raised(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    r->fencing = false;
    if (err_ok(e) && (n != 1 || redis_reply_int(replies[0]) <= 0))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        r->fence = (uint64_t)redis_reply_int(replies[0]);
        r->fence_lost = false;
    } else {
        bulk__run_pause(r, e, "fence");
    }
    bulk__run_soon(r);
}

void bulk__fence_raise(struct nz_run *r)
{
    struct redis_batch *out = redis_batch_new(512);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "fence");
        return;
    }
    r->fencing = true;
    REDIS_ADD(out, LIT("HINCRBY"), store_name_slice(&r->name_t), LIT(NZ_TASK_FENCE), LIT("1"));
    redis_send(r->in->redis, out, bulk__deadline(r), raised, r);
}
