#include "keys/change/op.h"

#include "gateway/base/text.h"
#include "gateway/consent/consent.h"
#include "gateway/vaccine/book.h"
#include "keys/change/issued.h"

/* ---- the journal ---- */

static void take_earlier(struct nz_op *o)
{
    struct slice list = o->journal.aliases, sid, rk;
    if (o->journal.type != NZ_CH_WRONG || o->type != NZ_CH_RESTORED)
        return;
    while (o->n_earlier < NZ_CH_ALIASES_MAX && slice_take(&list, NZ_CH_HEX, &sid) && slice_take(&list, NZ_CH_HEX, &rk))
        memcpy(o->earlier[o->n_earlier++], sid.p, NZ_CH_HEX);
}

static ERR journal_open(struct nz_op *o, struct slice sealed)
{
    struct buf plain;
    o->view.j = NULL;
    o->n_earlier = 0;
    o->ch_sealed = arena_dup(o->arena, sealed);
    if (!sealed.n)
        return OK;
    buf_init(&plain, NZ_JOURNAL_MAX);
    struct err e = store_open(o->in->store, slice_of(o->muni, 6), &o->ch, SLICE_NONE, sealed, &plain);
    const struct slice copy = arena_dup(o->arena, buf_slice(&plain));
    buf_done(&plain);
    TRY(e);
    TRY(arena_check(o->arena));
    TRY(nz_journal_decode(copy, o->arena, &o->journal));
    o->view.j = &o->journal;
    take_earlier(o);
    return OK;
}

static void hex_of(const uint8_t b[static 16], char out[static NZ_CH_HEX])
{
    struct nz_task_id id;
    memcpy(id.b, b, sizeof id.b);
    nz_task_id_format(&id, out);
}

/* What a resumed operation was about. */
static ERR take_up(struct nz_op *o)
{
    const struct nz_journal *j = o->view.j;
    if (!j || (j->state != NZ_JOURNAL_PENDING && j->state != NZ_JOURNAL_UNDOING))
        return FAIL(E_NOTHING);
    o->type = j->state == NZ_JOURNAL_UNDOING ? NZ_CH_UNMERGED : j->type;
    o->effective = j->effective;
    memcpy(o->task, j->undo_row ? j->undo_task : j->task, sizeof o->task);
    o->row = j->undo_row ? j->undo_row : j->row;
    hex_of(j->rk, o->rk);
    hex_of(j->other_rk, o->other_rk);
    hex_of(j->kept, o->new_sid);
    o->has_other = j->type == NZ_CH_MERGED;
    o->have_rk = true;
    return OK;
}

/* ---- who is meant ---- */

static void ask_find(struct nz_op *o, struct redis_batch *b)
{
    struct store_name k;
    REDIS_ADD(b, LIT("GET"), store_name_slice(&o->ch));
    if (!o->have_rk)
        return;
    nz_ch_rk_name(o->muni, ARR(o->rk), &k);
    REDIS_ADD(b, LIT("GET"), store_name_slice(&k));
    nz_ch_rk_name(o->muni, o->has_other ? ARR(o->other_rk) : ARR(o->rk), &k);
    REDIS_ADD(b, LIT("GET"), store_name_slice(&k));
}

ERR nz_op_find_ask(struct nz_op *o, struct redis_batch *b)
{
    ask_find(o, b);
    return OK;
}

static bool take_sid(struct slice hex, char to[static NZ_CH_HEX])
{
    if (hex.n != NZ_CH_HEX)
        return false;
    memcpy(to, hex.p, NZ_CH_HEX);
    return true;
}

struct who {
    bool has_kept, has_gone;
    char kept[NZ_CH_HEX], gone[NZ_CH_HEX];
};

static struct who who_is_meant(const struct nz_op *o, struct slice of_rk, struct slice of_other)
{
    const struct nz_journal *j = o->view.j;
    struct who w = { 0 };
    if (j) {
        static const uint8_t NONE[SUBJECT_BYTES];
        w.has_kept = true;
        hex_of(j->kept, w.kept);
        w.has_gone = !slice_eq(ARR(j->gone), ARR(NONE));
        if (w.has_gone)
            hex_of(j->gone, w.gone);
        return w;
    }
    if (o->type == NZ_CH_NUMBER) {
        w.has_gone = take_sid(of_rk, w.gone);
        w.has_kept = o->has_new;
        memcpy(w.kept, o->new_sid, sizeof w.kept);
        return w;
    }
    w.has_kept = take_sid(of_rk, w.kept);
    w.has_gone = o->has_other && take_sid(of_other, w.gone);
    return w;
}

