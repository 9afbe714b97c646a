#include "keys/change/plan.h"

#include "gateway/consent/consent.h"
#include "keys/change/issued.h"

#define ENDED(r, c) ((struct nz_ch_decision){ NZ_CHA_END, { .result = (r), .code = (c) } })
#define STEP(a) ((struct nz_ch_decision){ (a), { .result = NZ_UPDATED } })

static const char NO_RK[NZ_CH_HEX + 1] = "00000000000000000000000000000000";

/* ---- small questions ---- */

bool nz_ch_is_end(struct slice field) { return slice_starts(field, LIT("e:")); }

const struct nz_ch_item *nz_ch_item_find(const struct nz_ch_side *s, struct slice field)
{
    for (size_t i = 0; i < s->n; i++) {
        if (slice_eq(s->item[i].field, field))
            return &s->item[i];
    }
    return NULL;
}

static const struct nz_ch_item *end_item(const struct nz_ch_side *s)
{
    for (size_t i = 0; i < s->n; i++) {
        if (nz_ch_is_end(s->item[i].field))
            return &s->item[i];
    }
    return NULL;
}

static bool is_end_type(enum nz_change_type t) { return t == NZ_CH_MOVED_OUT || t == NZ_CH_DIED || t == NZ_CH_FORCED; }

static struct store_end end_from(enum nz_change_type type, ymd_t effective, uint64_t ms)
{
    static const enum store_end_why WHY[NZ_CH__MAX] = {
        [NZ_CH_MOVED_OUT] = STORE_END_MOVED, [NZ_CH_DIED] = STORE_END_DIED, [NZ_CH_FORCED] = STORE_END_FORCED };
    return (struct store_end){ .why = WHY[type], .from = effective, .stored_ms = ms };
}

struct store_end nz_ch_end_of(const struct nz_ch_view *v) { return end_from(v->type, v->effective, v->now_ms); }

bool nz_ch_end_is_ours(const struct nz_ch_view *v)
{
    const struct nz_ch_item *i = end_item(&v->kept);
    struct store_end now;
    struct store_end ours = end_from(v->j->type, v->j->effective, v->j->ms);
    return i && err_ok(store_end_decode(i->plain, &now)) && now.why == ours.why && now.from == ours.from && now.stored_ms == ours.stored_ms;
}

static bool is_undone(const struct nz_journal *j) { return j->state == NZ_JOURNAL_UNDOING || j->state == NZ_JOURNAL_UNDONE; }
static bool is_row(const struct nz_ch_view *v, const uint8_t task[static 16], uint32_t row) { return row == v->row && slice_eq(slice_of(task, 16), ARR(v->task)); }

/* This very row did it, whatever became of it later; a file that was interrupted comes by again. */
static bool did_it(const struct nz_ch_view *v) { return !(is_undone(v->j) && !v->j->undo_row) && is_row(v, v->j->task, v->j->row); }

static bool undid_it(const struct nz_ch_view *v)
{
    return v->j->undo_row ? is_row(v, v->j->undo_task, v->j->undo_row) : is_row(v, v->j->task, v->j->row);
}

/* ---- aliases ---- */

static bool alias_at(struct slice al, size_t i, struct slice *ret_sid, struct slice *ret_rk)
{
    if (al.n < (i + 1) * NZ_CH_ALIAS)
        return false;
    *ret_sid = slice_of(al.p + i * NZ_CH_ALIAS, NZ_CH_HEX);
    *ret_rk = slice_of(al.p + i * NZ_CH_ALIAS + NZ_CH_HEX, NZ_CH_HEX);
    return true;
}

static bool alias_of(const struct nz_ch_side *s, struct slice sid, struct slice *ret_rk)
{
    struct slice one;
    for (size_t i = 0; alias_at(s->al, i, &one, ret_rk); i++) {
        if (slice_eq(one, sid))
            return true;
    }
    return false;
}

