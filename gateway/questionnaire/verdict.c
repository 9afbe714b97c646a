#include "gateway/questionnaire/sheet.h"

struct seek {
    const struct sheet_question *q;
    uint64_t best_ms;
    struct sheet_finding found;
};

ERR sheets_each(struct store *store, const struct store_name *person, const struct redis_reply *hash, sheet_fn *fn, void *arg)
{
    struct err e = OK;
    bool more = true;
    for (size_t i = 0; err_ok(e) && more && i + 1 < redis_reply_len(hash); i += 2) {
        struct slice field = redis_reply_str(redis_reply_at(hash, i)), sealed = redis_reply_str(redis_reply_at(hash, i + 1)), muni;
        uint8_t id[SHEET_ID_BYTES];
        struct sheet s;
        struct buf plain;
        if (!sheet_field_is(field, &muni, id))
            continue;
        buf_init(&plain, SHEET_PLAIN_MAX);
        e = store_open(store, muni, person, field, sealed, &plain);
        if (err_is(e, E_FORBIDDEN)) {
            e = OK;
        } else {
            if (err_ok(e))
                e = sheet_decode(buf_slice(&plain), &s);
            if (err_ok(e) && (!slice_eq(ARR(s.id), ARR(id)) || !slice_eq(ARR(s.muni), muni)))
                e = FAIL(E_SEAL);
            if (err_ok(e))
                more = fn(arg, &s, sealed);
        }
        buf_done(&plain);
    }
    return e;
}

static bool look(void *arg, const struct sheet *s, struct slice sealed)
{
    struct seek *k = arg;
    (void)sealed;
    if (s->status != SHEET_COMPLETED || !slice_eq(ARR(s->muni), slice_of(k->q->muni, sizeof s->muni)) || !slice_eq(s->program, k->q->program) ||
        (s->dose && s->dose != k->q->dose) || clock_date_jst(s->doctor.at_ms) != k->q->day || s->doctor.at_ms < k->best_ms)
        return true;
    k->best_ms = s->doctor.at_ms;
    k->found = (struct sheet_finding){ s->doctor.fit ? SHEET_SAID_FIT : SHEET_SAID_UNFIT, s->doctor.consented, { 0 } };
    memcpy(k->found.id, s->id, sizeof k->found.id);
    return true;
}

ERR sheet_verdict(struct store *store, const struct store_name *person, const struct redis_reply *hash, const struct sheet_question *q, struct sheet_finding *ret_f)
{
    struct seek k = { .q = q };
    TRY(sheets_each(store, person, hash, look, &k));
    *ret_f = k.found;
    return OK;
}