ERR nz_op_find_heard(struct nz_op *o, const struct redis_reply *const *replies, size_t n)
{
    if (n != (o->have_rk ? 3 : 1))
        return FAIL(E_STORE_REFUSED);
    TRY(journal_open(o, redis_reply_str(replies[0])));
    if (o->resume)
        TRY(take_up(o));
    const struct who w = who_is_meant(o, n == 3 ? redis_reply_str(replies[1]) : SLICE_NONE, n == 3 ? redis_reply_str(replies[2]) : SLICE_NONE);
    o->has_kept = w.has_kept;
    o->has_gone = w.has_gone;
    memcpy(o->kept, w.kept, sizeof o->kept);
    memcpy(o->gone, w.gone, sizeof o->gone);
    return OK;
}

/* ---- their keys ---- */

static void name_sid(const char sid[static NZ_CH_HEX], struct store_name *ret_k)
{
    memcpy(ret_k->c, "s:", 2);
    memcpy(ret_k->c + 2, sid, NZ_CH_HEX);
    ret_k->n = 2 + NZ_CH_HEX;
}

static void ask_subject(struct redis_batch *b, bool there, const char sid[static NZ_CH_HEX], struct store_name *ret_k)
{
    ret_k->n = 0;
    if (!there)
        return;
    name_sid(sid, ret_k);
    REDIS_ADD(b, LIT("HMGET"), store_name_slice(ret_k), LIT("k"), LIT("rk"), LIT("to"), LIT("al"));
}

static void ask_subjects(struct nz_op *o, struct redis_batch *b)
{
    ask_subject(b, o->has_kept, o->kept, &o->names.kept_s);
    ask_subject(b, o->has_gone, o->gone, &o->names.gone_s);
}

ERR nz_op_subjects_ask(struct nz_op *o, struct redis_batch *b)
{
    ask_subjects(o, b);
    return OK;
}

/* A change of one person, and an undo, follow the person to where it is by now; a move goes between the two it began with. */
static bool follows(const struct nz_op *o)
{
    const struct nz_journal *j = o->view.j;
    return j && !(o->type == j->type && (o->type == NZ_CH_NUMBER || o->type == NZ_CH_MERGED));
}

static ERR subject_heard(struct nz_op *o, const struct store_name *name, const char sid[static NZ_CH_HEX], const struct redis_reply *r,
                         struct nz_ch_side *side)
{
    const struct slice sealed = redis_reply_str(redis_reply_at(r, 0));
    side->there = true;
    memcpy(side->sid, sid, NZ_CH_HEX);
    side->rk = arena_dup(o->arena, redis_reply_str(redis_reply_at(r, 1)));
    side->to = arena_dup(o->arena, redis_reply_str(redis_reply_at(r, 2)));
    side->al = arena_dup(o->arena, redis_reply_str(redis_reply_at(r, 3)));
    if (sealed.n) {
        struct buf key;
        buf_init(&key, PMH_KEY_MAX);
        struct err e = store_open(o->in->store, slice_of(o->muni, 6), name, LIT("k"), sealed, &key);
        side->key = arena_dup(o->arena, buf_slice(&key));
        buf_done(&key);
        TRY(e);
    }
    return arena_check(o->arena);
}

/* s:<sid> k is the key of whom the subject leads to: during a move the journal says whose is whose. */
static void settle_keys(struct nz_op *o)
{
    struct nz_ch_view *v = &o->view;
    const struct nz_journal *j = v->j;
    if (!j) {
        if (o->type == NZ_CH_NUMBER && v->kept.to.n)
            v->kept.key = SLICE_NONE;
        if (o->new_key[0])
            v->kept.key = slice_str(o->new_key);
        return;
    }
    if (!follows(o) || !v->kept.key.n)
        v->kept.key = j->kept_key;
    v->gone.key = j->gone_key;
}

static ERR name_person(struct nz_op *o, const struct nz_ch_side *side, struct store_name *ret_k)
{
    struct person p;
    ret_k->n = 0;
    if (!side->there || !side->key.n)
        return OK;
    TRY(store_person(o->in->store, side->key, &p));
    store_name_person(&p, ret_k);
    return OK;
}

static ERR sides_heard(struct nz_op *o, const struct redis_reply *const *replies, struct store_name *ret_kept, struct store_name *ret_gone)
{
    size_t at = 0;
    o->view.kept = o->view.gone = (struct nz_ch_side){ 0 };
    if (o->has_kept)
        TRY(subject_heard(o, &o->names.kept_s, o->kept, replies[at++], &o->view.kept));
    if (o->has_gone)
        TRY(subject_heard(o, &o->names.gone_s, o->gone, replies[at++], &o->view.gone));
    settle_keys(o);
    TRY(name_person(o, &o->view.kept, ret_kept));
    return name_person(o, &o->view.gone, ret_gone);
}

