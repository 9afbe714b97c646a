#ifndef GW_AUDIT_KEEPER_INT_H
#define GW_AUDIT_KEEPER_INT_H

/* The blocking half of the keeper. One thread at a time. */

#include "gateway/audit/keeper.h"
#include "gateway/audit/segment.h"
#include "gateway/audit/tiles.h"

/* The last tile of a level, which is not full. */
struct edge {
    unsigned n;       /* hashes in it */
    unsigned on_disk; /* width of the partial tile that is there, 0: none */
    uint8_t hash[TILE_BYTES];
};

/* What was signed before. */
struct signed_head { bool found; struct tree_head head; uint64_t ms; };

struct grown {
    int log, dir;              /* the folder, and "tiles" in it */
    struct note_signer *signer;
    struct tree_range range;
    struct edge edge[TILE_LEVELS];
    int seg;                   /* open segment, -1: none */
    uint64_t seg_before;       /* entries before it */
    bool dry;                  /* nothing is written, only hashed */
    struct log_point pruned;
    struct tree_head head;     /* of the newest checkpoint */
    struct buf note;           /* it */
    uint64_t history_ms;       /* time of the last line of "checkpoints" */
};

/* ---- keeper_tree.c: tiles ---- */

/* Adds the entries up to seq, and writes tiles that became full. After IO it can go on later. SEAL: the entries are not there as committed. */
ERR grown_to(struct grown *g, uint64_t seq);
/* Writes the tiles that are not full. IO. */
ERR grown_flush(struct grown *g);
/* The root of the first `size` leaves, from the edges and the tiles in the folder. */
ERR grown_root(struct grown *g, uint64_t size, uint8_t out[static TREE_HASH]);
/* Leaf hashes of a full tile from the entries. IO, SEAL. */
ERR grown_leaves(struct grown *g, uint64_t n, uint8_t out[static TILE_BYTES]);
/* Writes a tile whole. */
ERR grown_tile(struct grown *g, unsigned level, uint64_t n, unsigned width, const uint8_t *hashes);
/* Removes partial forms of a tile but the one of that width. */
void grown_sweep(const struct grown *g, unsigned level, uint64_t n, unsigned keep);
/* Everything up to the current size is on disk: the next start need not make it again. */
ERR grown_synced(struct grown *g, uint64_t size);

/* Writes a file whole beside `dir`/name (at most 40 characters where no folder is named) and renames it. sync: before that it is on disk. errno is that of what failed. */
ERR file_put(int dir, const char *name, struct slice content, bool sync);

/* ---- keeper_open.c: the start ---- */

/* Everything of audit_keeper_new but the loop. */
ERR grown_open(struct grown *g, const struct audit_keeper_conf *conf, uint64_t seq, uint64_t wall_ms);
void grown_close(struct grown *g);

/* ---- keeper_sign.c: checkpoints ---- */

/* Signs and writes a checkpoint of what was added and flushed. IO, CRYPTO. */
ERR grown_sign(struct grown *g, uint64_t wall_ms);
/* Reads the checkpoint into g->note, and the last line of the history, of which a half line is cut off. SEAL: they are not ours. IO. */
ERR grown_signed(struct grown *g, struct signed_head *ret_c, struct signed_head *ret_history);

#endif
