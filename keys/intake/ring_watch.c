#include "keys/intake/ring_watch.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/intake/setup.h"
#include "keys/intake/work.h"

/* What could not be taken up (no memory, no descriptor, a disk that fails) is tried again after AGAIN_MS. */
enum { LOOK_MS = 300, AGAIN_MS = 3000, RECORD_MS = 30000 };

struct nz_ring_watch {
    struct nz_intake *in;
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

static void on_noted(void *arg, struct err e)
{
    (void)arg;
    if (!err_ok(e))
        LOG(WARN, "keys_change_not_recorded", LF("error", e));
}

/* Without the lock of the ring, which the filter does not let us take: a file that is overwritten under us does not open, and the next look finds its successor. */
static ERR take(struct nz_intake *in)
{
    struct keyring *ring = NULL;
    int fd = open(in->conf.link_ring, O_RDONLY | O_CLOEXEC | O_NOFOLLOW), master = open(in->conf.link_master, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0 || master < 0) {
        if (fd >= 0)
            close(fd);
        if (master >= 0)
            close(master);
        return FAIL(E_IO);
    }
    TRY(keyring_load_fds(&ring, RING_LINK, fd, master));
    return nz_intake_renew_keys(in, ring);
}

/* count: the link keys that open now, of which the intake needs none. */
static void note(struct nz_intake *in)
{
    struct audit_rec rec = nz_outbox_audit(in, AU_KEYS_CHANGED, "000000", 0);
    audit_append(in->audit, &rec, loop_now(in->loop) + RECORD_MS, on_noted, NULL);
}

static void look(void *arg)
{
    struct nz_ring_watch *w = arg;
    struct stat now;
    uint64_t at = loop_now(w->in->loop);
    timer_start(w->timer, LOOK_MS);
    if (stat(w->in->conf.link_ring, &now) != 0)
        return;
    bool changed = !same(&now, &w->seen);
    if (!changed && (w->again_at == 0 || at < w->again_at))
        return;
    w->seen = now;
    struct err e = take(w->in);
    if (err_ok(e))
        note(w->in);
    else if (changed || !w->told)
        LOG(ERROR, "keys_refused", LF("error", e));
    w->told = !err_ok(e);
    w->again_at = err_ok(e) ? 0 : at + AGAIN_MS;
}

struct err nz_ring_watch_new(struct nz_ring_watch **ret_w, struct nz_intake *in)
{
    struct nz_ring_watch *w = calloc(1, sizeof *w);
    if (!w)
        return FAIL(E_NOMEM);
    w->in = in;
    struct err e = timer_new(&w->timer, in->loop, look, w);
    if (!err_ok(e)) {
        free(w);
        return e;
    }
    (void)stat(in->conf.link_ring, &w->seen);
    timer_start(w->timer, LOOK_MS);
    *ret_w = w;
    return OK;
}

void nz_ring_watch_close(struct nz_ring_watch *w)
{
    if (!w)
        return;
    timer_free(w->timer);
    free(w);
}
