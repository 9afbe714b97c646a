/* What taking a chunk of rows back writes, and who has to hear of it. */

#include "keys/bulk/undo_work.h"

#include "gateway/base/log.h"
#include "gateway/notice/notice.h"
#include "keys/bulk/script.h"

/* What stands there when VRS is told is what it hears: what was before, or that nothing is. */
static void put_mark_for_vrs(const struct nz_run *r, const struct nz_undo_one *x, struct nz_args *a)
{
    struct store_name mark, due;
    enum vrs_mark_kind kind;
    struct slice muni;
    if (!nz_reports_to_vrs(r->in) || !vrs_mark_kind_of(x->e.field, &kind, &muni))
        return;
    vrs_mark_name(&x->e.person, x->e.field, &mark);
    vrs_mark_score(clock_wall(loop_clock(r->in->loop)), &due);
    NZ_ARGS(a, LIT("ZADD"), VRS_MARK_QUEUE, store_name_slice(&due), store_name_slice(&mark));
}

static void put_words(void *to, size_t n, const struct slice *args) { nz_args_cmd(to, n, args); }

/* Clinics that have the person open hear that there is something else; what, they read. */
static void put_told(const struct nz_run *r, const struct nz_undo_one *x, const struct store_name *person, struct nz_args *a)
{
    struct notice n;
    if (!x->tells || !store_field_is_record(x->e.field, &(struct slice){ 0 }))
        return;
    notice_eligibility(&n, person, r->muni, NOTICE_CHANGED, clock_wall(loop_clock(r->in->loop)));
    struct err e = notice_add_by(r->in->store, &n, SLICE_NONE, put_words, a);
    if (!err_ok(e))
        LOG(ERROR, "clinics_not_told", LF("error", e));
}

void bulk__undo_put_restored(const struct nz_run *r, struct nz_args *a)
{
    const struct nz_undoing *u = r->undoing;
    for (size_t i = 0; i < u->n; i++) {
        const struct nz_undo_one *x = &u->one[i];
        struct store_name name;
        if (!x->ours)
            continue;
        store_name_person(&x->e.person, &name);
        if (x->e.there)
            NZ_ARGS(a, LIT("HSET"), store_name_slice(&name), x->e.field, x->e.before);
        else
            NZ_ARGS(a, LIT("HDEL"), store_name_slice(&name), x->e.field);
        put_mark_for_vrs(r, x, a);
        put_told(r, x, &name, a);
        if (u->in_later)
            bulk__undo_put_mark(u, x->e.row, a);
        for (unsigned k = 0; k < x->n_hops; k++)
            bulk__undo_put_mark(u, x->hop[k], a);
    }
}
