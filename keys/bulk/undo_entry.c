#include "keys/bulk/undo_entry.h"

enum { HEAD_BYTES = 4 + 4 + 1 + 32 + 1 };

void nz_undo_encode(const struct nz_undo_entry *e, struct buf *out)
{
    buf_be32(out, (uint32_t)(HEAD_BYTES + e->field.n + e->before.n));
    buf_be32(out, e->row);
    buf_be32(out, e->with_row);
    buf_putc(out, e->there);
    buf_put(out, ARR(e->person.h));
    buf_putc(out, (uint8_t)e->field.n);
    buf_put(out, e->field);
    buf_put(out, e->before);
}

static uint32_t be32(const uint8_t *p) { return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3]; }

ERR nz_undo_decode(struct slice *in, struct nz_undo_entry *ret_e)
{
    struct slice rest = *in, len, body, head;
    if (!slice_take(&rest, 4, &len))
        return FAIL(E_NOTHING);
    if (be32(len.p) > NZ_UNDO_ENTRY_MAX || be32(len.p) < HEAD_BYTES)
        return FAIL(E_SEAL);
    if (!slice_take(&rest, be32(len.p), &body))
        return FAIL(E_NOTHING);
    struct nz_undo_entry e = { 0 };
    if (!slice_take(&body, HEAD_BYTES, &head) || head.p[8] > 1 || !slice_take(&body, head.p[41], &e.field) || e.field.n > STORE_NAME_MAX)
        return FAIL(E_SEAL);
    e.row = be32(head.p);
    e.with_row = be32(head.p + 4);
    e.there = head.p[8];
    memcpy(e.person.h, head.p + 9, sizeof e.person.h);
    e.before = body;
    if (!e.row || e.there != (body.n > 0))
        return FAIL(E_SEAL);
    *ret_e = e;
    *in = rest;
    return OK;
}
