/* GET /metrics: what the daemons of this machine count, for whoever watches them (caller: operator). Numbers under names of the program text, of nobody in particular. */
#include "gateway/loop/loop.h"
#include "gateway/metrics/expose.h"
#include "keys/intake/intake.h"
#include "keys/intake/work.h"

void nz_metrics(struct req *r)
{
    const struct nz_intake *in = req_ctx(r);
    struct buf out;
    buf_init(&out, METRICS_EXPOSED_MAX);
    const struct err e = in->conf.metrics_dir[0] ? metrics_expose(in->conf.metrics_dir, clock_wall(loop_clock(in->loop)), &out) : FAIL(E_NO_ROUTE);
    if (err_ok(e))
        req_answer(r, 200, "text/plain; version=0.0.4; charset=utf-8", buf_slice(&out));
    else
        req_fail(r, e);
    buf_done(&out);
}
