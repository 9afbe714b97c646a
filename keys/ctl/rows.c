#include "keys/ctl/rows.h"

#include "gateway/base/text.h"

static bool row_parse(struct slice text, uint64_t *ret)
{
    return u64_parse(text, ret) && *ret >= 1 && *ret <= UINT32_MAX;
}

static bool range_add(struct slice text, struct rows *r)
{
    struct slice first = text, last = text;
    uint64_t from, to;
    slice_cut(text, '-', &first, &last);
    if (!row_parse(first, &from) || !row_parse(last, &to) || to < from || to - from >= ROWS_MAX - r->n)
        return false;
    if (r->n && from <= r->v[r->n - 1])
        return false;
    while (from <= to)
        r->v[r->n++] = (uint32_t)from++;
    return true;
}

bool rows_parse(struct slice text, struct rows *ret_r)
{
    struct slice head;
    ret_r->n = 0;
    while (slice_cut(text, ',', &head, &text))
        if (ret_r->n == ROWS_MAX || !range_add(head, ret_r))
            return false;
    return ret_r->n < ROWS_MAX && range_add(text, ret_r);
}
