#include "keys/change/waiting.h"

#include "keys/intake/names.h"

/* version u8 | flags u8 | type u8 | 0 | effective u32 | since u64 | received u64 | ch | rk | other_rk | number_sid | new_sid | from | ticket | next
 * The version is none of payload.h's. The first form was of changes of number that waited: version | asked u8 | effective | since | ch | rk | new_sid
 * | ticket | next. */
enum {
    FORM_FIRST = 0x43, FORM_VERSION = 0x44, FIRST_BYTES = 1 + 1 + 4 + 8 + 16 * 5,
    F_ASKED = 1, F_NUMBER = 2, F_KNOWN = 4, F_FROM = 8, F_RELEASED = 16, F_HELD = 32, F__ALL = 63
};

void nz_waiting_encode(const struct nz_waiting *w, struct buf *out)
{
    buf_putc(out, FORM_VERSION);
    buf_putc(out, (uint8_t)((w->asked ? F_ASKED : 0) | (w->has_number ? F_NUMBER : 0) | (w->number_known ? F_KNOWN : 0) |
                            (w->has_from ? F_FROM : 0) | (w->released ? F_RELEASED : 0) | (w->held ? F_HELD : 0)));
    buf_putc(out, (uint8_t)w->type);
    buf_putc(out, 0);
    buf_be32(out, w->effective);
    buf_be64(out, w->since_ms);
    buf_be64(out, w->received_ms);
    buf_put(out, ARR(w->ch));
    buf_put(out, ARR(w->rk));
    buf_put(out, ARR(w->other_rk));
    buf_put(out, ARR(w->number_sid));
    buf_put(out, ARR(w->new_sid));
    buf_put(out, ARR(w->from));
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

static ERR decode_first(struct slice in, struct nz_waiting *ret_w)
{
    if (in.n != FIRST_BYTES || in.p[1] > 1)
        return FAIL(E_SEAL);
    struct nz_waiting w = { .type = NZ_CH_NUMBER, .asked = in.p[1] };
    in = slice_of(in.p + 2, in.n - 2);
    w.effective = (ymd_t)take_int(&in, 4);
    w.since_ms = w.received_ms = take_int(&in, 8);
    take_16(&in, w.ch);
    take_16(&in, w.rk);
    take_16(&in, w.new_sid);
    take_16(&in, w.ticket);
    take_16(&in, w.next);
    *ret_w = w;
    return OK;
}

static bool well_formed(const struct nz_waiting *w)
{
    if (w->type <= NZ_CH_NONE || w->type >= NZ_CH__MAX)
        return false;
    return nz_waiting_has_ticket(w) || (!w->asked && !w->has_from);
}

ERR nz_waiting_decode(struct slice plain, struct nz_waiting *ret_w)
{
    if (plain.n && plain.p[0] == FORM_FIRST)
        return decode_first(plain, ret_w);
    if (plain.n != NZ_WAITING_BYTES || plain.p[0] != FORM_VERSION || (plain.p[1] & ~F__ALL) || plain.p[3])
        return FAIL(E_SEAL);
    struct nz_waiting w = {
        .type = plain.p[2], .asked = plain.p[1] & F_ASKED, .has_number = plain.p[1] & F_NUMBER, .number_known = plain.p[1] & F_KNOWN,
        .has_from = plain.p[1] & F_FROM, .released = plain.p[1] & F_RELEASED,
        .held = plain.p[1] & F_HELD };
    struct slice in = slice_of(plain.p + 4, plain.n - 4);
    w.effective = (ymd_t)take_int(&in, 4);
    w.since_ms = take_int(&in, 8);
    w.received_ms = take_int(&in, 8);
    take_16(&in, w.ch);
    take_16(&in, w.rk);
    take_16(&in, w.other_rk);
    take_16(&in, w.number_sid);
    take_16(&in, w.new_sid);
    take_16(&in, w.from);
    take_16(&in, w.ticket);
    take_16(&in, w.next);
    if (!well_formed(&w))
        return FAIL(E_SEAL);
    *ret_w = w;
    return OK;
}

bool nz_waiting_is(struct slice plain) { return plain.n && (plain.p[0] == FORM_FIRST || plain.p[0] == FORM_VERSION); }

bool nz_waiting_keeps(enum nz_code why) { return why != NZ_CODE_TOO_MUCH && why != NZ_CODE_TICKET_LOST; }

/* ---- names ---- */

struct slice nz_waiting_queue(void) { return LIT("ch:wait"); }

static void line_name(const char muni[static 6], const uint8_t rk[static 16], struct store_name *ret_k)
{
    struct nz_task_id id; /* 16 bytes in hex, whatever they are */
    memcpy(id.b, rk, sizeof id.b);
    memcpy(ret_k->c, "ch:q:", 5);
    memcpy(ret_k->c + 5, muni, 6);
    ret_k->c[11] = ':';
    nz_task_id_format(&id, ret_k->c + 12);
    ret_k->n = 12 + NZ_CH_HEX;
}

size_t nz_waiting_lines(const char muni[static 6], const struct nz_waiting *w, struct store_name ret_line[static 2])
{
    line_name(muni, w->rk, &ret_line[0]);
    if (!nz_waiting_has_other(w) || slice_eq(ARR(w->rk), ARR(w->other_rk)))
        return 1;
    line_name(muni, w->other_rk, &ret_line[1]);
    return 2;
}
