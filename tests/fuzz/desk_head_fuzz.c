/* Reaches desk__head: whatever comes in, what is handed on is one head with one Host, ours, and ends the connection; read again it is the same. */

#include "gateway/base/must.h"
#include "mocks/desk/inside.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct desk_names NAMES = { .key = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", .port = 1, .of = { "c" }, .n = 1 };
    struct buf out, again;
    size_t way = 9, taken = 0;
    buf_init(&out, DESK_HEAD_MAX + 64);
    buf_init(&again, DESK_HEAD_MAX + 64);
    if (desk__head(&NAMES, slice_of(data, size), &out, &way, &taken) == DESK_GO) {
        MUST(way == 0 && taken <= size && !out.failed);
        MUST(desk__head(&NAMES, buf_slice(&out), &again, &way, &taken) == DESK_GO);
        MUST(taken == out.n && again.n == out.n && memcmp(again.p, out.p, out.n) == 0);
    }
    buf_done(&out);
    buf_done(&again);
    return 0;
}
