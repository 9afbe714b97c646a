/* From the frames of the upload to rows in batches. Reading stops when enough batches are in the air. */

#include "keys/bulk/work.h"

#include <stdlib.h>

#include "gateway/base/log.h"

enum { PIECES_A_TURN = 256 };

static struct nz_batch *room(struct nz_run *r)
{
    struct nz_batch *b = r->filling;
    if (b && (b->n == NZ_BULK_ROWS || b->bytes >= NZ_BULK_BATCH_BYTES))
        b = r->filling = NULL;
    if (!b)
        b = r->filling = bulk__batch_new(r);
    if (!b && err_ok(r->read_failed))
        r->read_failed = FAIL(E_NOMEM);
    return b;
}

static ERR row_names(struct nz_batch *b, struct nz_brow *x)
{
    struct nz_run *r = b->run;
    struct store_name rk;
    const struct slice muni = slice_of(r->muni, 6);
    TRY(store_field(r->in->store, nz_form_info(r->t.task.form)->kind, muni, x->row.type_id, x->row.history_key, &x->field));
    x->ticket_index.n = 0;
    if (nz_form_info(r->t.task.form)->kind == STORE_TICKET && !x->row.record.removal)
        TRY(store_name_ticket(r->in->store, muni, x->row.history_key, &x->ticket_index));
    x->has_rk = x->row.has_resident_key && x->row.resident_key.n;
    if (!x->has_rk)
        return OK;
    TRY(store_name_resident(r->in->store, muni, x->row.resident_key, &rk));
    memcpy(x->rk, rk.c + rk.n - NZ_RK_HEX, NZ_RK_HEX);
    return OK;
}

static void place_of_fault(struct nz_brow *x, const struct nz_linkage_row *in)
{
    struct nz_place at;
    if (!x->row.report.n_faults || !nz_linkage_place(in, x->row.report.faults[0].field, &at))
        return;
    x->line = at.line;
    x->column = at.column > UINT32_MAX ? UINT32_MAX : (uint32_t)at.column;
}

static ERR row_take(struct nz_run *r, struct nz_batch *b, const struct nz_linkage_row *in)
{
    struct nz_brow *x = &b->row[b->n];
    bool passes;
    *x = (struct nz_brow){ .line = in->line };
    TRY(bulk__passes_over(r, in->row, &passes));
    if (passes) {
        x->row.row = (unsigned)in->row;
        x->verdict = (struct nz_verdict){ .result = NZ_UNCHANGED, .code = NZ_CODE_NOT_FAILED };
        b->n++;
        r->rows_seen = in->row;
        return OK;
    }
    const bool change = r->t.task.form == NZ_FORM_CHANGE;
    struct err e = change ? bulk__change_read(b, x, in) : nz_row_read(r->reader, in, b->arena, &x->row);
    TRY(e);
    x->row.row = (unsigned)in->row;
    if (x->row.verdict == NZ_ROW_FIELD)
        place_of_fault(x, in);
    if (!change && x->row.verdict == NZ_ROW_OK) {
        e = row_names(b, x);
        x->pass = 1;
    }
    if (!err_ok(e)) {
        nz_mynum_free(x->row.number);
        x->row.number = NULL;
        return e;
    }
    b->n++;
    b->bytes += x->row.record.eligibility.n + x->row.record.basic.n + 256;
    r->rows_seen = in->row;
    return OK;
}

static void on_row(void *ctx, const struct nz_linkage_row *in)
{
    struct nz_run *r = ctx;
    struct nz_batch *b;
    if (in->row <= r->t.checkpoint || !err_ok(r->read_failed) || !(b = room(r)))
        return;
    struct err e = row_take(r, b, in);
    if (err_is(e, E_FULL) && b->n) { /* the arena of this batch */
        r->filling = NULL;
        b = room(r);
        e = b ? row_take(r, b, in) : r->read_failed;
    }
    if (!err_ok(e))
        r->read_failed = e;
}

static void fault_keep(struct nz_batch *b, struct nz_brow *x, const struct nz_linkage_fault *f)
{
    if (!x->unread)
        x->unread = arena_get(b->arena, NZ_ENTRY_UNREAD_MAX * sizeof x->unread[0]);
    if (!x->unread || x->n_unread == NZ_ENTRY_UNREAD_MAX)
        return;
    x->unread[x->n_unread++] = (struct nz_entry_fault){
        arena_dup(b->arena, slice_str(f->field)), f->rule, f->line, f->column > UINT32_MAX ? UINT32_MAX : (uint32_t)f->column,
    };
}

