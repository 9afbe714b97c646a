/* The steps of a move from one person to another, and of its undo. Each can be repeated; none takes away what the next one needs. */

#include "gateway/base/text.h"
#include "gateway/consent/consent.h"
#include "keys/change/step_int.h"

static const char NO_RK[NZ_CH_HEX + 1] = "00000000000000000000000000000000";

static void expect_journal(struct nz_ch_step *s, struct nz_cas *c) { nz_cas_expect(c, store_name_slice(&s->names->ch), SLICE_NONE, s->ch); }

static struct slice person_of(const struct store_name *k) { return store_name_slice(k); }

/* ---- ties ---- */

static ERR lead(struct nz_ch_step *s, struct nz_cas *c, struct slice alias, const char *sid, struct slice key)
{
    struct store_name k;
    TRY(nz_ch__sid(s, alias, &k));
    const struct slice name = arena_dup(s->arena, store_name_slice(&k));
    struct slice sealed;
    if (!sid) {
        NZ_CAS(c, LIT("DEL"), name);
        return arena_check(s->arena);
    }
    TRY(nz_ch__seal(s, &k, LIT("k"), key, &sealed));
    NZ_CAS(c, LIT("HSET"), name, LIT("k"), sealed);
    NZ_CAS(c, LIT("HSET"), name, LIT("to"), slice_of(sid, NZ_CH_HEX));
    return OK;
}

ERR nz_ch__aliases(struct nz_ch_step *s, struct nz_cas *c, struct slice list, const char *sid, struct slice key)
{
    struct slice alias, rk, name;
    while (slice_take(&list, NZ_CH_HEX, &alias) && slice_take(&list, NZ_CH_HEX, &rk)) {
        TRY(lead(s, c, alias, sid, key));
        if (!sid || slice_eq(rk, slice_str(NO_RK)))
            continue;
        TRY(nz_ch__rk(s, rk, &name));
        NZ_CAS(c, LIT("SET"), name, slice_of(sid, NZ_CH_HEX));
    }
    return arena_check(s->arena);
}

static ERR set_aliases(struct nz_ch_step *s, struct nz_cas *c, const struct store_name *at, struct slice list)
{
    const struct slice copy = arena_dup(s->arena, list);
    if (copy.n)
        NZ_CAS(c, LIT("HSET"), store_name_slice(at), LIT("al"), copy);
    else
        NZ_CAS(c, LIT("HDEL"), store_name_slice(at), LIT("al"));
    return arena_check(s->arena);
}

/* ---- begin ---- */

static ERR save_gone(struct nz_ch_step *s, struct nz_journal *j)
{
    const struct nz_ch_view *v = s->view;
    size_t old = v->j ? v->j->n_saved : 0;
    struct nz_saved *all = arena_get(s->arena, (old + v->gone.n + 1) * sizeof *all);
    if (!all)
        return FAIL(E_FULL);
    size_t n = 0;
    for (size_t i = 0; i < old; i++) {
        all[n] = v->j->saved[i];
        const struct nz_ch_item *now = nz_ch_item_find(&v->gone, all[n].field);
        if (now)
            all[n].plain = now->plain;
        n++;
    }
    for (size_t i = 0; i < v->gone.n; i++) {
        const struct nz_ch_item *item = &v->gone.item[i];
        if (v->j && nz_journal_find(v->j, item->field))
            continue;
        /* A merged resident lives on: the end of the other key is kept for the undo only. */
        bool clash = nz_ch_item_find(&v->kept, item->field) || (j->type == NZ_CH_MERGED && nz_ch_is_end(item->field));
        all[n++] = (struct nz_saved){ item->field, item->plain, clash };
    }
    if (n > NZ_CH_ITEMS_MAX)
        return FAIL(E_FULL);
    j->saved = all;
    j->n_saved = n;
    return OK;
}

/* Once begun, a move must be able to end: what the kept person will have is read again with every step. */
static ERR has_room(const struct nz_ch_view *v, const struct nz_journal *j)
{
    size_t n = v->kept.n;
    for (size_t i = 0; i < j->n_saved; i++)
        n += !j->saved[i].clash;
    return n <= NZ_CH_ITEMS_MAX ? OK : FAIL(E_FULL);
}

