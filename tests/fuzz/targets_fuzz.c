/* The file of partners: whatever is taken leads to an https URL with issuers of its own. */
#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/courier/targets.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct targets *t = NULL;
    struct buf line;
    buf_init(&line, 4096);
    if (err_ok(targets_parse(&t, "f", slice_of(data, size), &line)))
        for (size_t i = 0; i < targets_n(t); i++) {
            const struct target *x = targets_at(t, i);
            MUST(slice_starts(slice_str(x->url), LIT("https://")) && x->ca[0] && targets_find(t, x->kind, slice_str(x->who)) == x);
        }
    targets_free(t);
    buf_done(&line);
    return 0;
}
