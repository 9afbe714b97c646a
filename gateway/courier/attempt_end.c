/* How an attempt ends: recorded where something did not go as it was meant, then written under the fence. */
#include "gateway/courier/courier_in.h"

#include <stdlib.h>

#include "gateway/base/log.h"

enum { BATCH_MAX = 2 * IMMUN_SWAP_MAX };

static void attempt_free(struct attempt *a)
{
    struct courier *c = a->c;
    attempt_release(a);
    arena_free(a->arena);
    buf_done(&a->body);
    buf_done(&a->protected_b64);
    buf_done(&a->header);
    explicit_bzero(a, sizeof *a);
    free(a);
    courier_ended(c);
}

void attempt_release(struct attempt *a)
{
    if (!a->target)
        return;
    a->target->in_flight--;
    breaker_void(&a->target->breaker);
    a->target = NULL;
}

void attempt_audit(const struct attempt *a, enum audit_event event, const struct err *why, struct audit_rec *ret_rec)
{
    struct audit_rec rec = { .event = event, .result = AR_OK, .count = a->n.version };
    struct buf actor;
    buf_init(&actor, AUDIT_ACTOR_MAX);
    buf_puts(&actor, "courier/");
    buf_puts(&actor, open_target_name(a->k ? a->k->step[a->step].target : OPEN_CLINIC));
    if (a->n.who[0]) {
        buf_putc(&actor, '/');
        buf_put(&actor, notice_who(&a->n));
    }
    audit_set_actor(&rec, buf_slice(&actor));
    buf_done(&actor);
    memcpy(rec.muni, a->n.muni, sizeof rec.muni);
    memcpy(rec.ref, a->n.ref, sizeof rec.ref);
    rnd_bytes(rec.request.b, sizeof rec.request.b);
    basis_note(&rec, a->fit);
    if (why) {
        rec.result = event == AU_NOTICE_DROPPED ? AR_NOTHING : AR_FAILED;
        rec.reason = why->code;
    }
    if (!err_ok(store_handle_of_person(a->c->p.store, &a->n.person, rec.subject)))
        memset(rec.subject, 0, sizeof rec.subject);
    *ret_rec = rec;
}

/* ---- written ---- */

static void again(struct attempt *a);
static void wait_for_room(struct attempt *a);

static void on_ended(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct attempt *a = arg;
    const bool written = err_ok(e) && n == 1 && redis_reply_int(replies[0]) == 1;
    if (err_ok(e) && n == 1 && redis_reply_int(replies[0]) == REDIS_SWAP_FULL && a->end.how == LANE_DEAD) {
        wait_for_room(a);
        return;
    }
    if (err_ok(e) && !written && a->rec) {
        again(a); /* the record was written meanwhile, or the lease is somebody else's */
        return;
    }
    if (!written)
        LOG(WARN, "notice_end_not_written", LF("error", err_ok(e) ? FAIL(E_CONFLICT) : e));
    attempt_free(a);
}

void attempt_put(struct attempt *a, struct redis_swap *swap)
{
    struct redis_batch *b = swap ? redis_batch_new(BATCH_MAX) : NULL;
    struct err e = b ? redis_swap_put(swap, b) : FAIL(E_NOMEM);
    redis_swap_free(swap);
    if (err_ok(e)) {
        redis_send(a->c->p.redis, b, courier_now(a->c) + ASK_MS, on_ended, a);
        return;
    }
    redis_batch_free(b);
    LOG(WARN, "notice_end_not_written", LF("error", e)); /* the lease runs out */
    attempt_free(a);
}

static void write_end(struct attempt *a)
{
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    a->rec = NULL;
    if (swap)
        lanes_end(&a->it, &a->end, swap);
    attempt_put(a, swap);
}

/* There are as many dead letters as may be: it goes on waiting in its lane, and nothing is lost. */
static void wait_for_room(struct attempt *a)
{
    LOG(ERROR, "dead_letters_full", LF("most", a->c->p.conf->courier_dead_max));
    a->c->n_dead = a->c->p.conf->courier_dead_max;
    a->end.how = LANE_LATER;
    a->end.due_ms = a->end.now_ms + a->c->p.conf->courier_retry_max_ms;
    write_end(a);
}

static void on_end_recorded(void *arg, struct err e)
{
    struct attempt *a = arg;
    if (!err_ok(e)) { /* what cannot be recorded has not ended */
        a->end.how = LANE_BACK;
        a->end.due_ms = courier_wall(a->c) + BACK_LONG_MS;
    }
    write_end(a);
}

static void settle(struct attempt *a, enum audit_event event, struct err why)
{
    struct audit_rec rec;
    attempt_release(a);
    a->end.now_ms = courier_wall(a->c);
    if (!event) {
        write_end(a);
        return;
    }
    attempt_audit(a, event, &why, &rec);
    audit_append(a->c->p.audit, &rec, courier_now(a->c) + ASK_MS, on_end_recorded, a);
}

/* ---- the ways ---- */

void attempt_back(struct attempt *a, uint64_t ms)
{
    a->end = (struct lane_end){ .how = LANE_BACK, .due_ms = courier_wall(a->c) + ms };
    settle(a, 0, OK);
}

