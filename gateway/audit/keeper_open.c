#include "gateway/audit/keeper_int.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/file.h"
#include "gateway/base/log.h"
#include "gateway/base/text.h"

enum { SEG_TILES = AUDIT_SEGMENT_ENTRIES / TILE_WIDTH };

static ERR not_whole(struct lit what, uint64_t seq)
{
    LOG(ERROR, "audit_log_not_whole", LF("what", what), LF("seq", seq), LF("hint", LITERAL("run pmhgw audit verify; no entry was changed")));
    return FAIL(E_SEAL);
}

/* ---- full tiles that are missing ---- */

static bool there(const struct grown *g, unsigned level, uint64_t n)
{
    char path[TILE_PATH_MAX];
    struct stat st;
    tile_path(level, n, TILE_WIDTH, path);
    return fstatat(g->dir, path, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) && st.st_size == TILE_BYTES;
}

static ERR make_leaf_tiles(struct grown *g, uint64_t base, uint64_t *made)
{
    uint8_t tile[TILE_BYTES];
    for (uint64_t n = 0; n < base / TILE_WIDTH; n++) {
        if (there(g, 0, n))
            continue;
        if (n * TILE_WIDTH < g->pruned.seq)
            return not_whole(LITERAL("tiles"), n * TILE_WIDTH + 1);
        TRY(grown_leaves(g, n, tile));
        TRY(grown_tile(g, 0, n, TILE_WIDTH, tile));
        ++*made;
    }
    return OK;
}

/* The first n hashes of tile x, from the full tiles below it. */
static ERR from_below(struct tiles *files, unsigned level, uint64_t x, unsigned n, uint8_t out[static TILE_BYTES])
{
    uint8_t tile[TILE_BYTES];
    for (unsigned i = 0; i < n; i++) {
        TRY(tiles_read(files, level - 1, x * TILE_WIDTH + i, TILE_WIDTH, tile));
        TRY(tile_fold(tile, TILE_WIDTH, out + (size_t)i * TREE_HASH));
    }
    return OK;
}

static ERR make_upper_tiles(struct grown *g, struct tiles *files, uint64_t base, uint64_t *made)
{
    uint8_t tile[TILE_BYTES];
    for (unsigned l = 1; l < TILE_LEVELS; l++) {
        uint64_t hashes = base >> (8 * l);
        for (uint64_t n = 0; n < hashes / TILE_WIDTH; n++) {
            if (there(g, l, n))
                continue;
            TRY(from_below(files, l, n, TILE_WIDTH, tile));
            TRY(grown_tile(g, l, n, TILE_WIDTH, tile));
            ++*made;
        }
        g->edge[l].n = (unsigned)(hashes % TILE_WIDTH);
        TRY(from_below(files, l, hashes / TILE_WIDTH, g->edge[l].n, g->edge[l].hash));
    }
    return OK;
}

/* The tree at `base`, which is the end of a segment: edges and range. Nothing of what was not full is trusted. */
static ERR begin_at(struct grown *g, uint64_t base)
{
    struct tiles *files;
    uint64_t made = 0;
    TRY(make_leaf_tiles(g, base, &made));
    TRY(tiles_open_at(&files, g->dir));
    struct err e = make_upper_tiles(g, files, base, &made);
    tiles_close(files);
    TRY(e);
    g->range.size = base;
    for (unsigned l = 0; l < TREE_PATH_MAX; l++) {
        unsigned within = l % 8;
        if (!(base >> l & 1))
            continue;
        size_t at = (((base >> l) - 1) << within) % TILE_WIDTH; /* a bit of base: the node lies in the tile that is not full */
        TRY(tile_fold(g->edge[l / 8].hash + at * TREE_HASH, 1u << within, g->range.peak[l]));
    }
    if (made == 0)
        return OK;
    LOG(WARN, "audit_tiles_made", LF("tiles", made));
    return grown_synced(g, base);
}

