#include "keys/ctl/link_line.h"

#include <signal.h>
#include <stdlib.h>

enum { WAIT_MS = 5000, ANSWER_MS = 20000, LOOK_MS = 2, GRACE_MS = 1000 };

struct link_line {
    struct loop *loop;
    struct timer *timer; /* keeps the loop turning while it waits */
    struct redis *redis[LINK__USERS];
};

struct question {
    bool ended;
    struct err e;
    link_line_fn *heard;
    void *arg;
};

static void tick(void *arg)
{
    struct link_line *l = arg;
    timer_start(l->timer, LOOK_MS);
}

static ERR await(struct link_line *l, uint64_t until)
{
    for (int u = 0; u < LINK__USERS; u++)
        while (!redis_up(l->redis[u])) {
            if (loop_now(l->loop) >= until)
                return FAIL(E_STORE_DOWN);
            uv_run(loop_uv(l->loop), UV_RUN_ONCE);
        }
    return OK;
}

/* It may be killed at any moment: the loop's orderly stop would keep an operator waiting. */
static void die_of_signals(void)
{
    const struct sigaction dies = { .sa_handler = SIG_DFL };
    sigaction(SIGINT, &dies, NULL);
    sigaction(SIGTERM, &dies, NULL);
}

static ERR begin(struct link_line *l, const struct state *s)
{
    TRY(loop_new(&l->loop, clock_system()));
    die_of_signals();
    TRY(timer_new(&l->timer, l->loop, tick, l));
    timer_start(l->timer, LOOK_MS);
    for (int u = 0; u < LINK__USERS; u++)
        TRY(link_open(&l->redis[u], l->loop, s, (enum link_user)u));
    return await(l, loop_now(l->loop) + WAIT_MS);
}

ERR link_line_new(struct link_line **ret_l, const struct state *s)
{
    struct link_line *l = calloc(1, sizeof *l);
    if (!l)
        return FAIL(E_NOMEM);
    struct err e = begin(l, s);
    if (err_ok(e))
        *ret_l = l;
    else
        link_line_free(l);
    return e;
}

void link_line_free(struct link_line *l)
{
    if (!l)
        return;
    for (int u = 0; u < LINK__USERS; u++)
        redis_close(l->redis[u]);
    timer_free(l->timer);
    if (l->loop) {
        loop_stop(l->loop);
        loop_run(l->loop, GRACE_MS);
        loop_free(l->loop);
    }
    free(l);
}

static void answered(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct question *q = arg;
    q->ended = true;
    q->e = err_ok(e) && q->heard ? q->heard(q->arg, replies, n) : e;
}

ERR link_line_ask(struct link_line *l, enum link_user user, struct redis_batch *b, link_line_fn *heard, void *arg)
{
    struct question q = { .heard = heard, .arg = arg };
    if (!b)
        return FAIL(E_NOMEM);
    redis_send(l->redis[user], b, loop_now(l->loop) + ANSWER_MS, answered, &q);
    while (!q.ended)
        uv_run(loop_uv(l->loop), UV_RUN_ONCE);
    return q.e;
}
