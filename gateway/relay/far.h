#ifndef GW_RELAY_FAR_H
#define GW_RELAY_FAR_H

/* A connection to a server: TCP, with TLS in it or without. */

#include "gateway/loop/loop.h"
#include "gateway/relay/place.h"
#include "gateway/relay/secure.h"

struct far;
struct far_ops {
    void (*on_up)(void *ctx);                      /* connected, and who it should be */
    void (*on_bytes)(void *ctx, struct slice in);  /* all of it is taken */
    void (*on_drained)(void *ctx);                 /* everything has left. May be NULL */
    void (*on_gone)(void *ctx);                    /* closed already: forget it */
};

/* secure: NULL: plain. Callbacks come from the loop only. */
ERR far_open(struct far **ret_f, struct loop *l, const struct place_at *at, struct secure *secure, const struct far_ops *ops, void *ctx);
void far_close(struct far *f); /* no callback after this, also from inside one. NULL is fine */
void far_put(struct far *f, struct slice bytes); /* once it is up */
size_t far_unsent(const struct far *f);
void far_pause(struct far *f, bool on);

#endif
