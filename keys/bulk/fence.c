/* A new fence: after it, nothing that was sent under the old one is carried out any more. */

#include "keys/bulk/script.h"
#include "keys/bulk/work.h"

static void raised(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    uint64_t fence = err_ok(e) ? nz_fence_raised(replies, n) : 0;
    r->fencing = false;
    if (err_ok(e) && !fence)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        r->fence = fence;
        r->fence_lost = false;
    } else {
        bulk__run_pause(r, e, "fence");
    }
    bulk__run_soon(r);
}

void bulk__fence_raise(struct nz_run *r)
{
    struct redis_batch *out = redis_batch_new(1024);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "fence");
        return;
    }
    r->fencing = true;
    nz_fence_raise(out, &r->name_t);
    redis_send(r->in->redis, out, bulk__deadline(r), raised, r);
}
