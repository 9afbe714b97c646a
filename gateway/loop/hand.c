#include "gateway/loop/hand.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "gateway/base/must.h"

struct hand {
    uv_thread_t thread;
    uv_sem_t wake;
    uv_poll_t told;
    int fd; /* the thread writes to it when the work is done */
    bool busy;
    _Atomic bool finished, quit;
    loop_fn *work, *done;
    void *arg;
};

static void tell(const struct hand *h)
{
    const uint64_t one = 1;
    while (write(h->fd, &one, sizeof one) < 0)
        MUST(errno == EINTR); /* a counter that is read after each write is never full */
}

static void thread(void *arg)
{
    struct hand *h = arg;
    for (;;) {
        uv_sem_wait(&h->wake);
        if (h->quit)
            return;
        h->work(h->arg);
        h->finished = true;
        tell(h);
    }
}

static void on_told(uv_poll_t *p, int status, int events)
{
    (void)events;
    struct hand *h = p->data;
    uint64_t times;
    if (status != 0 || read(h->fd, &times, sizeof times) != (ssize_t)sizeof times || !h->finished)
        return;
    h->finished = h->busy = false;
    h->done(h->arg);
}

static ERR start(struct hand *h, struct loop *l)
{
    if (h->fd < 0)
        return FAIL(E_IO);
    if (uv_sem_init(&h->wake, 0) != 0)
        return FAIL(E_NOMEM);
    if (uv_thread_create(&h->thread, thread, h) != 0) {
        uv_sem_destroy(&h->wake);
        return FAIL(E_NOMEM);
    }
    MUST(uv_poll_init(loop_uv(l), &h->told, h->fd) == 0 && uv_poll_start(&h->told, UV_READABLE, on_told) == 0);
    h->told.data = h;
    return OK;
}

struct err hand_new(struct hand **ret_h, struct loop *l, loop_fn *work, loop_fn *done, void *arg)
{
    struct hand *h = calloc(1, sizeof *h);
    if (!h)
        return FAIL(E_NOMEM);
    h->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    h->work = work;
    h->done = done;
    h->arg = arg;
    struct err e = start(h, l);
    if (!err_ok(e)) {
        if (h->fd >= 0)
            close(h->fd);
        free(h);
        return e;
    }
    *ret_h = h;
    return OK;
}

void hand_start(struct hand *h)
{
    MUST(!h->busy);
    h->busy = true;
    uv_sem_post(&h->wake);
}

static void on_closed(uv_handle_t *p)
{
    struct hand *h = p->data;
    close(h->fd);
    free(h);
}

void hand_free(struct hand *h)
{
    if (!h)
        return;
    MUST(!h->busy);
    h->quit = true;
    uv_sem_post(&h->wake);
    uv_thread_join(&h->thread);
    uv_sem_destroy(&h->wake);
    uv_close((uv_handle_t *)&h->told, on_closed);
}
