#include "gateway/ipc/frame.h"

#include "gateway/base/must.h"

static uint32_t be(const uint8_t *p, unsigned n)
{
    uint32_t v = 0;
    while (n--)
        v = v << 8 | *p++;
    return v;
}

enum ipc_frame_ev ipc_frame_next(struct slice *in, struct ipc_frame *ret_f)
{
    if (in->n < IPC_HEAD_BYTES)
        return IPC_FRAME_NEED;
    struct ipc_frame f = { .type = in->p[0], .reply = in->p[1] == IPC_FLAG_REPLY, .id = be(in->p + 4, 4) };
    size_t len = be(in->p + 2, 2);
    if (f.type > IPC_TYPE_MAX || in->p[1] > IPC_FLAG_REPLY || len > IPC_BODY_MAX || (f.reply && len < IPC_CODE_BYTES))
        return IPC_FRAME_BAD;
    if (in->n - IPC_HEAD_BYTES < len)
        return IPC_FRAME_NEED;
    f.body = slice_of(in->p + IPC_HEAD_BYTES, len);
    if (f.reply) {
        struct slice code;
        if (!slice_take(&f.body, IPC_CODE_BYTES, &code) || be(code.p, IPC_CODE_BYTES) >= E__MAX)
            return IPC_FRAME_BAD;
        f.code = (enum err_code)be(code.p, IPC_CODE_BYTES);
    }
    in->p += IPC_HEAD_BYTES + len;
    in->n -= IPC_HEAD_BYTES + len;
    *ret_f = f;
    return IPC_FRAME_GOT;
}

static void put_head(struct buf *out, uint8_t type, uint8_t flags, size_t len, uint32_t id)
{
    MUST(len <= IPC_BODY_MAX);
    buf_putc(out, type);
    buf_putc(out, flags);
    buf_be16(out, (uint16_t)len);
    buf_be32(out, id);
}

void ipc_frame_put(struct buf *out, uint8_t type, uint32_t id, struct slice body)
{
    put_head(out, type, 0, body.n, id);
    buf_put(out, body);
}

void ipc_frame_put_reply(struct buf *out, uint8_t type, uint32_t id, enum err_code code, struct slice body)
{
    put_head(out, type, IPC_FLAG_REPLY, IPC_CODE_BYTES + body.n, id);
    buf_be16(out, (uint16_t)code);
    buf_put(out, body);
}
