#include "mocks/journal.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { WAITING_MAX = 64 * 1024 * 1024, WAITERS_MAX = 100 * 1000 };

struct waiter { journal_done_fn *done; void *arg; };
struct waiters { struct waiter *at; size_t n, cap; };

struct journal {
    struct loop *l;
    int fd;
    uv_fs_t fs;
    struct buf put, writing;          /* lines that wait; lines on their way to the disk */
    size_t written;                   /* of writing */
    struct waiters waiting, served;   /* for put; for writing */
    bool busy, scheduled, closing, failed;
};

static void step_write(struct journal *j);

static bool waiters_add(struct waiters *w, struct waiter one)
{
    if (w->n == w->cap) {
        size_t cap = w->cap ? w->cap * 2 : 64;
        struct waiter *at = w->n < WAITERS_MAX ? realloc(w->at, cap * sizeof *at) : NULL;
        if (!at)
            return false;
        w->at = at;
        w->cap = cap;
    }
    w->at[w->n++] = one;
    return true;
}

static void journal_free(struct journal *j)
{
    close(j->fd);
    buf_done(&j->put);
    buf_done(&j->writing);
    free(j->waiting.at);
    free(j->served.at);
    free(j);
}

static void round_start(void *arg)
{
    struct journal *j = arg;
    struct buf lines = j->put;
    struct waiters w = j->waiting;
    j->scheduled = false;
    j->busy = true;
    j->put = j->writing;
    j->writing = lines;
    j->waiting = j->served;
    j->served = w;
    j->written = 0;
    step_write(j);
}

/* The first put or sync after quiet starts a round from the loop, so that what happens in one turn goes in one write. */
static void round_schedule(struct journal *j)
{
    if (j->busy || j->scheduled)
        return;
    j->scheduled = true;
    if (!err_ok(loop_defer(j->l, round_start, j)))
        j->scheduled = false; /* the next put tries again */
}

static void round_end(struct journal *j, struct err e)
{
    if (!err_ok(e) && !j->failed) {
        j->failed = true;
        LOG(ERROR, "journal_failed", LF("error", e));
    }
    buf_reset(&j->writing);
    struct waiters w = j->served;
    j->served = (struct waiters){ .at = NULL };
    for (size_t i = 0; i < w.n; i++) /* still busy: a waiter may close the journal */
        w.at[i].done(w.at[i].arg, e);
    j->busy = false;
    w.n = 0;
    j->served = w; /* its memory serves a later round */
    if (j->put.n > 0 || j->waiting.n > 0)
        round_schedule(j);
    else if (j->closing)
        journal_free(j);
}

static void on_synced(uv_fs_t *fs)
{
    struct journal *j = fs->data;
    ssize_t result = fs->result;
    uv_fs_req_cleanup(fs);
    round_end(j, result == 0 ? OK : FAIL(E_IO));
}

static void on_written(uv_fs_t *fs)
{
    struct journal *j = fs->data;
    ssize_t result = fs->result;
    uv_fs_req_cleanup(fs);
    if (result <= 0) {
        round_end(j, FAIL(E_IO));
        return;
    }
    j->written += (size_t)result;
    step_write(j);
}

static void step_write(struct journal *j)
{
    size_t left = j->writing.n - j->written;
    if (j->failed || j->writing.failed || left == 0) {
        bool nothing = !j->failed && !j->writing.failed && j->writing.n == 0;
        if (j->failed || j->writing.failed)
            round_end(j, FAIL(E_IO));
        else if (nothing)
            round_end(j, OK);
        else if (uv_fs_fdatasync(loop_uv(j->l), &j->fs, j->fd, on_synced) != 0)
            round_end(j, FAIL(E_IO));
        return;
    }
    uv_buf_t b = uv_buf_init((char *)j->writing.p + j->written, (unsigned)left);
    if (uv_fs_write(loop_uv(j->l), &j->fs, j->fd, &b, 1, -1, on_written) != 0)
        round_end(j, FAIL(E_IO));
}

/* Hands out the whole lines; *ret_whole is the length of the file up to the last line break. */
static struct err lines_read(int fd, journal_line_fn *each, void *arg, off_t *ret_whole)
{
    int copy = dup(fd);
    FILE *f = copy < 0 ? NULL : fdopen(copy, "r");
    if (!f) {
        if (copy >= 0)
            close(copy);
        return FAIL(E_IO);
    }
    struct err e = OK;
    char *line = NULL;
    size_t cap = 0;
    off_t whole = 0;
    for (ssize_t n; err_ok(e) && (n = getline(&line, &cap, f)) > 0 && line[n - 1] == '\n';) {
        e = each(arg, slice_of(line, (size_t)n - 1));
        whole += n;
    }
    if (err_ok(e) && ferror(f))
        e = FAIL(E_IO);
    if (line)
        explicit_bzero(line, cap);
    free(line);
    fclose(f);
    if (err_ok(e))
        *ret_whole = whole;
    return e;
}

ERR journal_open(struct journal **ret_j, struct loop *l, const char *path, journal_line_fn *each, void *arg)
{
    off_t whole = 0;
    int fd = open(path, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = lines_read(fd, each, arg, &whole);
    if (err_ok(e) && (ftruncate(fd, whole) != 0 || fdatasync(fd) != 0))
        e = FAIL(E_IO);
    struct journal *j = err_ok(e) ? calloc(1, sizeof *j) : NULL;
    if (!j) {
        close(fd);
        return err_ok(e) ? FAIL(E_NOMEM) : e;
    }
    j->l = l;
    j->fd = fd;
    j->fs.data = j;
    buf_init(&j->put, WAITING_MAX);
    buf_init(&j->writing, WAITING_MAX);
    *ret_j = j;
    return OK;
}

void journal_close(struct journal *j)
{
    if (!j || j->closing)
        return;
    j->closing = true;
    if (!j->busy && !j->scheduled)
        journal_free(j);
}

ERR journal_put(struct journal *j, struct slice line)
{
    MUST(!j->closing);
    if (j->failed)
        return FAIL(E_IO);
    if (j->put.n + line.n + 1 > WAITING_MAX)
        return FAIL(E_FULL);
    buf_put(&j->put, line);
    buf_putc(&j->put, '\n');
    round_schedule(j);
    return buf_check(&j->put);
}

ERR journal_sync(struct journal *j, journal_done_fn *done, void *arg)
{
    /* a round that has begun may lack the newest lines, so everybody waits for the next one; an empty round costs nothing */
    MUST(!j->closing);
    if (!waiters_add(&j->waiting, (struct waiter){ done, arg }))
        return FAIL(E_FULL);
    round_schedule(j);
    return OK;
}
