#ifndef GW_IPC_FRAME_H
#define GW_IPC_FRAME_H

/* The frame of ipc.h as bytes. No socket, no clock, no memory of its own. */

#include "gateway/base/buf.h"
#include "gateway/ipc/ipc.h"

enum {
    IPC_HEAD_BYTES = 8,
    IPC_HELLO = 0, /* type of the first frame; its reply says that the capability was accepted */
    IPC_HELLO_BYTES = 1 + IPC_CAP_BYTES,
    IPC_LEAVE_ID = 0x7fffffff, /* of a reply to HELLO that nobody asked for: the server leaves */
    IPC_TYPE_MAX = 127,
    IPC_FLAG_REPLY = 1,
    IPC_CODE_BYTES = 2
};

struct ipc_frame {
    uint8_t type;
    bool reply;
    uint32_t id;
    struct slice body;   /* borrows from the input; of a reply: what follows the code */
    enum err_code code;  /* of a reply */
};

enum ipc_frame_ev { IPC_FRAME_NEED, IPC_FRAME_GOT, IPC_FRAME_BAD };

/* Cuts one frame off *in. NEED: *in is unchanged, call again with more. BAD: the peer broke the form (unknown type or flag,
 * too long, a reply without a known code); what *in holds then is of no use. */
enum ipc_frame_ev ipc_frame_next(struct slice *in, struct ipc_frame *ret_f);

/* Errors are the buf's. body: at most IPC_BODY_MAX, of a reply IPC_BODY_MAX - IPC_CODE_BYTES; a longer one is our own bug. */
void ipc_frame_put(struct buf *out, uint8_t type, uint32_t id, struct slice body);
void ipc_frame_put_reply(struct buf *out, uint8_t type, uint32_t id, enum err_code code, struct slice body);

#endif