static bool has_merged(const struct nz_ch_side *s)
{
    struct slice sid, rk;
    for (size_t i = 0; alias_at(s->al, i, &sid, &rk); i++) {
        if (!slice_eq(rk, slice_str(NO_RK)))
            return true;
    }
    return false;
}

static void put_without(struct buf *out, struct slice al, struct slice without_sid, struct slice without_list)
{
    struct slice sid, rk, other, other_rk;
    for (size_t i = 0; alias_at(al, i, &sid, &rk); i++) {
        bool out_of_it = slice_eq(sid, without_sid);
        for (size_t k = 0; !out_of_it && alias_at(without_list, k, &other, &other_rk); k++)
            out_of_it = slice_eq(sid, other);
        if (out_of_it)
            continue;
        buf_put(out, sid);
        buf_put(out, rk);
    }
}

static ERR fits(const struct buf *out)
{
    TRY(buf_check(out));
    return out->n <= NZ_CH_ALIASES_MAX * NZ_CH_ALIAS ? OK : FAIL(E_FULL);
}

ERR nz_ch_aliases_moved(const struct nz_ch_view *v, struct buf *out)
{
    put_without(out, v->gone.al, ARR(v->kept.sid), SLICE_NONE);
    return fits(out);
}

ERR nz_ch_aliases_after(const struct nz_ch_view *v, struct buf *out)
{
    put_without(out, v->kept.al, ARR(v->gone.sid), v->gone.al);
    TRY(nz_ch_aliases_moved(v, out));
    buf_put(out, ARR(v->gone.sid));
    buf_put(out, v->type == NZ_CH_MERGED && v->gone.rk.n ? v->gone.rk : slice_str(NO_RK));
    return fits(out);
}

ERR nz_ch_aliases_back(const struct nz_ch_view *v, struct buf *out)
{
    put_without(out, v->kept.al, ARR(v->gone.sid), v->j->aliases);
    return fits(out);
}

/* ---- items of a move ---- */

/* Who was told a vaccination record stands in it, and is no change of it. *ret_more: more than b says. */
static bool is_same(struct slice field, struct slice a, struct slice b, bool *ret_more)
{
    uint8_t id[IMMUN_ID_BYTES];
    struct slice muni;
    size_t a_versions, b_versions, a_told, b_told;
    *ret_more = false;
    if (slice_eq(a, b) || !immun_field_is(field, &muni, id) || !immun_counts(a, &a_versions, &a_told) || !immun_counts(b, &b_versions, &b_told))
        return slice_eq(a, b);
    *ret_more = a_told > b_told;
    return a_versions == b_versions;
}

bool nz_ch_is_copy(const struct nz_ch_view *v, const struct nz_saved *s)
{
    const struct nz_ch_item *k = nz_ch_item_find(&v->kept, s->field);
    bool more;
    return !s->clash && k && is_same(s->field, k->plain, s->plain, &more);
}

bool nz_ch_unsaved(const struct nz_ch_view *v, const struct nz_ch_item *i)
{
    const struct nz_saved *s = nz_journal_find(v->j, i->field);
    return !s || !slice_eq(s->plain, i->plain);
}

bool nz_ch_copies(const struct nz_ch_view *v, const struct nz_ch_item *i)
{
    const struct nz_saved *s = nz_journal_find(v->j, i->field);
    return s && !s->clash && !nz_ch_item_find(&v->kept, i->field);
}

bool nz_ch_copies_back(const struct nz_ch_view *v, const struct nz_saved *s)
{
    const struct nz_ch_item *k = nz_ch_item_find(&v->kept, s->field), *g = nz_ch_item_find(&v->gone, s->field);
    bool more = false;
    if (!s->clash && !nz_ch_is_copy(v, s))
        return false;
    return !g || (!s->clash && is_same(s->field, k->plain, g->plain, &more) && more); /* somebody was told by the kept side since it was written back */
}

