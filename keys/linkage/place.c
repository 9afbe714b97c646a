#include "keys/linkage/place.h"

static size_t count(struct slice s, uint8_t c)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == c;
    return n;
}

void nz_place_run(struct nz_place *p, struct slice s)
{
    if (!s.n)
        return;
    if (p->after_cr || memchr(s.p, '\r', s.n)) {
        for (size_t i = 0; i < s.n; i++)
            nz_place_step(p, s.p[i]);
        return;
    }
    const uint8_t *last = memrchr(s.p, '\n', s.n);
    if (last) {
        size_t k = (size_t)(last - s.p) + 1;
        p->line += count(slice_of(s.p, k), '\n');
        p->column = 1;
        s = slice_of(s.p + k, s.n - k);
    }
    for (size_t i = 0; i < s.n; i++)
        p->column += (s.p[i] & 0xc0) != 0x80;
}
