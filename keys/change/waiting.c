#include "keys/change/waiting.h"

/* version u8 (0x43: no payload.h form begins so) | asked u8 | effective u32 | since u64 | ch | rk | new_sid | ticket | next */
enum { FORM_VERSION = 0x43 };

void nz_waiting_encode(const struct nz_waiting *w, struct buf *out)
{
    buf_putc(out, FORM_VERSION);
    buf_putc(out, w->asked);
    buf_be32(out, w->effective);
    buf_be64(out, w->since_ms);
    buf_put(out, ARR(w->ch));
    buf_put(out, ARR(w->rk));
    buf_put(out, ARR(w->new_sid));
    buf_put(out, ARR(w->ticket));
    buf_put(out, ARR(w->next));
}

static uint64_t take_int(struct slice *in, size_t n)
{
    struct slice s;
    uint64_t v = 0;
    if (!slice_take(in, n, &s))
        return 0;
    for (size_t i = 0; i < n; i++)
        v = v << 8 | s.p[i];
    return v;
}

static void take_16(struct slice *in, uint8_t to[static 16])
{
    struct slice s;
    if (slice_take(in, 16, &s))
        memcpy(to, s.p, 16);
}

ERR nz_waiting_decode(struct slice plain, struct nz_waiting *ret_w)
{
    if (plain.n != NZ_WAITING_BYTES || plain.p[0] != FORM_VERSION || plain.p[1] > 1)
        return FAIL(E_SEAL);
    struct nz_waiting w = { .asked = plain.p[1] };
    struct slice in = slice_of(plain.p + 2, plain.n - 2);
    w.effective = (ymd_t)take_int(&in, 4);
    w.since_ms = take_int(&in, 8);
    take_16(&in, w.ch);
    take_16(&in, w.rk);
    take_16(&in, w.new_sid);
    take_16(&in, w.ticket);
    take_16(&in, w.next);
    *ret_w = w;
    return OK;
}