const struct nz_ch_item *nz_ch_flags_back(const struct nz_ch_view *v)
{
    struct store_name field;
    struct control_flags f;
    flags_field(v->muni, &field);
    const struct nz_ch_item *now = nz_ch_item_find(&v->kept, store_name_slice(&field));
    const struct nz_saved *old = nz_journal_find(v->j, store_name_slice(&field));
    if (!now || nz_ch_item_find(&v->gone, store_name_slice(&field)) || (old && nz_ch_copies_back(v, old)))
        return NULL;
    return old || !flags_decode(now->plain, &f) || f.set_ms > v->j->ms ? now : NULL;
}

static bool any_item(const struct nz_ch_view *v, bool (*is)(const struct nz_ch_view *, const struct nz_ch_item *))
{
    for (size_t i = 0; i < v->gone.n; i++) {
        if (is(v, &v->gone.item[i]))
            return true;
    }
    return false;
}

static bool any_saved(const struct nz_ch_view *v, bool (*is)(const struct nz_ch_view *, const struct nz_saved *))
{
    for (size_t i = 0; i < v->j->n_saved; i++) {
        if (is(v, &v->j->saved[i]))
            return true;
    }
    return false;
}

/* ---- the steps ---- */

static struct nz_ch_decision plan_move(const struct nz_ch_view *v)
{
    bool leads = slice_eq(v->gone.to, ARR(v->kept.sid)) && !v->kept.to.n;
    if (!v->same_person) {
        if (any_item(v, nz_ch_unsaved))
            return STEP(NZ_CHA_SAVE);
        if (any_item(v, nz_ch_copies) || !v->kept.subject.n || nz_ch_issued_copies(v, NZ_CH_THERE))
            return STEP(NZ_CHA_COPY);
    }
    if (!leads)
        return STEP(NZ_CHA_TIES);
    if (!v->same_person && (v->gone.n || v->gone.subject.n || nz_ch_issued_left(v, NZ_CH_THERE)))
        return STEP(NZ_CHA_REMOVE);
    return STEP(NZ_CHA_FINISH);
}

/* A copy that the kept side changed since stays there. */
static bool stays(const struct nz_ch_view *v, const struct nz_saved *s)
{
    const struct nz_ch_item *k = nz_ch_item_find(&v->kept, s->field);
    return !s->clash && k && !nz_ch_is_copy(v, s);
}

static struct nz_ch_decision plan_back(const struct nz_ch_view *v)
{
    struct nz_ch_decision d = STEP(NZ_CHA_BACK_FINISH);
    if (any_saved(v, nz_ch_copies_back) || !v->gone.subject.n || nz_ch_flags_back(v) || nz_ch_issued_copies(v, NZ_CH_BACK))
        return STEP(NZ_CHA_BACK_COPY);
    if (v->gone.to.n)
        return STEP(NZ_CHA_BACK_TIES);
    if (any_saved(v, nz_ch_is_copy) || nz_ch_issued_left(v, NZ_CH_BACK))
        return STEP(NZ_CHA_BACK_REMOVE);
    if (any_saved(v, stays))
        d.verdict.code = NZ_CODE_CHANGED_SINCE;
    return d;
}

/* ---- the operation is known ---- */

static struct nz_ch_decision again(const struct nz_ch_view *v)
{
    enum nz_code code = v->j->state == NZ_JOURNAL_UNDONE && v->j->changed_since ? NZ_CODE_CHANGED_SINCE : NZ_CODE_NONE;
    return ENDED((is_undone(v->j) ? undid_it(v) : did_it(v)) ? NZ_UPDATED : NZ_UNCHANGED, code);
}

/* The key, a number or the person is another resident's since the registration was taken away. */
static bool somebody_else_now(const struct nz_ch_view *v)
{
    return v->kept.rk.n || v->rk_taken || v->number_taken || (v->kept.subject.n && !slice_eq(v->kept.subject, ARR(v->kept.sid)));
}

