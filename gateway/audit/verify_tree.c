#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/audit/leaf.h"
#include "gateway/audit/tiles.h"
#include "gateway/audit/verify_int.h"
#include "gateway/base/file.h"

/* The daemon signs five times a second: entries that lie unsigned for so long were not left behind by a crash. */
enum { UNSIGNED_MS = 60 * 1000, HISTORY_MAX = 64 * 1024 * 1024 };

struct seen_tile {
    uint64_t n;
    unsigned width; /* hashes that are compared; 0: nothing loaded */
    uint8_t hash[TILE_BYTES];
};

struct verify_tree {
    const struct note_key *key;
    const struct tree_head *since;
    struct tree_range range;
    struct tiles *tiles;       /* NULL: there are none */
    struct seen_tile tile[TILE_LEVELS];
    bool has_head;
    struct tree_head head;     /* the newest checkpoint */
    bool has_history;
    struct buf history;
    size_t history_at;         /* behind the line that is in `next` */
    bool next_there;
    struct tree_head next;     /* the next line of the history that was not reached */
    uint64_t unsigned_ms;      /* time of the first entry that no checkpoint covers; 0: none */
    const char *bad;
    uint64_t bad_seq;
    struct err broken;         /* of hashing */
};

static bool wrong(struct verify_tree *t, const char *what, uint64_t seq)
{
    if (!t->bad) {
        t->bad = what;
        t->bad_seq = seq;
    }
    return false;
}

static bool same(const uint8_t *a, const uint8_t *b) { return slice_eq(slice_of(a, TREE_HASH), slice_of(b, TREE_HASH)); }

/* ---- what is signed ---- */

/* An unfinished last line is nothing. */
static void next_line(struct verify_tree *t)
{
    struct slice rest = slice_of(t->history.p + t->history_at, t->history.n - t->history_at), line, tail;
    uint64_t ms, size = t->next.size;
    t->next_there = false;
    if (rest.n == 0 || !slice_cut(rest, '\n', &line, &tail))
        return;
    t->history_at = t->history.n - tail.n;
    if (!history_line_read(line, t->key, &t->next, &ms) || t->next.size < size || t->next.size > t->head.size)
        wrong(t, "history", t->range.size);
    else
        t->next_there = true;
}

static ERR read_file(int dir, const char *name, struct buf *out, bool *ret_found)
{
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    *ret_found = fd >= 0;
    if (fd < 0)
        return errno == ENOENT ? OK : FAIL(E_IO);
    struct err e = fd_read_all(fd, out);
    close(fd);
    return e;
}

static ERR read_signed(struct verify_tree *t, int dir)
{
    struct buf note;
    bool found;
    buf_init(&note, NOTE_MAX);
    struct err e = read_file(dir, "checkpoint", &note, &t->has_head);
    if (err_is(e, E_FULL) || (err_ok(e) && t->has_head && checkpoint_open(buf_slice(&note), t->key, &t->head) != NOTE_GOOD)) {
        wrong(t, "signature", 0);
        e = OK;
    }
    buf_done(&note);
    TRY(e);
    if (!t->has_head)
        return OK;
    e = read_file(dir, "checkpoints", &t->history, &found);
    if (err_ok(e) && !t->bad && (!found || t->history.n == 0))
        wrong(t, "history", 0);
    if (err_ok(e) && !t->bad)
        next_line(t);
    return e;
}

/* ---- the tree ---- */

/* A tree of the current size was signed or kept somewhere: it must be this one. */
static bool meet_heads(struct verify_tree *t)
{
    uint8_t root[TREE_HASH];
    bool since = t->since && t->since->size == t->range.size, head = t->has_head && t->head.size == t->range.size;
    if (!since && !head && !(t->next_there && t->next.size == t->range.size))
        return true;
    t->broken = tree_root(&t->range, root);
    if (!err_ok(t->broken))
        return false;
    if (since && !same(root, t->since->root))
        return wrong(t, "since", t->range.size);
    while (!t->bad && t->next_there && t->next.size == t->range.size) {
        if (!same(root, t->next.root))
            return wrong(t, "history", t->range.size);
        next_line(t);
    }
    if (head && !same(root, t->head.root))
        return wrong(t, "checkpoint", t->range.size);
    return !t->bad;
}

/* Hashes of a tile that the checkpoint covers. */
static unsigned covered_width(const struct verify_tree *t, unsigned level, uint64_t n)
{
    uint64_t hashes = t->has_head ? t->head.size >> (8 * level) : 0, before = n * TILE_WIDTH;
    if (hashes <= before)
        return 0;
    return hashes - before < TILE_WIDTH ? (unsigned)(hashes - before) : TILE_WIDTH;
}

