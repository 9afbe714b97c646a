/* Plain form: version u8 (1) | flags u8 | from u32 | to u32 | stored_ms u64 | task[16] | row u32
 *             | eligibility length u32 | basic length u32 | eligibility | basic     (big endian) */
#include "gateway/store/store.h"

enum { RECORD_VERSION = 1, RECORD_HEADER = 1 + 1 + 4 + 4 + 8 + 16 + 4 + 4 + 4 };
enum { FLAG_NOT_DISCLOSED = 1, FLAG_DELETED = 2, FLAG_UPDATED = 4, FLAGS_ALL = 7 };

struct err record_encode(const struct record *r, struct buf *out)
{
    size_t room = STORE_RECORD_MAX - RECORD_HEADER;
    if (r->eligibility.n > room || r->basic.n > room - r->eligibility.n)
        return FAIL(E_FULL);
    buf_putc(out, RECORD_VERSION);
    buf_putc(out, (uint8_t)((r->not_disclosed ? FLAG_NOT_DISCLOSED : 0) | (r->deleted ? FLAG_DELETED : 0) | (r->updated ? FLAG_UPDATED : 0)));
    buf_be32(out, r->from);
    buf_be32(out, r->to);
    buf_be64(out, r->stored_ms);
    buf_put(out, ARR(r->task));
    buf_be32(out, r->row);
    buf_be32(out, (uint32_t)r->eligibility.n);
    buf_be32(out, (uint32_t)r->basic.n);
    buf_put(out, r->eligibility);
    buf_put(out, r->basic);
    return buf_check(out);
}

static uint64_t take_be(struct slice *in, size_t bytes)
{
    uint64_t v = 0;
    struct slice part;
    if (slice_take(in, bytes, &part))
        for (size_t i = 0; i < part.n; i++)
            v = v << 8 | part.p[i];
    return v;
}

struct err record_decode(struct slice plain, struct record *ret_r)
{
    struct slice in = plain, task;
    if (plain.n < RECORD_HEADER || plain.n > STORE_RECORD_MAX)
        return FAIL(E_SEAL);
    uint64_t version = take_be(&in, 1), flags = take_be(&in, 1);
    if (version != RECORD_VERSION || flags & ~(uint64_t)FLAGS_ALL)
        return FAIL(E_SEAL);
    struct record r = { .not_disclosed = flags & FLAG_NOT_DISCLOSED, .deleted = flags & FLAG_DELETED, .updated = flags & FLAG_UPDATED };
    r.from = (ymd_t)take_be(&in, 4);
    r.to = (ymd_t)take_be(&in, 4);
    r.stored_ms = take_be(&in, 8);
    if (!slice_take(&in, sizeof r.task, &task))
        return FAIL(E_SEAL);
    memcpy(r.task, task.p, sizeof r.task);
    r.row = (uint32_t)take_be(&in, 4);
    size_t n_eligibility = take_be(&in, 4), n_basic = take_be(&in, 4);
    if (!slice_take(&in, n_eligibility, &r.eligibility) || !slice_take(&in, n_basic, &r.basic) || in.n != 0)
        return FAIL(E_SEAL);
    *ret_r = r;
    return OK;
}

bool record_valid_on(const struct record *r, ymd_t day)
{
    return !r->deleted && !r->not_disclosed && (r->from == 0 || r->from <= day) && (r->to == 0 || day <= r->to);
}

bool record_same(const struct record *a, const struct record *b)
{
    return a->not_disclosed == b->not_disclosed && a->deleted == b->deleted && a->from == b->from && a->to == b->to
        && slice_eq(a->eligibility, b->eligibility) && slice_eq(a->basic, b->basic);
}
