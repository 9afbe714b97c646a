#include "keys/intake/judge.h"

#include "gateway/base/text.h"

enum { HEX = 32 };

/* The subject that speaks for this one: itself, unless a resident change led it to another. */
static struct slice leader(const struct nz_ties *t) { return t->to.n ? t->to : t->sid; }

struct nz_verdict nz_judge_ties(const struct nz_ties *t)
{
    bool key_is_ours = t->sid_of_rk.n && slice_eq(t->sid_of_rk, leader(t));
    if (t->rk.n && t->sid_of_rk.n && !key_is_ours)
        return (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_RESIDENT_TWO };
    /* Two keys of one resident, merged: each leads here, and only one stands at the subject. Whom a number leads to that was changed or merged has a
     * key: one that leads nowhere is a second one. */
    if (t->rk.n && !key_is_ours && (t->to.n || (t->rk_of_sid.n && !slice_eq(t->rk_of_sid, t->rk))))
        return (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_NUMBER_TWO };
    return (struct nz_verdict){ .result = NZ_WAITING, .code = NZ_CODE_NONE };
}

bool nz_judge_is_tie(enum nz_code code) { return code == NZ_CODE_RESIDENT_TWO || code == NZ_CODE_NUMBER_TWO || code == NZ_CODE_RESIDENT_CHANGED; }

/* ---- ties that an officer overrides ---- */

void nz_judge_seen(const struct nz_ties *t, struct nz_seen_ties *ret_s)
{
    *ret_s = (struct nz_seen_ties){ { 0 }, { 0 } };
    if (t->sid_of_rk.n && !hex_decode(t->sid_of_rk, ret_s->owner, sizeof ret_s->owner))
        memset(ret_s->owner, 0, sizeof ret_s->owner);
    if (t->rk_of_sid.n && !hex_decode(t->rk_of_sid, ret_s->rk, sizeof ret_s->rk))
        memset(ret_s->rk, 0, sizeof ret_s->rk);
}

static bool is_hex_of(struct slice hex, struct slice bytes)
{
    uint8_t b[HEX / 2];
    return hex_decode(hex, b, sizeof b) && slice_eq(ARR(b), bytes);
}

/* What contradicts now is what the officer was told of, and nothing else. */
static bool as_seen(const struct nz_ties *t, const struct nz_seen_ties *seen)
{
    bool owner = !t->sid_of_rk.n || slice_eq(t->sid_of_rk, leader(t)) || is_hex_of(t->sid_of_rk, ARR(seen->owner));
    bool rk = !t->rk_of_sid.n || slice_eq(t->rk_of_sid, t->rk) || is_hex_of(t->rk_of_sid, ARR(seen->rk));
    return owner && rk;
}

static bool is_merged_key(struct slice al, struct slice rk)
{
    struct slice sid, key;
    while (slice_take(&al, HEX, &sid) && slice_take(&al, HEX, &key)) {
        if (slice_eq(key, rk))
            return true;
    }
    return false;
}

/* Ties that a merge or a change of number made are taken back by that change, never behind its back: its journal names the same keys. */
static struct nz_verdict ties_of(const struct nz_apply_view *v)
{
    const struct nz_verdict ties = nz_judge_ties(&v->ties);
    if (ties.result == NZ_WAITING || !v->retie || !as_seen(&v->ties, v->retie))
        return ties;
    if (v->ties.to.n || v->owner_to.n || is_merged_key(v->owner_al, v->ties.rk))
        return (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_RESIDENT_CHANGED };
    return (struct nz_verdict){ .result = NZ_WAITING, .code = NZ_CODE_NONE, .retie = true };
}

/* The text behind `lead` in an object that row_record.c wrote, escapes and all: one text has one form there. The lead stands nowhere inside of a
 * text, where its quotation marks would be escaped. */
static bool text_in(struct slice obj, struct slice lead, struct slice *ret)
{
    const uint8_t *at = obj.n ? memmem(obj.p, obj.n, lead.p, lead.n) : NULL;
    if (!at)
        return false;
    const size_t from = (size_t)(at - obj.p) + lead.n;
    size_t to = from;
    while (to < obj.n && obj.p[to] != '"')
        to += obj.p[to] == '\\' ? 2 : 1;
    if (to >= obj.n)
        return false;
    *ret = slice_of(obj.p + from, to - from);
    return true;
}

