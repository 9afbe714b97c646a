/* A file is taken back: its undo entries from the last to the first, some at a time. A record that is still the one that the file wrote gets back what stood
 * there before, or is taken away; one that was changed since stays.
 *
 *   COLLECT ▶ NAMES ▶ READ ▶ AUDIT ▶ WRITE ▶ COLLECT ...
 *
 * After a crash the entries behind the checkpoint are done again: what stands there is then exactly what is to stand there. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "keys/bulk/script.h"
#include "keys/intake/outbox.h"

enum { CHUNK = 64, PLAIN_MAX = 4 * NZ_FRAME_PLAIN };

struct one {
    struct nz_undo_entry e; /* slices borrow from the segment */
    bool ours, done;
};

/* Frames from one that begins with an entry up to the next such one. */
struct segment { struct nz_frames_at at; uint32_t frames; };

struct nz_undoing {
    struct nz_frames *f;
    struct segment *seg;
    size_t n_seg, left;      /* left: segments that were not taken */
    struct buf plain;        /* of the segment that is worked on */
    size_t *offset;          /* of its entries */
    size_t n_offset, cap_offset;
    uint8_t *seen;           /* a bit for each row */
    uint64_t rows_max, skip; /* skip: results that an earlier run told */
    enum { U_COLLECT, U_NAMES, U_READ, U_AUDIT, U_WRITE } step;
    bool busy;
    uint64_t fence;
    size_t n, n_locks;
    struct one one[CHUNK];
    uint8_t lock[CHUNK][NZ_LOCK_BYTES];
};

/* ---- the index ---- */

static ERR segment_add(struct nz_undoing *u, struct nz_frames_at at)
{
    struct segment *more = (u->n_seg & (u->n_seg - 1)) == 0 ? realloc(u->seg, (u->n_seg ? 2 * u->n_seg : 1) * sizeof *more) : u->seg;
    if (!more)
        return FAIL(E_NOMEM);
    u->seg = more;
    u->seg[u->n_seg++] = (struct segment){ at, 0 };
    return OK;
}

static bool row_seen(const struct nz_undoing *u, uint32_t row) { return u->seen[row / 8] & (1u << row % 8); }

/* Counts the rows; the entries of a row that was taken up again after a crash count once. */
static ERR rows_mark(struct nz_undoing *u, struct slice *in, uint64_t *count)
{
    struct nz_undo_entry e;
    struct err err;
    while (err_ok(err = nz_undo_decode(in, &e))) {
        if (e.row > u->rows_max)
            return FAIL(E_SEAL);
        *count += !row_seen(u, e.row);
        u->seen[e.row / 8] |= (uint8_t)(1u << e.row % 8);
    }
    return err_is(err, E_NOTHING) ? OK : err;
}

static ERR index_make(struct nz_undoing *u, uint64_t *ret_rows)
{
    struct nz_frames_at at = { 0 }, before = at;
    struct err e;
    uint64_t count = 0;
    bool whole = true;
    while (err_ok(e = nz_frames_read(u->f, &at, &u->plain))) {
        struct slice in = buf_slice(&u->plain);
        if (whole)
            TRY(segment_add(u, before));
        u->seg[u->n_seg - 1].frames++;
        TRY(rows_mark(u, &in, &count));
        buf_drop(&u->plain, u->plain.n - in.n);
        whole = u->plain.n == 0;
        before = at;
    }
    buf_reset(&u->plain);
    u->left = u->n_seg;
    *ret_rows = count;
    return err_is(e, E_NOTHING) ? OK : e;
}

ERR bulk__undo_begin(struct nz_run *r)
{
    enum { ROWS_MAX = 1 << 26 };
    struct nz_undoing *u = r->undoing = calloc(1, sizeof *u);
    if (!u)
        return FAIL(E_NOMEM);
    buf_init(&u->plain, PLAIN_MAX);
    u->rows_max = ROWS_MAX;
    u->seen = calloc(ROWS_MAX / 8 + 1, 1); /* untouched pages cost nothing */
    if (!u->seen)
        return FAIL(E_NOMEM);
    struct err e = nz_spool_frames(r->of_entry, NZ_SPOOL_UNDO, NZ_SPOOL_READ, &u->f);
    if (err_is(e, E_NOTHING)) { /* nothing was written, or it is too late */
        r->eof = true;
        return OK;
    }
    TRY(e);
    TRY(index_make(u, &r->t.task.rows));
    free(u->seen);
    u->seen = calloc(ROWS_MAX / 8 + 1, 1);
    u->skip = r->t.checkpoint;
    return u->seen ? OK : FAIL(E_NOMEM);
}

static void names_give(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    nz_locks_give(nz_outbox_locks(r->in->outbox), (const uint8_t (*)[NZ_LOCK_BYTES])u->lock, u->n_locks);
    u->n_locks = 0;
}

