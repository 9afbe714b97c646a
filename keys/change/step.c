#include "keys/change/step.h"

#include "gateway/base/text.h"
#include "gateway/notice/notice.h"
#include "keys/change/step_int.h"

enum { LIST_MORE_S = 86400 /* that a journal is listed longer than it is kept */ };

/* ---- names ---- */

struct slice nz_ch_todo_name(void) { return LIT("ch:todo"); }

struct slice nz_ch_member(const struct store_name *ch) { return slice_of(ch->c + 3, ch->n - 3); }

void nz_ch_rk_name(const char muni[static 6], struct slice hex, struct store_name *ret_k)
{
    memcpy(ret_k->c, "rk:", 3);
    memcpy(ret_k->c + 3, muni, 6);
    ret_k->c[9] = ':';
    memcpy(ret_k->c + 10, hex.p, NZ_CH_HEX);
    ret_k->n = 10 + NZ_CH_HEX;
}

void nz_ch_of_name(const char muni[static 6], struct slice rk_hex, struct store_name *ret_k)
{
    memcpy(ret_k->c, "ch:of:", 6);
    memcpy(ret_k->c + 6, muni, 6);
    ret_k->c[12] = ':';
    memcpy(ret_k->c + 13, rk_hex.p, NZ_CH_HEX);
    ret_k->n = 13 + NZ_CH_HEX;
}

/* A name that lives as long as the script. */
static ERR keep_name(struct nz_ch_step *s, const struct store_name *k, struct slice *ret)
{
    *ret = arena_dup(s->arena, store_name_slice(k));
    return ret->n ? OK : FAIL(E_FULL);
}

ERR nz_ch__rk(struct nz_ch_step *s, struct slice hex, struct slice *ret)
{
    struct store_name k;
    nz_ch_rk_name(s->view->muni, hex, &k);
    return keep_name(s, &k, ret);
}

ERR nz_ch__sid(struct nz_ch_step *s, struct slice hex, struct store_name *ret_k)
{
    memcpy(ret_k->c, "s:", 2);
    memcpy(ret_k->c + 2, hex.p, NZ_CH_HEX);
    ret_k->n = 2 + NZ_CH_HEX;
    return arena_check(s->arena);
}

/* ---- seals ---- */

ERR nz_ch__seal(struct nz_ch_step *s, const struct store_name *key, struct slice field, struct slice plain, struct slice *ret)
{
    struct buf out;
    buf_init(&out, plain.n + AEAD_OVERHEAD);
    struct err e = store_seal(s->store, slice_of(s->view->muni, 6), key, field, plain, &out);
    if (err_ok(e))
        *ret = arena_dup(s->arena, buf_slice(&out));
    buf_done(&out);
    TRY(e);
    return arena_check(s->arena);
}

ERR nz_ch__field(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *key, struct slice field, struct slice plain)
{
    struct slice sealed;
    TRY(nz_ch__seal(s, key, field, plain, &sealed));
    NZ_CAS(c, LIT("HSET"), store_name_slice(key), field, sealed);
    return nz_ch__mark_for_vrs(s, c, key, field);
}

struct slice nz_ch__subject_field(struct nz_ch_step *s)
{
    char field[8] = "s:";
    memcpy(field + 2, s->view->muni, 6);
    return arena_dup(s->arena, ARR(field));
}

/* ---- the journal ---- */

static ERR number(struct nz_ch_step *s, uint64_t v, struct slice *ret)
{
    struct buf digits;
    buf_init(&digits, 32);
    buf_u64(&digits, v);
    *ret = arena_dup(s->arena, buf_slice(&digits));
    buf_done(&digits);
    return arena_check(s->arena);
}

/* The operation is found by this resident key; what has expired goes. */
static ERR list_under(struct nz_ch_step *s, struct nz_cas *c, const uint8_t rk[static 16])
{
    static const uint8_t NONE[16];
    struct store_name k;
    struct slice name, now, old, keep;
    struct buf hex;
    if (slice_eq(slice_of(rk, 16), ARR(NONE)))
        return OK;
    buf_init(&hex, NZ_CH_HEX);
    buf_hex(&hex, slice_of(rk, 16));
    struct err e = buf_check(&hex);
    if (err_ok(e))
        nz_ch_of_name(s->view->muni, buf_slice(&hex), &k);
    buf_done(&hex);
    TRY(e);
    const uint64_t keep_ms = (s->keep_s + LIST_MORE_S) * 1000;
    TRY(keep_name(s, &k, &name));
    TRY(number(s, s->view->now_ms, &now));
    TRY(number(s, s->view->now_ms > keep_ms ? s->view->now_ms - keep_ms : 0, &old));
    TRY(number(s, s->keep_s + LIST_MORE_S, &keep));
    NZ_CAS(c, LIT("ZADD"), name, now, nz_ch_member(&s->names->ch));
    NZ_CAS(c, LIT("ZREMRANGEBYSCORE"), name, LIT("-inf"), old);
    NZ_CAS(c, LIT("EXPIRE"), name, keep);
    return OK;
}

