/* A file is taken back: its undo entries from the last to the first, some at a time. A record that is still the one that the file wrote gets back what stood
 * there before, or is taken away; one that was changed since stays.
 *
 *   COLLECT ▶ NAMES ▶ READ ▶ (CHAIN) ▶ AUDIT ▶ WRITE ▶ COLLECT ... ▶ LATER ▶ NAMES ▶ READ ▶ AUDIT ▶ WRITE ▶ LATER ...
 *
 * COLLECT: the entries of the file. LATER: those of the rows that the outbox applied. Of one certificate rows were always written in the order of
 * the file, but in any mixture of the two: a record of the file that a row of the outbox replaced is found through that row's entry (CHAIN).
 * After a crash the entries behind the checkpoint are done again: what stands there is then exactly what is to stand there. */

#include "keys/bulk/undo_work.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "keys/bulk/script.h"
#include "keys/intake/outbox.h"

/* ---- the index ---- */

static ERR segment_add(struct nz_undoing *u, struct nz_frames_at at)
{
    struct nz_undo_segment *more = (u->n_seg & (u->n_seg - 1)) == 0 ? realloc(u->seg, (u->n_seg ? 2 * u->n_seg : 1) * sizeof *more) : u->seg;
    if (!more)
        return FAIL(E_NOMEM);
    u->seg = more;
    u->seg[u->n_seg++] = (struct nz_undo_segment){ at, 0 };
    return OK;
}

/* The entries of a row that was taken up again after a crash count once, and not at all when the outbox applied it in the end. */
static bool row_seen(const struct nz_undoing *u, uint32_t row) { return bulk__undo_bit(u->seen, row) || bulk__undo_bit(u->later, row); }

static ERR rows_mark(struct nz_undoing *u, struct slice *in, uint64_t *count)
{
    struct nz_undo_entry e;
    struct err err;
    while (err_ok(err = nz_undo_decode(in, &e))) {
        if (e.row >= NZ_UNDO_ROWS_MAX)
            return FAIL(E_SEAL);
        *count += !row_seen(u, e.row);
        bulk__undo_mark(u->seen, e.row);
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
    struct nz_undoing *u = r->undoing;
    struct err e = nz_spool_frames(r->of_entry, NZ_SPOOL_UNDO, NZ_SPOOL_READ, &u->f);
    u->skip = r->t.checkpoint;
    if (err_ok(e))
        TRY(index_make(u, &r->t.task.rows));
    else if (!err_is(e, E_NOTHING)) /* nothing was written, or it is too late */
        return e;
    r->t.task.rows += u->n_later;
    free(u->seen);
    u->seen = calloc(NZ_UNDO_ROWS_MAX / 8, 1);
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
    free(u->later);
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

bool bulk__undo_twice(const struct nz_undoing *u, const struct nz_undo_entry *e)
{
    for (size_t i = 0; i < u->n; i++) {
        if (u->one[i].e.field.n && slice_eq(u->one[i].e.field, e->field) && slice_eq(ARR(u->one[i].e.person.h), ARR(e->person.h)))
            return true;
    }
    return false;
}

/* Does not go into the next segment while entries of this one are held. */
static ERR collect(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    u->n = 0;
    while (u->n < NZ_UNDO_CHUNK) {
        if (!u->n_offset) {
            if (u->n || !u->left)
                break;
            TRY(segment_take(u));
            continue;
        }
        size_t at = u->offset[--u->n_offset];
        struct slice in = slice_of(u->plain.p + at, u->plain.n - at);
        struct nz_undo_one *x = &u->one[u->n];
        *x = (struct nz_undo_one){ .ours = false };
        TRY(nz_undo_decode(&in, &x->e));
        if (row_seen(u, x->e.row))
            continue;
        if (bulk__undo_twice(u, &x->e)) {
            u->n_offset++;
            break;
        }
        bulk__undo_mark(u->seen, x->e.row);
        if (u->skip)
            u->skip--;
        else
            u->n++;
    }
    return OK;
}

/* ---- read ---- */

void bulk__undo_again(struct nz_run *r, struct err e)
{
    r->undoing->busy = false;
    bulk__run_pause(r, e, "undo");
    bulk__run_soon(r);
}

uint32_t bulk__undo_writer(struct nz_run *r, const struct nz_undo_entry *e, struct slice sealed)
{
    struct store_name name;
    struct record rec;
    if (!sealed.n)
        return 0;
    buf_reset(&r->work2);
    store_name_person(&e->person, &name);
    struct err err = store_open(r->in->store, slice_of(r->muni, 6), &name, e->field, sealed, &r->work2);
    if (err_ok(err))
        err = record_decode(buf_slice(&r->work2), &rec);
    return err_ok(err) && slice_eq(ARR(rec.task), ARR(r->t.of.b)) ? rec.row : 0;
}

static bool is_open(const struct nz_undo_one *x) { return !x->unreadable && x->e.field.n; }

static ERR record_came(struct nz_run *r, struct nz_undo_one *x, const struct redis_reply *two)
{
    const struct slice now = redis_reply_str(redis_reply_at(two, 0));
    x->n_hops = x->ask = 0;
    x->ours = false;
    x->done = x->e.there ? slice_eq(now, x->e.before) : !now.n; /* before a crash */
    const uint32_t writer = x->done ? 0 : bulk__undo_writer(r, &x->e, now);
    x->ours = writer == x->e.row;
    if (writer > x->e.row && bulk__undo_bit(r->undoing->later, writer))
        x->ask = writer;
    return x->ours || x->ask ? bulk__undo_note_ties(r, x, redis_reply_str(redis_reply_at(two, 1))) : OK;
}

static void records_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    size_t at = 0;
    bool asks = false;
    for (size_t i = 0; err_ok(e) && i < u->n; i++) {
        struct nz_undo_one *x = &u->one[i];
        if (is_open(x) && at + 1 < n) {
            e = record_came(r, x, replies[at]);
            x->tells = bulk__may_be_open(replies[at + 1]);
            at += 2;
        }
        asks = asks || x->ask;
    }
    if (!err_ok(e)) {
        bulk__undo_again(r, e);
        return;
    }
    u->busy = false;
    u->step = asks ? U_CHAIN : U_AUDIT;
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
        if (!is_open(&u->one[i]))
            continue;
        store_name_person(&u->one[i].e.person, &name);
        REDIS_ADD(out, LIT("HMGET"), store_name_slice(&name), u->one[i].e.field, store_name_slice(&r->field_s));
        bulk__ask_open(out, &u->one[i].e.person);
    }
    if (!redis_batch_count(out)) {
        redis_batch_free(out);
        u->step = U_AUDIT;
        return;
    }
    u->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), records_came, r);
}

