/* Only the rows that failed in another file: its results, read in step with this one. Rows that wait there are done again, which changes nothing
 * when they were applied. */

#include "keys/bulk/work.h"

#include <stdlib.h>

struct nz_failed_of {
    struct nz_frames *results;
    struct nz_frames_at at;
    struct buf plain;
    size_t used;
    struct nz_result_entry next; /* slices borrow from plain */
    bool have, over;
};

static struct err of_failed(struct nz_run *r, struct err e)
{
    r->of_lost = bulk__is_damage(e);
    return e;
}

ERR bulk__failed_of_begin(struct nz_run *r)
{
    struct nz_failed_of *f = calloc(1, sizeof *f);
    if (!f)
        return FAIL(E_NOMEM);
    r->failed_of = f;
    buf_init(&f->plain, 2 * NZ_FRAME_PLAIN + NZ_ENTRY_MAX);
    struct err e = nz_spool_frames(r->of_entry, NZ_SPOOL_RESULTS, NZ_SPOOL_READ, &f->results);
    return err_ok(e) ? OK : of_failed(r, e);
}

void bulk__failed_of_free(struct nz_run *r)
{
    struct nz_failed_of *f = r->failed_of;
    if (!f)
        return;
    nz_frames_close(f->results);
    buf_done(&f->plain);
    free(f);
    r->failed_of = NULL;
}

static struct err entry_next(struct nz_failed_of *f)
{
    struct slice in = slice_of(f->plain.p + f->used, f->plain.n - f->used);
    if (f->plain.n && err_ok(nz_entry_decode(&in, &f->next))) {
        f->used = f->plain.n - in.n;
        return OK;
    }
    buf_drop(&f->plain, f->used);
    f->used = 0;
    TRY(nz_frames_read(f->results, &f->at, &f->plain));
    return entry_next(f);
}

ERR bulk__passes_over(struct nz_run *r, uint64_t row, bool *ret_passes)
{
    struct nz_failed_of *f = r->failed_of;
    *ret_passes = false;
    while (f && !f->over && (!f->have || f->next.row < row)) {
        struct err e = entry_next(f);
        if (err_is(e, E_NOTHING))
            f->over = true;
        else if (!err_ok(e))
            return of_failed(r, e);
        f->have = true;
    }
    if (!f || f->over || f->next.row != row)
        return OK;
    enum nz_result was = f->next.result.result;
    *ret_passes = was == NZ_REGISTERED || was == NZ_UPDATED || was == NZ_UNCHANGED;
    return OK;
}
