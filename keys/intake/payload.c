#include "keys/intake/payload.h"

/* version u8 | flags u8 | sid | ticket | next | rk[32] | since u64, with F_SINCE only |
 * owner | rk[16] | retie u8, with F_SEEN only | (len u32, bytes) of field, record, result
 * What was stored before a flag was known has it not set, and reads as before. */
enum { FORM_VERSION = 1, F_TICKET = 1, F_NEXT = 2, F_RK = 4, F_RELEASED = 8, F_SINCE = 16, F_FILE = 32, F_SEEN = 64, F__ALL = 127 };

static void put_part(struct buf *out, struct slice s)
{
    buf_be32(out, (uint32_t)s.n);
    buf_put(out, s);
}

void nz_payload_encode(const struct nz_payload *p, struct buf *out)
{
    buf_putc(out, FORM_VERSION);
    buf_putc(out, (uint8_t)((p->has_ticket ? F_TICKET : 0) | (p->has_next ? F_NEXT : 0) | (p->has_rk ? F_RK : 0) |
                            (p->released ? F_RELEASED : 0) | (p->since_ms ? F_SINCE : 0) | (p->of_file ? F_FILE : 0) | (p->has_seen ? F_SEEN : 0)));
    buf_put(out, ARR(p->sid));
    buf_put(out, ARR(p->ticket));
    buf_put(out, ARR(p->next));
    buf_put(out, ARR(p->rk));
    if (p->since_ms)
        buf_be64(out, p->since_ms);
    if (p->has_seen) {
        buf_put(out, ARR(p->seen.owner));
        buf_put(out, ARR(p->seen.rk));
        buf_putc(out, p->retie);
    }
    put_part(out, p->field);
    put_part(out, p->record);
    put_part(out, p->result);
}

static bool take_bytes(struct slice *in, void *to, size_t n)
{
    struct slice s;
    if (!slice_take(in, n, &s))
        return false;
    memcpy(to, s.p, n);
    return true;
}

static bool take_part(struct slice *in, struct slice *ret)
{
    uint8_t len[4];
    return take_bytes(in, len, 4) &&
           slice_take(in, (size_t)len[0] << 24 | (size_t)len[1] << 16 | (size_t)len[2] << 8 | len[3], ret);
}

static bool take_since(struct slice *in, uint64_t *ret)
{
    uint8_t b[8];
    if (!take_bytes(in, b, sizeof b))
        return false;
    for (size_t i = 0; i < sizeof b; i++)
        *ret = *ret << 8 | b[i];
    return *ret != 0;
}

static bool take_seen(struct slice *in, struct nz_payload *p)
{
    uint8_t retie;
    p->has_seen = true;
    if (!take_bytes(in, p->seen.owner, sizeof p->seen.owner) || !take_bytes(in, p->seen.rk, sizeof p->seen.rk) || !take_bytes(in, &retie, 1))
        return false;
    p->retie = retie == 1;
    return retie <= 1;
}

ERR nz_payload_decode(struct slice plain, struct nz_payload *ret_p)
{
    struct nz_payload p = { 0 };
    uint8_t head[2];
    if (!take_bytes(&plain, head, 2) || head[0] != FORM_VERSION || (head[1] & ~F__ALL))
        return FAIL(E_SEAL);
    p.has_ticket = head[1] & F_TICKET;
    p.has_next = head[1] & F_NEXT;
    p.has_rk = head[1] & F_RK;
    p.released = head[1] & F_RELEASED;
    p.of_file = head[1] & F_FILE;
    if (!take_bytes(&plain, p.sid, sizeof p.sid) || !take_bytes(&plain, p.ticket, sizeof p.ticket) ||
        !take_bytes(&plain, p.next, sizeof p.next) || !take_bytes(&plain, p.rk, sizeof p.rk) ||
        ((head[1] & F_SINCE) && !take_since(&plain, &p.since_ms)) || ((head[1] & F_SEEN) && !take_seen(&plain, &p)) ||
        !take_part(&plain, &p.field) || !take_part(&plain, &p.record) || !take_part(&plain, &p.result) || plain.n)
        return FAIL(E_SEAL);
    *ret_p = p;
    return OK;
}
