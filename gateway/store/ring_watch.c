#include "gateway/store/ring_watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"

/* What could not be taken up (no memory, no descriptor, a disk that fails) is tried again after AGAIN_MS. */
enum { LOOK_MS = 300, AGAIN_MS = 3000 };

struct ring_watch {
    struct loop *loop;
    const char *ring, *master;
    struct ring_watch_on on;
    struct timer *timer;
    struct stat seen;
    uint64_t again_at; /* loop_now(); 0: what is there has been taken up */
    bool told;         /* the log has it that it cannot */
};

static bool same(const struct stat *a, const struct stat *b)
{
    return a->st_ino == b->st_ino && a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_ctim.tv_sec == b->st_ctim.tv_sec && a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

/* Without the lock of the ring, which a filter may not let us take: a file that is overwritten under us does not open, and the next look finds its successor. */
static ERR take(const struct ring_watch *w)
{
    struct keyring *ring = NULL;
    int fd = open(w->ring, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), master = open(w->master, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || master < 0) {
        if (fd >= 0)
            close(fd);
        if (master >= 0)
            close(master);
        return FAIL(E_IO);
    }
    TRY(keyring_load_fds(&ring, RING_LINK, fd, master));
    return w->on.take(w->on.arg, ring);
}

static void look(void *arg)
{
    struct ring_watch *w = arg;
    struct stat now;
    const uint64_t at = loop_now(w->loop);
    timer_start(w->timer, LOOK_MS);
    if (stat(w->ring, &now) != 0)
        return;
    const bool changed = !same(&now, &w->seen);
    if (!changed && (w->again_at == 0 || at < w->again_at))
        return;
    w->seen = now;
    struct err e = take(w);
    if (err_ok(e) && w->on.taken)
        w->on.taken(w->on.arg);
    else if (!err_ok(e) && (changed || !w->told))
        LOG(ERROR, "keys_refused", LF("error", e));
    w->told = !err_ok(e);
    w->again_at = err_ok(e) ? 0 : at + AGAIN_MS;
}

struct err ring_watch_new(struct ring_watch **ret_w, struct loop *l, const char *ring_path, const char *master_path, const struct ring_watch_on *on)
{
    struct ring_watch *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL(E_NOMEM);
    w->loop = l;
    w->ring = ring_path;
    w->master = master_path;
    w->on = *on;
    struct err e = timer_new(&w->timer, l, look, w);
    if (!err_ok(e)) {
        free(w);
        return e;
    }
    (void)stat(ring_path, &w->seen);
    timer_start(w->timer, LOOK_MS);
    *ret_w = w;
    return OK;
}

void ring_watch_close(struct ring_watch *w)
{
    if (!w)
        return;
    timer_free(w->timer);
    free(w);
}
