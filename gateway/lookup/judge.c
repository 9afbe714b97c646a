#include "gateway/lookup/judge.h"

void judge_begin(struct judge *j, struct store *s, const struct store_name *person, ymd_t today, struct jsonw *out)
{
    *j = (struct judge){ .store = s, .person = *person, .today = today, .out = out };
}

/* Opens a field's value. *ret_there false: the key of its municipality is missing, and nobody may be told anything. */
static ERR value_open(struct judge *j, struct slice muni, struct slice field, struct slice sealed, struct buf *ret_plain, bool *ret_there)
{
    struct err e = store_open(j->store, muni, &j->person, field, sealed, ret_plain);
    *ret_there = err_ok(e);
    if (!err_is(e, E_FORBIDDEN))
        return e;
    j->locked = true;
    return OK;
}

/* ---- ends ---- */

static void take_end(struct judge *j, struct slice muni, const struct store_end *end)
{
    if (j->today < end->from)
        return;
    if (j->n_ends == JUDGE_ENDS_MAX)
        j->locked = true;
    else
        memcpy(j->ended[j->n_ends++], muni.p, sizeof j->ended[0]);
}

bool judge_has_ended(const struct judge *j, struct slice muni)
{
    for (size_t i = 0; i < j->n_ends; i++)
        if (slice_eq(ARR(j->ended[i]), muni))
            return true;
    return false;
}

struct err judge_end(struct judge *j, struct slice field, struct slice sealed)
{
    struct slice muni;
    struct store_end end;
    bool there;
    if (!store_field_is_end(field, &muni))
        return OK;
    struct buf plain;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = value_open(j, muni, field, sealed, &plain, &there);
    if (err_ok(e) && there)
        e = store_end_decode(buf_slice(&plain), &end);
    if (err_ok(e) && there)
        take_end(j, muni, &end);
    buf_done(&plain);
    return e;
}

/* ---- records ---- */

static void count_muni(struct judge *j, struct slice muni)
{
    for (size_t i = 0; i < j->n_munis; i++)
        if (slice_eq(ARR(j->munis[i].code), muni)) {
            j->munis[i].count++;
            return;
        }
    if (j->n_munis == JUDGE_MUNIS_MAX) {
        j->locked = true;
        return;
    }
    memcpy(j->munis[j->n_munis].code, muni.p, sizeof j->munis[0].code);
    j->munis[j->n_munis++].count = 1;
}

static ERR take_record(struct judge *j, enum store_kind kind, struct slice muni, const struct record *rec)
{
    if (record_silences(rec))
        j->silent = true;
    if (j->silent || kind != STORE_SUBSIDY || !record_valid_on(rec, j->today))
        return OK;
    if (j->fields && j->fields != LINK_FIELDS_ALL)
        TRY(narrow_object(rec->eligibility, j->fields, j->out));
    else
        jsonw_raw(j->out, NULL, rec->eligibility);
    j->count++;
    count_muni(j, muni);
    return OK;
}

static ERR take_flags(struct judge *j, struct slice muni, struct slice field, struct slice sealed)
{
    struct control_flags f;
    if (judge_has_ended(j, muni))
        return OK;
    struct err e = flags_open(j->store, &j->person, field, sealed, &f);
    if (err_ok(e) && f.bits)
        j->silent = true;
    if (!err_is(e, E_FORBIDDEN))
        return e;
    j->locked = true;
    return OK;
}

struct err judge_field(struct judge *j, struct slice field, struct slice sealed)
{
    struct slice muni;
    enum store_kind kind;
    struct record rec;
    bool there;
    if (flags_field_is(field, &muni))
        return take_flags(j, muni, field, sealed);
    if (!store_field_kind(field, &kind, &muni) || judge_has_ended(j, muni))
        return OK;
    struct buf plain;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = value_open(j, muni, field, sealed, &plain, &there);
    if (err_ok(e) && there)
        e = record_decode(buf_slice(&plain), &rec);
    if (err_ok(e) && there)
        e = take_record(j, kind, muni, &rec);
    buf_done(&plain);
    return e;
}

struct err judge_verdict(const struct judge *j)
{
    if (j->silent)
        return FAIL(E_NOT_DISCLOSED);
    if (j->locked)
        return FAIL(E_FORBIDDEN);
    if (j->count == 0)
        return FAIL(E_NOTHING);
    return buf_check(j->out->out);
}

struct err judge_reply(struct judge *j, const struct redis_reply *hash)
{
    static struct err (*const PASSES[])(struct judge *, struct slice, struct slice) = { judge_end, judge_field };
    for (size_t pass = 0; pass < sizeof PASSES / sizeof PASSES[0]; pass++)
        for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
            TRY(PASSES[pass](j, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))));
    return judge_verdict(j);
}
