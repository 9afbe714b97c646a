/* pmhgw metrics: what the daemons of this machine count, as Prometheus reads it. */

#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/metrics/expose.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"

int cmd_metrics(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct state s;
    struct opt_list none = { 0 };
    const enum opts_end end = CLI_PARSE(argc, argv, "metrics", &none, { "--state", &dirs.state });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&s, &dirs, false))
        return 2;
    const struct clock clock = clock_system();
    struct buf out;
    buf_init(&out, METRICS_EXPOSED_MAX);
    struct err e = metrics_expose(state_at(&s, "run/metrics").c, clock_wall(&clock), &out);
    if (err_ok(e))
        out_put("text", json_stringn(out.n ? (const char *)out.p : "", out.n));
    if (err_ok(e) && out.n && fwrite(out.p, 1, out.n, stdout) != out.n)
        e = FAIL(E_IO);
    const bool any = out.n > 0;
    buf_done(&out);
    if (!err_ok(e)) {
        say_err("数値を読めません", "the numbers cannot be read", e);
        return 2;
    }
    if (!any)
        say_error("数値はまだありません。pmhgw up で起動してください", "there are no numbers yet; start with pmhgw up");
    return any ? 0 : 1;
}