/* ---- audit, write, tell ---- */

static void audited(void *arg, struct err e)
{
    struct nz_run *r = arg;
    if (!err_ok(e)) {
        bulk__undo_again(r, e);
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
        count += u->one[i].ours ? 1 + u->one[i].n_hops : 0;
    u->step = U_WRITE;
    if (!count)
        return;
    u->step = U_AUDIT;
    u->busy = true;
    struct audit_rec rec = bulk__audit(r, AU_TASK_UNDONE, count);
    audit_append(r->in->audit, &rec, bulk__deadline(r), audited, r);
}

static bool is_good(const struct nz_undo_one *x) { return x->ours || x->done; }

static ERR tell(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    buf_reset(&r->work);
    for (size_t i = 0; i < u->n; i++) {
        const struct nz_undo_one *x = &u->one[i];
        struct nz_result_entry e = { .row = x->e.row, .result = { .result = NZ_UPDATED, .code = NZ_CODE_NONE } };
        if (!is_good(x))
            e.result = (struct nz_row_result){ .result = NZ_REFUSED, .code = x->unreadable ? NZ_CODE_UNREADABLE : NZ_CODE_CHANGED_SINCE };
        nz_entry_encode(&e, &r->work);
    }
    TRY(buf_check(&r->work));
    TRY(nz_frames_append(r->results.f, buf_slice(&r->work)));
    for (size_t i = 0; i < u->n; i++)
        r->told[is_good(&u->one[i]) ? NZ_UPDATED : NZ_REFUSED]++;
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
    r->undoing->step = r->undoing->in_later ? U_LATER : U_COLLECT;
    bulk__run_fine(r);
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    struct nz_undoing *u = r->undoing;
    u->busy = false;
    if (err_ok(e) && n == 2 && redis_reply_int(replies[0]) == NZ_SCRIPT_DONE) {
        chunk_end(r);
    } else {
        if (!err_ok(e))
            bulk__run_pause(r, e, "undo");
        r->fence_lost = r->fence_lost || u->fence == r->fence;
        u->step = U_READ;
    }
    bulk__run_soon(r);
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
    put.out = redis_batch_new(NZ_UNDO_CHUNK * NZ_UNDO_ENTRY_MAX + NZ_UNDO_CHUNK * 2048);
    if (!put.out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return;
    }
    bulk__undo_put_restored(r, &count);
    nz_script_begin(put.out, &r->name_t, r->fence, count.n);
    bulk__undo_put_restored(r, &put);
    if (put.n != count.n) { /* no memory for a message the second time */
        redis_batch_free(put.out);
        bulk__run_pause(r, FAIL(E_NOMEM), "undo");
        return;
    }
    u->busy = true;
    u->fence = r->fence;
    redis_raise(put.out, STORE_EPOCH);
    redis_send(r->in->redis, put.out, bulk__deadline(r), written, r);
}

/* ---- the pump ---- */

static void names_take(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    size_t n = 0;
    for (size_t i = 0; i < u->n; i++) {
        if (is_open(&u->one[i]) && !hex_decode(ARR(u->one[i].e.person.h), u->lock[n++], NZ_LOCK_BYTES)) {
            r->read_failed = FAIL(E_SEAL);
            return;
        }
    }
    if (nz_locks_take(nz_outbox_locks(r->in->outbox), (const uint8_t (*)[NZ_LOCK_BYTES])u->lock, n)) {
        u->n_locks = n;
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
    u->in_later = true;
    u->step = U_LATER;
    r->eof = !err_ok(e);
}

void bulk__undo_pump(struct nz_run *r)
{
    struct nz_undoing *u = r->undoing;
    for (int turns = 0; turns < 4 && !r->eof && !u->busy && !r->fence_lost && loop_now(r->in->loop) >= r->not_before; turns++) {
        if (u->step == U_COLLECT)
            collect_next(r);
        else if (u->step == U_LATER)
            bulk__undo_later(r);
        else if (u->step == U_CHAIN)
            bulk__undo_chain(r);
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