ERR nz_ch__journal(struct nz_ch_step *s, struct nz_cas *c, const struct nz_journal *j)
{
    const struct store_name *ch = &s->names->ch;
    struct buf plain;
    struct slice sealed = SLICE_NONE, score;
    bool open = j->state == NZ_JOURNAL_PENDING || j->state == NZ_JOURNAL_UNDOING;
    buf_init(&plain, NZ_JOURNAL_MAX);
    nz_journal_encode(j, &plain);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = nz_ch__seal(s, ch, SLICE_NONE, buf_slice(&plain), &sealed);
    buf_done(&plain);
    TRY(e);
    nz_cas_expect(c, store_name_slice(ch), SLICE_NONE, s->ch);
    NZ_CAS(c, LIT("SET"), store_name_slice(ch), sealed);
    TRY(list_under(s, c, j->rk));
    TRY(list_under(s, c, j->other_rk));
    TRY(number(s, open ? s->view->now_ms : s->keep_s, &score));
    if (open) {
        NZ_CAS(c, LIT("ZADD"), nz_ch_todo_name(), score, nz_ch_member(ch));
        return arena_check(s->arena);
    }
    NZ_CAS(c, LIT("EXPIRE"), store_name_slice(ch), score);
    NZ_CAS(c, LIT("ZREM"), nz_ch_todo_name(), nz_ch_member(ch));
    return arena_check(s->arena);
}

void nz_ch__expect_ties(struct nz_cas *c, const struct store_name *sid, const struct nz_ch_side *side)
{
    nz_cas_expect(c, store_name_slice(sid), LIT("rk"), side->rk);
    nz_cas_expect(c, store_name_slice(sid), LIT("to"), side->to);
}

static bool sid_bytes(const char hex[static NZ_CH_HEX], uint8_t out[static SUBJECT_BYTES])
{
    return hex_decode(slice_of(hex, NZ_CH_HEX), out, SUBJECT_BYTES);
}

/* A journal of the present operation, written by the present row. */
ERR nz_ch__new_journal(struct nz_ch_step *s, enum nz_journal_state state, struct nz_journal *ret_j)
{
    const struct nz_ch_view *v = s->view;
    struct nz_journal j = { .state = state, .type = v->type, .effective = v->effective, .ms = v->now_ms, .row = v->row,
                            .kept_key = v->kept.key, .gone_key = v->gone.key };
    memcpy(j.task, v->task, sizeof j.task);
    memcpy(j.rk, v->rk, sizeof j.rk);
    memcpy(j.other_rk, v->other_rk, sizeof j.other_rk);
    if (!sid_bytes(v->kept.sid, j.kept) || (v->gone.there && !sid_bytes(v->gone.sid, j.gone)))
        return FAIL(E_INTERNAL);
    *ret_j = j;
    return OK;
}

static ERR save_all(struct nz_ch_step *s, const struct nz_ch_side *side, struct nz_journal *j)
{
    j->saved = arena_get(s->arena, (side->n + 1) * sizeof *j->saved);
    if (!j->saved)
        return FAIL(E_FULL);
    for (size_t i = 0; i < side->n; i++)
        j->saved[j->n_saved++] = (struct nz_saved){ .field = side->item[i].field, .plain = side->item[i].plain };
    return OK;
}

struct nz_journal nz_ch__journal_in(const struct nz_ch_step *s, enum nz_journal_state state)
{
    struct nz_journal j = *s->view->j;
    const bool undo = state == NZ_JOURNAL_UNDOING || state == NZ_JOURNAL_UNDONE;
    j.state = state;
    memcpy(undo ? j.undo_task : j.task, s->view->task, sizeof j.task);
    *(undo ? &j.undo_row : &j.row) = s->view->row;
    return j;
}

/* ---- one person ---- */

static struct slice end_field(struct nz_ch_step *s)
{
    struct store_name f;
    store_field_end(s->view->muni, &f);
    return arena_dup(s->arena, store_name_slice(&f));
}

static void expect_end(struct nz_ch_step *s, struct nz_cas *c, struct slice field)
{
    const struct nz_ch_item *i = nz_ch_item_find(&s->view->kept, field);
    nz_cas_expect(c, store_name_slice(&s->names->kept_p), field, i ? i->sealed : SLICE_NONE);
}

static ERR save_end(struct nz_ch_step *s, struct slice field, struct nz_journal *j)
{
    const struct nz_ch_item *i = nz_ch_item_find(&s->view->kept, field);
    j->saved = arena_get(s->arena, sizeof *j->saved);
    if (!j->saved)
        return FAIL(E_FULL);
    if (i)
        j->saved[j->n_saved++] = (struct nz_saved){ .field = i->field, .plain = i->plain };
    return OK;
}

