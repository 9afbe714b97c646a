#ifndef GW_ZONE_NUMBER
#error "frames.h belongs to the number zone"
#endif
#ifndef KEYS_SPOOL_FRAMES_H
#define KEYS_SPOOL_FRAMES_H

/* A sealed file that only grows: what is appended is cut into frames, each under AES-256-GCM. Nothing stands on disk in clear.
 *
 *   file  = "PMHGWFR1" | frame...
 *   frame = plain length - 1 u16 | its complement u16 | sealed (plain, 1..NZ_FRAME_PLAIN, + AEAD_OVERHEAD)
 *           associated data = id[16] | name | NUL | frame number u64
 *
 * A frame that was torn by a crash (it is not whole, or has zeros where its end should be), and everything behind it, is cut off when the file
 * is opened for writing: it was never synced, so nobody was told of it. Frames cut off by somebody else look the same: whoever must have them knows how many bytes there were.
 * Reading and writing are blocking and small; syncing is done by a thread of libuv. */

#include "gateway/crypto/crypto.h"
#include "gateway/loop/loop.h"

enum { NZ_FRAME_PLAIN = 64 * 1024, NZ_FRAME_ID = 16 };

struct nz_frames;

/* dir: descriptor of the folder, open for the call. name: a literal ("upload", "results", "undo"). key: 32 bytes, borrowed for the call.
 * create: IO when it is there already; DISK_FULL; IO. Mode 0600. */
ERR nz_frames_create(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID]);
/* For appending: walks the heads of the frames, cuts a torn end off, opens the last frame. NOTHING when there is no such file, SEAL when a
 * head is damaged or the last frame does not open (wrong key or id); damage further in is found when it is read. */
ERR nz_frames_open(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID]);
/* For reading only, while another descriptor may append: sees what was written before each call. Only the first frame is opened: SEAL for a
 * wrong key or id. It costs the same for every size of the file. */
ERR nz_frames_open_read(struct nz_frames **ret_f, int dir, const char *name, const struct secret *key, const uint8_t id[static NZ_FRAME_ID]);
void nz_frames_close(struct nz_frames *f); /* does not sync; wipes; a sync that is under way still ends with its done(); NULL is fine */

/* Plain bytes in the file, with what is not written yet; of a reader: what is written now, up to a head that is damaged, by a walk over all heads. */
uint64_t nz_frames_bytes(const struct nz_frames *f);
/* Appends; full frames are written at once, the rest waits. DISK_FULL, IO: nothing of these bytes counts, the file is as before the call. */
ERR nz_frames_append(struct nz_frames *f, struct slice plain);
/* Writes what waits as a short frame. */
ERR nz_frames_flush(struct nz_frames *f);
typedef void nz_frames_synced_fn(void *arg, struct err e);
/* Flushes, then fdatasync in a thread; done from the loop, once. One at a time. After a failed fdatasync everything but closing is IO:
 * nobody knows what the disk has, so what was not synced before is cut off. */
void nz_frames_sync(struct nz_frames *f, struct loop *l, nz_frames_synced_fn *done, void *arg);
/* Throws away everything behind `bytes` of plain text, which must be the end of a frame (nz_frames_bytes() after a flush): SEAL when it is
 * none, or when the file has less. What waits is thrown away, too. */
ERR nz_frames_truncate(struct nz_frames *f, uint64_t bytes);

/* Reads the frame at *at (0: the first), appends its plain text to *out and moves *at on. NOTHING at the end (also before a frame that is not
 * whole), SEAL. */
struct nz_frames_at { uint64_t offset, frame; };
ERR nz_frames_read(struct nz_frames *f, struct nz_frames_at *at, struct buf *out);

#endif