static struct nz_ch_decision undo(const struct nz_ch_view *v)
{
    const struct nz_journal *j = v->j;
    if (j->state == NZ_JOURNAL_UNDONE)
        return again(v);
    if (v->type == NZ_CH_UNMERGED)
        return j->type != NZ_CH_MERGED           ? ENDED(NZ_REFUSED, NZ_CODE_OPERATION_REUSED)
               : j->state == NZ_JOURNAL_UNDOING ? plan_back(v)
                                                : STEP(NZ_CHA_BACK_BEGIN);
    if (j->type == NZ_CH_WRONG)
        return somebody_else_now(v) ? ENDED(NZ_UNCHANGED, NZ_CODE_CHANGED_SINCE) : STEP(NZ_CHA_UNWIPE);
    if (is_end_type(j->type))
        return nz_ch_end_is_ours(v) ? STEP(NZ_CHA_UNEND) : ENDED(NZ_UNCHANGED, NZ_CODE_CHANGED_SINCE);
    return ENDED(NZ_REFUSED, NZ_CODE_OPERATION_REUSED);
}

static bool other_operation(const struct nz_ch_view *v)
{
    const struct nz_journal *j = v->j;
    bool two = j->type == NZ_CH_MERGED;
    return !slice_eq(ARR(j->rk), ARR(v->rk)) || (two && !slice_eq(ARR(j->other_rk), ARR(v->other_rk)));
}

static struct nz_ch_decision plan_known(const struct nz_ch_view *v)
{
    const struct nz_journal *j = v->j;
    if (other_operation(v))
        return ENDED(NZ_REFUSED, NZ_CODE_OPERATION_REUSED);
    if (v->type != j->type && (v->type == NZ_CH_RESTORED || v->type == NZ_CH_UNMERGED))
        return undo(v);
    if (v->type != j->type || (v->type == NZ_CH_NUMBER && !slice_eq(ARR(v->new_sid), ARR(v->kept.sid))))
        return ENDED(NZ_REFUSED, NZ_CODE_OPERATION_REUSED);
    if (is_undone(j))
        return did_it(v) ? ENDED(NZ_UPDATED, NZ_CODE_NONE) : ENDED(NZ_REFUSED, NZ_CODE_OPERATION_UNDONE);
    if (j->state == NZ_JOURNAL_PENDING)
        return plan_move(v);
    if (j->effective == v->effective)
        return again(v);
    return STEP(is_end_type(v->type) ? NZ_CHA_SET_END : NZ_CHA_REDATE);
}

/* ---- a new operation ---- */

static struct slice basic_of(const struct nz_ch_side *s)
{
    for (size_t i = 0; i < s->n; i++) {
        struct record rec;
        if (!nz_ch_is_end(s->item[i].field) && err_ok(record_decode(s->item[i].plain, &rec)) && rec.basic.n)
            return rec.basic;
    }
    return SLICE_NONE;
}

static bool mixed_up(const struct nz_ch_view *v) { return !v->released && !v->same_person && nz_basic_mismatch(basic_of(&v->kept), basic_of(&v->gone)); }

static bool is_number_of(const struct nz_ch_view *v, const struct nz_ch_side *s)
{
    struct slice rk;
    return v->number_known && (slice_eq(ARR(v->number_sid), ARR(s->sid)) || alias_of(s, ARR(v->number_sid), &rk));
}

/* The new number is free, or it is an earlier one of the same resident. */
static bool number_is_free(const struct nz_ch_view *v)
{
    struct slice rk;
    if (!v->kept.to.n)
        return !v->kept.rk.n;
    return slice_eq(v->kept.to, ARR(v->gone.sid)) && alias_of(&v->gone, ARR(v->kept.sid), &rk) && slice_eq(rk, slice_str(NO_RK));
}

