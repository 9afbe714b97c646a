#include "gateway/vaccine/subject.h"

#include "gateway/check/json_in.h"

static ERR read_reduction(const struct record *rec, struct arena *a, struct slice *ret)
{
    json_t *obj;
    if (rec->deleted || !rec->eligibility.n)
        return OK;
    struct err e = json_in_object(&obj, a, rec->eligibility); /* of our own making */
    if (!err_ok(e))
        return err_is(e, E_NOMEM) ? e : FAIL(E_SEAL);
    const json_t *v = json_object_get(obj, "reductionSegment");
    if (json_string_length(v))
        *ret = arena_dup(a, slice_of(json_string_value(v), json_string_length(v)));
    return arena_check(a);
}

ERR subject_reduction(struct store *s, const char muni[static 6], const struct store_name *person, const struct redis_reply *hash, struct arena *a,
                      struct slice *ret_reduction)
{
    *ret_reduction = SLICE_NONE;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        enum store_kind kind;
        struct slice of;
        if (!store_field_kind(field, &kind, &of) || kind != STORE_VACCINATION || !slice_eq(of, slice_of(muni, 6)))
            continue;
        struct buf plain;
        struct record rec;
        buf_init(&plain, STORE_RECORD_MAX);
        struct err e = store_open(s, of, person, field, redis_reply_str(redis_reply_at(hash, i + 1)), &plain);
        if (err_ok(e))
            e = record_decode(buf_slice(&plain), &rec);
        if (err_ok(e))
            e = read_reduction(&rec, a, ret_reduction);
        buf_done(&plain);
        TRY(e);
    }
    return OK;
}