ERR nz_ch__begin(struct nz_ch_step *s, struct nz_cas *c)
{
    struct nz_journal j;
    struct buf al;
    TRY(nz_ch__new_journal(s, NZ_JOURNAL_PENDING, &j));
    if (!s->view->same_person)
        TRY(save_gone(s, &j));
    TRY(has_room(s->view, &j));
    buf_init(&al, NZ_CH_ALIAS * (NZ_CH_ALIASES_MAX + 1));
    struct err e = nz_ch_aliases_after(s->view, &al); /* is there room? */
    buf_reset(&al);
    if (err_ok(e))
        e = nz_ch_aliases_moved(s->view, &al);
    j.aliases = arena_dup(s->arena, buf_slice(&al));
    buf_done(&al);
    TRY(e);
    return nz_ch__journal(s, c, &j);
}

/* What was registered for the gone person between a crash and now: it belongs to the move. */
ERR nz_ch__save(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    struct nz_journal j = *v->j;
    TRY(save_gone(s, &j));
    for (size_t i = 0; i < v->gone.n; i++) {
        const struct nz_ch_item *item = &v->gone.item[i];
        const struct nz_saved *old = nz_journal_find(v->j, item->field);
        const struct nz_ch_item *copy = nz_ch_item_find(&v->kept, item->field);
        if (!old || slice_eq(old->plain, item->plain) || old->clash || !copy || !slice_eq(copy->plain, old->plain))
            continue;
        nz_cas_expect(c, person_of(&s->names->kept_p), item->field, copy->sealed);
        TRY(nz_ch__field(s, c, &s->names->kept_p, item->field, item->plain));
    }
    return nz_ch__journal(s, c, &j);
}

/* ---- there ---- */

ERR nz_ch__copy(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice person = person_of(&s->names->kept_p), subject = nz_ch__subject_field(s);
    struct slice muni;
    expect_journal(s, c);
    for (size_t i = 0; i < v->gone.n; i++) {
        const struct nz_ch_item *item = &v->gone.item[i];
        if (!nz_ch_copies(v, item))
            continue;
        nz_cas_expect(c, person, item->field, SLICE_NONE);
        TRY(nz_ch__field(s, c, &s->names->kept_p, item->field, item->plain));
        if (flags_field_is(item->field, &muni))
            TRY(nz_ch__mark_registrations(s, c, &s->names->kept_p, &v->kept));
    }
    if (!v->kept.subject.n)
        NZ_CAS(c, LIT("HSET"), person, subject, ARR(v->kept.sid));
    TRY(nz_ch__issued_copy(s, c, NZ_CH_THERE));
    nz_ch__turn(c, &s->names->kept_p, &v->kept);
    return nz_ch__indexed(s, c, &s->names->kept_p);
}

static ERR tie_keys(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice kept = store_name_slice(&s->names->kept_s), gone = store_name_slice(&s->names->gone_s);
    struct slice rk;
    if (v->gone.rk.n == NZ_CH_HEX) {
        TRY(nz_ch__rk(s, v->gone.rk, &rk));
        NZ_CAS(c, LIT("SET"), rk, ARR(v->kept.sid));
    }
    if (v->j->type != NZ_CH_NUMBER)
        return OK;
    if (v->gone.rk.n == NZ_CH_HEX)
        NZ_CAS(c, LIT("HSET"), kept, LIT("rk"), v->gone.rk);
    NZ_CAS(c, LIT("HDEL"), gone, LIT("rk"));
    return OK;
}

static ERR tickets_follow(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct nz_ch_lead lead = { &s->names->gone_p, &s->names->kept_p, v->kept.sid };
    for (size_t i = 0; i < v->gone.n; i++)
        TRY(nz_ch__ticket_leads(s, c, v->gone.item[i].field, v->gone.item[i].plain, &lead));
    return OK;
}

