/* The rows of a file that the outbox applied: which they are, and what they replaced. tu: holds an entry of each, written together with the record. */

#include "keys/bulk/undo_work.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "keys/bulk/script.h"

enum { SCAN_ROWS = 1000 };

#define TAKEN_BACK "1"

/* ---- which rows, before anything is taken back ---- */

/* A row that an officer let go on at the moment when the undo was asked for: it ends first. */
static bool rows_wait(struct nz_run *r, const struct redis_reply *hash)
{
    struct nz_file_task of = { .task = { .id = r->t.of } };
    bool is_file = false, good = true;
    for (size_t i = 0; good && i + 1 < redis_reply_len(hash); i += 2)
        good = nz_file_task_field(&of, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1)));
    return good && nz_file_task_complete(&of, &is_file) && !nz_file_task_over(&of);
}

static ERR scan_take(struct nz_undoing *u, const struct redis_reply *fields)
{
    for (size_t i = 0; i + 1 < redis_reply_len(fields); i += 2) {
        uint64_t row;
        if (!u64_parse(redis_reply_str(redis_reply_at(fields, i)), &row) || row == 0 || row >= NZ_UNDO_ROWS_MAX)
            return FAIL(E_SEAL);
        u->n_later += !bulk__undo_bit(u->later, (uint32_t)row); /* a walk may show a field twice */
        bulk__undo_mark(u->later, (uint32_t)row);
    }
    return OK;
}

static void look_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    struct slice cursor = SLICE_NONE;
    r->busy = false;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && rows_wait(r, replies[0]))
        e = FAIL(E_NOT_COMPLETE);
    if (err_ok(e)) {
        cursor = redis_reply_str(redis_reply_at(replies[1], 0));
        e = cursor.n && cursor.n < sizeof u->cursor ? scan_take(u, redis_reply_at(replies[1], 1)) : FAIL(E_STORE_REFUSED);
    }
    if (err_ok(e)) {
        memcpy(u->cursor, cursor.p, cursor.n);
        u->cursor[cursor.n] = 0;
        u->looked = slice_eq(cursor, LIT("0"));
        bulk__run_fine(r);
    } else {
        bulk__run_pause(r, e, "undo");
    }
    bulk__run_soon(r);
}

static ERR undoing_new(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing = calloc(1, sizeof *u);
    if (!u)
        return FAIL(E_NOMEM);
    buf_init(&u->plain, NZ_UNDO_PLAIN_MAX);
    nz_name_task("tu", r->muni, &r->t.of, &u->name_tu);
    u->seen = calloc(NZ_UNDO_ROWS_MAX / 8, 1); /* untouched pages cost nothing */
    u->later = calloc(NZ_UNDO_ROWS_MAX / 8, 1);
    u->later_at = NZ_UNDO_ROWS_MAX;
    u->cursor[0] = '0';
    if (u->seen && u->later)
        return OK;
    bulk__undo_free(r);
    return FAIL(E_NOMEM);
}

bool bulk__undo_look(struct nz_run *r)
{
    struct store_name of;
    struct redis_batch *out;
    if (r->undoing && r->undoing->looked)
        return true;
    struct err e = r->undoing ? OK : undoing_new(r);
    out = err_ok(e) ? redis_batch_new(1024) : NULL;
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return false;
    }
    nz_name_task("t", r->muni, &r->t.of, &of);
    REDIS_ADD(out, LIT("HGETALL"), store_name_slice(&of));
    redis_begin(out, 5);
    redis_arg(out, LIT("HSCAN"));
    redis_arg(out, store_name_slice(&r->undoing->name_tu));
    redis_arg(out, slice_str(r->undoing->cursor));
    redis_arg(out, LIT("COUNT"));
    redis_arg_u64(out, SCAN_ROWS);
    r->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), look_came, r);
    return false;
}

/* ---- their entries ---- */

static struct slice row_text(uint32_t row, char digits[static 10]) { return slice_of(digits, nz_row_format(row, digits)); }

/* Appends the entry to *plain; it is decoded once nothing is appended any more. */
static ERR entry_open(struct nz_run *r, uint32_t row, struct slice sealed, struct buf *plain)
{
    char digits[10];
    if (!sealed.n)
        return FAIL(E_SEAL);
    return store_open(r->in->store, slice_of(r->muni, 6), &r->undoing->name_tu, row_text(row, digits), sealed, plain);
}

static ERR entry_decode(struct slice plain, uint32_t row, struct nz_undo_entry *ret_e)
{
    struct nz_undo_entry e;
    TRY(nz_undo_decode(&plain, &e));
    if (plain.n || e.row != row)
        return FAIL(E_SEAL);
    *ret_e = e;
    return OK;
}

/* ---- a record that a later row of the file replaced ---- */

static bool same_place(const struct nz_undo_entry *a, const struct nz_undo_entry *b)
{
    return slice_eq(a->field, b->field) && slice_eq(ARR(a->person.h), ARR(b->person.h));
}

