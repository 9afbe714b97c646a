/* What rows behind the checkpoint did before a crash: their undo entries were durable before they were written. */

#include "keys/bulk/work.h"

#include <stdlib.h>

static int by_row(const void *a, const void *b)
{
    const struct nz_redo *x = a, *y = b;
    return x->row < y->row ? -1 : x->row > y->row;
}

static ERR add(struct nz_run *r, size_t *cap, const struct nz_undo_entry *e)
{
    if (r->n_redo == *cap) {
        size_t more = *cap ? 2 * *cap : 1024;
        struct nz_redo *p = realloc(r->redo, more * sizeof *p);
        if (!p)
            return FAIL(E_NOMEM);
        r->redo = p;
        *cap = more;
    }
    r->redo[r->n_redo++] = (struct nz_redo){ e->row, e->with_row, e->there };
    return OK;
}

ERR bulk__redo_read(struct nz_run *r)
{
    struct nz_frames_at at = { 0 };
    struct err err = OK;
    size_t cap = 0;
    buf_reset(&r->frame);
    while (err_ok(err = nz_frames_read(r->undo.f, &at, &r->frame))) {
        struct slice in = buf_slice(&r->frame);
        struct nz_undo_entry e;
        while (err_ok(err = nz_undo_decode(&in, &e))) {
            if (e.row > r->t.checkpoint)
                TRY(add(r, &cap, &e));
        }
        if (!err_is(err, E_NOTHING))
            return err;
        buf_drop(&r->frame, r->frame.n - in.n);
    }
    buf_reset(&r->frame);
    if (r->n_redo)
        qsort(r->redo, r->n_redo, sizeof *r->redo, by_row);
    return err_is(err, E_NOTHING) ? OK : err;
}
