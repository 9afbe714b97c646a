#include "gateway/lookup/birth.h"

enum { DATE_CHARS = 10 };

/* In an object that keys/registration wrote: the lead stands nowhere inside of a text, where its quotation marks would be escaped. */
static ymd_t find(struct slice basic)
{
    static const char LEAD[] = "\"dateOfBirth\":\"";
    const size_t lead = sizeof LEAD - 1;
    const uint8_t *at = basic.n ? memmem(basic.p, basic.n, LEAD, lead) : NULL;
    ymd_t d;
    if (!at || basic.n - (size_t)(at - basic.p) < lead + DATE_CHARS)
        return 0;
    return ymd_parse(slice_of(at + lead, DATE_CHARS), &d) ? d : 0;
}

ERR birth_of(const struct judge *j, const struct redis_reply *hash, struct slice muni, ymd_t *ret_d)
{
    *ret_d = 0;
    for (size_t i = 0; !*ret_d && i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        enum store_kind kind;
        struct slice of;
        struct record rec;
        struct buf plain;
        if (!store_field_kind(field, &kind, &of) || (muni.n ? !slice_eq(of, muni) : judge_has_ended(j, of)))
            continue;
        buf_init(&plain, STORE_RECORD_MAX);
        struct err e = store_open(j->store, of, &j->person, field, redis_reply_str(redis_reply_at(hash, i + 1)), &plain);
        if (err_ok(e))
            e = record_decode(buf_slice(&plain), &rec);
        if (err_ok(e))
            *ret_d = find(rec.basic);
        buf_done(&plain);
        TRY(e);
    }
    return OK;
}