/* The row that x->ask replaced is x's own, or a later one still, which is asked for next. Rows only go down: it ends. */
static void chain_step(struct nz_run *r, struct nz_undo_one *x, struct slice sealed)
{
    struct nz_undoing *u = r->undoing;
    struct nz_undo_entry e;
    const uint32_t row = x->ask;
    uint32_t writer = 0;
    x->ask = 0;
    buf_reset(&r->work);
    if (err_ok(entry_open(r, row, sealed, &r->work)) && err_ok(entry_decode(buf_slice(&r->work), row, &e)) && same_place(&e, &x->e))
        writer = bulk__undo_writer(r, &e, e.before);
    x->hop[x->n_hops++] = row;
    if (writer == x->e.row)
        x->ours = true;
    else if (writer > x->e.row && writer < row && bulk__undo_bit(u->later, writer) && x->n_hops < NZ_UNDO_HOPS)
        x->ask = writer;
    else
        x->n_hops = 0;
}

static void chain_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    size_t at = 0;
    if (!err_ok(e)) {
        u->step = U_READ;
        bulk__undo_again(r, e);
        return;
    }
    u->busy = false;
    u->step = U_AUDIT;
    for (size_t i = 0; i < u->n; i++) {
        if (u->one[i].ask && at < n)
            chain_step(r, &u->one[i], redis_reply_str(replies[at++]));
        if (u->one[i].ask)
            u->step = U_CHAIN;
    }
    bulk__run_soon(r);
}

void bulk__undo_chain(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    struct redis_batch *out = redis_batch_new(64 * 1024);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return;
    }
    for (size_t i = 0; i < u->n; i++) {
        char digits[10];
        if (u->one[i].ask)
            REDIS_ADD(out, LIT("HGET"), store_name_slice(&u->name_tu), row_text(u->one[i].ask, digits));
    }
    u->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), chain_came, r);
}

void bulk__undo_put_mark(const struct nz_undoing *u, uint32_t row, struct nz_args *a)
{
    char digits[10];
    NZ_ARGS(a, LIT("HSET"), store_name_slice(&u->name_tu), row_text(row, digits), LIT(TAKEN_BACK));
}

/* ---- the rest of them, from the last to the first ---- */

static uint32_t below(const struct nz_undoing *u, uint32_t row)
{
    while (row > 1) {
        if (row % 8 == 0 && !u->later[row / 8 - 1])
            row -= 8;
        else if (bulk__undo_bit(u->later, --row))
            return row;
    }
    return 0;
}

/* The entries lie one behind the other in plain; where is known only when all are there. */
static void later_take(struct nz_run *r, const struct redis_reply *values)
{
    struct nz_undoing *u = r->undoing;
    size_t from[NZ_UNDO_CHUNK + 1], n = u->n;
    buf_reset(&u->plain);
    for (size_t i = 0; i < n; i++) {
        struct nz_undo_one *x = &u->one[i];
        const struct slice value = redis_reply_str(redis_reply_at(values, i));
        from[i] = u->plain.n;
        x->done = slice_eq(value, LIT(TAKEN_BACK));
        if (!x->done)
            x->unreadable = !err_ok(entry_open(r, x->e.row, value, &u->plain));
    }
    from[n] = u->plain.n;
    for (size_t i = u->n = 0; i < n; i++, u->n++) {
        struct nz_undo_one *x = &u->one[i];
        if (x->done || x->unreadable)
            continue;
        x->unreadable = !err_ok(entry_decode(slice_of(u->plain.p + from[i], from[i + 1] - from[i]), x->e.row, &x->e));
        if (!x->unreadable && bulk__undo_twice(u, &x->e))
            return;
    }
}

static void later_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != u->n))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        bulk__undo_again(r, e);
        return;
    }
    later_take(r, replies[0]);
    u->later_at = u->one[u->n - 1].e.row;
    u->busy = false;
    u->step = U_NAMES;
    bulk__run_soon(r);
}

void bulk__undo_later(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    uint32_t row;
    while (u->skip && (row = below(u, u->later_at))) {
        u->later_at = row;
        u->skip--;
    }
    u->n = 0;
    for (row = below(u, u->later_at); row && u->n < NZ_UNDO_CHUNK; row = below(u, row))
        u->one[u->n++] = (struct nz_undo_one){ .e = { .row = row } };
    if (!u->n) {
        r->eof = true;
        return;
    }
    struct redis_batch *out = redis_batch_new(16 * 1024);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return;
    }
    redis_begin(out, 2 + u->n);
    redis_arg(out, LIT("HMGET"));
    redis_arg(out, store_name_slice(&u->name_tu));
    for (size_t i = 0; i < u->n; i++)
        redis_arg_u64(out, u->one[i].e.row);
    u->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), later_came, r);
}
