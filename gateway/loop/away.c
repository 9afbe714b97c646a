#include "gateway/loop/away.h"

static void on_closed(uv_handle_t *h)
{
    struct away *a = h->data;
    const bool again = a->one_more;
    a->open = a->one_more = false;
    if (a->gone)
        a->gone(a->owner);
    else if (again && !uv_is_closing((uv_handle_t *)a->listener))
        away_turn(a, a->listener);
}

void away_turn(struct away *a, uv_stream_t *listener)
{
    a->listener = listener;
    if (a->open) {
        a->one_more = true; /* no other comes before it has been accepted */
        return;
    }
    if (listener->type == UV_TCP)
        uv_tcp_init(listener->loop, &a->s.tcp);
    else
        uv_pipe_init(listener->loop, &a->s.pipe, 0);
    a->s.stream.data = a;
    a->open = true;
    (void)uv_accept(listener, &a->s.stream);
    uv_close((uv_handle_t *)&a->s.stream, on_closed);
}

void away_end(struct away *a, void (*gone)(void *owner), void *owner)
{
    a->gone = gone;
    a->owner = owner;
    if (!a->open)
        gone(owner);
}
