#ifndef GW_LOOP_WIRE_H
#define GW_LOOP_WIRE_H

/* A stream socket on the loop, nearly always a unix one: bytes in as they come, bytes out once a loop turn in one write.
 * Both directions are wiped after use. */

#include <sys/types.h>

#include "gateway/base/buf.h"
#include "gateway/loop/loop.h"

struct wire;

enum { WIRE_IN_BYTES = 64 * 1024, WIRE_PATH_MAX = 107 };

struct wire_ops {
    void (*on_up)(void *ctx);                       /* connected; not called for an accepted one. May be NULL */
    void (*on_bytes)(void *ctx, struct slice *in);  /* cuts off what it has used; the rest comes again with more */
    void (*on_drained)(void *ctx);                  /* everything has left. May be NULL */
    void (*on_gone)(void *ctx);                     /* refused, ended or broken; the wire is closed already: forget it */
};

/* out_max: bytes that may wait to leave; more breaks the wire. ops: borrowed for good. Callbacks come from the loop only.
 * CONFIG when the path does not fit a socket address. */
ERR wire_connect(struct wire **ret_w, struct loop *l, const char *path, size_t out_max, const struct wire_ops *ops, void *ctx);
/* The same to an address of IP, without Nagle's delay. IO when the kernel refuses at once. */
struct sockaddr;
ERR wire_connect_tcp(struct wire **ret_w, struct loop *l, const struct sockaddr *to, size_t out_max, const struct wire_ops *ops, void *ctx);
/* Takes the next connection of a listening handle. IO when there is none. */
ERR wire_accept(struct wire **ret_w, struct loop *l, uv_stream_t *listener, size_t out_max, const struct wire_ops *ops, void *ctx);
/* No callback after this. Tries once to get the waiting bytes out. NULL is fine. */
void wire_close(struct wire *w);

/* Append what is to be sent; it leaves at the end of the turn. Valid until the next call into the loop. */
struct buf *wire_out(struct wire *w);
size_t wire_unsent(const struct wire *w);
/* on: no more on_bytes until it is switched off again. */
void wire_pause(struct wire *w, bool on);
/* The user at the other end. */
ERR wire_peer_uid(const struct wire *w, uid_t *ret_uid);

/* The other end of each of them is there as far as the kernel knows, also when the loop has not heard yet that it is gone. n: at most WIRE_ALIVE_MAX. */
enum { WIRE_ALIVE_MAX = 16 };
bool wire_alive(struct wire *const *w, size_t n);

/* A path that fits a socket address. */
bool wire_path_ok(const char *path);

#endif
