#include "gateway/audit/keeper_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/leaf.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/file.h"
#include "gateway/base/text.h"

enum { CHUNK = 64, SYNC_EVERY = 16 * AUDIT_SEGMENT_ENTRIES };


/* ---- files ---- */

/* Tiles have one writer and one name for it; files beside each other may have several writers. */
static void name_of_new(const char *name, char out[static TILE_PATH_MAX])
{
    snprintf(out, TILE_PATH_MAX, "%.40s.new", strchr(name, '/') ? "tile" : name);
}

struct err file_put(int dir, const char *name, struct slice content, bool sync)
{
    char new[TILE_PATH_MAX];
    name_of_new(name, new);
    int fd = openat(dir, new, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = fd_write_all(fd, content);
    if (err_ok(e) && sync && fdatasync(fd) != 0)
        e = FAIL(E_IO);
    close(fd);
    if (err_ok(e) && renameat(dir, new, dir, name) != 0)
        e = FAIL(E_IO);
    if (!err_ok(e)) {
        int why = errno;
        unlinkat(dir, new, 0);
        errno = why;
    }
    return e;
}

static ERR make_folders(int dir, const char *path)
{
    char part[TILE_PATH_MAX];
    for (const char *at = strchr(path, '/'); at; at = strchr(at + 1, '/')) {
        memcpy(part, path, (size_t)(at - path));
        part[at - path] = '\0';
        if (mkdirat(dir, part, 0700) != 0 && errno != EEXIST)
            return FAIL(E_IO);
    }
    return OK;
}

/* A full tile is wanted by nobody before a checkpoint covers it, and a torn one is made anew at the start: it gets its name at once. */
static ERR put_full(int dir, const char *path, struct slice content)
{
    int fd = openat(dir, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = fd_write_all(fd, content);
    close(fd);
    return e;
}

struct err grown_tile(struct grown *g, unsigned level, uint64_t n, unsigned width, const uint8_t *hashes)
{
    char path[TILE_PATH_MAX];
    struct slice content = slice_of(hashes, (size_t)width * TREE_HASH);
    bool full = width == TILE_WIDTH;
    tile_path(level, n, width, path);
    struct err e = full ? put_full(g->dir, path, content) : file_put(g->dir, path, content, false);
    if (err_ok(e) || errno != ENOENT)
        return e;
    TRY(make_folders(g->dir, path));
    return full ? put_full(g->dir, path, content) : file_put(g->dir, path, content, false);
}

static void drop_partial(const struct grown *g, unsigned level, uint64_t n, unsigned width)
{
    char path[TILE_PATH_MAX];
    if (width == 0)
        return;
    tile_path(level, n, width, path);
    unlinkat(g->dir, path, 0);
}

void grown_sweep(const struct grown *g, unsigned level, uint64_t n, unsigned keep)
{
    char path[TILE_PATH_MAX];
    tile_path(level, n, 1, path);
    *strrchr(path, '/') = '\0';
    int fd = openat(g->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return;
    }
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t w;
        if (u64_parse(slice_str(e->d_name), &w) && w != keep)
            unlinkat(fd, e->d_name, 0);
    }
    closedir(d);
}

static void drop_partial_folder(const struct grown *g, unsigned level, uint64_t n)
{
    char path[TILE_PATH_MAX];
    tile_path(level, n, 1, path);
    *strrchr(path, '/') = '\0';
    if (unlinkat(g->dir, path, AT_REMOVEDIR) == 0 || (errno != ENOTEMPTY && errno != EEXIST))
        return;
    grown_sweep(g, level, n, 0);
    unlinkat(g->dir, path, AT_REMOVEDIR);
}

struct err grown_synced(struct grown *g, uint64_t size)
{
    struct buf b;
    if (syncfs(g->dir) != 0)
        return FAIL(E_IO);
    buf_init(&b, 32);
    buf_u64(&b, size);
    buf_putc(&b, '\n');
    struct err e = file_put(g->dir, "synced", buf_slice(&b), true);
    buf_done(&b);
    return e;
}

static ERR edge_full(struct grown *g, unsigned level, uint64_t n)
{
    struct edge *x = &g->edge[level];
    TRY(grown_tile(g, level, n, TILE_WIDTH, x->hash));
    drop_partial(g, level, n, x->on_disk);
    drop_partial_folder(g, level, n);
    x->on_disk = 0;
    return level == 0 && ((n + 1) * TILE_WIDTH) % SYNC_EVERY == 0 ? grown_synced(g, (n + 1) * TILE_WIDTH) : OK;
}

static struct err on_node(void *arg, unsigned level, uint64_t index, const uint8_t hash[static TREE_HASH])
{
    struct grown *g = arg;
    if (level % 8 != 0)
        return OK;
    struct edge *x = &g->edge[level / 8];
    memcpy(x->hash + index % TILE_WIDTH * TREE_HASH, hash, TREE_HASH);
    x->n = (unsigned)(index % TILE_WIDTH) + 1;
    return x->n == TILE_WIDTH ? edge_full(g, level / 8, index / TILE_WIDTH) : OK;
}

/* ---- entries ---- */

static ERR open_segment(struct grown *g, uint64_t before)
{
    char name[SEG_NAME_BYTES];
    if (g->seg >= 0 && g->seg_before == before)
        return OK;
    if (g->seg >= 0)
        close(g->seg);
    seg_name(before + 1, name);
    g->seg = openat(g->log, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    g->seg_before = before;
    return g->seg >= 0 ? OK : FAIL(E_IO);
}

static ERR read_entries(struct grown *g, uint8_t *b, uint64_t at, uint32_t n)
{
    size_t have = 0, want = (size_t)n * AUDIT_ENTRY_BYTES;
    off_t from = SEG_HEAD_BYTES + (off_t)at * AUDIT_ENTRY_BYTES;
    while (have < want) {
        ssize_t k = pread(g->seg, b + have, want - have, from + (off_t)have);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return FAIL(E_IO);
        have += (size_t)k;
    }
    return OK;
}

static ERR entry_leaf(const uint8_t *entry, uint64_t index, uint8_t out[static TREE_HASH])
{
    if (be_get(entry + AUDIT_REC_BYTES, 8) != index + 1)
        return FAIL(E_SEAL);
    return audit_leaf_hash(entry, out);
}

static ERR add_entry(struct grown *g, const uint8_t *entry)
{
    uint8_t leaf[TREE_HASH];
    TRY(entry_leaf(entry, g->range.size, leaf));
    TRY(tree_add(&g->range, leaf, g->dry ? NULL : on_node, g));
    for (unsigned l = 0; l < TILE_LEVELS && !g->dry && g->edge[l].n == TILE_WIDTH; l++)
        g->edge[l].n = 0;
    return OK;
}

struct err grown_leaves(struct grown *g, uint64_t n, uint8_t out[static TILE_BYTES])
{
    uint8_t b[CHUNK * AUDIT_ENTRY_BYTES];
    uint64_t first = n * TILE_WIDTH, at = first % AUDIT_SEGMENT_ENTRIES;
    TRY(open_segment(g, first - at));
    for (uint32_t i = 0; i < TILE_WIDTH; i += CHUNK) {
        TRY(read_entries(g, b, at + i, CHUNK));
        for (uint32_t k = 0; k < CHUNK; k++)
            TRY(entry_leaf(b + (size_t)k * AUDIT_ENTRY_BYTES, first + i + k, out + (size_t)(i + k) * TREE_HASH));
    }
    return OK;
}

struct err grown_to(struct grown *g, uint64_t seq)
{
    uint8_t b[CHUNK * AUDIT_ENTRY_BYTES];
    while (g->range.size < seq) {
        uint64_t at = g->range.size % AUDIT_SEGMENT_ENTRIES, room = AUDIT_SEGMENT_ENTRIES - at, left = seq - g->range.size;
        uint32_t n = (uint32_t)(left < room ? left : room);
        n = n < CHUNK ? n : CHUNK;
        TRY(open_segment(g, g->range.size - at));
        TRY(read_entries(g, b, at, n));
        for (uint32_t i = 0; i < n; i++)
            TRY(add_entry(g, b + (size_t)i * AUDIT_ENTRY_BYTES));
    }
    return OK;
}

struct err grown_flush(struct grown *g)
{
    for (unsigned l = 0; l < TILE_LEVELS; l++) {
        struct edge *x = &g->edge[l];
        uint64_t n = (g->range.size >> (8 * l)) / TILE_WIDTH;
        if (x->n == x->on_disk)
            continue;
        TRY(grown_tile(g, l, n, x->n, x->hash));
        drop_partial(g, l, n, x->on_disk);
        x->on_disk = x->n;
    }
    return OK;
}

/* ---- nodes ---- */

struct look { struct grown *g; struct tiles *files; };

static struct err get_node(void *arg, unsigned level, uint64_t index, uint8_t out[static TREE_HASH])
{
    const struct look *k = arg;
    unsigned within = level % 8;
    uint64_t first = index << within;
    const struct edge *x = &k->g->edge[level / 8];
    bool at_edge = first / TILE_WIDTH == (k->g->range.size >> (level - within)) / TILE_WIDTH;
    if (at_edge && first % TILE_WIDTH + (1u << within) <= x->n)
        return tile_fold(x->hash + first % TILE_WIDTH * TREE_HASH, 1u << within, out);
    struct tree_nodes nodes = tiles_nodes(k->files);
    return nodes.get(nodes.arg, level, index, out);
}

struct err grown_root(struct grown *g, uint64_t size, uint8_t out[static TREE_HASH])
{
    struct look k = { .g = g };
    struct tree_nodes nodes = { get_node, &k };
    TRY(tiles_open_at(&k.files, g->dir));
    struct err e = tree_root_of(&nodes, size, out);
    tiles_close(k.files);
    return e;
}
