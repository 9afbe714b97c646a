#include "gateway/audit/keeper_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/log.h"

enum { LINE_MAX_BYTES = 512 };

/* ---- the history ---- */

/* Never before its checkpoint: a start takes a history that is ahead of it for a log that was cut. Half a line is taken back. */
static ERR history_append(struct grown *g, uint64_t wall_ms)
{
    struct stat st;
    struct buf line;
    if (fsync(g->log) != 0)
        return FAIL(E_IO);
    int fd = openat(g->log, "checkpoints", O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    buf_init(&line, LINE_MAX_BYTES);
    history_line_write(&g->head, buf_slice(&g->note), wall_ms, &line);
    struct err e = fstat(fd, &st) == 0 ? buf_check(&line) : FAIL(E_IO);
    if (err_ok(e)) {
        e = fd_write_all(fd, buf_slice(&line));
        if (err_ok(e) && fdatasync(fd) != 0)
            e = FAIL(E_IO);
        if (!err_ok(e) && ftruncate(fd, st.st_size) != 0)
            LOG(WARN, "audit_history_torn", LF("error", e));
    }
    buf_done(&line);
    close(fd);
    if (err_ok(e))
        g->history_ms = wall_ms;
    return e;
}

/* ---- the checkpoint ---- */

struct err grown_sign(struct grown *g, uint64_t wall_ms)
{
    struct tree_head h = { .size = g->range.size };
    struct buf note;
    TRY(tree_root(&g->range, h.root));
    buf_init(&note, NOTE_MAX);
    struct err e = checkpoint_sign(g->signer, &h, &note);
    if (err_ok(e))
        e = file_put(g->log, "checkpoint", buf_slice(&note), true);
    if (!err_ok(e)) {
        buf_done(&note);
        return e;
    }
    buf_done(&g->note);
    g->note = note;
    g->head = h;
    /* A clock that was set back gets a line too. */
    return wall_ms < g->history_ms || wall_ms - g->history_ms >= AUDIT_HISTORY_MS ? history_append(g, wall_ms) : OK;
}

static ERR read_named(struct grown *g, const char *name, struct buf *out, bool *ret_found)
{
    int fd = openat(g->log, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *ret_found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? OK : FAIL(E_IO);
    struct err e = fd_read_all(fd, out);
    close(fd);
    return e;
}

/* Cuts an unfinished line off and gives the last whole one. */
static ERR last_line(struct grown *g, struct buf *out, bool *ret_found)
{
    uint8_t b[LINE_MAX_BYTES];
    struct stat st;
    *ret_found = false;
    int fd = openat(g->log, "checkpoints", O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? OK : FAIL(E_IO);
    struct err e = FAIL(E_IO);
    if (fstat(fd, &st) == 0) {
        size_t n = st.st_size < LINE_MAX_BYTES ? (size_t)st.st_size : sizeof b;
        if (pread(fd, b, n, st.st_size - (off_t)n) == (ssize_t)n) {
            size_t end = n, from;
            while (end > 0 && b[end - 1] != '\n')
                end--;
            e = end == n || ftruncate(fd, st.st_size - (off_t)(n - end)) == 0 ? OK : FAIL(E_IO);
            for (from = end ? end - 1 : 0; from > 0 && b[from - 1] != '\n'; from--)
                ;
            if (end)
                buf_put(out, slice_of(b + from, end - 1 - from));
            *ret_found = end > 0;
        }
    }
    close(fd);
    TRY(e);
    return buf_check(out);
}

struct err grown_signed(struct grown *g, struct signed_head *ret_c, struct signed_head *ret_history)
{
    const struct note_key *k = note_signer_key(g->signer);
    struct buf line;
    *ret_c = *ret_history = (struct signed_head){ 0 };
    struct err e = read_named(g, "checkpoint", &g->note, &ret_c->found);
    if (err_is(e, E_FULL))
        return FAIL(E_SEAL);
    TRY(e);
    if (ret_c->found && checkpoint_open(buf_slice(&g->note), k, &ret_c->head) != NOTE_GOOD)
        return FAIL(E_SEAL);
    buf_init(&line, LINE_MAX_BYTES);
    e = last_line(g, &line, &ret_history->found);
    if (err_ok(e) && ret_history->found && !history_line_read(buf_slice(&line), k, &ret_history->head, &ret_history->ms))
        e = FAIL(E_SEAL);
    buf_done(&line);
    return e;
}