struct telling { struct nz_ch_step *s; struct nz_cas *c; };

static void put_told(void *to, size_t n, const struct slice *args)
{
    const struct telling *t = to;
    struct slice kept[NZ_CAS_ARGS];
    for (size_t i = 0; i < n && i < NZ_CAS_ARGS; i++)
        kept[i] = arena_dup(t->s->arena, args[i]);
    nz_cas_add(t->c, n, kept);
}

/* Clinics that have the person open hear that it is so no more. */
static ERR tell_clinics(struct nz_ch_step *s, struct nz_cas *c, enum notice_what what)
{
    struct telling t = { s, c };
    struct notice n;
    if (!s->view->kept.open)
        return OK;
    notice_eligibility(&n, &s->names->kept_p, s->view->muni, what, s->view->now_ms);
    TRY(notice_add_by(s->store, &n, SLICE_NONE, put_told, &t));
    return arena_check(s->arena);
}

static ERR set_end(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct store_end end = nz_ch_end_of(v);
    const struct slice field = end_field(s);
    struct nz_journal j;
    struct buf plain;
    if (v->j) {
        j = nz_ch__journal_in(s, NZ_JOURNAL_DONE);
        j.effective = v->effective;
        j.ms = v->now_ms;
    } else {
        TRY(nz_ch__new_journal(s, NZ_JOURNAL_DONE, &j));
        TRY(save_end(s, field, &j));
    }
    expect_end(s, c, field);
    buf_init(&plain, 64);
    store_end_encode(&end, &plain);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = nz_ch__field(s, c, &s->names->kept_p, field, buf_slice(&plain));
    buf_done(&plain);
    TRY(e);
    nz_ch__turn(c, &s->names->kept_p, &v->kept);
    TRY(nz_ch__mark_registrations(s, c, &s->names->kept_p, &s->view->kept));
    TRY(tell_clinics(s, c, end.from <= clock_date_jst(v->now_ms) ? NOTICE_ENDED : NOTICE_CHANGED));
    return nz_ch__journal(s, c, &j);
}

static ERR lift(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct slice field = end_field(s);
    struct nz_journal j;
    TRY(nz_ch__new_journal(s, NZ_JOURNAL_DONE, &j));
    TRY(save_end(s, field, &j));
    expect_end(s, c, field);
    NZ_CAS(c, LIT("HDEL"), store_name_slice(&s->names->kept_p), field);
    nz_ch__turn(c, &s->names->kept_p, &s->view->kept);
    TRY(nz_ch__mark_registrations(s, c, &s->names->kept_p, &s->view->kept));
    return nz_ch__journal(s, c, &j);
}

static ERR unend(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct slice field = end_field(s);
    const struct nz_saved *before = nz_journal_find(s->view->j, field);
    const struct nz_journal j = nz_ch__journal_in(s, NZ_JOURNAL_UNDONE);
    expect_end(s, c, field);
    if (before)
        TRY(nz_ch__field(s, c, &s->names->kept_p, field, before->plain));
    else
        NZ_CAS(c, LIT("HDEL"), store_name_slice(&s->names->kept_p), field);
    nz_ch__turn(c, &s->names->kept_p, &s->view->kept);
    TRY(nz_ch__mark_registrations(s, c, &s->names->kept_p, &s->view->kept));
    return nz_ch__journal(s, c, &j);
}

/* ---- 誤登録 ---- */

static ERR wipe(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice person = store_name_slice(&s->names->kept_p), subject = nz_ch__subject_field(s);
    struct nz_journal j;
    struct slice rk;
    TRY(nz_ch__new_journal(s, NZ_JOURNAL_DONE, &j));
    TRY(save_all(s, &v->kept, &j));
    j.aliases = v->kept.al;
    nz_ch__expect_ties(c, &s->names->kept_s, &v->kept);
    for (size_t i = 0; i < v->kept.n; i++) {
        nz_cas_expect(c, person, v->kept.item[i].field, v->kept.item[i].sealed);
        NZ_CAS(c, LIT("HDEL"), person, v->kept.item[i].field);
        TRY(nz_ch__take_back(s, c, &s->names->kept_p, &v->kept, &v->kept.item[i]));
        TRY(nz_ch__ticket_gone(s, c, v->kept.item[i].field, v->kept.item[i].plain, &s->names->kept_p));
    }
    TRY(nz_ch__issued_wipe(s, c));
    nz_ch__turn(c, &s->names->kept_p, &v->kept);
    TRY(nz_ch__unindexed(s, c, &s->names->kept_p));
    if (slice_eq(v->kept.subject, ARR(v->kept.sid)))
        NZ_CAS(c, LIT("HDEL"), person, subject);
    NZ_CAS(c, LIT("DEL"), store_name_slice(&s->names->kept_s));
    if (v->kept.rk.n == NZ_CH_HEX) {
        TRY(nz_ch__rk(s, v->kept.rk, &rk));
        NZ_CAS(c, LIT("DEL"), rk);
    }
    TRY(nz_ch__aliases(s, c, v->kept.al, NULL, SLICE_NONE));
    return nz_ch__journal(s, c, &j);
}

