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

static ERR look(const struct judge *j, struct slice of, struct slice field, struct slice sealed, ymd_t *ret_d)
{
    struct record rec;
    struct buf plain;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(j->store, of, &j->person, field, sealed, &plain);
    if (err_ok(e))
        e = record_decode(buf_slice(&plain), &rec);
    if (err_ok(e))
        *ret_d = find(rec.basic);
    buf_done(&plain);
    return e;
}

/* What was registered for vaccinations says it before what was registered for anything else. */
static bool asked_now(enum store_kind kind, int pass) { return (kind == STORE_VACCINATION || kind == STORE_TICKET) == (pass == 0); }

ERR birth_of(const struct judge *j, const struct redis_reply *hash, struct slice muni, ymd_t *ret_d)
{
    *ret_d = 0;
    for (int pass = 0; pass < 2; pass++)
        for (size_t i = 0; !*ret_d && i + 1 < redis_reply_len(hash); i += 2) {
            const struct slice field = redis_reply_str(redis_reply_at(hash, i));
            enum store_kind kind;
            struct slice of;
            if (store_field_kind(field, &kind, &of) && asked_now(kind, pass) && (muni.n ? slice_eq(of, muni) : !judge_has_ended(j, of)))
                TRY(look(j, of, field, redis_reply_str(redis_reply_at(hash, i + 1)), ret_d));
        }
    return OK;
}
