#include "gateway/loop/alarm.h"

#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "gateway/base/must.h"

enum { NS = 1000000000 };

struct alarm {
    uv_poll_t poll;
    int fd;
    bool set;
    loop_fn *fn;
    void *arg;
};

static void on_readable(uv_poll_t *p, int status, int events)
{
    (void)events;
    struct alarm *a = p->data;
    uint64_t times;
    /* a reset between the firing and this turn leaves nothing to read */
    if (status != 0 || read(a->fd, &times, sizeof times) != (ssize_t)sizeof times)
        return;
    a->set = false;
    a->fn(a->arg);
}

struct err alarm_new(struct alarm **ret_a, struct loop *l, loop_fn *fn, void *arg)
{
    struct alarm *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL(E_NOMEM);
    *a = (struct alarm){ .fd = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC), .fn = fn, .arg = arg };
    if (a->fd < 0 || uv_poll_init(loop_uv(l), &a->poll, a->fd) != 0) {
        if (a->fd >= 0)
            close(a->fd);
        free(a);
        return FAIL(E_IO);
    }
    a->poll.data = a;
    MUST(uv_poll_start(&a->poll, UV_READABLE, on_readable) == 0);
    *ret_a = a;
    return OK;
}

void alarm_set(struct alarm *a, uint64_t at_ns)
{
    uint64_t now = alarm_now(), left = at_ns > now ? at_ns - now : 1; /* 0 would disarm it */
    struct itimerspec t = { .it_value = { (time_t)(left / NS), (long)(left % NS) } };
    MUST(timerfd_settime(a->fd, 0, &t, NULL) == 0);
    a->set = true;
}

bool alarm_is_set(const struct alarm *a) { return a->set; }

static void on_closed(uv_handle_t *h)
{
    struct alarm *a = h->data;
    close(a->fd);
    free(a);
}

void alarm_free(struct alarm *a)
{
    if (a)
        uv_close((uv_handle_t *)&a->poll, on_closed);
}
