#ifndef GW_AUDIT_TILES_H
#define GW_AUDIT_TILES_H

/* The tree in the folder of the log, as C2SP tlog-tiles lays it out under tiles/<level>/: 256 hashes a file, hash i of tile n at
 * level l is the node (8 l, 256 n + i). A path is in groups of three digits, "x001/234"; the last tile of a level, when not full, is
 * "x001/234.p/<hashes>". Only the newest partial tile of a level is kept: it begins with all those before it. */

#include "gateway/audit/tree.h"

enum { TILE_WIDTH = 256, TILE_BYTES = TILE_WIDTH * TREE_HASH, TILE_LEVELS = 8, TILE_PATH_MAX = 64 };

/* "0/x001/234" or, with width 1..255, "0/x001/234.p/17"; width 256: full. NUL-terminated. */
void tile_path(unsigned level, uint64_t n, unsigned width, char out[static TILE_PATH_MAX]);

/* The root of n hashes, a power of two up to TILE_WIDTH. */
ERR tile_fold(const uint8_t *hashes, unsigned n, uint8_t out[static TREE_HASH]);

/* The nodes of a folder. Remembers the last tile of each level; one thread at a time. */
struct tiles;
/* dir: the folder of the log. IO when there are no tiles. Blocking, as is every use. */
ERR tiles_open(struct tiles **ret_t, const char *dir);
ERR tiles_open_at(struct tiles **ret_t, int dir); /* dir: "tiles" itself, borrowed for the call */
void tiles_close(struct tiles *t); /* NULL is fine */
/* Borrowed; its get fails with IO when a tile that is needed is not there or too short. */
struct tree_nodes tiles_nodes(struct tiles *t);
/* Tile n of a level with at least `width` hashes, whatever form is there. The first width hashes go to out. IO. */
ERR tiles_read(struct tiles *t, unsigned level, uint64_t n, unsigned width, uint8_t out[static TILE_BYTES]);

/* Inclusion of leaf `index` in the tree of `size`, from the tiles of dir. Blocking; opens at most a dozen files. IO, FULL. */
ERR audit_tree_path(const char *dir, uint64_t index, uint64_t size, struct tree_path *ret_p);

#endif