void bulk__undo_free(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    if (!u)
        return;
    names_give(r);
    nz_frames_close(u->f);
    buf_done(&u->plain);
    free(u->seg);
    free(u->offset);
    free(u->seen);
    free(u);
    r->undoing = NULL;
}

bool bulk__undo_busy(const struct nz_run *r) { return r->undoing && r->undoing->busy; }

/* ---- collect ---- */

static ERR offsets_make(struct nz_undoing *u)
{
    struct slice in = buf_slice(&u->plain);
    struct nz_undo_entry e;
    u->n_offset = 0;
    for (;;) {
        size_t at = u->plain.n - in.n;
        struct err err = nz_undo_decode(&in, &e);
        if (!err_ok(err))
            return err_is(err, E_NOTHING) ? OK : err;
        if (u->n_offset == u->cap_offset) {
            size_t cap = u->cap_offset ? 2 * u->cap_offset : 256;
            size_t *more = realloc(u->offset, cap * sizeof *more);
            if (!more)
                return FAIL(E_NOMEM);
            u->offset = more;
            u->cap_offset = cap;
        }
        u->offset[u->n_offset++] = at;
    }
}

static ERR segment_take(struct nz_undoing *u)
{
    struct nz_frames_at at = u->seg[u->left - 1].at;
    buf_reset(&u->plain);
    for (uint32_t i = 0; i < u->seg[u->left - 1].frames; i++)
        TRY(nz_frames_read(u->f, &at, &u->plain));
    TRY(offsets_make(u));
    u->left--;
    return OK;
}

static bool written_before(const struct nz_undoing *u, const struct nz_undo_entry *e)
{
    for (size_t i = 0; i < u->n; i++) {
        if (slice_eq(u->one[i].e.field, e->field) && slice_eq(ARR(u->one[i].e.person.h), ARR(e->person.h)))
            return true;
    }
    return false;
}

/* Does not go into the next segment while entries of this one are held. */
static ERR collect(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    u->n = 0;
    while (u->n < CHUNK) {
        if (!u->n_offset) {
            if (u->n || !u->left)
                break;
            TRY(segment_take(u));
            continue;
        }
        size_t at = u->offset[--u->n_offset];
        struct slice in = slice_of(u->plain.p + at, u->plain.n - at);
        struct one *x = &u->one[u->n];
        *x = (struct one){ .ours = false };
        TRY(nz_undo_decode(&in, &x->e));
        if (row_seen(u, x->e.row))
            continue;
        if (written_before(u, &x->e)) { /* by two rows of the file: the later one is taken back first */
            u->n_offset++;
            break;
        }
        u->seen[x->e.row / 8] |= (uint8_t)(1u << x->e.row % 8);
        if (u->skip)
            u->skip--;
        else
            u->n++;
    }
    return OK;
}

/* ---- read ---- */

static void again(struct nz_run *r, struct err e)
{
    r->undoing->busy = false;
    bulk__run_pause(r, e, "undo");
    bulk__run_soon(r);
}

static bool is_record_of(struct nz_run *r, const struct nz_undo_entry *e, struct slice sealed)
{
    struct store_name name;
    struct record rec;
    buf_reset(&r->work2);
    store_name_person(&e->person, &name);
    struct err err = store_open(r->in->store, slice_of(r->muni, 6), &name, e->field, sealed, &r->work2);
    if (err_ok(err))
        err = record_decode(buf_slice(&r->work2), &rec);
    return err_ok(err) && rec.row == e->row && slice_eq(ARR(rec.task), ARR(r->t.of.b));
}

static void records_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    if (err_ok(e) && n != u->n)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        again(r, e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct one *x = &u->one[i];
        const struct slice now = redis_reply_str(replies[i]);
        x->done = x->e.there ? slice_eq(now, x->e.before) : !now.n; /* before a crash */
        x->ours = !x->done && now.n && is_record_of(r, &x->e, now);
    }
    u->busy = false;
    u->step = U_AUDIT;
    bulk__run_fine(r);
    bulk__run_soon(r);
}

static void records_ask(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    struct redis_batch *out = redis_batch_new(64 * 1024);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return;
    }
    for (size_t i = 0; i < u->n; i++) {
        struct store_name name;
        store_name_person(&u->one[i].e.person, &name);
        REDIS_ADD(out, LIT("HGET"), store_name_slice(&name), u->one[i].e.field);
    }
    u->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), records_came, r);
}

/* ---- audit, write, tell ---- */

static void audited(void *arg, struct err e)
{
    struct nz_run *r = arg;
    if (!err_ok(e)) {
        again(r, e);
        return;
    }
    r->undoing->busy = false;
    r->undoing->step = U_WRITE;
    bulk__run_soon(r);
}

