#include "keys/ctl/link_once.h"

#include "keys/ctl/link_open.h"

enum { WAIT_MS = 5000, LOOK_MS = 5, GRACE_MS = 1000, SEQ_BYTES = 8 };

struct once {
    struct loop *loop;
    struct redis *redis;
    struct timer *timer;
    struct redis_batch *b;
    uint64_t deadline;
    link_heard_fn *heard;
    void *arg;
    struct err e;
};

static void end(struct once *o, struct err e)
{
    o->e = e;
    redis_batch_free(o->b);
    o->b = NULL;
    timer_free(o->timer);
    redis_close(o->redis);
    loop_stop(o->loop);
}

static void answered(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct once *o = arg;
    end(o, err_ok(e) ? o->heard(o->arg, replies, n) : e);
}

static void look(void *arg)
{
    struct once *o = arg;
    if (redis_up(o->redis)) {
        struct redis_batch *b = o->b;
        o->b = NULL; /* given to redis */
        redis_send(o->redis, b, o->deadline, answered, o);
    } else if (loop_now(o->loop) < o->deadline) {
        timer_start(o->timer, LOOK_MS);
    } else {
        end(o, FAIL(E_STORE_DOWN));
    }
}

static ERR begin(struct once *o, const struct state *s)
{
    TRY(link_open(&o->redis, o->loop, s, LINK_INTAKE));
    struct err e = timer_new(&o->timer, o->loop, look, o);
    if (!err_ok(e)) {
        redis_close(o->redis);
        return e;
    }
    o->deadline = loop_now(o->loop) + WAIT_MS;
    timer_start(o->timer, 0);
    return OK;
}

ERR link_once(const struct state *s, struct redis_batch *b, link_heard_fn *heard, void *arg)
{
    struct once o = { .b = b, .heard = heard, .arg = arg, .e = OK };
    if (!b)
        return FAIL(E_NOMEM);
    struct err e = loop_new(&o.loop, clock_system());
    if (err_ok(e)) {
        e = begin(&o, s);
        if (!err_ok(e))
            loop_stop(o.loop);
        loop_run(o.loop, GRACE_MS);
        loop_free(o.loop);
    }
    redis_batch_free(o.b);
    return err_ok(e) ? o.e : e;
}

ERR link_store(const struct state *s, struct keyring **ret_ring, struct store **ret_store)
{
    struct keyring *ring = NULL;
    TRY(keyring_load(&ring, RING_LINK, state_at(s, "keys/link.ring").c, state_at(s, "keys/link.master").c));
    struct err e = store_new(ret_store, ring);
    if (err_ok(e))
        *ret_ring = ring;
    else
        keyring_free(ring);
    return e;
}

ERR audit_append_once(const struct state *s, struct audit_rec *rec)
{
    struct secret *cap = NULL;
    struct clock c = clock_system();
    uint8_t bytes[AUDIT_REC_BYTES], reply[SEQ_BYTES];
    size_t n = 0;
    rec->wall_ms = clock_wall(&c);
    audit_encode(rec, bytes);
    TRY(secret_read_file(&cap, state_at(s, "keys/cap-ctl-audit").c, IPC_CAP_BYTES));
    struct err e = ipc_call_once(state_at(s, "run/audit.sock").c, IPC_CTL, cap, AUDIT_MSG_APPEND, ARR(bytes), WAIT_MS, reply, sizeof reply, &n);
    secret_free(cap);
    return err_ok(e) && n != sizeof reply ? FAIL(E_AUDIT_DOWN) : e;
}