static struct err on_node(void *arg, unsigned level, uint64_t index, const uint8_t hash[static TREE_HASH])
{
    struct verify_tree *t = arg;
    if (level % 8 != 0 || level / 8 >= TILE_LEVELS || t->bad)
        return OK;
    struct seen_tile *x = &t->tile[level / 8];
    uint64_t n = index / TILE_WIDTH;
    unsigned at = (unsigned)(index % TILE_WIDTH);
    if (at == 0) {
        x->n = n;
        x->width = covered_width(t, level / 8, n);
        if (x->width && (!t->tiles || !err_ok(tiles_read(t->tiles, level / 8, n, x->width, x->hash))))
            wrong(t, "tiles", (index << level) + 1);
    }
    if (!t->bad && at < x->width && !same(x->hash + (size_t)at * TREE_HASH, hash))
        wrong(t, "tiles", (index << level) + 1);
    return OK;
}

static bool add(struct verify_tree *t, const uint8_t leaf[static TREE_HASH])
{
    t->broken = tree_add(&t->range, leaf, on_node, t);
    return err_ok(t->broken) && !t->bad && meet_heads(t);
}

bool verify_tree_entry(struct verify_tree *t, const struct audit_entry *e, bool committed)
{
    uint8_t leaf[TREE_HASH];
    t->broken = audit_leaf_hash(e->stored, leaf);
    if (!err_ok(t->broken) || !add(t, leaf))
        return false;
    if (!t->has_head || e->seq <= t->head.size || !committed)
        return true;
    if (t->unsigned_ms == 0)
        t->unsigned_ms = e->rec.wall_ms;
    return e->rec.wall_ms <= t->unsigned_ms + UNSIGNED_MS || wrong(t, "checkpoint", t->head.size + 1);
}

struct err verify_tree_pruned(struct verify_tree *t, uint64_t n)
{
    uint8_t tile[TILE_BYTES];
    if (!t->has_head || n > t->head.size)
        wrong(t, "pruned", 1);
    for (uint64_t i = 0; i < n && !t->bad; i += TILE_WIDTH) {
        if (!t->tiles || !err_ok(tiles_read(t->tiles, 0, i / TILE_WIDTH, TILE_WIDTH, tile)))
            wrong(t, "tiles", i + 1);
        for (unsigned k = 0; k < TILE_WIDTH && !t->bad; k++)
            if (!add(t, tile + (size_t)k * TREE_HASH))
                TRY(t->broken);
    }
    return OK;
}

bool verify_tree_bad(const struct verify_tree *t, struct audit_verdict *v)
{
    if (!t->bad)
        return !err_ok(t->broken);
    v->good = false;
    v->what = t->bad;
    v->bad_seq = t->bad_seq;
    return true;
}

struct err verify_tree_end(struct verify_tree *t, uint64_t entries, struct audit_verdict *v)
{
    TRY(t->broken);
    if (!t->bad && ((t->has_head && t->head.size > entries) || (!t->has_head && entries > 0)))
        wrong(t, "checkpoint", entries + 1);
    if (!t->bad && t->since && t->since->size > entries)
        wrong(t, "since", entries + 1);
    if (!t->bad && t->next_there)
        wrong(t, "history", entries + 1);
    v->covered = t->has_head ? t->head.size : 0;
    (void)verify_tree_bad(t, v);
    return OK;
}

/* ---- life ---- */

struct err verify_tree_new(struct verify_tree **ret_t, int dir, const struct audit_verify_ask *ask)
{
    struct verify_tree *t = calloc(1, sizeof *t);
    if (!t)
        return FAIL(E_NOMEM);
    t->key = ask->key;
    t->since = ask->since;
    buf_init(&t->history, HISTORY_MAX);
    struct err e = read_signed(t, dir);
    int tiles = openat(dir, "tiles", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    if (err_ok(e) && tiles >= 0)
        e = tiles_open_at(&t->tiles, tiles);
    if (tiles >= 0)
        close(tiles);
    if (!err_ok(e)) {
        verify_tree_free(t);
        return e;
    }
    if (!t->bad)
        meet_heads(t); /* an empty tree was signed too */
    *ret_t = t;
    return OK;
}

void verify_tree_free(struct verify_tree *t)
{
    if (!t)
        return;
    tiles_close(t->tiles);
    buf_done(&t->history);
    free(t);
}
