/* Server-sent events: the same events however the bytes are cut, and it always ends. */

#include "gateway/base/must.h"
#include "keys/ctl/sse.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool on_event(void *ctx, struct slice name, struct slice data)
{
    MUST(name.n > 0 && name.n <= SSE_NAME_MAX && data.n <= SSE_LINE_MAX);
    buf_put(ctx, name);
    buf_putc(ctx, 0);
    buf_put(ctx, data);
    buf_putc(ctx, 0);
    return data.n < 40;
}

static void run(struct slice text, size_t piece, struct buf *out)
{
    struct sse s;
    struct slice part;
    sse_init(&s, on_event, out);
    while (text.n && slice_take(&text, text.n < piece ? text.n : piece, &part))
        (void)sse_feed(&s, part);
    sse_done(&s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct buf whole, pieces;
    if (!size)
        return 0;
    buf_init(&whole, 1 << 20);
    buf_init(&pieces, 1 << 20);
    run(slice_of(data, size), size, &whole);
    run(slice_of(data, size), 1 + data[0] % 7, &pieces);
    MUST(slice_eq(buf_slice(&whole), buf_slice(&pieces)));
    buf_done(&whole);
    buf_done(&pieces);
    return 0;
}
