/* Reaches vrs_mark_parse and nz_rep_row_begin. What is a mark is written again as it was. */

#include <stdlib.h>

#include "gateway/vaccine/vrs_mark.h"
#include "keys/report/row.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct slice again(const struct vrs_mark *m, struct vrs_mark_text *gone, struct store_name *here)
{
    if (m->gone) {
        vrs_mark_gone_name(m->sid, &m->person, m->field, m->version, gone);
        return vrs_mark_slice(gone);
    }
    (m->again ? vrs_mark_name_again : vrs_mark_name)(&m->person, m->field, here);
    return store_name_slice(here);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct vrs_mark m;
    struct vrs_mark_text gone;
    struct store_name here;
    struct nz_rep_row row;
    const struct slice member = slice_of(data, size);
    const bool is = vrs_mark_parse(member, &m);
    if (is && !slice_eq(again(&m, &gone, &here), member))
        abort();
    const bool begun = nz_rep_row_begin(&row, member, LIT("1"));
    if (begun != is)
        abort();
    if (begun)
        nz_rep_row_done(&row);
    return 0;
}