/* Who has to do something about it. */
static const char *owner(enum open_reason why)
{
    static const char *const OWNERS[OPEN_R__MAX] = {
        [OPEN_R_REFUSED] = "partner", [OPEN_R_REDIRECT] = "partner", [OPEN_R_STATUS] = "partner", [OPEN_R_SHAPE] = "partner", [OPEN_R_OTHER] = "partner",
        [OPEN_R_CONTENT] = "municipality",
    };
    return OWNERS[why] ? OWNERS[why] : "operator";
}

void attempt_dead(struct attempt *a, enum open_reason why)
{
    static const enum err_code CODES[OPEN_R__MAX] = { [OPEN_R_NONE] = E_INTERNAL, [OPEN_R_TARGET] = E_CONFIG, [OPEN_R_CONTENT] = E_SEAL, [OPEN_R_EXPIRED] = E_DEADLINE,
                                                       [OPEN_R_BASIS] = E_BASIS };
    LOG(WARN, "notice_dead", LF("reason", (struct lit){ open_reason_name(why) }), LF("attempts", a->it.attempts + 1));
    a->end = (struct lane_end){ .how = LANE_DEAD, .why = open_reason_name(why), .owner = owner(why), .dead_max = a->c->p.conf->courier_dead_max };
    if (a->c->n_dead >= a->c->p.conf->courier_dead_max) {
        a->end.now_ms = courier_wall(a->c);
        attempt_release(a);
        wait_for_room(a);
        return;
    }
    settle(a, AU_NOTICE_DEAD, (struct err){ CODES[why] ? CODES[why] : E_UPSTREAM_BAD, NULL });
}

void attempt_later(struct attempt *a, enum open_reason why)
{
    const uint64_t now = courier_wall(a->c), give_up = a->c->p.conf->courier_give_up_s * 1000;
    if (a->it.first_ms && now > a->it.first_ms && now - a->it.first_ms >= give_up) {
        attempt_dead(a, OPEN_R_EXPIRED);
        return;
    }
    LOG(INFO, "notice_later", LF("reason", (struct lit){ open_reason_name(why) }), LF("attempts", a->it.attempts + 1));
    a->end = (struct lane_end){ .how = LANE_LATER, .why = open_reason_name(why), .due_ms = now + pace_wait(&a->c->pace, a->it.attempts, courier_rnd()) };
    settle(a, 0, OK);
}

void attempt_drop(struct attempt *a, struct err why)
{
    a->end = (struct lane_end){ .how = LANE_DONE };
    settle(a, err_is(why, E_CONFIG) ? 0 : AU_NOTICE_DROPPED, why); /* whoever has no place for messages has lost none */
}

/* ---- told: the record says who knows which version ---- */

enum immun_audience attempt_audience(const struct attempt *a)
{
    return a->n.kind == NOTICE_RECORD ? IMMUN_TO_CLINIC : a->n.kind == NOTICE_CITIZEN ? IMMUN_TO_CITIZEN : IMMUN_TO_DATABASE;
}

struct slice attempt_who(const struct attempt *a) { return a->n.kind == NOTICE_RECORD ? notice_who(&a->n) : SLICE_NONE; }

ERR attempt_put_record(const struct attempt *a, struct redis_swap *swap)
{
    char tie[2 + sizeof a->n.muni] = "s:";
    struct immun_place place = { .rec = a->rec };
    const struct immun_book book = { .turn = a->turn, .n_ties = 1, .tie = { { slice_of(tie, sizeof tie), a->tie } } };
    memcpy(tie + 2, a->n.muni, sizeof a->n.muni);
    immun_field(a->n.muni, a->n.ref, &place.field);
    memcpy(place.muni, a->n.muni, sizeof place.muni);
    immun_swap_turn(&book, &a->person, swap);
    return immun_swap_record(a->c->p.store, &a->person, &place, swap);
}

/* Nobody can note anything in it any more. */
static bool is_gone(struct err e) { return err_is(e, E_NOTHING) || err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN); }

static void on_read(struct attempt *a, struct err e)
{
    if (!a->rec && !is_gone(e)) {
        LOG(WARN, "notice_end_not_written", LF("error", e)); /* told again when the lease has run out: what was told must be known */
        attempt_free(a);
        return;
    }
    if (!a->rec) {
        write_end(a);
        return;
    }
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    e = OK;
    if (swap && immun_ack_recipient(a->rec, attempt_audience(a), attempt_who(a), a->n.version, a->end.now_ms))
        e = attempt_put_record(a, swap);
    if (swap && err_ok(e)) {
        lanes_end(&a->it, &a->end, swap);
        attempt_put(a, swap);
        return;
    }
    redis_swap_free(swap);
    write_end(a);
}

static void again(struct attempt *a)
{
    if (++a->tries < ACK_TRIES && courier_now(a->c) < a->lease_end) {
        arena_reset(a->arena);
        attempt_read(a, on_read);
    } else if (a->n.kind == NOTICE_PROVISION) {
        LOG(WARN, "notice_end_not_written", LF("error", FAIL(E_CONFLICT))); /* told again: what it was told must be known, to be replaced */
        attempt_free(a);
    } else {
        write_end(a);
    }
}

void attempt_done(struct attempt *a)
{
    attempt_release(a);
    a->end = (struct lane_end){ .how = LANE_DONE, .now_ms = courier_wall(a->c) };
    a->it.replayed = false;
    a->told = true;
    a->step = a->k->n_steps - 1; /* nobody is asked for a key any more */
    if (a->n.kind == NOTICE_QUESTIONNAIRE || a->n.kind == NOTICE_ELIGIBILITY)
        write_end(a);
    else
        attempt_read(a, on_read);
}
