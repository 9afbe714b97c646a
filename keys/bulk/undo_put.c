/* What taking a chunk of rows back writes, and who has to hear of it. */

#include "keys/bulk/undo_work.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/notice/notice.h"
#include "gateway/vaccine/ticket_index.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/bulk/script.h"

/* ---- VRS ---- */

ERR bulk__undo_note_ties(struct nz_run *r, struct nz_undo_one *x, struct slice tie)
{
    uint8_t sid[SUBJECT_BYTES];
    enum vrs_mark_kind kind;
    struct slice muni;
    x->has_sid = hex_decode(tie, sid, sizeof sid);
    x->tk.n = 0;
    if (!x->has_sid || !nz_reports_to_vrs(r->in))
        return OK;
    memcpy(x->sid, tie.p, sizeof x->sid);
    return vrs_mark_kind_of(x->e.field, &kind, &muni) && kind == VRS_MARK_TICKET ? ticket_index_name(r->in->store, muni, buf_slice(&r->work2), &x->tk) : OK;
}

static void put_gone(const struct nz_undo_one *x, const struct store_name *person, struct slice set, struct slice score, struct slice member, struct nz_args *a)
{
    if (x->tk.n)
        nz_args_next_if(a, store_name_slice(&x->tk), TICKET_INDEX_PERSON, store_name_slice(person));
    NZ_ARGS(a, LIT("ZADD"), set, score, member);
}

/* By the time VRS hears of it the resident may be erased: the mark itself says under whose number it was told (decision 47). A ticket that another resident has by now
 * is theirs at VRS too. What was still to be told of it is over. */
static void put_taken_back(const struct nz_undo_one *x, const struct store_name *person, uint64_t now_ms, struct nz_args *a)
{
    struct store_name mark, again, due;
    struct vrs_mark_text gone;
    vrs_mark_name(&x->e.person, x->e.field, &mark);
    vrs_mark_name_again(&x->e.person, x->e.field, &again);
    NZ_ARGS(a, LIT("ZREM"), VRS_MARK_QUEUE, store_name_slice(&mark), store_name_slice(&again));
    NZ_ARGS(a, LIT("HDEL"), VRS_MARK_DEAD, store_name_slice(&mark), store_name_slice(&again));
    vrs_mark_gone_name(ARR(x->sid), &x->e.person, x->e.field, now_ms ? now_ms : 1, &gone);
    vrs_mark_score(now_ms, &due);
    const struct slice member = vrs_mark_slice(&gone);
    put_gone(x, person, VRS_MARK_GONE, LIT("0"), slice_of(member.p + 1, member.n - 1), a);
    put_gone(x, person, VRS_MARK_QUEUE, store_name_slice(&due), member, a);
}

/* Where something stands again, VRS hears what stands there when it is told. */
static void put_for_vrs(const struct nz_run *r, const struct nz_undo_one *x, const struct store_name *person, struct nz_args *a)
{
    const uint64_t now_ms = clock_wall(loop_clock(r->in->loop));
    struct store_name mark, due;
    enum vrs_mark_kind kind;
    struct slice muni;
    if (!nz_reports_to_vrs(r->in) || !vrs_mark_kind_of(x->e.field, &kind, &muni))
        return;
    if (!x->e.there && x->has_sid) {
        put_taken_back(x, person, now_ms, a);
        return;
    }
    vrs_mark_name(&x->e.person, x->e.field, &mark);
    vrs_mark_score(now_ms, &due);
    NZ_ARGS(a, LIT("ZADD"), VRS_MARK_QUEUE, store_name_slice(&due), store_name_slice(&mark));
}

/* ---- clinics ---- */

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

/* ---- all of it ---- */

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
        put_for_vrs(r, x, &name, a);
        put_told(r, x, &name, a);
        if (u->in_later)
            bulk__undo_put_mark(u, x->e.row, a);
        for (unsigned k = 0; k < x->n_hops; k++)
            bulk__undo_put_mark(u, x->hop[k], a);
    }
}
