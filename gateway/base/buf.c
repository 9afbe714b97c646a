#include "gateway/base/buf.h"

#include <endian.h>
#include <stdlib.h>

#include "gateway/base/must.h"

void buf_init(struct buf *b, size_t max) { *b = (struct buf){ .max = max }; }

void buf_reset(struct buf *b)
{
    if (b->n)
        explicit_bzero(b->p, b->n);
    b->n = 0;
    b->failed = b->full = false;
}

void buf_done(struct buf *b)
{
    if (b->p) {
        explicit_bzero(b->p, b->cap);
        free(b->p);
    }
    buf_init(b, b->max);
}

/* realloc would leave the old copy behind unwiped. */
static bool grow(struct buf *b, size_t need)
{
    size_t cap = b->cap ? b->cap : 256;
    while (cap < need)
        cap *= 2;
    if (cap > b->max)
        cap = b->max;
    uint8_t *p = malloc(cap);
    if (!p)
        return false;
    if (b->p) {
        memcpy(p, b->p, b->n);
        explicit_bzero(b->p, b->cap);
        free(b->p);
    }
    b->p = p;
    b->cap = cap;
    return true;
}

uint8_t *buf__more(struct buf *b, size_t n)
{
    if (b->failed)
        return NULL;
    b->full = n > b->max - b->n;
    if (b->full || (b->cap - b->n < n && !grow(b, b->n + n))) {
        b->failed = true;
        return NULL;
    }
    return b->p ? b->p + b->n : NULL;
}

void buf_grew(struct buf *b, size_t n)
{
    MUST(n <= b->cap - b->n);
    b->n += n;
}

void buf_puts(struct buf *b, const char *s) { buf_put(b, slice_str(s)); }

void buf_u64(struct buf *b, uint64_t v)
{
    char d[20];
    size_t i = sizeof d;
    do {
        d[--i] = (char)('0' + v % 10);
        v /= 10;
    } while (v);
    buf_put(b, slice_of(d + i, sizeof d - i));
}

void buf_i64(struct buf *b, int64_t v)
{
    if (v < 0)
        buf_putc(b, '-');
    buf_u64(b, v < 0 ? 0 - (uint64_t)v : (uint64_t)v);
}

void buf_hex(struct buf *b, struct slice s)
{
    static const char HEX[] = "0123456789abcdef";
    uint8_t *at = s.n <= SIZE_MAX / 2 ? buf_room(b, 2 * s.n) : NULL;
    if (!at)
        return;
    for (size_t i = 0; i < s.n; i++) {
        at[2 * i] = (uint8_t)HEX[s.p[i] >> 4];
        at[2 * i + 1] = (uint8_t)HEX[s.p[i] & 15];
    }
    b->n += 2 * s.n;
}

void buf_be16(struct buf *b, uint16_t v) { buf_put(b, slice_of(&(uint16_t){ htobe16(v) }, sizeof v)); }
void buf_be32(struct buf *b, uint32_t v) { buf_put(b, slice_of(&(uint32_t){ htobe32(v) }, sizeof v)); }
void buf_be64(struct buf *b, uint64_t v) { buf_put(b, slice_of(&(uint64_t){ htobe64(v) }, sizeof v)); }

void buf_drop(struct buf *b, size_t n)
{
    MUST(n <= b->n);
    if (n == 0)
        return;
    memmove(b->p, b->p + n, b->n - n);
    explicit_bzero(b->p + (b->n - n), n);
    b->n -= n;
}

const char *buf_cstr(struct buf *b)
{
    uint8_t *at = buf_room(b, 1);
    if (!at)
        return NULL;
    *at = 0;
    return (const char *)b->p;
}

struct err buf_check(const struct buf *b)
{
    if (!b->failed)
        return OK;
    return b->full ? FAIL(E_FULL) : FAIL(E_NOMEM);
}
