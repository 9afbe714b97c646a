#include "gateway/lookup/fresh.h"

#include "gateway/lookup/access.h"

enum { BATCH_MAX = 512 };

static uint64_t now_ms(const struct access *a) { return loop_now(req_loop(a->r)); }

bool fresh_older(const struct access *a, uint64_t ms) { return now_ms(a) - a->fresh.asked_ms > ms; }

void fresh_watch(struct access *a, const struct store_name *person, fresh_fn *judge, void *arg)
{
    a->fresh = (struct fresh){ .judge = judge, .arg = arg, .person = *person, .asked_ms = now_ms(a) };
}

/* The second record: what was to be told does not leave. */
void fresh_silence(struct access *a, struct err why)
{
    a->fresh.judge = NULL;
    a->rec.count = 0;
    a->rec.epoch = 0; /* the first record carries what the access did */
    access_end(a, why);
}

struct err fresh_verdict(struct access *a, const struct redis_reply *hash)
{
    return fresh_older(a, FRESH_MAX_MS) ? FAIL(E_DEADLINE) : a->fresh.judge(a->fresh.arg, hash);
}

void fresh_ask(struct access *a, struct redis_batch *b)
{
    a->fresh.asked_ms = now_ms(a);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&a->fresh.person));
}

static void read_again(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct access *a = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = fresh_verdict(a, replies[0]);
    if (err_ok(e))
        a->fresh_done(a);
    else
        fresh_silence(a, e);
}

bool fresh_again(struct access *a, void (*fresh_done)(struct access *a))
{
    if (!a->fresh.judge || !fresh_older(a, FRESH_MS))
        return false;
    a->fresh_done = fresh_done;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b) {
        fresh_silence(a, FAIL(E_NOMEM));
        return true;
    }
    fresh_ask(a, b);
    access_send(a, b, read_again, a);
    return true;
}