static bool hop(struct nz_op *o)
{
    if (!follows(o) || o->view.kept.to.n != NZ_CH_HEX)
        return false;
    memcpy(o->kept, o->view.kept.to.p, sizeof o->kept);
    return true;
}

ERR nz_op_subjects_heard(struct nz_op *o, const struct redis_reply *const *replies, size_t n, bool *ret_again)
{
    if (n != (size_t)o->has_kept + o->has_gone)
        return FAIL(E_STORE_REFUSED);
    TRY(sides_heard(o, replies, &o->names.kept_p, &o->names.gone_p));
    *ret_again = hop(o);
    return OK;
}

/* ---- everything, under the locks ---- */

ERR nz_op_all_ask(struct nz_op *o, struct redis_batch *b)
{
    ask_find(o, b);
    ask_subjects(o, b);
    if (o->names.kept_p.n)
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&o->names.kept_p));
    if (o->names.gone_p.n)
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&o->names.gone_p));
    for (size_t i = 0; i < o->n_earlier; i++) {
        struct store_name k;
        name_sid(o->earlier[i], &k);
        REDIS_ADD(b, LIT("EXISTS"), store_name_slice(&k));
    }
    return OK;
}

static bool is_ours(const struct nz_op *o, struct slice field)
{
    enum store_kind kind;
    struct slice muni;
    bool ours = store_field_kind(field, &kind, &muni) || store_field_is_end(field, &muni) || flags_field_is(field, &muni) ||
                store_field_is_made(field, &muni);
    return ours && slice_eq(muni, slice_of(o->muni, 6));
}

static ERR item_open(struct nz_op *o, const struct store_name *person, struct slice field, struct slice sealed, struct nz_ch_item *ret)
{
    struct buf plain;
    buf_init(&plain, NZ_CH_ITEM_MAX);
    struct err e = store_open(o->in->store, slice_of(o->muni, 6), person, field, sealed, &plain);
    *ret = (struct nz_ch_item){ arena_dup(o->arena, field), arena_dup(o->arena, buf_slice(&plain)), arena_dup(o->arena, sealed) };
    buf_done(&plain);
    TRY(e);
    return arena_check(o->arena);
}

/* What was issued goes with records only: one that does not open keeps nobody's end from being written. */
static bool takes_records(enum nz_change_type t) { return t == NZ_CH_NUMBER || t == NZ_CH_MERGED || t == NZ_CH_UNMERGED || t == NZ_CH_WRONG; }

static ERR person_heard(struct nz_op *o, const struct store_name *person, const struct redis_reply *hash, struct nz_ch_side *side)
{
    char subject[8] = "s:";
    memcpy(subject + 2, o->muni, 6);
    /* What is registered while a move is under way must not keep it from ending. */
    const bool open = o->view.j && (o->view.j->state == NZ_JOURNAL_PENDING || o->view.j->state == NZ_JOURNAL_UNDOING);
    const size_t max = open ? 2 * NZ_CH_ITEMS_MAX : NZ_CH_ITEMS_MAX;
    side->item = arena_get(o->arena, (redis_reply_len(hash) / 2 + 1) * sizeof *side->item);
    if (!side->item)
        return FAIL(E_FULL);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i)), value = redis_reply_str(redis_reply_at(hash, i + 1));
        if (slice_eq(field, ARR(subject)))
            side->subject = arena_dup(o->arena, value);
        else if (slice_eq(field, VACCINE_TURN_FIELD))
            side->turn = arena_dup(o->arena, value);
        else if (slice_starts(field, LIT("sn:")))
            side->open = true;
        else if (is_ours(o, field) && side->n == max)
            return FAIL(E_FULL);
        else if (is_ours(o, field))
            TRY(item_open(o, person, field, value, &side->item[side->n++]));
    }
    if (takes_records(o->type))
        TRY(nz_ch_issued_read(o->in->store, person, hash, o->arena, side));
    return arena_check(o->arena);
}

