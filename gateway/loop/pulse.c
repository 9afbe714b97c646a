#include "gateway/loop/pulse.h"

#include <stdlib.h>
#include <sys/resource.h>

#include "gateway/base/service.h"

enum { PULSE_MS = 1000, MS = 1000 };

struct pulse {
    struct loop *loop;
    struct metrics *metrics;
    struct timer *timer;
    metric *lag, *cpu;
    bool watched; /* by the service manager */
    uint64_t due_ns, cpu_ms;
};

static uint64_t cpu_ms(void)
{
    struct rusage u = { 0 };
    getrusage(RUSAGE_SELF, &u);
    return (uint64_t)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * MS + (uint64_t)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / MS;
}

static void arm(struct pulse *p)
{
    p->due_ns = uv_hrtime() + UINT64_C(1000000) * PULSE_MS;
    timer_start(p->timer, PULSE_MS);
}

static void on_second(void *arg)
{
    struct pulse *p = arg;
    const uint64_t now = uv_hrtime(), cpu = cpu_ms();
    metric_took(p->lag, now > p->due_ns ? now - p->due_ns : 0);
    metric_add(p->cpu, cpu - p->cpu_ms);
    p->cpu_ms = cpu;
    metrics_beat(p->metrics, clock_wall(loop_clock(p->loop)));
    if (p->watched)
        service_tell("WATCHDOG=1");
    arm(p);
}

struct err pulse_new(struct pulse **ret_p, struct loop *l, struct metrics *m)
{
    struct pulse *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL(E_NOMEM);
    *p = (struct pulse){ .loop = l, .metrics = m, .lag = metrics_of(m, MF_LOOP_LATE, 0, NULL), .cpu = metrics_of(m, MF_CPU, 0, NULL), .watched = service_watchdog_ms() > 0 };
    struct err e = timer_new(&p->timer, l, on_second, p);
    if (!err_ok(e)) {
        free(p);
        return e;
    }
    metrics_beat(m, clock_wall(loop_clock(l)));
    arm(p);
    *ret_p = p;
    return OK;
}

void pulse_free(struct pulse *p)
{
    if (!p)
        return;
    timer_free(p->timer);
    free(p);
}
