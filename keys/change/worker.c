/* What a crash or an absent PMH left open: one thing at a time, oldest first. */

#include "keys/change/worker.h"

#include <stdlib.h>

#include "keys/intake/work.h"

enum {
    FIRST_MS = 1, FAST_MS = 50 /* at the start, until Redis is there */, POLL_MS = 1000,
    OLD_MS = 2000 /* what is younger is in the hands of a request */, DIGITS = 20
};

#define FAR_MS UINT64_C(9999999999999)

uint64_t changer__wall(const struct nz_changer *c) { return clock_wall(loop_clock(c->in->loop)); }
uint64_t changer__deadline(const struct nz_changer *c) { return loop_now(c->in->loop) + NZ_OP_STEP_MS; }

/* ---- turns ---- */

void changer__rest(struct nz_changer *c, uint64_t ms)
{
    c->busy = false;
    nz_mynum_free(c->number);
    c->number = NULL;
    buf_reset(&c->entry);
    buf_reset(&c->stored);
    buf_reset(&c->sealed);
    buf_reset(&c->code);
    if (!c->closed)
        timer_start(c->timer, ms);
}

void changer__next(struct nz_changer *c) { changer__rest(c, FIRST_MS); }

void changer__trouble(struct nz_changer *c, struct err e)
{
    LOG(WARN, "changes_pause", LF("error", e));
    changer__rest(c, c->started ? POLL_MS : FAST_MS);
}

static void moved_on(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    (void)replies, (void)n;
    if (err_ok(e))
        changer__next(c);
    else
        changer__trouble(c, e);
}

static void send_one(struct nz_changer *c, struct redis_batch *b, redis_done_fn *done)
{
    if (b)
        redis_send(c->in->redis, b, changer__deadline(c), done, c);
    else
        changer__trouble(c, FAIL(E_NOMEM));
}

struct slice changer__decimal(struct buf *b, uint64_t v)
{
    buf_reset(b);
    buf_u64(b, v);
    return buf_slice(b);
}

void changer__forget(struct nz_changer *c, struct slice queue)
{
    struct redis_batch *b = redis_batch_new(1024);
    if (b)
        REDIS_ADD(b, LIT("ZREM"), queue, changer__member(c));
    send_one(c, b, moved_on);
}

/* ---- journals that were not carried out to the end ---- */

static void put_off(struct nz_changer *c, uint64_t at_ms)
{
    struct redis_batch *b = redis_batch_new(1024);
    struct buf digits;
    buf_init(&digits, DIGITS);
    if (b)
        REDIS_ADD(b, LIT("ZADD"), nz_ch_todo_name(), changer__decimal(&digits, at_ms), changer__member(c));
    buf_done(&digits);
    send_one(c, b, moved_on);
}

static void resumed(void *arg, struct err e, const struct nz_verdict *v, const struct nz_waiting *w)
{
    struct nz_changer *c = arg;
    (void)w;
    if (err_is(e, E_NOTHING)) {
        changer__forget(c, nz_ch_todo_name());
    } else if (!err_ok(e) || v->result == NZ_QUARANTINED || v->result == NZ_REFUSED) { /* the latter stay open until somebody repairs them */
        c->all = false;
        put_off(c, changer__wall(c) + (err_ok(e) ? c->in->conf.retry_max_ms : c->in->conf.retry_min_ms));
    } else {
        LOG(INFO, "change_taken_up");
        changer__next(c);
    }
}

static void resume(struct nz_changer *c)
{
    if (c->n_member != 7 + NZ_CH_HEX) { /* none of ours: others wait behind it */
        LOG(ERROR, "change_member_malformed");
        changer__forget(c, nz_ch_todo_name());
        return;
    }
    struct nz_op *o = nz_op_new(c->in, c->member, loop_now(c->in->loop) + NZ_CHANGER_OP_MS, resumed, c);
    if (!o) {
        changer__trouble(c, FAIL(E_NOMEM));
        return;
    }
    o->resume = true;
    memcpy(o->ch.c, "ch:", 3);
    memcpy(o->ch.c + 3, c->member, c->n_member);
    o->ch.n = 3 + c->n_member;
    nz_op_start(o);
}

/* ---- PMH is asked ---- */

bool nz_changer_may_ask(struct nz_changer *c)
{
    const uint64_t now = loop_now(c->in->loop);
    if (!nz_breaker_room(&c->pmh, now, 1))
        return false;
    if (c->pmh.state == NZ_BREAKER_OPEN)
        nz_breaker_step(&c->pmh, NZ_BREAKER_DUE, now, nz_random());
    return true;
}

void nz_changer_asked(struct nz_changer *c, struct err e)
{
    static const enum nz_breaker_event EVENT[NZ_UPSTREAM__MAX] = {
        [NZ_UPSTREAM_GOOD] = NZ_BREAKER_GOOD, [NZ_UPSTREAM_SOON] = NZ_BREAKER_VOID,
        [NZ_UPSTREAM_LATER] = NZ_BREAKER_BAD, [NZ_UPSTREAM_ROWS] = NZ_BREAKER_GOOD };
    const enum nz_breaker_state was = c->pmh.state;
    nz_breaker_step(&c->pmh, EVENT[nz_upstream_class(e.code)], loop_now(c->in->loop), nz_random());
    if (was == NZ_BREAKER_CLOSED || c->pmh.state != NZ_BREAKER_CLOSED)
        return;
    c->hurry_to = changer__wall(c) + 2 * c->in->conf.retry_max_ms;
    nz_changer_wake(c);
}