static ERR view_fill(struct nz_op *o, struct slice sid_of_rk)
{
    struct nz_ch_view *v = &o->view;
    v->type = o->type;
    v->muni = o->muni;
    v->effective = o->effective;
    v->now_ms = clock_wall(loop_clock(o->in->loop));
    v->to_vrs = nz_reports_to_vrs(o->in);
    memcpy(v->task, o->task, sizeof v->task);
    v->row = o->row;
    memset(v->other_rk, 0, sizeof v->other_rk);
    if (!hex_decode(ARR(o->rk), v->rk, sizeof v->rk) || (o->has_other && !hex_decode(ARR(o->other_rk), v->other_rk, sizeof v->other_rk)))
        return FAIL(E_INTERNAL);
    v->same_person = v->kept.key.n && slice_eq(v->kept.key, v->gone.key);
    v->sid_of_rk = arena_dup(o->arena, sid_of_rk);
    v->rk_taken = sid_of_rk.n && !slice_eq(sid_of_rk, ARR(v->kept.sid));
    v->has_number = o->has_number;
    v->released = o->released;
    v->received_ms = o->received_ms;
    v->has_from = o->has_from;
    memcpy(v->from, o->from, sizeof v->from);
    v->number_known = o->number_known;
    memcpy(v->number_sid, o->number_sid, sizeof v->number_sid);
    memcpy(v->new_sid, o->new_sid, sizeof v->new_sid);
    return arena_check(o->arena);
}

static bool same_name(const struct store_name *a, const struct store_name *b) { return slice_eq(store_name_slice(a), store_name_slice(b)); }

static void add_aliases(struct slice list, uint8_t (*sids)[NZ_LOCK_BYTES], size_t *n)
{
    struct slice sid, rk;
    while (*n < NZ_OP_LOCKS && slice_take(&list, NZ_CH_HEX, &sid) && slice_take(&list, NZ_CH_HEX, &rk))
        *n += hex_decode(sid, sids[*n], NZ_LOCK_BYTES);
}

void nz_op_aliases(const struct nz_op *o, uint8_t (*ret_sids)[NZ_LOCK_BYTES], size_t *io_n)
{
    if (o->has_kept)
        add_aliases(o->view.kept.al, ret_sids, io_n);
    if (o->has_gone)
        add_aliases(o->view.gone.al, ret_sids, io_n);
    if (o->view.j)
        add_aliases(o->view.j->aliases, ret_sids, io_n);
}

/* Another change may have added one before the names were locked. */
static bool aliases_locked(const struct nz_op *o)
{
    uint8_t sids[NZ_OP_LOCKS][NZ_LOCK_BYTES];
    size_t n = 0;
    nz_op_aliases(o, sids, &n);
    for (size_t i = 0; i < n; i++) {
        size_t k = 0;
        while (k < o->n_locks && !slice_eq(ARR(o->lock[k]), ARR(sids[i])))
            k++;
        if (k == o->n_locks)
            return false;
    }
    return true;
}

/* The kept side that was followed stays: s:<sid> to is looked at again below. */
static bool other_people(struct nz_op *o, const struct who *w)
{
    if (w->has_gone != o->has_gone || w->has_kept != o->has_kept || (w->has_gone && !slice_eq(ARR(w->gone), ARR(o->gone))))
        return true;
    return !follows(o) && w->has_kept && !slice_eq(ARR(w->kept), ARR(o->kept));
}

ERR nz_op_all_heard(struct nz_op *o, const struct redis_reply *const *replies, size_t n, bool *ret_moved)
{
    const size_t subjects = (size_t)o->has_kept + o->has_gone, people = (o->names.kept_p.n > 0) + (o->names.gone_p.n > 0);
    const size_t earlier = o->n_earlier;
    struct store_name kept, gone;
    *ret_moved = true;
    if (n != 3 + subjects + people + earlier)
        return FAIL(E_STORE_REFUSED);
    TRY(journal_open(o, redis_reply_str(replies[0])));
    const struct who w = who_is_meant(o, redis_reply_str(replies[1]), redis_reply_str(replies[2]));
    if (o->resume && (!o->view.j || (o->view.j->state != NZ_JOURNAL_PENDING && o->view.j->state != NZ_JOURNAL_UNDOING)))
        return FAIL(E_NOTHING);
    if (other_people(o, &w) || o->n_earlier != earlier)
        return OK;
    TRY(sides_heard(o, replies + 3, &kept, &gone));
    if (hop(o) || !same_name(&kept, &o->names.kept_p) || !same_name(&gone, &o->names.gone_p) || !aliases_locked(o))
        return OK;
    size_t at = 3 + subjects;
    if (kept.n)
        TRY(person_heard(o, &kept, replies[at++], &o->view.kept));
    if (gone.n)
        TRY(person_heard(o, &gone, replies[at++], &o->view.gone));
    o->view.number_taken = false;
    for (size_t i = 0; i < earlier; i++)
        o->view.number_taken |= redis_reply_int(replies[at++]) != 0;
    *ret_moved = false;
    return view_fill(o, redis_reply_str(replies[1]));
}