ERR nz_ch__ties(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice kept = store_name_slice(&s->names->kept_s), gone = store_name_slice(&s->names->gone_s);
    struct buf al;
    expect_journal(s, c);
    nz_ch__expect_ties(c, &s->names->kept_s, &v->kept);
    nz_ch__expect_ties(c, &s->names->gone_s, &v->gone);
    TRY(nz_ch__field(s, c, &s->names->kept_s, LIT("k"), v->j->kept_key));
    NZ_CAS(c, LIT("HDEL"), kept, LIT("to"));
    TRY(tie_keys(s, c));
    TRY(lead(s, c, ARR(v->gone.sid), v->kept.sid, v->j->kept_key));
    NZ_CAS(c, LIT("HDEL"), gone, LIT("al"));
    TRY(nz_ch__aliases(s, c, v->j->aliases, v->kept.sid, v->j->kept_key));
    if (v->same_person) {
        NZ_CAS(c, LIT("HSET"), person_of(&s->names->kept_p), nz_ch__subject_field(s), ARR(v->kept.sid));
        for (size_t i = 0; i < v->kept.n; i++) /* all of it is under another number now */
            TRY(nz_ch__mark_for_vrs(s, c, &s->names->kept_p, v->kept.item[i].field));
    } else
        TRY(tickets_follow(s, c));
    buf_init(&al, NZ_CH_ALIAS * (NZ_CH_ALIASES_MAX + 1));
    struct err e = nz_ch_aliases_after(v, &al);
    if (err_ok(e))
        e = set_aliases(s, c, &s->names->kept_s, buf_slice(&al));
    buf_done(&al);
    return e;
}

ERR nz_ch__remove(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice person = person_of(&s->names->gone_p);
    expect_journal(s, c);
    for (size_t i = 0; i < v->gone.n; i++) {
        nz_cas_expect(c, person, v->gone.item[i].field, v->gone.item[i].sealed);
        NZ_CAS(c, LIT("HDEL"), person, v->gone.item[i].field);
        TRY(nz_ch__moves_at_vrs(s, c, &s->names->gone_p, &v->gone, &v->gone.item[i], &s->names->kept_p));
    }
    NZ_CAS(c, LIT("HDEL"), person, nz_ch__subject_field(s));
    TRY(nz_ch__issued_remove(s, c, NZ_CH_THERE));
    nz_ch__turn(c, &s->names->gone_p, &v->gone);
    return nz_ch__unindexed(s, c, &s->names->gone_p);
}

ERR nz_ch__finish(struct nz_ch_step *s, struct nz_cas *c)
{
    struct nz_journal j = *s->view->j;
    j.state = NZ_JOURNAL_DONE;
    return nz_ch__journal(s, c, &j);
}

/* ---- and back ---- */

ERR nz_ch__back_begin(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_journal j = nz_ch__journal_in(s, NZ_JOURNAL_UNDOING);
    return nz_ch__journal(s, c, &j);
}

ERR nz_ch__back_copy(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice person = person_of(&s->names->gone_p);
    expect_journal(s, c);
    for (size_t i = 0; i < v->j->n_saved; i++) {
        const struct nz_saved *old = &v->j->saved[i];
        if (!nz_ch_copies_back(v, old))
            continue;
        const struct nz_ch_item *there = nz_ch_item_find(&v->gone, old->field), *copy = old->clash ? NULL : nz_ch_item_find(&v->kept, old->field);
        nz_cas_expect(c, person, old->field, there ? there->sealed : SLICE_NONE);
        TRY(nz_ch__field(s, c, &s->names->gone_p, old->field, copy ? copy->plain : old->plain)); /* who was told since goes along */
    }
    const struct nz_ch_item *flags = nz_ch_flags_back(v);
    if (flags) {
        nz_cas_expect(c, person, flags->field, SLICE_NONE);
        TRY(nz_ch__field(s, c, &s->names->gone_p, flags->field, flags->plain));
    }
    if (!v->gone.subject.n)
        NZ_CAS(c, LIT("HSET"), person, nz_ch__subject_field(s), ARR(v->gone.sid));
    TRY(nz_ch__issued_copy(s, c, NZ_CH_BACK));
    nz_ch__turn(c, &s->names->gone_p, &v->gone);
    return nz_ch__indexed(s, c, &s->names->gone_p);
}

