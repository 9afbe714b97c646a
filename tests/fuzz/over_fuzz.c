/* Reaches over_read, what one program hands to the next: what is taken is within its bounds and can be written and read again. */
#include <string.h>

#include "gateway/base/must.h"
#include "gateway/front/over.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct over o, again;
    struct buf text;
    if (!over_read(slice_of(data, n), &o))
        return 0;
    MUST(o.n <= OVER_CHILDREN_MAX && o.sockets.n <= SOCKETS_MAX && o.sockets.doors <= DOORS_MAX);
    for (unsigned i = 0; i < o.n; i++)
        MUST(o.child[i].pid > 1 && o.child[i].name < OVER_CHILDREN_MAX && o.child[i].number < WORKERS_MAX);
    buf_init(&text, OVER_TEXT_MAX);
    over_write(&o, &text);
    MUST(err_ok(buf_check(&text)) && over_read(buf_slice(&text), &again));
    MUST(memcmp(&o, &again, sizeof o) == 0);
    buf_done(&text);
    return 0;
}
