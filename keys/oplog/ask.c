#include "keys/oplog/ask.h"

#include "gateway/base/text.h"

enum { DAY_MS = 24 * 3600 * 1000, JAPAN_MS = 9 * 3600 * 1000 };

static bool page_param(void *to, struct slice name, struct slice value)
{
    struct nz_oplog_query *q = to;
    uint64_t v;
    if (!u64_parse(value, &v) || v == 0)
        return false;
    if (slice_eq(name, LIT("cursor")) && !q->before)
        return (q->before = v) < UINT64_MAX;
    if (slice_eq(name, LIT("limit")) && !q->limit)
        return (q->limit = v <= NZ_OPLOG_PAGE_MAX ? (unsigned)v : 0);
    return false;
}

ERR nz_oplog_query_read(struct slice query, struct nz_oplog_query *ret_q)
{
    struct nz_oplog_query q = { 0 };
    TRY(query_each(query, page_param, &q));
    if (!q.limit)
        q.limit = NZ_OPLOG_PAGE_DEFAULT;
    *ret_q = q;
    return OK;
}

/* Days since 1970-01-01 of the proleptic Gregorian calendar, counted in years that begin in March. */
static int64_t days_of(ymd_t d)
{
    int64_t y = d / 10000, m = d / 100 % 100, day = d % 100;
    y -= m <= 2;
    int64_t era = y / 400, of_era = y - era * 400, of_year = (153 * (m + (m > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    return era * 146097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719468;
}

static bool midnight(struct slice value, uint64_t *ret_ms)
{
    ymd_t d;
    if (!ymd_parse(value, &d) || d < 19700102)
        return false;
    *ret_ms = (uint64_t)days_of(d) * DAY_MS - JAPAN_MS;
    return true;
}

static bool range_param(void *to, struct slice name, struct slice value)
{
    struct nz_oplog_range *r = to;
    uint64_t ms;
    if (!midnight(value, &ms))
        return false;
    if (slice_eq(name, LIT("from")) && !r->from_ms)
        return (r->from_ms = ms);
    if (slice_eq(name, LIT("to")) && r->to_ms == UINT64_MAX)
        return (r->to_ms = ms + DAY_MS - 1);
    return false;
}

ERR nz_oplog_range_read(struct slice query, struct nz_oplog_range *ret_r)
{
    struct nz_oplog_range r = { .to_ms = UINT64_MAX };
    TRY(query_each(query, range_param, &r));
    if (r.from_ms > r.to_ms)
        return FAIL(E_BAD_URL);
    *ret_r = r;
    return OK;
}
