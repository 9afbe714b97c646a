#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/audit/index.h"
#include "gateway/audit/keeper_int.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/retain.h"
#include "gateway/base/log.h"

enum { PER_TILE = TILE_WIDTH, TILES = AUDIT_SEGMENT_ENTRIES / PER_TILE };

/* ---- may it go? ---- */

static ERR tile_fits(struct tiles *t, int fd, uint64_t first, unsigned tile, struct log_point *p)
{
    uint8_t hashes[TILE_BYTES], b[AUDIT_ENTRY_BYTES], leaf[AUDIT_HASH_BYTES];
    struct audit_entry e;
    TRY(tiles_read(t, 0, (first - 1) / PER_TILE + tile, PER_TILE, hashes));
    for (unsigned i = 0; i < PER_TILE; i++) {
        if (pread(fd, b, sizeof b, SEG_HEAD_BYTES + (off_t)(tile * PER_TILE + i) * AUDIT_ENTRY_BYTES) != sizeof b)
            return FAIL(E_IO);
        if (entry_check(b, p, &e))
            return FAIL(E_SEAL);
        TRY(audit_leaf_hash(b, leaf));
        if (!slice_eq(ARR(leaf), slice_of(hashes + (size_t)i * AUDIT_HASH_BYTES, AUDIT_HASH_BYTES)))
            return FAIL(E_SEAL);
    }
    return OK;
}

/* Every entry continues the chain and stands in the tree: what is known of it stays provable. *p moves on to its end. */
static ERR segment_fits(int dir, struct tiles *t, struct log_point *p)
{
    char name[SEG_NAME_BYTES];
    uint8_t head[SEG_HEAD_BYTES];
    uint64_t first = p->seq + 1;
    seg_name(first, name);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = pread(fd, head, sizeof head, 0) == sizeof head ? OK : FAIL(E_IO);
    if (err_ok(e) && !seg_head_good(head, p))
        e = FAIL(E_SEAL);
    for (unsigned i = 0; i < TILES && err_ok(e); i++)
        e = tile_fits(t, fd, first, i, p);
    close(fd);
    return e;
}

static ERR stats_of(int dir, uint64_t first, struct index_stats *ret_s)
{
    struct index_table *t = NULL;
    if (err_ok(index_stats_read(dir, first, ret_s)))
        return OK;
    TRY(index_table_scan(&t, dir, first));
    *ret_s = *index_table_stats(t);
    index_table_free(t);
    return OK;
}

static ERR look(int dir, struct tiles *t, struct log_point *p, uint64_t seq, uint64_t older_ms)
{
    for (unsigned n = 0; n < RETAIN_AT_ONCE && p->seq + AUDIT_SEGMENT_ENTRIES < seq; n++) {
        struct index_stats s;
        struct log_point end = *p;
        TRY(stats_of(dir, p->seq + 1, &s));
        if (s.entries != AUDIT_SEGMENT_ENTRIES || s.wall_max >= older_ms)
            return OK;
        TRY(segment_fits(dir, t, &end));
        *p = end;
    }
    return OK;
}

struct err retain_look(int dir, const char *path, const struct log_point *from, uint64_t seq, uint64_t older_ms, struct log_point *ret_to)
{
    struct tiles *t = NULL;
    struct log_point p = *from;
    *ret_to = p;
    if (p.seq + AUDIT_SEGMENT_ENTRIES >= seq) /* the segment that is being written stays, whatever its age */
        return OK;
    TRY(tiles_open(&t, path));
    struct err e = look(dir, t, &p, seq, older_ms);
    tiles_close(t);
    *ret_to = p; /* what was good before the fault may go */
    if (p.seq > from->seq && !err_ok(e)) {
        LOG(ERROR, "audit_segment_kept", LF("error", e), LF("seq", p.seq + 1));
        return OK;
    }
    return e;
}

/* ---- it goes ---- */

struct err retain_mark(int dir, const struct log_point *to)
{
    uint8_t b[HEAD_BYTES];
    head_put(b, to);
    if (syncfs(dir) != 0) /* the tiles are all that is left of them, and are synced now and then only */
        return FAIL(E_IO);
    TRY(file_put(dir, "pruned", ARR(b), true));
    return fsync(dir) == 0 ? OK : FAIL(E_IO);
}

/* The segment last, so that it is found when the index could not be removed. */
static ERR remove_one(int dir, uint64_t first)
{
    char seg[SEG_NAME_BYTES], index[INDEX_NAME_BYTES];
    index_name(first, index);
    seg_name(first, seg);
    if (unlinkat(dir, index, 0) != 0 && errno != ENOENT)
        return FAIL(E_IO);
    return unlinkat(dir, seg, 0) == 0 || errno == ENOENT ? OK : FAIL(E_IO);
}

struct err retain_remove(int dir, const struct log_point *to)
{
    struct seg_listing all;
    if (to->seq == 0)
        return OK;
    for (;;) { /* oldest first */
        TRY(seg_list(dir, &all));
        if (all.count == 0 || all.first > to->seq)
            break;
        TRY(remove_one(dir, all.first));
    }
    return fsync(dir) == 0 ? OK : FAIL(E_IO);
}