static void on_fault(void *ctx, const struct nz_linkage_fault *f)
{
    struct nz_run *r = ctx;
    if (!f->row) {
        r->read_failed = FAIL(E_SEAL); /* the file was validated: it is not what it was */
        return;
    }
    if (f->row <= r->t.checkpoint || !err_ok(r->read_failed))
        return;
    struct nz_batch *b = r->filling;
    struct nz_brow *x = b && b->n ? &b->row[b->n - 1] : NULL;
    if (!x || x->row.row != f->row) {
        b = room(r);
        if (!b)
            return;
        x = &b->row[b->n++];
        *x = (struct nz_brow){ .line = f->line, .column = f->column > UINT32_MAX ? UINT32_MAX : (uint32_t)f->column };
        x->row.row = (unsigned)f->row;
        x->row.verdict = NZ_ROW_FIELD;
        b->bytes += 2048;
        r->rows_seen = f->row;
    }
    fault_keep(b, x, f);
}

ERR bulk__feed_open(struct nz_run *r)
{
    const struct nz_linkage_conf conf = {
        .source = r->t.source, .layout = r->layout, .encoding = bulk__encoding(&r->t), .on_row = on_row, .on_fault = on_fault, .ctx = r,
    };
    TRY(nz_spool_frames(r->entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_READ, &r->upload));
    if (r->t.task.form != NZ_FORM_CHANGE)
        TRY(nz_row_reader_new(&r->reader, r->t.task.form, r->t.source == NZ_SOURCE_CSV ? r->layout : NULL, r->muni, &r->in->levels, r->in->pool));
    return nz_linkage_new(&r->linkage, &conf);
}

void bulk__feed_close(struct nz_run *r)
{
    nz_linkage_free(r->linkage);
    nz_row_reader_free(r->reader);
    nz_frames_close(r->upload);
    r->linkage = NULL;
    r->reader = NULL;
    r->upload = NULL;
}

static struct err frame_next(struct nz_run *r)
{
    buf_reset(&r->frame);
    r->fed = 0;
    struct err e = nz_frames_read(r->upload, &r->at, &r->frame);
    if (!err_is(e, E_NOTHING))
        return e;
    r->eof = true;
    /* Frames that are cut off at a border look like an end: the size was compared when the file was validated, and is again. */
    if (r->bytes_read != nz_spool_meta_of(r->entry)->bytes)
        return FAIL(E_SEAL);
    TRY(nz_linkage_end(r->linkage));
    return r->rows_seen == r->t.task.rows ? OK : FAIL(E_SEAL);
}

static struct err piece(struct nz_run *r)
{
    size_t n = r->frame.n - r->fed;
    if (!n)
        return frame_next(r);
    n = n < NZ_BULK_PIECE ? n : NZ_BULK_PIECE;
    struct slice in = slice_of(r->frame.p + r->fed, n);
    r->fed += n;
    r->bytes_read += n;
    return nz_linkage_feed(r->linkage, in);
}

static bool had_left(struct nz_run *r, uint32_t row)
{
    while (r->left_at < r->n_left_rows && r->left_rows[r->left_at] < row)
        r->left_at++;
    return r->left_at < r->n_left_rows && r->left_rows[r->left_at] == row;
}

/* What was durable is damaged: nobody can read these rows any more, so each is told as that, and the next file has its turn. Those that had left
 * for the outbox go on there. */
static struct err lost_rows(struct nz_run *r)
{
    for (size_t i = 0; i < NZ_BULK_ROWS && r->rows_seen < r->t.task.rows; i++) {
        struct nz_batch *b = room(r);
        if (!b)
            return r->read_failed;
        struct nz_brow *x = &b->row[b->n++];
        *x = (struct nz_brow){ .verdict = { .result = NZ_WAITING } };
        x->row.row = (unsigned)++r->rows_seen;
        if (!had_left(r, x->row.row))
            x->verdict = (struct nz_verdict){ .result = NZ_REFUSED, .code = NZ_CODE_ROW_LOST };
    }
    r->eof = r->rows_seen >= r->t.task.rows;
    return OK;
}

static struct err step(struct nz_run *r)
{
    if (r->lost)
        return lost_rows(r);
    struct err e = piece(r);
    if (err_ok(e))
        e = r->read_failed;
    if (!err_is(e, E_SEAL) && !(r->given_up && bulk__is_damage(e)))
        return e;
    LOG(ERROR, "file_damaged", LF("row", r->rows_seen), LF("error", e));
    r->lost = true;
    r->eof = false;
    r->read_failed = OK;
    return OK;
}

bool bulk__feed(struct nz_run *r)
{
    bool any = false;
    unsigned left = PIECES_A_TURN;
    while (!r->eof && r->n_batches < NZ_BULK_IN_AIR && (!r->lost || bulk__left_rows(r)) && left && r->rows_seen < r->t.checkpoint + NZ_BULK_AHEAD_MAX) {
        struct err e = step(r);
        any = true;
        left--;
        if (!err_ok(e)) {
            LOG(ERROR, "file_reading_stops", LF("row", r->rows_seen), LF("error", e));
            r->read_failed = e;
            r->eof = true;
        }
        if (r->filling && r->filling->n == NZ_BULK_ROWS)
            r->filling = NULL;
    }
    if (r->eof) {
        r->filling = NULL;
        r->step = NZ_RUN_DRAIN;
    }
    if (left)
        return any;
    bulk__run_soon(r); /* passing over rows that are done: others have their turn in between */
    return false;
}