static struct nz_ch_decision plan_number(const struct nz_ch_view *v)
{
    if (slice_eq(ARR(v->gone.sid), ARR(v->new_sid)))
        return ENDED(NZ_UNCHANGED, NZ_CODE_NONE);
    if (v->has_from && !slice_eq(ARR(v->gone.sid), ARR(v->from)))
        return ENDED(NZ_UNCHANGED, NZ_CODE_SUPERSEDED);
    if (!number_is_free(v))
        return ENDED(NZ_REFUSED, NZ_CODE_NUMBER_OTHERS);
    if (!v->kept.key.n)
        return STEP(NZ_CHA_NUMBERING);
    bool other = v->kept.subject.n && !slice_eq(v->kept.subject, ARR(v->kept.sid)) && !slice_eq(v->kept.subject, ARR(v->gone.sid));
    if (other)
        return ENDED(NZ_QUARANTINED, NZ_CODE_UPSTREAM);
    return mixed_up(v) ? ENDED(NZ_QUARANTINED, NZ_CODE_MISMATCH) : STEP(NZ_CHA_BEGIN);
}

static struct nz_ch_decision plan_merge(const struct nz_ch_view *v)
{
    if (slice_eq(ARR(v->kept.sid), ARR(v->gone.sid)))
        return ENDED(NZ_REFUSED, NZ_CODE_SAME_RESIDENT);
    if (has_merged(&v->gone))
        return ENDED(NZ_REFUSED, NZ_CODE_RESIDENT_MERGED);
    if (v->same_person)
        return ENDED(NZ_QUARANTINED, NZ_CODE_UPSTREAM);
    return mixed_up(v) ? ENDED(NZ_QUARANTINED, NZ_CODE_MISMATCH) : STEP(NZ_CHA_BEGIN);
}

static bool is_known(const struct nz_ch_side *s) { return s->there && s->key.n; }

/* A row that was held does not replace an end that came after it. */
static bool is_too_late(const struct nz_ch_view *v)
{
    const struct nz_ch_item *i = end_item(&v->kept);
    struct store_end end;
    return v->received_ms && i && err_ok(store_end_decode(i->plain, &end)) && end.stored_ms > v->received_ms;
}

static struct nz_ch_decision plan_new(const struct nz_ch_view *v)
{
    const struct nz_ch_side *who = v->type == NZ_CH_NUMBER ? &v->gone : &v->kept;
    if (v->type == NZ_CH_UNMERGED)
        return ENDED(NZ_REFUSED, NZ_CODE_OPERATION_UNKNOWN);
    if (!is_known(who) || (v->type == NZ_CH_MERGED && !is_known(&v->gone)))
        return ENDED(NZ_REFUSED, NZ_CODE_UNKNOWN_RESIDENT);
    if (v->has_number && !is_number_of(v, who))
        return ENDED(NZ_REFUSED, NZ_CODE_NUMBER_NOT_KEYS);
    if ((is_end_type(v->type) || v->type == NZ_CH_RESTORED) && is_too_late(v))
        return ENDED(NZ_UNCHANGED, NZ_CODE_SUPERSEDED);
    switch (v->type) {
    case NZ_CH_RESTORED:
        return end_item(&v->kept) ? STEP(NZ_CHA_LIFT) : ENDED(NZ_UNCHANGED, NZ_CODE_NONE);
    case NZ_CH_WRONG:
        return has_merged(&v->kept) ? ENDED(NZ_REFUSED, NZ_CODE_RESIDENT_MERGED) : STEP(NZ_CHA_WIPE);
    case NZ_CH_NUMBER:
        return plan_number(v);
    case NZ_CH_MERGED:
        return plan_merge(v);
    default:
        return STEP(NZ_CHA_SET_END);
    }
}

struct nz_ch_decision nz_ch_plan(const struct nz_ch_view *v) { return v->j ? plan_known(v) : plan_new(v); }
