#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/verify_int.h"

struct walk {
    int dir;
    struct verify_tree *tree;  /* NULL: the chain only */
    struct log_point pruned;
    uint64_t removed;          /* segments that the log says were removed */
    bool live;               /* the daemon holds the log: what is behind the head may be half written */
    struct seg_listing list;
    enum head_state head_state;
    struct log_point head;
    struct log_point at;     /* last good entry */
    bool head_met;           /* its entry was passed, with the same chain hash */
    bool stopped;
    audit_each_fn *each;
    void *arg;
    struct audit_verdict v;
};

static void bad(struct walk *w, const char *what, uint64_t seq)
{
    w->v.good = false;
    w->v.what = what;
    w->v.bad_seq = seq;
}

static bool passing(void *arg, const struct audit_entry *e)
{
    struct walk *w = arg;
    if (e->seq == w->head.seq)
        w->head_met = slice_eq(ARR(e->chain), ARR(w->head.chain));
    if (e->rec.event == AU_LOG_PRUNED && e->rec.count > w->removed)
        w->removed = e->rec.count;
    if (w->tree && !verify_tree_entry(w->tree, e, e->seq <= w->head.seq)) {
        w->stopped = true;
        return false;
    }
    w->stopped = w->each && !w->each(w->arg, e);
    return !w->stopped;
}

/* A daemon at work has the directory locked. */
static bool is_live(int dir)
{
    if (flock(dir, LOCK_SH | LOCK_NB) != 0)
        return true;
    flock(dir, LOCK_UN);
    return false;
}

static int open_segment(const struct walk *w, const struct log_point *before)
{
    char name[SEG_NAME_BYTES];
    uint8_t head[SEG_HEAD_BYTES];
    struct stat st;
    seg_name(before->seq + 1, name);
    int fd = openat(w->dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (fstat(fd, &st) == 0 && st.st_size == SEG_BYTES && pread(fd, head, sizeof head, 0) == SEG_HEAD_BYTES && seg_head_good(head, before))
        return fd;
    close(fd);
    return -1;
}

/* True when the bad entry is only a write that was not finished: it stands behind everything that was committed. */
static bool unfinished(struct walk *w, const struct seg_scan *s, uint64_t seq)
{
    struct log_point now;
    if (w->head_state != HEAD_GOOD)
        return false;
    if (!w->live)
        return seq > w->head.seq && s->torn;
    return head_read(w->dir, &now) == HEAD_GOOD && seq > now.seq;
}

/* Entries of one segment. A live log is looked at twice where it seems wrong: it may have been written meanwhile. */
static ERR walk_entries(struct walk *w, int fd, uint32_t *ret_n)
{
    struct seg_scan s;
    uint32_t from = 0;
    for (int look = 0;; look++) {
        TRY(seg_scan(fd, from, &w->at, passing, w, &s));
        if (!s.bad || unfinished(w, &s, w->at.seq + 1))
            break;
        if (!w->live || look == 1) {
            bad(w, s.bad, w->at.seq + 1);
            break;
        }
        from = s.good;
    }
    *ret_n = s.good;
    return OK;
}

static ERR walk_segments(struct walk *w)
{
    uint64_t walked = 0;
    uint32_t n = AUDIT_SEGMENT_ENTRIES;
    while (w->v.good && !w->stopped && n == AUDIT_SEGMENT_ENTRIES && w->at.seq < w->list.last) {
        int fd = open_segment(w, &w->at);
        if (fd < 0) {
            bad(w, "segment", w->at.seq + 1);
            return OK;
        }
        walked++;
        struct err e = walk_entries(w, fd, &n);
        close(fd);
        TRY(e);
    }
    if (!w->v.good || w->stopped)
        return OK;
    if (w->at.seq < w->list.last && n < AUDIT_SEGMENT_ENTRIES && walked < w->list.count)
        bad(w, "truncated", w->at.seq + 1);
    else if (walked != w->list.count || w->list.foreign)
        bad(w, "segment", w->at.seq + 1);
    return OK;
}

static void judge_head(struct walk *w)
{
    if (w->head_state == HEAD_BAD || (w->head_state == HEAD_NONE && w->at.seq > 0))
        bad(w, "head", 0);
    else if (w->head_state == HEAD_GOOD && w->head.seq > w->at.seq)
        bad(w, "truncated", w->at.seq + 1);
    else if (w->head.seq > 0 && !w->head_met)
        bad(w, "head", w->head.seq);
    else if (!w->live && w->at.seq - w->head.seq > AUDIT_SEGMENT_ENTRIES)
        bad(w, "head", w->head.seq); /* no crash leaves it so far behind */
}

/* Removed entries are told by their leaf hashes, and by an entry that says so. */
static ERR walk_pruned(struct walk *w)
{
    w->at = w->pruned;
    w->v.pruned = w->pruned.seq;
    return w->tree && w->pruned.seq ? verify_tree_pruned(w->tree, w->pruned.seq) : OK;
}

static void judge_pruned(struct walk *w)
{
    if (w->pruned.seq / AUDIT_SEGMENT_ENTRIES > w->removed)
        bad(w, "pruned", 1);
}

static ERR walk_all(struct walk *w)
{
    w->live = is_live(w->dir);
    w->head_state = head_read(w->dir, &w->head); /* before the entries: what comes later is behind it */
    if (pruned_read(w->dir, &w->pruned) == HEAD_BAD) {
        bad(w, "pruned", 0);
        return OK;
    }
    TRY(seg_list_after(w->dir, w->pruned.seq, &w->list));
    TRY(walk_pruned(w));
    if (!w->tree || !verify_tree_bad(w->tree, &w->v))
        TRY(walk_segments(w));
    if (w->v.good && !w->stopped)
        judge_head(w);
    if (w->v.good && !w->stopped)
        judge_pruned(w);
    if (w->tree && w->v.good && (!w->stopped || verify_tree_bad(w->tree, &w->v)))
        TRY(verify_tree_end(w->tree, w->at.seq, &w->v));
    return OK;
}

static ERR verify_once(const struct audit_verify_ask *ask, struct audit_verdict *ret_v, bool *ret_changed)
{
    struct walk w = { .each = ask->each, .arg = ask->arg, .v = { .good = true } };
    w.dir = open(ask->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (w.dir < 0)
        return FAIL(E_IO);
    struct err e = ask->key ? verify_tree_new(&w.tree, w.dir, ask) : OK; /* what is signed is read before the entries */
    if (err_ok(e))
        e = walk_all(&w);
    verify_tree_free(w.tree);
    struct log_point now = { 0 };
    *ret_changed = pruned_read(w.dir, &now) == HEAD_GOOD && now.seq != w.pruned.seq;
    close(w.dir);
    TRY(e);
    w.v.entries = w.at.seq;
    *ret_v = w.v;
    return OK;
}

struct err audit_verify(const struct audit_verify_ask *ask, struct audit_verdict *ret_v)
{
    bool changed = false;
    TRY(verify_once(ask, ret_v, &changed));
    if (ret_v->good || !changed || ask->each)
        return OK;
    return verify_once(ask, ret_v, &changed); /* entries were removed after their time while we read */
}

struct err audit_log_verify(const char *dir, audit_each_fn *each, void *arg, struct audit_verdict *ret_v)
{
    const struct audit_verify_ask ask = { .dir = dir, .each = each, .arg = arg };
    return audit_verify(&ask, ret_v);
}
