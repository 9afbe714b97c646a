#ifndef GW_BASE_SLICE_H
#define GW_BASE_SLICE_H

/* Borrowed, read-only bytes. Compare lengths, never p + n > end. */

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct slice {
    const uint8_t *p;
    size_t n;
};

#define SLICE_NONE ((struct slice){ 0, 0 })
/* A string literal, without its NUL. */
#define LIT(s) ((struct slice){ (const uint8_t *)("" s), sizeof("" s) - 1 })
/* A whole array. */
#define ARR(a) ((struct slice){ (const uint8_t *)(a), sizeof(a) })

static inline struct slice slice_of(const void *p, size_t n) { return (struct slice){ p, n }; }
static inline struct slice slice_str(const char *s) { return (struct slice){ (const uint8_t *)s, s ? strlen(s) : 0 }; }

/* Public bytes only: secrets are compared with secret_equal() of secret.h. */
static inline bool slice_eq(struct slice a, struct slice b) { return a.n == b.n && (a.n == 0 || memcmp(a.p, b.p, a.n) == 0); }

static inline bool slice_starts(struct slice s, struct slice prefix)
{
    return s.n >= prefix.n && slice_eq(slice_of(s.p, prefix.n), prefix);
}

/* Cuts the first n bytes off *in into *out; false and nothing changed when there are fewer. */
static inline bool slice_take(struct slice *in, size_t n, struct slice *out)
{
    if (n > in->n)
        return false;
    *out = (struct slice){ in->p, n };
    if (n) /* an empty slice may have no address */
        in->p += n;
    in->n -= n;
    return true;
}

/* The part before the first sep goes to *head, the part behind it to *tail; false when sep is absent. */
static inline bool slice_cut(struct slice in, uint8_t sep, struct slice *head, struct slice *tail)
{
    const uint8_t *at = in.n ? memchr(in.p, sep, in.n) : NULL;
    if (!at)
        return false;
    size_t k = (size_t)(at - in.p);
    *head = slice_of(in.p, k);
    *tail = slice_of(at + 1, in.n - k - 1);
    return true;
}

#endif
