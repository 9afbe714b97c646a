#ifndef GW_BASE_BUF_H
#define GW_BASE_BUF_H

/* Owned, growing bytes with a maximum and a sticky failure: write on, check buf_ok() once at the end.
 * Memory is wiped when it is given back, so a buf may hold anything. */

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

struct buf {
    uint8_t *p;
    size_t n, cap;
    size_t max;  /* never holds more than this */
    bool failed; /* a write did not fit or memory ran out */
    bool full;   /* it did not fit */
};

/* max in bytes, at least 1. Allocates nothing yet. */
void buf_init(struct buf *b, size_t max);
/* Wipes and frees; the buf may be used again as freshly initialised. */
void buf_done(struct buf *b);
/* Empties without giving memory back; the old content is wiped. */
void buf_reset(struct buf *b);

static inline void buf_put(struct buf *b, struct slice s);
static inline void buf_putc(struct buf *b, uint8_t c);
void buf_puts(struct buf *b, const char *s);     /* s: NUL-terminated */
void buf_u64(struct buf *b, uint64_t v);         /* decimal */
void buf_i64(struct buf *b, int64_t v);          /* decimal */
void buf_hex(struct buf *b, struct slice s);     /* lower case */
void buf_be16(struct buf *b, uint16_t v);
void buf_be32(struct buf *b, uint32_t v);
void buf_be64(struct buf *b, uint64_t v);
/* Room for n more bytes, to be written by the caller and then counted with buf_grew(); NULL sets failed.
 * n 0 on a buf without memory gives NULL and is no failure. */
static inline uint8_t *buf_room(struct buf *b, size_t n);
void buf_grew(struct buf *b, size_t n);
/* Drops the first n bytes. n <= b->n. */
void buf_drop(struct buf *b, size_t n);
/* NUL-terminated view for the edges (paths, libcurl, OpenSSL); NULL when the buf failed. Borrowed. */
const char *buf_cstr(struct buf *b);

/* Of buf_room() only: makes the room, or says why not. */
uint8_t *buf__more(struct buf *b, size_t n);

static inline uint8_t *buf_room(struct buf *b, size_t n)
{
    return !b->failed && b->p && n <= b->cap - b->n && n <= b->max - b->n ? b->p + b->n : buf__more(b, n);
}

static inline void buf_put(struct buf *b, struct slice s)
{
    uint8_t *at = s.n ? buf_room(b, s.n) : NULL;
    if (!at)
        return;
    memcpy(at, s.p, s.n);
    b->n += s.n;
}

static inline void buf_putc(struct buf *b, uint8_t c)
{
    uint8_t *at = buf_room(b, 1);
    if (!at)
        return;
    *at = c;
    b->n++;
}

static inline struct slice buf_slice(const struct buf *b) { return (struct slice){ b->p, b->n }; }
/* NOMEM or FULL when any write failed. */
ERR buf_check(const struct buf *b);

#endif