static uint64_t synced(const struct grown *g)
{
    struct buf b;
    uint64_t v = 0;
    int fd = openat(g->dir, "synced", O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return 0;
    buf_init(&b, 32);
    struct slice line = SLICE_NONE, rest;
    bool good = err_ok(fd_read_all(fd, &b)) && slice_cut(buf_slice(&b), '\n', &line, &rest) && u64_parse(line, &v);
    buf_done(&b);
    close(fd);
    return good ? v : 0;
}

/* Where the tiles need not be made from the entries again: what is sure to be on disk. With no tiles at all, a whole number of segments that
 * leaves the rest to grown_to(). */
static uint64_t base_of(const struct grown *g, uint64_t seq)
{
    uint64_t base = synced(g);
    if (base > seq)
        base = 0;
    base -= base % AUDIT_SEGMENT_ENTRIES;
    return base < g->pruned.seq ? g->pruned.seq : base;
}

/* ---- what was signed ---- */

static ERR check_head(struct grown *g, const struct signed_head *s)
{
    uint8_t root[TREE_HASH];
    if (!s->found)
        return OK;
    TRY(grown_root(g, s->head.size, root));
    return slice_eq(ARR(root), ARR(s->head.root)) ? OK : not_whole(LITERAL("checkpoint"), s->head.size);
}

/* Before anything is written: the tree of the last checkpoint, from the entries as they are. */
static ERR check_before(struct grown *g, const struct signed_head *s)
{
    uint8_t root[TREE_HASH];
    if (!s->found || s->head.size < g->range.size)
        return check_head(g, s);
    struct tree_range kept = g->range;
    g->dry = true;
    struct err e = grown_to(g, s->head.size);
    g->dry = false;
    if (err_ok(e))
        e = tree_root(&g->range, root);
    g->range = kept;
    TRY(e);
    return slice_eq(ARR(root), ARR(s->head.root)) ? OK : not_whole(LITERAL("checkpoint"), s->head.size);
}

static ERR catch_up(struct grown *g, uint64_t seq, uint64_t wall_ms)
{
    struct signed_head last, history;
    struct err e = grown_signed(g, &last, &history);
    if (err_is(e, E_SEAL) || (err_ok(e) && history.found && !last.found))
        return not_whole(LITERAL("checkpoint"), 0);
    TRY(e);
    if (last.found && (last.head.size > seq || (history.found && history.head.size > last.head.size)))
        return not_whole(LITERAL("checkpoint"), last.head.size);
    TRY(check_before(g, &last));
    TRY(grown_to(g, seq));
    TRY(grown_flush(g));
    TRY(check_head(g, &history));
    for (unsigned l = 0; l < TILE_LEVELS; l++)
        grown_sweep(g, l, (seq >> (8 * l)) / TILE_WIDTH, g->edge[l].n);
    g->history_ms = history.ms;
    g->head = last.head;
    return last.found && last.head.size == seq ? OK : grown_sign(g, wall_ms);
}

static ERR open_folders(struct grown *g, const char *dir)
{
    g->log = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (g->log < 0)
        return FAIL(E_IO);
    if (mkdirat(g->log, "tiles", 0700) != 0 && errno != EEXIST)
        return FAIL(E_IO);
    g->dir = openat(g->log, "tiles", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return g->dir >= 0 ? OK : FAIL(E_IO);
}

struct err grown_open(struct grown *g, const struct audit_keeper_conf *conf, uint64_t seq, uint64_t wall_ms)
{
    g->log = g->dir = g->seg = -1;
    buf_init(&g->note, NOTE_MAX);
    TRY(open_folders(g, conf->dir));
    TRY(note_signer_new(&g->signer, conf->origin, conf->seed));
    if (pruned_read(g->log, &g->pruned) == HEAD_BAD || g->pruned.seq > seq)
        return not_whole(LITERAL("pruned"), 0);
    struct err e = begin_at(g, base_of(g, seq));
    if (err_ok(e))
        e = catch_up(g, seq, wall_ms);
    if (err_is(e, E_SEAL))
        LOG(ERROR, "audit_tree_refused", LF("error", e), LF("seq", g->range.size));
    return e;
}

void grown_close(struct grown *g)
{
    const int fds[] = { g->log, g->dir, g->seg };
    for (size_t i = 0; i < sizeof fds / sizeof fds[0]; i++)
        if (fds[i] >= 0)
            close(fds[i]);
    note_signer_free(g->signer);
    buf_done(&g->note);
}
