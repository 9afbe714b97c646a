#include "gateway/base/text.h"
#include "gateway/http/http.h"

bool http_content_range(struct slice value, struct http_range *ret_range)
{
    struct slice unit, first, last, total;
    struct http_range r;
    if (!slice_take(&value, sizeof "bytes " - 1, &unit) || !slice_eq(unit, LIT("bytes ")))
        return false;
    if (!slice_cut(value, '-', &first, &value) || !slice_cut(value, '/', &last, &total))
        return false;
    if (!u64_parse(first, &r.first) || !u64_parse(last, &r.last) || !u64_parse(total, &r.total) || r.first > r.last || r.last >= r.total)
        return false;
    *ret_range = r;
    return true;
}
