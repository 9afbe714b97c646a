#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h> /* renameat */
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/writer_int.h"
#include "gateway/base/log.h"

enum { ZERO_BYTES = 16 * 1024, HEAD_SYNC_MS = 200, HEAD_SYNC_ENTRIES = AUDIT_SEGMENT_ENTRIES / 2 - COMMIT_MAX, LOCK_TRIES = 20, LOCK_WAIT_MS = 50 };

static const uint8_t ZEROS[ZERO_BYTES];
static const char NEXT[] = "next.tmp";

const struct audit_disk AUDIT_DISK = { pwrite, fdatasync };

/* ---- writing ---- */

static ERR write_at(const struct log_files *f, int fd, const uint8_t *p, size_t n, off_t at)
{
    while (n) {
        ssize_t k = f->disk->pwrite(fd, p, n, at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return FAIL(E_IO);
        p += k;
        n -= (size_t)k;
        at += k;
    }
    return OK;
}

static ERR zero_at(const struct log_files *f, int fd, size_t n, off_t at)
{
    while (n) {
        size_t k = n < ZERO_BYTES ? n : ZERO_BYTES;
        TRY(write_at(f, fd, ZEROS, k, at));
        n -= k;
        at += (off_t)k;
    }
    return OK;
}

static ERR sync_data(const struct log_files *f, int fd) { return f->disk->fdatasync(fd) == 0 ? OK : FAIL(E_IO); }

static off_t place(uint32_t entry) { return SEG_HEAD_BYTES + (off_t)entry * AUDIT_ENTRY_BYTES; }

struct err log_files_prepare(struct log_files *f)
{
    int fd = openat(f->dir, NEXT, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = zero_at(f, fd, SEG_BYTES, 0);
    if (err_ok(e))
        e = sync_data(f, fd);
    if (!err_ok(e)) {
        close(fd);
        unlinkat(f->dir, NEXT, 0);
        return e;
    }
    f->next = fd;
    f->next_named = false;
    return OK;
}

static ERR write_entries(const struct log_files *f, int fd, const struct commit *c)
{
    size_t bytes = c->n * AUDIT_ENTRY_BYTES;
    TRY(write_at(f, fd, c->bytes, bytes, place(c->at)));
    if (c->blank)
        TRY(zero_at(f, fd, c->blank * AUDIT_ENTRY_BYTES, place(c->at) + (off_t)bytes));
    return sync_data(f, fd);
}

/* The new segment is whole on disk before it gets its name, and its name is on disk before anything is acknowledged. */
static ERR begin_segment(struct log_files *f, const struct commit *c)
{
    uint8_t head[SEG_HEAD_BYTES];
    char name[SEG_NAME_BYTES];
    if (f->next < 0)
        TRY(log_files_prepare(f));
    seg_head_put(head, &c->before);
    seg_name(c->before.seq + 1, name);
    TRY(write_at(f, f->next, head, sizeof head, 0));
    TRY(write_entries(f, f->next, c));
    if (!f->next_named && renameat(f->dir, NEXT, f->dir, name) != 0)
        return FAIL(E_IO);
    f->next_named = true;
    return fsync(f->dir) == 0 ? OK : FAIL(E_IO);
}

/* Synced now and then only: after a power cut it may be a little behind, which a reader allows (up to a segment), but never ahead. */
static ERR write_head(struct log_files *f, const struct log_point *p, uint64_t now_ms)
{
    uint8_t b[HEAD_BYTES];
    head_put(b, p);
    TRY(write_at(f, f->head, b, sizeof b, 0));
    if (now_ms < f->head_synced_ms + HEAD_SYNC_MS && p->seq - f->head_synced_seq < HEAD_SYNC_ENTRIES)
        return OK;
    TRY(sync_data(f, f->head));
    f->head_synced_ms = now_ms;
    f->head_synced_seq = p->seq;
    return OK;
}

struct err log_files_commit(struct log_files *f, const struct commit *c)
{
    if (c->new_segment)
        TRY(begin_segment(f, c));
    else
        TRY(write_entries(f, f->seg, c));
    TRY(write_head(f, &c->after, c->now_ms));
    if (c->new_segment) {
        if (f->seg >= 0)
            close(f->seg);
        f->seg = f->next;
        f->next = -1;
    }
    return OK;
}

struct err log_files_heal(struct log_files *f, const struct log_point *p, bool full, uint32_t at, size_t blank, uint64_t now_ms)
{
    if (full && f->next < 0)
        TRY(log_files_prepare(f));
    int fd = full ? f->next : f->seg;
    TRY(zero_at(f, fd, blank * AUDIT_ENTRY_BYTES, place(full ? 0 : at)));
    TRY(sync_data(f, fd));
    return write_head(f, p, now_ms);
}

/* ---- opening ---- */

static ERR lock_dir(int dir)
{
    for (int i = 0; i < LOCK_TRIES; i++) {
        if (flock(dir, LOCK_EX | LOCK_NB) == 0)
            return OK;
        poll(NULL, 0, LOCK_WAIT_MS); /* a reader probes the lock for a moment */
    }
    LOG(ERROR, "audit_dir_locked", LF("hint", LITERAL("another pmhgw-audit writes this log")));
    return FAIL(E_IO);
}

static ERR not_whole(struct lit what, uint64_t seq)
{
    LOG(ERROR, "audit_log_not_whole", LF("what", what), LF("seq", seq), LF("hint", LITERAL("run pmhgw audit verify; nothing was changed")));
    return FAIL(E_SEAL);
}

static ERR open_named(const struct log_files *f, uint64_t first, int *ret_fd)
{
    char name[SEG_NAME_BYTES];
    struct stat st;
    seg_name(first, name);
    int fd = openat(f->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return not_whole(LITERAL("segment"), first);
    if (fstat(fd, &st) != 0 || st.st_size != SEG_BYTES) {
        close(fd);
        return not_whole(LITERAL("segment"), first);
    }
    *ret_fd = fd;
    return OK;
}

/* The last entry of the segment before leads to the chain hash in this segment's head. */
static ERR check_join(const struct log_files *f, const struct log_point *before)
{
    static const struct log_point START;
    uint8_t entry[AUDIT_ENTRY_BYTES];
    if (before->seq == 0)
        return slice_eq(ARR(before->chain), ARR(START.chain)) ? OK : not_whole(LITERAL("segment"), 1);
    if (before->seq % AUDIT_SEGMENT_ENTRIES != 0)
        return not_whole(LITERAL("segment"), before->seq);
    if (before->seq == f->pruned.seq)
        return slice_eq(ARR(before->chain), ARR(f->pruned.chain)) ? OK : not_whole(LITERAL("chain"), before->seq);
    int fd;
    TRY(open_named(f, before->seq - AUDIT_SEGMENT_ENTRIES + 1, &fd));
    ssize_t n = pread(fd, entry, sizeof entry, place(AUDIT_SEGMENT_ENTRIES - 1));
    close(fd);
    const uint8_t *chain = entry + AUDIT_ENTRY_BYTES - CHAIN_BYTES;
    if (n != AUDIT_ENTRY_BYTES || !slice_eq(slice_of(chain, CHAIN_BYTES), ARR(before->chain)))
        return not_whole(LITERAL("chain"), before->seq);
    return OK;
}

/* Only what one commit can have left unfinished, and only behind the head, is cut. */
static ERR cut_tail(const struct log_files *f, const struct seg_scan *s, const struct log_point *p, const struct log_point *head, uint32_t *ret_cut)
{
    uint32_t n = s->filled - s->good;
    if (p->seq < head->seq)
        return not_whole((struct lit){ s->bad ? s->bad : "truncated" }, p->seq + 1);
    if (n > COMMIT_MAX)
        return not_whole(LITERAL("chain"), p->seq + 1);
    if (n > 0) {
        TRY(zero_at(f, f->seg, (size_t)n * AUDIT_ENTRY_BYTES, place(s->good)));
        TRY(sync_data(f, f->seg));
        LOG(WARN, "audit_tail_cut", LF("seq", p->seq + 1), LF("entries", n));
    }
    *ret_cut = n;
    return OK;
}

struct head_look {
    const struct log_point *head;
    bool differs;
};

static bool compare_head(void *arg, const struct audit_entry *e)
{
    struct head_look *h = arg;
    if (e->seq == h->head->seq)
        h->differs = !slice_eq(ARR(e->chain), ARR(h->head->chain));
    return true;
}

static ERR open_last(struct log_files *f, uint64_t first, const struct log_point *head, struct log_point *ret_p, uint32_t *ret_at, uint32_t *ret_cut)
{
    uint8_t b[SEG_HEAD_BYTES];
    struct log_point p;
    struct seg_scan s;
    struct head_look look = { .head = head };
    TRY(open_named(f, first, &f->seg));
    if (pread(f->seg, b, sizeof b, 0) != SEG_HEAD_BYTES || !seg_head_read(b, &p) || p.seq + 1 != first)
        return not_whole(LITERAL("segment"), first);
    TRY(check_join(f, &p));
    TRY(seg_scan(f->seg, 0, &p, compare_head, &look, &s));
    if (look.differs)
        return not_whole(LITERAL("head"), head->seq);
    TRY(cut_tail(f, &s, &p, head, ret_cut));
    *ret_p = p;
    *ret_at = s.good;
    return OK;
}

static ERR open_head(struct log_files *f, const struct log_point *p)
{
    f->head = openat(f->dir, "head", O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (f->head < 0)
        return FAIL(E_IO);
    TRY(write_head(f, p, HEAD_SYNC_MS));
    f->head_synced_ms = 0;
    return fsync(f->dir) == 0 ? OK : FAIL(E_IO);
}

struct err log_files_open(struct log_files *f, const char *dir, struct log_point *ret_p, uint32_t *ret_at, uint32_t *ret_cut)
{
    struct log_point head = { 0 }, p = { 0 };
    struct seg_listing list;
    uint32_t at = 0, cut = 0;
    f->dir = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (f->dir < 0)
        return FAIL(E_IO);
    TRY(lock_dir(f->dir));
    unlinkat(f->dir, NEXT, 0);
    if (pruned_read(f->dir, &f->pruned) == HEAD_BAD)
        return not_whole(LITERAL("pruned"), 0);
    TRY(seg_list_after(f->dir, f->pruned.seq, &list)); /* what a crash left of removed ones is removed later */
    enum head_state state = head_read(f->dir, &head);
    if (state == HEAD_BAD || (state == HEAD_NONE && list.count > 0))
        return not_whole(LITERAL("head"), 0);
    if (list.count == 0 && (head.seq > 0 || f->pruned.seq > 0))
        return not_whole(LITERAL("truncated"), f->pruned.seq + 1);
    if (list.foreign || (list.count > 0 && (list.first != f->pruned.seq + 1 || list.last != f->pruned.seq + (list.count - 1) * AUDIT_SEGMENT_ENTRIES + 1)))
        return not_whole(LITERAL("segment"), 0);
    if (list.count > 0)
        TRY(open_last(f, list.last, &head, &p, &at, &cut));
    TRY(open_head(f, &p));
    *ret_p = p;
    *ret_at = at;
    *ret_cut = cut;
    return OK;
}

void log_files_close(struct log_files *f)
{
    if (f->next >= 0 && !f->next_named)
        unlinkat(f->dir, NEXT, 0);
    const int fds[] = { f->head, f->seg, f->next, f->dir };
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
}
