#ifndef GW_AUDIT_WIRE_NUM_H
#define GW_AUDIT_WIRE_NUM_H

/* Big endian numbers in messages and index files of fixed size. */

#include <stddef.h>
#include <stdint.h>

static inline void be_put(uint8_t *p, uint64_t v, unsigned n)
{
    while (n--)
        *p++ = (uint8_t)(v >> (8 * n));
}

static inline uint64_t be_get(const uint8_t *p, unsigned n)
{
    uint64_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

#endif
