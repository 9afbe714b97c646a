#ifndef GW_LOOP_AWAY_H
#define GW_LOOP_AWAY_H

/* A connection that nobody accepts keeps libuv from listening at all: one for which there is no memory is accepted, which takes none, and ended. */

#include <stdbool.h>
#include <uv.h>

/* Embedded in who listens; zeroed at first. */
struct away {
    union { uv_stream_t stream; uv_tcp_t tcp; uv_pipe_t pipe; } s;
    uv_stream_t *listener;
    bool open, one_more;
    void (*gone)(void *owner);
    void *owner;
};

/* In the listener's connection callback, instead of uv_accept(). */
void away_turn(struct away *a, uv_stream_t *listener);
/* The listener has been closed. gone(owner) once, now or when the last connection has ended: then the memory of both may go. */
void away_end(struct away *a, void (*gone)(void *owner), void *owner);

#endif