static void audit(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    uint64_t count = 0;
    for (size_t i = 0; i < u->n; i++)
        count += u->one[i].ours;
    u->step = U_WRITE;
    if (!count)
        return;
    u->step = U_AUDIT;
    u->busy = true;
    struct audit_rec rec = bulk__audit(r, AU_TASK_UNDONE, count);
    audit_append(r->in->audit, &rec, bulk__deadline(r), audited, r);
}

static ERR tell(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    buf_reset(&r->work);
    for (size_t i = 0; i < u->n; i++) {
        bool good = u->one[i].ours || u->one[i].done;
        struct nz_result_entry e = { .row = u->one[i].e.row, .result = { .result = good ? NZ_UPDATED : NZ_REFUSED,
                                                                         .code = good ? NZ_CODE_NONE : NZ_CODE_CHANGED_SINCE } };
        nz_entry_encode(&e, &r->work);
    }
    TRY(buf_check(&r->work));
    TRY(nz_frames_append(r->results.f, buf_slice(&r->work)));
    for (size_t i = 0; i < u->n; i++)
        r->told[u->one[i].ours || u->one[i].done ? NZ_UPDATED : NZ_REFUSED]++;
    r->rows_told += u->n;
    return OK;
}

static void chunk_end(struct nz_run *r)
{
    struct err e = tell(r);
    if (!err_ok(e)) {
        r->undoing->step = U_READ; /* what was written is found done */
        bulk__run_pause(r, e, "undo");
        return;
    }
    names_give(r);
    r->undoing->step = U_COLLECT;
    bulk__run_fine(r);
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    u->busy = false;
    if (err_ok(e) && n == 1 && redis_reply_int(replies[0]) == NZ_SCRIPT_DONE) {
        chunk_end(r);
    } else {
        if (!err_ok(e))
            bulk__run_pause(r, e, "undo");
        r->fence_lost = r->fence_lost || u->fence == r->fence;
        u->step = U_READ;
    }
    bulk__run_soon(r);
}

static void put_restored(const struct nz_run *r, struct nz_args *a)
{
    const struct nz_undoing *u = r->undoing;
    nz_args_unguarded(a);
    for (size_t i = 0; i < u->n; i++) {
        const struct one *x = &u->one[i];
        struct store_name name;
        if (!x->ours)
            continue;
        store_name_person(&x->e.person, &name);
        if (x->e.there)
            NZ_ARGS(a, LIT("HSET"), store_name_slice(&name), x->e.field, x->e.before);
        else
            NZ_ARGS(a, LIT("HDEL"), store_name_slice(&name), x->e.field);
    }
}

static void restore(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    struct nz_args count = { 0 }, put = { 0 };
    bool any = false;
    for (size_t i = 0; i < u->n; i++)
        any = any || u->one[i].ours;
    if (!any) {
        chunk_end(r);
        return;
    }
    put.out = redis_batch_new(PLAIN_MAX + CHUNK * 512);
    if (!put.out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return;
    }
    put_restored(r, &count);
    nz_script_begin(put.out, &r->name_t, r->fence, count.n);
    put_restored(r, &put);
    u->busy = true;
    u->fence = r->fence;
    redis_send(r->in->redis, put.out, bulk__deadline(r), written, r);
}

/* ---- the pump ---- */

static void names_take(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    for (size_t i = 0; i < u->n; i++) {
        if (!hex_decode(ARR(u->one[i].e.person.h), u->lock[i], NZ_LOCK_BYTES)) {
            r->read_failed = FAIL(E_SEAL);
            return;
        }
    }
    if (nz_locks_take(nz_outbox_locks(r->in->outbox), (const uint8_t (*)[NZ_LOCK_BYTES])u->lock, u->n)) {
        u->n_locks = u->n;
        u->step = U_READ;
    } else {
        timer_start(r->timer, NZ_BULK_NAMES_MS);
    }
}

static void collect_next(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    if (r->b->closed)
        return;
    struct err e = collect(r);
    if (!err_ok(e)) {
        LOG(ERROR, "undo_not_readable", LF("error", e));
        r->read_failed = e;
    } else if (u->n) {
        u->step = U_NAMES;
        return;
    }
    if (!u->left || !err_ok(e))
        r->eof = true;
}

void bulk__undo_pump(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    for (int turns = 0; turns < 4 && !r->eof && !u->busy && !r->fence_lost && loop_now(r->in->loop) >= r->not_before; turns++) {
        if (u->step == U_COLLECT)
            collect_next(r);
        else if (u->step == U_NAMES)
            names_take(r);
        else if (u->step == U_READ)
            records_ask(r);
        else if (u->step == U_AUDIT)
            audit(r);
        else
            restore(r);
    }
    if (r->eof)
        r->step = NZ_RUN_DRAIN;
    else if (!u->busy && u->step != U_NAMES && !r->b->closed)
        bulk__run_soon(r);
}
