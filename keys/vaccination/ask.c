#include "gateway/base/text.h"
#include "keys/vaccination/rows.h"

enum { YEAR_MIN = 1900, DAY_CHARS = 10, MONTH_CHARS = 7 };

static bool take_program(struct nz_vacc_ask *a, struct slice value)
{
    if (a->program[0] || value.n < 1 || value.n > VACCINE_ID_MAX || !all_url_safe(value))
        return false;
    memcpy(a->program, value.p, value.n);
    return true;
}

static bool take_yes(bool *to, struct slice value)
{
    bool first = !*to;
    *to = slice_eq(value, LIT("yes"));
    return first && *to;
}

static bool ledger_param(void *to, struct slice name, struct slice value)
{
    struct nz_vacc_ask *a = to;
    uint64_t v;
    if (slice_eq(name, LIT("program")))
        return take_program(a, value);
    if (slice_eq(name, LIT("header")))
        return take_yes(&a->header, value);
    if (slice_eq(name, LIT("aligned")))
        return take_yes(&a->aligned, value);
    if (!slice_eq(name, LIT("first")) || a->first || !u64_parse(value, &v) || v < 1 || v > 98)
        return false;
    a->first = (unsigned)v;
    return true;
}

ERR nz_ledger_ask_read(struct slice query, struct nz_vacc_ask *ret_a)
{
    struct nz_vacc_ask a = { 0 };
    TRY(query_each(query, ledger_param, &a));
    if (!a.program[0])
        return FAIL(E_BAD_URL);
    if (!a.first)
        a.first = 1;
    *ret_a = a;
    return OK;
}

static bool due_param(void *to, struct slice name, struct slice value)
{
    struct nz_vacc_ask *a = to;
    if (slice_eq(name, LIT("program")))
        return take_program(a, value);
    if (slice_eq(name, LIT("on")))
        return !a->on && ymd_parse(value, &a->on) && a->on / 10000 >= YEAR_MIN;
    if (!slice_eq(name, LIT("list")) || a->list != NZ_DUE_ALL)
        return false;
    a->list = slice_eq(value, LIT("recall")) ? NZ_DUE_RECALL : slice_eq(value, LIT("reduction")) ? NZ_DUE_REDUCTION : NZ_DUE_ALL;
    return a->list != NZ_DUE_ALL;
}

ERR nz_due_ask_read(struct slice query, struct nz_vacc_ask *ret_a)
{
    struct nz_vacc_ask a = { 0 };
    TRY(query_each(query, due_param, &a));
    if (!a.program[0])
        return FAIL(E_BAD_URL);
    *ret_a = a;
    return OK;
}

static bool take_month(uint32_t *to, struct slice value)
{
    char day[DAY_CHARS + 1] = "0000-00-01";
    ymd_t d;
    if (*to || value.n != MONTH_CHARS)
        return false;
    memcpy(day, value.p, MONTH_CHARS);
    if (!ymd_parse(slice_str(day), &d) || d / 10000 < YEAR_MIN)
        return false;
    *to = d / 100;
    return true;
}

static bool statistics_param(void *to, struct slice name, struct slice value)
{
    struct nz_vacc_ask *a = to;
    if (slice_eq(name, LIT("from")))
        return take_month(&a->from_month, value);
    if (slice_eq(name, LIT("to")))
        return take_month(&a->to_month, value);
    if (!slice_eq(name, LIT("small")) || a->exact)
        return false;
    return (a->exact = slice_eq(value, LIT("exact")));
}

static uint32_t month_number(uint32_t yyyymm) { return yyyymm / 100 * 12 + yyyymm % 100 - 1; }

ERR nz_statistics_ask_read(struct slice query, struct nz_vacc_ask *ret_a)
{
    struct nz_vacc_ask a = { 0 };
    TRY(query_each(query, statistics_param, &a));
    if (!a.from_month != !a.to_month)
        return FAIL(E_BAD_URL);
    if (a.from_month && (a.from_month > a.to_month || month_number(a.to_month) - month_number(a.from_month) >= NZ_STAT_MONTHS_MAX))
        return FAIL(E_BAD_URL);
    *ret_a = a;
    return OK;
}

static bool claims_param(void *to, struct slice name, struct slice value) { return slice_eq(name, LIT("month")) && take_month(&((struct nz_vacc_ask *)to)->month, value); }

ERR nz_claims_ask_read(struct slice query, struct nz_vacc_ask *ret_a)
{
    struct nz_vacc_ask a = { 0 };
    TRY(query_each(query, claims_param, &a));
    if (!a.month)
        return FAIL(E_BAD_URL);
    *ret_a = a;
    return OK;
}

ERR nz_recalls_ask_read(struct slice query, struct nz_vacc_ask *ret_a)
{
    *ret_a = (struct nz_vacc_ask){ 0 };
    return query.n ? FAIL(E_BAD_URL) : OK;
}