static bool text_differs(struct slice a, struct slice b, struct slice lead)
{
    struct slice x, y;
    return text_in(a, lead, &x) && text_in(b, lead, &y) && !slice_eq(x, y);
}

bool nz_basic_mismatch(struct slice a, struct slice b)
{
    return text_differs(a, b, LIT("{\"name\":\"")) && text_differs(a, b, LIT(",\"dateOfBirth\":\""));
}

/* The row that wrote this record is the row at hand: it was applied, and the process died before it could say so. */
static bool same_write(const struct record *a, const struct record *b)
{
    return a->row == b->row && memcmp(a->task, b->task, sizeof a->task) == 0;
}

/* A row further down in the same file was applied first: this one had to wait for the upstream. */
static bool later_row(const struct record *a, const struct record *b)
{
    return a->row > b->row && memcmp(a->task, b->task, sizeof a->task) == 0;
}

/* What a removal makes of the stored record, but for who wrote it. */
static struct record removed(const struct record *old, const struct record *in)
{
    struct record r = *old;
    r.ended = in->ended;
    r.not_disclosed |= in->not_disclosed;
    r.viewing_stopped |= in->viewing_stopped;
    r.recovery |= in->recovery;
    return r;
}

static bool same_content(const struct record *old, const struct record *in)
{
    const struct record after = in->removal ? removed(old, in) : *in;
    return record_same(old, &after);
}

static struct nz_verdict judge_record(const struct nz_apply_view *v)
{
    const struct record *in = v->incoming, *old = v->stored;
    if (old && same_write(old, in))
        return (struct nz_verdict){ .result = old->updated ? NZ_UPDATED : NZ_REGISTERED, .code = NZ_CODE_NONE };
    if (old && (old->stored_ms > in->stored_ms || later_row(old, in)))
        return (struct nz_verdict){ .result = NZ_UNCHANGED, .code = NZ_CODE_SUPERSEDED };
    if (!old && in->removal)
        return (struct nz_verdict){ .result = NZ_REFUSED, .code = NZ_CODE_NOT_THERE };
    if (old && same_content(old, in))
        return (struct nz_verdict){ .result = NZ_UNCHANGED, .code = NZ_CODE_NONE, .touch = true };
    const struct record *known = old ? old : v->sibling;
    if (known && !v->released && nz_basic_mismatch(known->basic, in->basic))
        return (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_MISMATCH };
    return (struct nz_verdict){ .result = old ? NZ_UPDATED : NZ_REGISTERED, .code = NZ_CODE_NONE, .write = true };
}

/* A row that changes nothing because a later one came first says nothing about ties either. */
static bool is_applied(const struct nz_verdict *v)
{
    return v->code == NZ_CODE_NONE && (v->result == NZ_REGISTERED || v->result == NZ_UPDATED || v->result == NZ_UNCHANGED);
}

struct nz_verdict nz_judge_apply(const struct nz_apply_view *v)
{
    const struct nz_verdict ties = ties_of(v);
    if (ties.result != NZ_WAITING)
        return ties;
    bool other_person = v->sid_of_person.n && !slice_eq(v->sid_of_person, leader(&v->ties));
    bool other_key = v->key_of_sid.n && !slice_eq(v->key_of_sid, v->pmh_key);
    if (other_person || other_key)
        return (struct nz_verdict){ .result = NZ_QUARANTINED, .code = NZ_CODE_UPSTREAM };
    struct nz_verdict verdict = judge_record(v);
    verdict.retie = ties.retie && is_applied(&verdict);
    return verdict;
}

bool nz_judge_after(const struct nz_verdict *v, const struct record *incoming, const struct record *stored, struct record *ret_r)
{
    if (!v->touch && !v->write)
        return false;
    const bool kept = stored && (v->touch || incoming->removal);
    struct record r = kept && !v->touch ? removed(stored, incoming) : kept ? *stored : *incoming;
    r.stored_ms = incoming->stored_ms;
    if (v->write) {
        memcpy(r.task, incoming->task, sizeof r.task);
        r.row = incoming->row;
        r.updated = v->result == NZ_UPDATED;
    }
    *ret_r = r;
    return true;
}
