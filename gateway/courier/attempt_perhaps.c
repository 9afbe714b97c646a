/* Who was perhaps told. Before a version is sent to the vaccination database for the first time, the record says that it may have it; only an answer makes that
 * certain, one way or the other. The others need no such note: whom a correction goes to stands in the record before anything is sent. */
#include "gateway/courier/courier_in.h"

#include "gateway/base/log.h"

enum { BATCH_MAX = 2 * IMMUN_SWAP_MAX };

bool attempt_wants_note(const struct attempt *a)
{
    if (a->k->step[a->step].target != OPEN_DATABASE || !a->rec)
        return false;
    const struct immun_recipient *r = immun_recipient_of(a->rec, attempt_audience(a), attempt_who(a));
    return !r || !immun_was_perhaps_told(r, a->n.version);
}

/* The record as it is now in memory, if nobody has written the person since it was read, and the lane is ours still. */
static ERR put(struct attempt *a, redis_done_fn *fn)
{
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct err e = swap && b ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        lanes_hold(&a->it, swap);
        e = attempt_put_record(a, swap);
    }
    if (err_ok(e))
        e = redis_swap_put(swap, b);
    redis_swap_free(swap);
    if (err_ok(e))
        redis_send(a->c->p.redis, b, courier_now(a->c) + ASK_MS, fn, a);
    else
        redis_batch_free(b);
    return e;
}

static void not_noted(struct attempt *a, struct err e)
{
    LOG(WARN, "notice_not_noted", LF("error", e));
    attempt_back(a, BACK_LONG_MS);
}

/* True: written. False: the attempt goes on with a new reading, or has ended. */
static bool was_put(struct attempt *a, struct err e, const struct redis_reply *const *replies, size_t n, attempt_read_fn *again)
{
    if (err_ok(e) && n == 1 && redis_reply_int(replies[0]) == 1)
        return true;
    if (!err_ok(e) || n != 1)
        not_noted(a, err_ok(e) ? FAIL(E_STORE_REFUSED) : e);
    else if (++a->note_tries < NOTE_TRIES)
        attempt_read(a, again);
    else
        attempt_back(a, BACK_MS);
    return false;
}

/* ---- before it is sent ---- */

static void on_noted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct attempt *a = arg;
    if (was_put(a, e, replies, n, attempt_read_done))
        attempt_noted(a);
}

void attempt_note(struct attempt *a)
{
    struct err e = FAIL(E_CONFLICT);
    if (immun_perhaps_recipient(a->rec, attempt_audience(a), attempt_who(a), a->n.version, courier_wall(a->c)))
        e = put(a, on_noted);
    if (!err_ok(e))
        not_noted(a, e); /* and not sent */
}

/* ---- it never had what it was perhaps told ---- */

static void on_read(struct attempt *a, struct err e);

static void on_cleared(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct attempt *a = arg;
    if (was_put(a, e, replies, n, on_read))
        attempt_back(a, 0); /* with the version before that one, or with none */
}

static void on_read(struct attempt *a, struct err e)
{
    if (!a->rec) {
        not_noted(a, e);
        return;
    }
    const bool had = immun_never_recipient(a->rec, attempt_audience(a), attempt_who(a), a->unknown);
    const bool sent = immun_never_recipient(a->rec, attempt_audience(a), attempt_who(a), a->n.version); /* of which it took nothing either */
    e = had || sent ? put(a, on_cleared) : FAIL(E_CONFLICT);
    if (!err_ok(e))
        not_noted(a, e);
}

void attempt_unknown(struct attempt *a)
{
    const struct immun_recipient *r = a->rec ? immun_recipient_of(a->rec, attempt_audience(a), attempt_who(a)) : NULL;
    if (!r || !immun_was_perhaps_told(r, a->replaced)) { /* it confirmed that once */
        attempt_dead(a, OPEN_R_REFUSED);
        return;
    }
    LOG(INFO, "notice_unknown", LF("version", (uint64_t)a->replaced));
    a->unknown = a->replaced;
    a->told = true;
    a->note_tries = 0;
    attempt_read(a, on_read);
}
