/* The use of a link key: like an append, but the daemon says whether it is the first. */

#include <stdlib.h>

#include "gateway/audit/client_int.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/must.h"

enum { U64 = 8, ANSWER_BYTES = 2 * U64 };

struct use {
    struct audit_places count; /* audit itself may be closed before the answer */
    audit_use_fn *done;
    void *arg;
    uint64_t sent_ns;
};

static void on_answer(void *arg, struct err e, struct slice body)
{
    struct use *u = arg;
    uint64_t used_ms = 0;
    const bool good = err_ok(e) && body.n == ANSWER_BYTES;
    metric_sub(u->count.waiting, 1);
    metric_took(u->count.seconds, uv_hrtime() - u->sent_ns);
    if (good) {
        used_ms = be_get(body.p + U64, U64);
        e = be_get(body.p, U64) ? OK : FAIL(E_USED);
    } else {
        metric_add(u->count.failed, 1);
        e = FAIL(E_AUDIT_DOWN);
    }
    u->done(u->arg, e, used_ms);
    free(u);
}

void audit_use(struct audit *a, const struct audit_rec *rec, uint64_t deadline, audit_use_fn *done, void *arg)
{
    struct use *u = malloc(sizeof *u);
    MUST(u); /* a use that cannot be remembered cannot be completed */
    *u = (struct use){ a->count, done, arg, uv_hrtime() };
    metric_add(a->count.waiting, 1);
    audit_send(a, AUDIT_MSG_USE, rec, deadline, on_answer, u);
}