/* A ticket that both had stays with the one whose is the number now. */
static ERR tickets_go_back(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct nz_ch_lead lead = { &s->names->kept_p, &s->names->gone_p, v->gone.sid };
    for (size_t i = 0; i < v->j->n_saved; i++) {
        const struct nz_saved *old = &v->j->saved[i];
        if (!old->clash && nz_ch_item_find(&v->gone, old->field))
            TRY(nz_ch__ticket_leads(s, c, old->field, old->plain, &lead));
    }
    return OK;
}

ERR nz_ch__back_ties(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    struct slice rk;
    struct buf al;
    expect_journal(s, c);
    nz_ch__expect_ties(c, &s->names->gone_s, &v->gone);
    TRY(nz_ch__field(s, c, &s->names->gone_s, LIT("k"), v->j->gone_key));
    NZ_CAS(c, LIT("HDEL"), store_name_slice(&s->names->gone_s), LIT("to"));
    TRY(set_aliases(s, c, &s->names->gone_s, v->j->aliases));
    if (v->gone.rk.n == NZ_CH_HEX) {
        TRY(nz_ch__rk(s, v->gone.rk, &rk));
        NZ_CAS(c, LIT("SET"), rk, ARR(v->gone.sid));
    }
    TRY(nz_ch__aliases(s, c, v->j->aliases, v->gone.sid, v->j->gone_key));
    if (!v->same_person)
        TRY(tickets_go_back(s, c));
    buf_init(&al, NZ_CH_ALIAS * (NZ_CH_ALIASES_MAX + 1));
    struct err e = nz_ch_aliases_back(v, &al);
    if (err_ok(e))
        e = set_aliases(s, c, &s->names->kept_s, buf_slice(&al));
    buf_done(&al);
    return e;
}

/* When flags go back: VRS hears of what stays that it is disclosed again. */
static ERR told_without_flags(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    struct nz_ch_side stays = { .n = 0, .item = arena_get(s->arena, (v->kept.n + 1) * sizeof *stays.item) };
    struct slice muni;
    bool flags = false;
    if (!stays.item)
        return FAIL(E_FULL);
    for (size_t i = 0; i < v->kept.n; i++) {
        const struct nz_saved *saved = nz_journal_find(v->j, v->kept.item[i].field);
        if (!saved || !nz_ch_is_copy(v, saved))
            stays.item[stays.n++] = v->kept.item[i];
        else
            flags |= flags_field_is(v->kept.item[i].field, &muni);
    }
    return flags ? nz_ch__mark_registrations(s, c, &s->names->kept_p, &stays) : OK;
}

ERR nz_ch__back_remove(struct nz_ch_step *s, struct nz_cas *c)
{
    const struct nz_ch_view *v = s->view;
    const struct slice person = person_of(&s->names->kept_p);
    expect_journal(s, c);
    for (size_t i = 0; i < v->j->n_saved; i++) {
        if (!nz_ch_is_copy(v, &v->j->saved[i]))
            continue;
        const struct nz_ch_item *k = nz_ch_item_find(&v->kept, v->j->saved[i].field);
        nz_cas_expect(c, person, k->field, k->sealed);
        NZ_CAS(c, LIT("HDEL"), person, k->field);
        TRY(nz_ch__moves_at_vrs(s, c, &s->names->kept_p, &v->kept, k, &s->names->gone_p));
    }
    TRY(told_without_flags(s, c));
    TRY(nz_ch__issued_remove(s, c, NZ_CH_BACK));
    nz_ch__turn(c, &s->names->kept_p, &v->kept);
    return OK;
}

ERR nz_ch__back_finish(struct nz_ch_step *s, struct nz_cas *c)
{
    struct nz_journal j = *s->view->j;
    j.state = NZ_JOURNAL_UNDONE;
    j.changed_since = s->changed_since;
    return nz_ch__journal(s, c, &j);
}
