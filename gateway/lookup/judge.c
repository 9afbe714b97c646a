#include "gateway/lookup/judge.h"

void judge_begin(struct judge *j, struct store *s, const struct store_name *person, ymd_t today, struct jsonw *out)
{
    *j = (struct judge){ .store = s, .person = *person, .today = today, .out = out };
    memset(j->muni, '0', sizeof j->muni);
}

static void take_record(struct judge *j, struct slice muni, const struct record *rec)
{
    if (rec->not_disclosed)
        j->silent = true;
    if (j->silent || !record_valid_on(rec, j->today))
        return;
    jsonw_raw(j->out, NULL, rec->eligibility);
    if (j->count++ == 0)
        memcpy(j->muni, muni.p, sizeof j->muni);
}

struct err judge_field(struct judge *j, struct slice field, struct slice sealed)
{
    struct slice muni;
    if (!store_field_is_record(field, &muni))
        return OK;
    struct buf plain;
    struct record rec;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(j->store, muni, &j->person, field, sealed, &plain);
    if (e.code == E_FORBIDDEN) {
        j->locked = true;
        e = OK;
        goto out;
    }
    if (err_ok(e))
        e = record_decode(buf_slice(&plain), &rec);
    if (err_ok(e))
        take_record(j, muni, &rec);
out:
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
    size_t n = redis_reply_len(hash);
    for (size_t i = 0; i + 1 < n; i += 2)
        TRY(judge_field(j, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))));
    return judge_verdict(j);
}
