/* Servers that have gone back: each connection proves that its server has not, before it takes batches. */

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/redis/redis_int.h"

enum { UNKNOWN_AGAIN_MS = 100, LOOK_BYTES = 64, REFUSED_TOLD_MS = 3000 };

static unsigned number_of(const struct redis_conn *c) { return (unsigned)(c - c->pool->conns); }

static void ask(struct redis_conn *c)
{
    struct redis *r = c->pool;
    c->asking = true;
    c->turn++;
    redis__enter(r);
    r->guard.ask(r->guard.ctx, number_of(c), c->turn);
    redis__leave(r);
}

void redis__guard_begin(struct redis_conn *c)
{
    if (err_ok(c->pool->said))
        c->pool->said = FAIL(E_STORE_DOWN);
    redis__set_state(c, RS_GUARDED);
    ask(c);
}

static void again(struct redis_conn *c, struct err why, uint64_t ms)
{
    c->asking = false;
    c->ask_at = loop_now(c->pool->loop) + ms;
    if (c->state == RS_GUARDED)
        c->pool->said = why;
}

void redis__guard_tick(struct redis_conn *c, uint64_t now)
{
    if (c->pool->guard.ask && !c->asking && now >= c->ask_at)
        ask(c);
}

void redis_guard_floor(struct redis *r, unsigned conn, uint64_t turn, struct err e, uint64_t floor)
{
    struct redis_conn *c = &r->conns[conn];
    if (r->closing || conn >= r->n_conns || (c->state != RS_GUARDED && c->state != RS_UP) || c->turn != turn || !c->asking)
        return;
    c->floor = floor;
    if (err_ok(e))
        e = redis__guard_ask_server(c);
    if (!err_ok(e))
        again(c, e, UNKNOWN_AGAIN_MS);
}

/* A number that we cannot read is as good as none. */
static uint64_t value_of(const struct redis_reply *reply)
{
    uint64_t v;
    return u64_parse(redis_reply_str(reply), &v) ? v : 0;
}

static void found_older(struct redis *r, uint64_t value, uint64_t floor)
{
    if (r->guard.older)
        r->guard.older(r->guard.ctx, value, floor);
}

bool redis__guard_heard(struct redis_conn *c, const struct redis_batch *b)
{
    struct redis *r = c->pool;
    if (b->cls != RC_NONE)
        return false;
    uint64_t value = value_of(b->replies[0]), floor = c->floor > b->seen ? c->floor : b->seen;
    if (value < floor) {
        r->turn++;
        redis__set_state(c, RS_GUARDED);
        again(c, FAIL(E_STORE_OLDER), REDIS_GUARD_AGAIN_MS);
        found_older(r, value, floor);
        return true;
    }
    again(c, OK, REDIS_GUARD_AGAIN_MS);
    uint64_t sure = r->replicas ? floor : value; /* what no replica has yet may be lost without harm, and must not be missed then */
    r->seen = sure > r->seen ? sure : r->seen;
    r->said = OK;
    if (c->state != RS_UP)
        redis__set_state(c, RS_UP);
    return true;
}

/* Acts that are refused raise the number too, and would soon bring it where it was: set to nothing, it stays too small until somebody has put the store in
 * order. Should the connection break before, what we have seen still holds us. */
static void spoil(struct redis_conn *c)
{
    struct err e = redis__guard_spoil_server(c);
    if (!err_ok(e))
        LOG(ERROR, "store_not_marked_older", LF("error", e));
}

static void went_back(struct redis *r, uint64_t value, uint64_t floor)
{
    r->turn++;
    r->said = FAIL(E_STORE_OLDER);
    for (unsigned i = 0; i < r->n_conns; i++) {
        struct redis_conn *c = &r->conns[i];
        if (c->state != RS_UP)
            continue;
        redis__set_state(c, RS_GUARDED);
        again(c, FAIL(E_STORE_OLDER), 0);
    }
    found_older(r, value, floor);
}

/* What the caller made room for is his. */
void redis__guard_add(const struct redis *r, struct redis_batch *b)
{
    if (!r->guard.ask || b->raises || b->count == 0 || !err_ok(buf_check(&b->cmds)))
        return;
    b->cmds.max += LOOK_BYTES + r->guard.key.n;
    REDIS_ADD(b, LIT("GET"), r->guard.key);
    b->looks = true;
}

/* It raised nothing, so there is nothing to spoil. */
static ERR looked(struct redis *r, const struct redis_batch *b)
{
    uint64_t value = value_of(b->replies[b->count - 1 - b->waits]);
    if (value >= b->seen)
        return OK;
    went_back(r, value, b->seen);
    return FAIL(E_STORE_OLDER);
}

struct err redis__raised(struct redis_conn *c, const struct redis_batch *b)
{
    struct redis *r = c->pool;
    if (!r->guard.ask)
        return OK;
    if (b->looks)
        return looked(r, b);
    if (!b->raises)
        return OK;
    const struct redis_reply *reply = b->replies[b->raise_at];
    if (b->raise_in)
        reply = redis_reply_at(reply, b->raise_in - 1);
    uint64_t value = redis_reply_int(reply) > 0 ? (uint64_t)redis_reply_int(reply) : 0;
    if (value <= b->seen) {
        spoil(c);
        went_back(r, value, b->seen);
        return FAIL(E_STORE_OLDER);
    }
    if (redis__replicas_have(r, b))
        r->seen = value > r->seen ? value : r->seen;
    return OK;
}

void redis_guard(struct redis *r, const struct redis_guard *g)
{
    r->guard = *g;
    r->said = FAIL(E_STORE_DOWN);
}

struct err redis_ready(const struct redis *r)
{
    if (redis_up(r))
        return OK;
    for (unsigned i = 0; i < r->n_conns; i++)
        if (r->conns[i].state == RS_GUARDED && !err_ok(r->said))
            return r->said;
    for (unsigned i = 0; i < r->n_conns; i++) {
        if (r->conns[i].state == RS_LOADING)
            return FAIL(E_STORE_LOADING);
        if (r->conns[i].state == RS_UP) /* silent */
            return FAIL(E_STORE_SILENT);
    }
    return r->silent ? FAIL(E_STORE_SILENT) : FAIL(E_STORE_DOWN);
}

struct err redis_health(const struct redis *r)
{
    struct err e = redis_ready(r);
    if (err_ok(e) && r->refused != E_OK && loop_now(r->loop) < r->refused_at + REFUSED_TOLD_MS)
        return FAIL(r->refused);
    return e;
}

uint64_t redis_epoch(const struct redis *r) { return r->seen; }
uint64_t redis_turn(const struct redis *r) { return r->turn; }

struct err redis_unbroken(const struct redis *r, uint64_t turn)
{
    if (r->turn != turn)
        return FAIL(E_STORE_DOWN);
    struct wire *up[WIRE_ALIVE_MAX];
    size_t n = 0;
    for (unsigned i = 0; i < r->n_conns; i++)
        if (r->conns[i].state == RS_UP)
            up[n++] = r->conns[i].wire;
    return wire_alive(up, n) ? OK : FAIL(E_STORE_DOWN);
}

struct err redis_unbroken_at(struct redis *r, uint64_t turn, uint64_t at)
{
    if (r->turn == turn && r->alive_turn == turn && r->alive_at == at)
        return OK;
    TRY(redis_unbroken(r, turn));
    r->alive_turn = turn;
    r->alive_at = at;
    return OK;
}