static ERR unwipe(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice person = store_name_slice(&s->names->kept_p), subject = nz_ch__subject_field(s);
    const struct slice at = store_name_slice(&s->names->kept_s);
    struct nz_journal j = nz_ch__journal_in(s, NZ_JOURNAL_UNDONE);
    struct buf hex;
    struct slice rk;
    for (size_t i = 0; i < j.n_saved; i++) {
        const struct nz_ch_item *there = nz_ch_item_find(&v->kept, j.saved[i].field);
        nz_cas_expect(c, person, j.saved[i].field, there ? there->sealed : SLICE_NONE);
        if (!there) {
            TRY(nz_ch__field(s, c, &s->names->kept_p, j.saved[i].field, j.saved[i].plain));
            TRY(nz_ch__ticket_leads(s, c, j.saved[i].field, j.saved[i].plain, &(struct nz_ch_lead){ NULL, &s->names->kept_p, v->kept.sid }));
        } else
            j.changed_since |= !slice_eq(there->plain, j.saved[i].plain);
    }
    s->changed_since = j.changed_since;
    nz_ch__turn(c, &s->names->kept_p, &v->kept);
    TRY(nz_ch__indexed(s, c, &s->names->kept_p));
    if (!v->kept.subject.n)
        NZ_CAS(c, LIT("HSET"), person, subject, ARR(v->kept.sid));
    buf_init(&hex, NZ_CH_HEX);
    buf_hex(&hex, ARR(j.rk));
    const struct slice rk_hex = arena_dup(s->arena, buf_slice(&hex));
    buf_done(&hex);
    TRY(arena_check(s->arena));
    TRY(nz_ch__rk(s, rk_hex, &rk));
    nz_ch__expect_ties(c, &s->names->kept_s, &v->kept);
    nz_cas_expect(c, rk, SLICE_NONE, v->sid_of_rk);
    TRY(nz_ch__field(s, c, &s->names->kept_s, LIT("k"), j.kept_key));
    NZ_CAS(c, LIT("HSET"), at, LIT("rk"), rk_hex);
    if (j.aliases.n)
        NZ_CAS(c, LIT("HSET"), at, LIT("al"), j.aliases);
    NZ_CAS(c, LIT("SET"), rk, ARR(v->kept.sid));
    TRY(nz_ch__aliases(s, c, j.aliases, v->kept.sid, j.kept_key));
    return nz_ch__journal(s, c, &j);
}

static ERR redate(struct nz_ch_step *s, struct nz_cas *c)
{
    struct nz_journal j = nz_ch__journal_in(s, NZ_JOURNAL_DONE);
    j.effective = s->view->effective;
    return nz_ch__journal(s, c, &j);
}

/* ---- all ---- */

typedef struct err step_fn(struct nz_ch_step *s, struct nz_cas *c);

ERR nz_ch_step_write(struct nz_ch_step *s, enum nz_ch_action action, struct nz_cas *c)
{
    static step_fn *const STEPS[NZ_CHA__MAX] = {
        [NZ_CHA_SET_END] = set_end, [NZ_CHA_LIFT] = lift, [NZ_CHA_UNEND] = unend, [NZ_CHA_WIPE] = wipe, [NZ_CHA_UNWIPE] = unwipe,
        [NZ_CHA_REDATE] = redate, [NZ_CHA_BEGIN] = nz_ch__begin, [NZ_CHA_SAVE] = nz_ch__save, [NZ_CHA_COPY] = nz_ch__copy,
        [NZ_CHA_TIES] = nz_ch__ties, [NZ_CHA_REMOVE] = nz_ch__remove, [NZ_CHA_FINISH] = nz_ch__finish, [NZ_CHA_BACK_BEGIN] = nz_ch__back_begin,
        [NZ_CHA_BACK_COPY] = nz_ch__back_copy, [NZ_CHA_BACK_TIES] = nz_ch__back_ties, [NZ_CHA_BACK_REMOVE] = nz_ch__back_remove,
        [NZ_CHA_BACK_FINISH] = nz_ch__back_finish,
    };
    step_fn *step = (unsigned)action < NZ_CHA__MAX ? STEPS[action] : NULL;
    if (!step)
        return FAIL(E_INTERNAL);
    TRY(step(s, c));
    return arena_check(s->arena);
}
