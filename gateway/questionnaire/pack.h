#ifndef GW_QUESTIONNAIRE_PACK_H
#define GW_QUESTIONNAIRE_PACK_H

/* Numbers and texts in the plain forms of this folder, big endian. */

#include "gateway/base/buf.h"

static inline bool unpack_be(struct slice *in, size_t bytes, uint64_t *ret)
{
    struct slice part;
    if (!slice_take(in, bytes, &part))
        return false;
    *ret = 0;
    for (size_t i = 0; i < bytes; i++)
        *ret = *ret << 8 | part.p[i];
    return true;
}

static inline bool unpack_bytes(struct slice *in, void *out, size_t n)
{
    struct slice part;
    if (!slice_take(in, n, &part))
        return false;
    memcpy(out, part.p, n);
    return true;
}

/* Length u16, then so many bytes; at most max. */
static inline void pack_text(struct buf *out, struct slice s)
{
    buf_be16(out, (uint16_t)s.n);
    buf_put(out, s);
}

static inline bool unpack_text(struct slice *in, size_t max, struct slice *ret)
{
    uint64_t n;
    return unpack_be(in, 2, &n) && n <= max && slice_take(in, (size_t)n, ret);
}

#endif
