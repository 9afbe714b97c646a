#include "gateway/front/over.h"

#include <fcntl.h>
#include <string.h>

#include "gateway/base/text.h"

/* Numbers with a space behind each, in the order of the struct; a descriptor that is none is 0 and the others are one more. */
enum { VERSION = 1, NUMBER_MAX = 1 << 30 };

static void put(struct buf *out, uint64_t v)
{
    buf_u64(out, v);
    buf_putc(out, ' ');
}

static void put_fd(struct buf *out, int fd) { put(out, fd < 0 ? 0 : (uint64_t)fd + 1); }

void over_write(const struct over *o, struct buf *out)
{
    put(out, VERSION);
    put(out, o->back);
    put_fd(out, o->exe);
    for (int i = 0; i < 2; i++) {
        put_fd(out, o->life[i]);
        put_fd(out, o->ready[i]);
    }
    put(out, o->sockets.doors);
    put(out, o->sockets.n);
    for (unsigned d = 0; d < o->sockets.doors; d++)
        for (unsigned i = 0; i < o->sockets.n; i++)
            put_fd(out, o->sockets.fd[d][i]);
    put(out, o->n);
    for (unsigned i = 0; i < o->n; i++) {
        put(out, (uint64_t)o->child[i].pid);
        put(out, o->child[i].number);
        put(out, o->child[i].name);
        put_fd(out, o->child[i].news);
    }
}

/* A number up to max; sets *bad for good. */
static unsigned take(struct slice *in, uint64_t max, bool *bad)
{
    struct slice word, rest;
    uint64_t v = 0;
    if (*bad || !slice_cut(*in, ' ', &word, &rest) || !u64_parse(word, &v) || v > max) {
        *bad = true;
        return 0;
    }
    *in = rest;
    return (unsigned)v;
}

static int take_fd(struct slice *in, bool *bad) { return (int)take(in, NUMBER_MAX, bad) - 1; }

bool over_read(struct slice in, struct over *ret_o)
{
    struct over *o = ret_o;
    bool bad = false;
    memset(o, 0, sizeof *o);
    bad = take(&in, NUMBER_MAX, &bad) != VERSION || bad;
    o->back = take(&in, 1, &bad);
    o->exe = take_fd(&in, &bad);
    for (int i = 0; i < 2; i++) {
        o->life[i] = take_fd(&in, &bad);
        o->ready[i] = take_fd(&in, &bad);
    }
    o->sockets.doors = take(&in, DOORS_MAX, &bad);
    o->sockets.n = take(&in, SOCKETS_MAX, &bad);
    for (unsigned d = 0; d < o->sockets.doors; d++)
        for (unsigned i = 0; i < o->sockets.n; i++)
            o->sockets.fd[d][i] = take_fd(&in, &bad);
    o->n = take(&in, OVER_CHILDREN_MAX, &bad);
    for (unsigned i = 0; i < o->n; i++) {
        o->child[i].pid = (pid_t)take(&in, NUMBER_MAX, &bad);
        o->child[i].number = take(&in, WORKERS_MAX - 1, &bad);
        o->child[i].name = take(&in, OVER_CHILDREN_MAX - 1, &bad);
        o->child[i].news = take_fd(&in, &bad);
        bad |= o->child[i].pid <= 1;
    }
    return !bad && in.n == 0;
}

static bool mark(int fd, bool keep) { return fd < 0 || fcntl(fd, F_SETFD, keep ? 0 : FD_CLOEXEC) == 0; }

bool over_keep(const struct over *o, bool keep)
{
    bool good = mark(o->exe, keep);
    for (int i = 0; i < 2; i++) {
        good &= mark(o->life[i], keep);
        good &= mark(o->ready[i], keep);
    }
    for (unsigned d = 0; d < o->sockets.doors; d++)
        for (unsigned i = 0; i < o->sockets.n; i++)
            good &= mark(o->sockets.fd[d][i], keep);
    for (unsigned i = 0; i < o->n; i++)
        good &= mark(o->child[i].news, keep);
    return good;
}