uint64_t nz_changer_place(struct nz_changer *c)
{
    const uint64_t now = changer__wall(c), ms = now > c->in->last_received_ms ? now : c->in->last_received_ms;
    c->place = ms * 1000 > c->place ? ms * 1000 : c->place + 1;
    return c->place;
}

/* ---- what is due ---- */

static bool take_member(struct nz_changer *c, const struct redis_reply *members)
{
    const struct slice s = redis_reply_str(redis_reply_at(members, 0));
    if (!s.n || s.n > sizeof c->member)
        return false;
    memcpy(c->member, s.p, s.n);
    c->n_member = s.n;
    return true;
}

enum { TODO, TODO_FAR, WAIT, WAIT_FAR, LOOKS };

static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    if (err_ok(e) && n != LOOKS)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        changer__trouble(c, e);
        return;
    }
    c->started = true;
    if (c->closed) {
        changer__rest(c, POLL_MS);
    } else if (take_member(c, replies[TODO]) || take_member(c, replies[TODO_FAR])) {
        resume(c);
    } else if (take_member(c, replies[WAIT]) || take_member(c, replies[WAIT_FAR])) {
        changer__row(c);
    } else {
        c->all = false;
        c->hurry_to = 0;
        changer__rest(c, POLL_MS);
    }
}

static void ask_due(struct redis_batch *b, struct slice queue, uint64_t from, uint64_t until)
{
    struct buf least, most;
    buf_init(&least, DIGITS);
    buf_init(&most, DIGITS);
    REDIS_ADD(b, LIT("ZRANGEBYSCORE"), queue, changer__decimal(&least, from), changer__decimal(&most, until), LIT("LIMIT"), LIT("0"), LIT("1"));
    buf_done(&least);
    buf_done(&most);
}

/* Nothing is ever put off as far as `far`: the clock was set back since, and what waits goes by the time before that. */
static void look(struct nz_changer *c)
{
    struct redis_batch *b = redis_batch_new(2048);
    const uint64_t now = changer__wall(c), far = now + 4 * c->in->conf.retry_max_ms + POLL_MS;
    const bool probe = c->pmh.state == NZ_BREAKER_OPEN && nz_breaker_room(&c->pmh, loop_now(c->in->loop), 1);
    c->busy = true;
    if (c->hurry_to >= far) /* it was meant by another clock */
        c->hurry_to = 0;
    if (b) {
        ask_due(b, nz_ch_todo_name(), 0, c->all ? FAR_MS : now - OLD_MS);
        ask_due(b, nz_ch_todo_name(), far, FAR_MS);
        ask_due(b, nz_waiting_queue(), 0, probe ? FAR_MS : c->hurry_to > now ? c->hurry_to : now);
        ask_due(b, nz_waiting_queue(), far, FAR_MS);
    }
    send_one(c, b, looked);
}

static void due(void *arg)
{
    struct nz_changer *c = arg;
    if (!c->busy && !c->closed)
        look(c);
}

/* ---- life ---- */

ERR nz_changer_new(struct nz_changer **ret_c, struct nz_intake *in)
{
    struct nz_changer *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    c->in = in;
    c->all = true;
    nz_breaker_init(&c->pmh, in->conf.retry_min_ms, in->conf.retry_max_ms);
    buf_init(&c->entry, NZ_ROW_RESULT_MAX);
    buf_init(&c->stored, NZ_PAYLOAD_MAX);
    buf_init(&c->code, NZ_ROW_RESULT_MAX);
    buf_init(&c->now, DIGITS);
    buf_init(&c->due, DIGITS);
    buf_init(&c->sealed, NZ_WAITING_BYTES + AEAD_OVERHEAD);
    struct err e = timer_new(&c->timer, in->loop, due, c);
    if (!err_ok(e)) {
        free(c);
        return e;
    }
    timer_start(c->timer, FIRST_MS);
    *ret_c = c;
    return OK;
}

void nz_changer_close(struct nz_changer *c)
{
    if (!c || c->closed)
        return;
    c->closed = true;
    timer_free(c->timer);
    c->timer = NULL;
}

bool nz_changer_idle(const struct nz_changer *c) { return !c->busy; }

void nz_changer_free(struct nz_changer *c)
{
    if (!c)
        return;
    nz_mynum_free(c->number);
    buf_done(&c->entry);
    buf_done(&c->stored);
    buf_done(&c->sealed);
    buf_done(&c->code);
    buf_done(&c->now);
    buf_done(&c->due);
    free(c);
}

void nz_changer_wake(struct nz_changer *c)
{
    if (!c->closed && !c->busy)
        timer_start(c->timer, FIRST_MS);
}
