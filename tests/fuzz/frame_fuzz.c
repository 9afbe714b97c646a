/* Reaches ipc_frame_next, ipc_frame_put and ipc_frame_put_reply: every frame that is read is written back to the same bytes,
 * and cutting the input anywhere never gives another frame. */
#include "gateway/base/must.h"
#include "gateway/ipc/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n);
    struct ipc_frame f;
    for (;;) {
        struct slice before = in, half = slice_of(in.p, in.n / 2), half_before = half;
        struct ipc_frame g;
        enum ipc_frame_ev ev = ipc_frame_next(&in, &f), cut = ipc_frame_next(&half, &g);
        MUST(cut == ev || cut == IPC_FRAME_NEED);
        MUST(cut != IPC_FRAME_NEED || half.n == half_before.n);
        if (ev != IPC_FRAME_GOT)
            return 0;
        struct buf out;
        buf_init(&out, IPC_HEAD_BYTES + IPC_BODY_MAX);
        if (f.reply)
            ipc_frame_put_reply(&out, f.type, f.id, f.code, f.body);
        else
            ipc_frame_put(&out, f.type, f.id, f.body);
        MUST(slice_eq(buf_slice(&out), slice_of(before.p, before.n - in.n)));
        buf_done(&out);
    }
}
