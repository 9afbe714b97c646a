#ifndef KEYS_CTL_ARCHIVE_H
#define KEYS_CTL_ARCHIVE_H

/* What is in a backup: a tar file (ustar, plain files only) whose first member PMHGW says what it is and whose last member MANIFEST has the SHA-256 of every
 * other one, as sha256sum writes it. The reader is sans-I/O: it is fed, and tells members as they come; nothing is to be believed before archive_in_end(). */

#include <stdbool.h>

#include "gateway/base/buf.h"
#include "gateway/crypto/crypto.h"

enum { ARCHIVE_BLOCK = 512, ARCHIVE_NAME_MAX = 99, ARCHIVE_MEMBERS_MAX = 4000000, ARCHIVE_ABOUT_MAX = 1024 };

enum archive_kind { ARCHIVE_DATA, ARCHIVE_KEYS };

/* A name that may stand in a backup of that kind: known folders, [A-Za-z0-9._-], no part that begins with a dot. */
bool archive_name_ok(enum archive_kind kind, struct slice name);

/* ---- writing: blocks to append to a stream ---- */

struct archive_out { struct buf manifest; uint64_t members; };
void archive_out_init(struct archive_out *a);
void archive_out_done(struct archive_out *a);
/* The header of a member. */
void archive_header(const char *name, uint64_t size, uint64_t mtime_s, struct buf *out);
/* Zeros up to the next block. */
void archive_pad(uint64_t size, struct buf *out);
/* Its line of the manifest. */
ERR archive_sum(struct archive_out *a, const char *name, const uint8_t sum[static SHA256_BYTES]);
/* The first member. */
ERR archive_about(struct archive_out *a, enum archive_kind kind, const char *made_at, struct buf *out);
/* The manifest and the end. */
ERR archive_end(struct archive_out *a, uint64_t mtime_s, struct buf *out);

/* ---- reading ---- */

struct archive_sink {
    /* A member of so many bytes begins; its bytes; its end. NULL: not told. */
    struct err (*begin)(void *arg, const char *name, uint64_t size);
    struct err (*data)(void *arg, struct slice bytes);
    struct err (*end)(void *arg);
    void *arg;
};

struct archive_in;
ERR archive_in_new(struct archive_in **ret_a, enum archive_kind kind, const struct archive_sink *sink);
void archive_in_free(struct archive_in *a);
/* PROTOCOL: this is no backup of that kind, or not one that is understood. What the sink says. */
ERR archive_in_feed(struct archive_in *a, struct slice bytes);
/* SEAL: it is cut short, or a sum does not fit. */
ERR archive_in_end(struct archive_in *a);
uint64_t archive_in_members(const struct archive_in *a);
uint64_t archive_in_bytes(const struct archive_in *a);
/* "2026-11-22T01:02:03Z"; "" before it is known. */
const char *archive_in_made_at(const struct archive_in *a);

#endif
