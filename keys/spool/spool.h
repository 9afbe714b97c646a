#ifndef GW_ZONE_NUMBER
#error "spool.h belongs to the number zone"
#endif
#ifndef KEYS_SPOOL_SPOOL_H
#define KEYS_SPOOL_SPOOL_H

/* The folder of the files that municipalities send, of pmhgw-intake alone:
 *
 *   <spool_dir>/<muni>-<task, 32 hex>/key       the file key, wrapped by the vault under the municipality's number key
 *                                    meta      sealed: what the sender said of the file (struct nz_spool_meta)
 *                                    upload    frames: the bytes as they came; gone when every row has ended
 *                                    results   frames: one entry a row (keys/bulk/result_entry.h)
 *                                    undo      frames: what stood in redis-link before (keys/bulk)
 *
 * The key comes from the vault (FILE_KEY_NEW, FILE_KEY_OPEN: audited), so that a copy of the disk gives nothing, and destroying the
 * municipality's key makes every file of it unreadable. */

#include "keys/spool/frames.h"

enum { NZ_WRAPPED_BYTES = AEAD_OVERHEAD + 32, NZ_SPOOL_NAME_MAX = 120 };

struct nz_spool;       /* the folder */
struct nz_spool_entry; /* one file's folder, open */

ERR nz_spool_new(struct nz_spool **ret_s, const char *dir); /* makes it (0700) unless it is there; before privileges are given up. CONFIG, IO */
void nz_spool_free(struct nz_spool *s);
/* Bytes that the file system still has for us. */
uint64_t nz_spool_room(const struct nz_spool *s);

/* What is kept sealed beside the file: it may tell of its content, so none of it goes into redis-link. */
struct nz_spool_meta {
    uint64_t bytes;             /* announced size */
    bool has_sha256;
    uint8_t sha256[32];         /* announced */
    char name[NZ_SPOOL_NAME_MAX + 1]; /* what the sender calls it; may be empty */
};

/* New folder with key and meta, durable. key: 32 bytes, moved in. */
ERR nz_spool_create(struct nz_spool *s, struct nz_spool_entry **ret_e, const char muni[static 6], const uint8_t task[static 16],
                    struct secret *key, const uint8_t wrapped[static NZ_WRAPPED_BYTES], const struct nz_spool_meta *meta);
/* The wrapped key of an existing one, to be opened by the vault. NOTHING. */
ERR nz_spool_wrapped(struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16], uint8_t ret_wrapped[static NZ_WRAPPED_BYTES]);
ERR nz_spool_open(struct nz_spool *s, struct nz_spool_entry **ret_e, const char muni[static 6], const uint8_t task[static 16], struct secret *key);
void nz_spool_close(struct nz_spool_entry *e); /* NULL is fine */
const struct nz_spool_meta *nz_spool_meta_of(const struct nz_spool_entry *e);

enum nz_spool_part { NZ_SPOOL_UPLOAD, NZ_SPOOL_RESULTS, NZ_SPOOL_UNDO };
enum nz_spool_how { NZ_SPOOL_CREATE /* or opened for appending, when it is there */, NZ_SPOOL_READ };
ERR nz_spool_frames(struct nz_spool_entry *e, enum nz_spool_part part, enum nz_spool_how how, struct nz_frames **ret_f);
/* NZ_SPOOL_CREATE for a part of any size: opening one for appending looks at the head of every frame, so a thread does it. fn from the loop, once, unless
 * this fails. The entry is the caller's, and stays open until then. */
typedef void nz_spool_opened_fn(void *arg, struct err e, struct nz_frames *f);
ERR nz_spool_frames_later(struct nz_spool_entry *e, enum nz_spool_part part, struct loop *l, nz_spool_opened_fn *fn, void *arg);
/* Unlinks a part; OK when it is not there. The key stays for the others. */
ERR nz_spool_drop_part(struct nz_spool_entry *e, enum nz_spool_part part);
/* The same of a file whose key is not open. */
ERR nz_spool_drop(struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16], enum nz_spool_part part);
/* Unlinks everything, the key first: without it the rest is noise. */
ERR nz_spool_remove(struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16]);
/* When the folder was made: wall ms, by the clock of the file system. NOTHING. */
ERR nz_spool_made(const struct nz_spool *s, const char muni[static 6], const uint8_t task[static 16], uint64_t *ret_ms);
/* Walks the folders; false at the end. *at starts as 0. Names that are not ours are passed over. */
bool nz_spool_each(struct nz_spool *s, size_t *at, char ret_muni[static 6], uint8_t ret_task[static 16]);

#endif
