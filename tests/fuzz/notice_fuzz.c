/* Messages out of the outbox and the values of dead letters: what is read is written the same. */
#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/notice/lanes.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char ID[] = "00112233445566778899aabbccddeeff";
    const struct slice in = slice_of(data, size);
    struct notice n;
    struct lane_dead d;
    if (err_ok(notice_decode(in, &n))) {
        struct buf again;
        buf_init(&again, NOTICE_PLAIN_MAX);
        MUST(err_ok(notice_encode(&n, &again)) && slice_eq(buf_slice(&again), in));
        buf_done(&again);
    }
    if (lanes_dead_parse(slice_str(ID), in, &d))
        MUST(d.why[0] && d.owner[0] && !d.why[LANE_WORD_MAX] && !d.owner[LANE_WORD_MAX]);
    return 0;
}
