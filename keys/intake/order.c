#include "keys/intake/order.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "keys/intake/erased.h"
#include "keys/intake/names.h"

enum { FIRST_MS = 1, AGAIN_MS = 50, ROOM_PER_MUNI = 256, BEHIND_MS = 1000 };

struct nz_order {
    struct nz_intake *in;
    struct timer *timer;
    bool known, closed;
};

uint64_t nz_received_ms(struct nz_intake *in)
{
    uint64_t now = clock_wall(loop_clock(in->loop));
    in->last_received_ms = now > in->last_received_ms ? now : in->last_received_ms + 1;
    return in->last_received_ms;
}

uint64_t nz_waits_from_ms(const struct nz_intake *in, uint64_t received_ms)
{
    uint64_t now = clock_wall(loop_clock(in->loop));
    return now < received_ms ? now : received_ms;
}

static ERR newest(const struct redis_reply *const *replies, size_t n, uint64_t *ret_ms)
{
    *ret_ms = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t ms;
        if (redis_reply_type(replies[i]) != REDIS_ARRAY)
            return FAIL(E_STORE_REFUSED);
        if (u64_parse(redis_reply_str(redis_reply_at(replies[i], 1)), &ms) && ms > *ret_ms)
            *ret_ms = ms;
    }
    return OK;
}

static void heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_order *o = arg;
    uint64_t ms = 0, now = clock_wall(loop_clock(o->in->loop));
    if (o->closed)
        return;
    if (err_ok(e))
        e = newest(replies, n, &ms);
    if (!err_ok(e)) {
        timer_start(o->timer, AGAIN_MS);
        return;
    }
    if (ms > now + BEHIND_MS)
        LOG(WARN, "clock_is_behind", LF("ms", ms - now)); /* it was set back, or had been wrong: the order goes on from there */
    if (ms > o->in->last_received_ms)
        o->in->last_received_ms = ms;
    o->known = true;
}

static size_t add_lists(struct nz_order *o, struct redis_batch *b)
{
    size_t at = 0, n = 0;
    struct slice id;
    const struct secret *key;
    struct store_name tl, er;
    while (keyring_each(o->in->ring, KEY_LINK_DATA, &at, &id, &key)) {
        if (id.n != 6)
            continue;
        n++;
        if (!b)
            continue;
        nz_name_task_list((const char *)id.p, &tl);
        nz_erased_name((const char *)id.p, &er);
        REDIS_ADD(b, LIT("ZREVRANGE"), store_name_slice(&tl), LIT("0"), LIT("0"), LIT("WITHSCORES"));
        REDIS_ADD(b, LIT("ZREVRANGE"), store_name_slice(&er), LIT("0"), LIT("0"), LIT("WITHSCORES"));
    }
    return n;
}

static void ask(void *arg)
{
    struct nz_order *o = arg;
    size_t n = add_lists(o, NULL);
    struct redis_batch *b = n ? redis_batch_new(n * ROOM_PER_MUNI) : NULL;
    if (!n) {
        o->known = true;
        return;
    }
    if (!b) {
        timer_start(o->timer, AGAIN_MS);
        return;
    }
    add_lists(o, b);
    redis_send(o->in->redis, b, loop_now(o->in->loop) + NZ_READ_MS, heard, o);
}

ERR nz_order_new(struct nz_order **ret_o, struct nz_intake *in)
{
    struct nz_order *o = calloc(1, sizeof *o);
    if (!o)
        return FAIL(E_NOMEM);
    o->in = in;
    struct err e = timer_new(&o->timer, in->loop, ask, o);
    if (!err_ok(e)) {
        free(o);
        return e;
    }
    timer_start(o->timer, FIRST_MS);
    *ret_o = o;
    return OK;
}

void nz_order_close(struct nz_order *o)
{
    if (!o || o->closed)
        return;
    o->closed = true;
    timer_free(o->timer);
    o->timer = NULL;
}

void nz_order_free(struct nz_order *o) { free(o); }

bool nz_order_known(const struct nz_order *o) { return o->known; }
