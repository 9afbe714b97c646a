/* Who is told of a change of eligibility follows from who has the person open when the courier comes to it: writers need not know the sessions, and a clinic that
 * opened the person in between is told too. */
#include "gateway/consent/tell.h"
#include "gateway/courier/courier_in.h"

enum { BATCH_MAX = 1024 };

static ERR tell(struct attempt *a, const struct consent_clinics *clinics, struct redis_swap *swap)
{
    for (size_t i = 0; i < clinics->n; i++) {
        struct notice n = a->n;
        memcpy(n.session, clinics->at[i].session.b, sizeof n.session);
        memcpy(n.ref, clinics->at[i].session.b, sizeof n.ref);
        TRY(notice_add(a->c->p.store, &n, ARR(clinics->at[i].clinic), swap));
    }
    return OK;
}

static ERR fan(struct attempt *a, const struct redis_reply *hash, struct redis_swap *swap)
{
    struct consent_clinics clinics = { .n = 0 };
    struct err e = judge_heard(&a->judge, a->c->p.store, &a->person, clock_date_jst(courier_wall(a->c)), hash);
    if (err_ok(e))
        TRY(consent_clinics_open(a->c->p.store, &a->person, hash, 1u << LINK_ELIGIBILITY, courier_wall(a->c), &clinics));
    else if (!err_is(e, E_NOT_DISCLOSED) && !err_is(e, E_NOTHING))
        return e;
    TRY(tell(a, &clinics, swap)); /* of somebody who is silent, nobody */
    a->end = (struct lane_end){ .how = LANE_DONE, .now_ms = courier_wall(a->c) };
    lanes_end(&a->it, &a->end, swap);
    return OK;
}

static void on_person(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct attempt *a = arg;
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    if (err_ok(e) && (n != 1 || !swap))
        e = n == 1 ? FAIL(E_NOMEM) : FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = fan(a, replies[0], swap);
    if (err_ok(e)) {
        attempt_put(a, swap);
        return;
    }
    redis_swap_free(swap);
    if (err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN))
        attempt_dead(a, OPEN_R_CONTENT);
    else
        attempt_back(a, BACK_LONG_MS);
}

void attempt_fan_out(struct attempt *a)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b) {
        attempt_back(a, BACK_LONG_MS);
        return;
    }
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&a->person));
    redis_send(a->c->p.redis, b, courier_now(a->c) + ASK_MS, on_person, a);
}
