/* Plain form: version u8 (2) | flags u8 | from u32 | to u32 | ended u32 | stored_ms u64 | task[16] | row u32
 *             | eligibility length u32 | basic length u32 | eligibility | basic     (big endian)
 * Version 1 has no `ended` and the first three flags; it is still read. A record of version 2 that was written before FLAG_RECOVERY does not have it. */
#include "gateway/store/store.h"

enum { RECORD_VERSION = 2, RECORD_HEADER = 1 + 1 + 4 + 4 + 4 + 8 + 16 + 4 + 4 + 4, ENDED_BYTES = 4 };
enum { FLAG_NOT_DISCLOSED = 1, FLAG_DELETED = 2, FLAG_UPDATED = 4, FLAG_STOPPED = 8, FLAG_REMOVAL = 16, FLAG_RECOVERY = 32 };

static const struct { uint8_t flags, header; } VERSIONS[] = {
    [1] = { FLAG_NOT_DISCLOSED | FLAG_DELETED | FLAG_UPDATED, RECORD_HEADER - ENDED_BYTES },
    [2] = { FLAG_NOT_DISCLOSED | FLAG_DELETED | FLAG_UPDATED | FLAG_STOPPED | FLAG_REMOVAL | FLAG_RECOVERY, RECORD_HEADER },
};

struct err record_encode(const struct record *r, struct buf *out)
{
    size_t room = STORE_RECORD_MAX - RECORD_HEADER;
    if (r->eligibility.n > room || r->basic.n > room - r->eligibility.n)
        return FAIL(E_FULL);
    buf_putc(out, RECORD_VERSION);
    buf_putc(out, (uint8_t)((r->not_disclosed ? FLAG_NOT_DISCLOSED : 0) | (r->deleted ? FLAG_DELETED : 0) | (r->updated ? FLAG_UPDATED : 0) |
                            (r->viewing_stopped ? FLAG_STOPPED : 0) | (r->removal ? FLAG_REMOVAL : 0) | (r->recovery ? FLAG_RECOVERY : 0)));
    buf_be32(out, r->from);
    buf_be32(out, r->to);
    buf_be32(out, r->ended);
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

static bool head_ok(struct slice plain)
{
    if (plain.n < 2 || plain.n > STORE_RECORD_MAX || plain.p[0] == 0 || plain.p[0] >= sizeof VERSIONS / sizeof VERSIONS[0])
        return false;
    return plain.n >= VERSIONS[plain.p[0]].header && !(plain.p[1] & ~VERSIONS[plain.p[0]].flags);
}

struct err record_decode(struct slice plain, struct record *ret_r)
{
    struct slice in = plain, task;
    if (!head_ok(plain))
        return FAIL(E_SEAL);
    uint64_t version = take_be(&in, 1), flags = take_be(&in, 1);
    struct record r = { .not_disclosed = flags & FLAG_NOT_DISCLOSED, .deleted = flags & FLAG_DELETED, .updated = flags & FLAG_UPDATED,
                        .viewing_stopped = flags & FLAG_STOPPED, .removal = flags & FLAG_REMOVAL, .recovery = flags & FLAG_RECOVERY };
    r.from = (ymd_t)take_be(&in, 4);
    r.to = (ymd_t)take_be(&in, 4);
    r.ended = version == 1 ? 0 : (ymd_t)take_be(&in, ENDED_BYTES);
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

bool record_silences(const struct record *r) { return r->not_disclosed || r->viewing_stopped || r->recovery; }

bool record_valid_on(const struct record *r, ymd_t day)
{
    return !r->deleted && !record_silences(r) && (r->from == 0 || r->from <= day) && (r->to == 0 || day <= r->to) &&
           (r->ended == 0 || day < r->ended);
}

bool record_same(const struct record *a, const struct record *b)
{
    return a->not_disclosed == b->not_disclosed && a->viewing_stopped == b->viewing_stopped && a->recovery == b->recovery && a->removal == b->removal &&
           a->deleted == b->deleted && a->from == b->from && a->to == b->to && a->ended == b->ended &&
           slice_eq(a->eligibility, b->eligibility) && slice_eq(a->basic, b->basic);
}

/* ---- the end of a person in a municipality: version u8 (1) | why u8 | from u32 | stored_ms u64 ---- */

enum { END_VERSION = 1, END_BYTES = 1 + 1 + 4 + 8 };

void store_end_encode(const struct store_end *e, struct buf *out)
{
    buf_putc(out, END_VERSION);
    buf_putc(out, (uint8_t)e->why);
    buf_be32(out, e->from);
    buf_be64(out, e->stored_ms);
}

struct err store_end_decode(struct slice plain, struct store_end *ret_e)
{
    struct slice in = plain;
    if (plain.n != END_BYTES || plain.p[0] != END_VERSION || plain.p[1] < STORE_END_MOVED || plain.p[1] > STORE_END_FORCED)
        return FAIL(E_SEAL);
    take_be(&in, 1);
    ret_e->why = (enum store_end_why)take_be(&in, 1);
    ret_e->from = (ymd_t)take_be(&in, 4);
    ret_e->stored_ms = take_be(&in, 8);
    return OK;
}
