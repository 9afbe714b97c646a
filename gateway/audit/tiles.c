#include "gateway/audit/tiles.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/text.h"

enum { TRIES = 8, SHIFT = 8 /* levels of the tree in a tile */ };

/* ---- names ---- */

static char *digits(char *at, uint64_t v, unsigned least)
{
    char d[20];
    unsigned n = 0;
    while (v || n < least) {
        d[n++] = (char)('0' + v % 10);
        v /= 10;
    }
    while (n)
        *at++ = d[--n];
    return at;
}

void tile_path(unsigned level, uint64_t n, unsigned width, char out[static TILE_PATH_MAX])
{
    uint64_t group[8];
    unsigned k = 0;
    char *at = digits(out, level, 1);
    do
        group[k++] = n % 1000;
    while ((n /= 1000));
    while (k) {
        *at++ = '/';
        if (k > 1)
            *at++ = 'x';
        at = digits(at, group[--k], 3);
    }
    if (width < TILE_WIDTH) {
        memcpy(at, ".p/", 3);
        at = digits(at + 3, width, 1);
    }
    *at = '\0';
}

/* ---- reading ---- */

struct tile {
    uint64_t n;
    unsigned width; /* 0: nothing here */
    uint8_t bytes[TILE_BYTES];
};

struct tiles {
    int dir; /* .../tiles */
    struct tile last[TILE_LEVELS];
};

static ERR tiles_take(struct tiles **ret_t, int fd)
{
    if (fd < 0)
        return FAIL(E_IO);
    struct tiles *t = calloc(1, sizeof *t);
    if (!t) {
        close(fd);
        return FAIL(E_NOMEM);
    }
    t->dir = fd; /* moved in */
    *ret_t = t;
    return OK;
}

struct err tiles_open_at(struct tiles **ret_t, int dir) { return tiles_take(ret_t, openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC)); }

struct err tiles_open(struct tiles **ret_t, const char *dir)
{
    int log = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = log >= 0 ? openat(log, "tiles", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW) : -1;
    if (log >= 0)
        close(log);
    return tiles_take(ret_t, fd);
}

void tiles_close(struct tiles *t)
{
    if (!t)
        return;
    close(t->dir);
    free(t);
}

/* The whole file is exactly `width` hashes. */
static bool read_tile(const struct tiles *t, const char *path, struct tile *x, uint64_t n, unsigned width)
{
    uint8_t more;
    size_t have = 0, want = (size_t)width * TREE_HASH;
    int fd = openat(t->dir, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return false;
    x->width = 0;
    while (have < want) {
        ssize_t k = pread(fd, x->bytes + have, want - have, (off_t)have);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            break;
        have += (size_t)k;
    }
    bool good = have == want && pread(fd, &more, 1, (off_t)want) == 0;
    close(fd);
    if (good) {
        x->n = n;
        x->width = width;
    }
    return good;
}

/* The widest partial tile; 0: there is none. */
static unsigned widest(const struct tiles *t, unsigned level, uint64_t n)
{
    char path[TILE_PATH_MAX];
    unsigned best = 0;
    tile_path(level, n, 1, path);
    *strrchr(path, '/') = '\0';
    int fd = openat(t->dir, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return 0;
    }
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t w;
        if (u64_parse(slice_str(e->d_name), &w) && w < TILE_WIDTH && w > best)
            best = (unsigned)w;
    }
    closedir(d);
    return best;
}

/* A partial tile is replaced by a wider one while we look: then we look again. */
static ERR load(struct tiles *t, unsigned level, uint64_t n, unsigned width)
{
    struct tile *x = &t->last[level];
    char path[TILE_PATH_MAX];
    if (x->n == n && x->width >= width)
        return OK;
    for (int i = 0; i < TRIES; i++) {
        tile_path(level, n, TILE_WIDTH, path);
        if (read_tile(t, path, x, n, TILE_WIDTH))
            return OK;
        unsigned w = width < TILE_WIDTH ? widest(t, level, n) : 0;
        if (w < width)
            continue;
        tile_path(level, n, w, path);
        if (read_tile(t, path, x, n, w))
            return OK;
    }
    return FAIL(E_IO);
}

struct err tiles_read(struct tiles *t, unsigned level, uint64_t n, unsigned width, uint8_t out[static TILE_BYTES])
{
    if (level >= TILE_LEVELS || width == 0 || width > TILE_WIDTH)
        return FAIL(E_FULL);
    TRY(load(t, level, n, width));
    memcpy(out, t->last[level].bytes, (size_t)width * TREE_HASH);
    return OK;
}

/* Between the levels of two tiles a node is computed from the hashes of the lower one. */
struct err tile_fold(const uint8_t *hashes, unsigned n, uint8_t out[static TREE_HASH])
{
    uint8_t right[TREE_HASH];
    if (n == 1) {
        memcpy(out, hashes, TREE_HASH);
        return OK;
    }
    TRY(tile_fold(hashes, n / 2, out));
    TRY(tile_fold(hashes + (size_t)n / 2 * TREE_HASH, n / 2, right));
    return tree_node(out, right, out);
}

static struct err get_node(void *arg, unsigned level, uint64_t index, uint8_t out[static TREE_HASH])
{
    struct tiles *t = arg;
    unsigned tile_level = level / SHIFT, within = level % SHIFT;
    if (tile_level >= TILE_LEVELS)
        return FAIL(E_FULL);
    uint64_t first = index << within; /* in hashes of the tile's level */
    unsigned at = (unsigned)(first % TILE_WIDTH), n = 1u << within;
    TRY(load(t, tile_level, first / TILE_WIDTH, at + n));
    return tile_fold(t->last[tile_level].bytes + (size_t)at * TREE_HASH, n, out);
}

struct tree_nodes tiles_nodes(struct tiles *t) { return (struct tree_nodes){ get_node, t }; }

struct err audit_tree_path(const char *dir, uint64_t index, uint64_t size, struct tree_path *ret_p)
{
    struct tiles *t;
    TRY(tiles_open(&t, dir));
    struct tree_nodes nodes = tiles_nodes(t);
    struct err e = tree_inclusion(&nodes, index, size, ret_p);
    tiles_close(t);
    return e;
}
