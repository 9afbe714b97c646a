/* One message, step by step. */
#include "gateway/courier/courier_in.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/base/must.h"

enum { URL_MAX = TARGET_URL_MAX + 64 };

static void step_begin(struct attempt *a);

static const struct open_step *step_of(const struct attempt *a) { return &a->k->step[a->step]; }

/* ---- the answer ---- */

static enum open_verdict judge(struct attempt *a, struct err e, int status, struct slice body, enum open_reason *ret_why)
{
    if (err_is(e, E_UPSTREAM_DOWN)) {
        *ret_why = OPEN_R_DOWN;
        return OPEN_LATER;
    }
    if (err_is(e, E_UPSTREAM_BAD)) {
        *ret_why = OPEN_R_SHAPE;
        return OPEN_NEVER;
    }
    if (err_is(e, E_CONFIG)) {
        *ret_why = OPEN_R_TARGET;
        return OPEN_NEVER;
    }
    return step_of(a)->judge(&a->cs, status, body, a->arena, ret_why);
}

/* The partner answers, whatever it says; or it does not. */
static void tell_breaker(struct attempt *a, struct err e, int status)
{
    struct target *t = a->target;
    if (err_is(e, E_UPSTREAM_DOWN) || (err_ok(e) && status >= 500))
        breaker_bad(&t->breaker, courier_now(a->c), courier_rnd());
    else
        breaker_good(&t->breaker);
    t->in_flight--;
    a->target = NULL;
}

static void on_answer(void *arg, struct err e, int status, struct slice body)
{
    struct attempt *a = arg;
    enum open_reason why = OPEN_R_NONE;
    if (err_is(e, E_BUSY) || err_is(e, E_CANCELED) || err_is(e, E_NOMEM)) {
        attempt_back(a, BACK_LONG_MS);
        return;
    }
    tell_breaker(a, e, status);
    const enum open_verdict v = judge(a, e, status, body, &why);
    if (v == OPEN_NEVER)
        attempt_dead(a, why);
    else if (v == OPEN_LATER)
        attempt_later(a, why);
    else if (v == OPEN_UNKNOWN)
        attempt_unknown(a);
    else if (++a->step < a->k->n_steps)
        step_begin(a);
    else
        attempt_done(a);
}

/* ---- sent ---- */

static void send_body(struct attempt *a)
{
    const struct courier *c = a->c;
    const struct open_step *s = step_of(a);
    struct buf url;
    buf_init(&url, URL_MAX);
    buf_puts(&url, a->target->url);
    buf_puts(&url, s->path);
    const struct client_req req = { .method = "POST", .url = buf_cstr(&url), .content_type = "application/json", .header = a->header.n ? buf_cstr(&a->header) : NULL,
                                    .answer_max = s->answer_max < OPEN_ANSWER_MAX ? s->answer_max : OPEN_ANSWER_MAX, .timeout_ms = (unsigned)c->p.conf->courier_timeout_ms };
    if (req.url)
        client_send(a->target->client, &req, &a->body, on_answer, a);
    else
        attempt_back(a, BACK_LONG_MS);
    buf_done(&url);
}

static void on_recorded(void *arg, struct err e)
{
    struct attempt *a = arg;
    const uint64_t now = courier_now(a->c);
    if (!err_ok(e) || a->c->stopped || now + a->c->p.conf->courier_timeout_ms + ASK_MS > a->lease_end)
        attempt_back(a, BACK_LONG_MS);
    else if (now - a->read_at > READING_MAX_MS)
        attempt_back(a, BACK_MS); /* by what was read nothing may be told any more */
    else
        send_body(a);
}

static void record(struct attempt *a)
{
    struct audit_rec rec;
    attempt_audit(a, AU_NOTICE_SENT, NULL, &rec);
    audit_append(a->c->p.audit, &rec, courier_now(a->c) + ASK_MS, on_recorded, a);
}

/* ---- signed ---- */

static void on_signature(void *arg, struct err e, const uint8_t *rs)
{
    struct attempt *a = arg;
    if (err_ok(e))
        e = sign_header(buf_slice(&a->protected_b64), rs, &a->header);
    if (err_ok(e)) {
        record(a);
        return;
    }
    if (err_is(e, E_NOTHING))
        courier_ask_keys(a->c);
    attempt_back(a, BACK_LONG_MS);
}

static ERR sign(struct attempt *a)
{
    uint8_t digest[SIGN_DIGEST];
    const struct courier *c = a->c;
    const struct sign_claims claims = { .kid = ARR(c->kid), .jti = slice_str(a->cs.id), .aud = notice_who(&a->n), .iat_s = courier_wall(c) / 1000 };
    if (!c->can_sign)
        return FAIL(E_SIGNER_DOWN);
    TRY(sign_begin(&claims, buf_slice(&a->body), &a->protected_b64, digest));
    signer_sign(c->p.signer, SIGNER_WEBHOOK, c->key_number, digest, courier_now(c) + ASK_MS, on_signature, a);
    return OK;
}

/* ---- read, written ---- */

static void on_read(struct attempt *a, struct err e)
{
    static const enum err_code DROPPED[] = { E_NOT_DISCLOSED, E_NOTHING, E_SESSION, E_CONSENT, E_VERSION };
    for (size_t i = 0; i < sizeof DROPPED / sizeof DROPPED[0]; i++)
        if (err_is(e, DROPPED[i])) {
            attempt_drop(a, e);
            return;
        }
    if (err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN)) {
        attempt_dead(a, OPEN_R_CONTENT);
        return;
    }
    buf_reset(&a->body);
    buf_reset(&a->protected_b64);
    buf_reset(&a->header);
    if (err_ok(e)) {
        e = step_of(a)->build(&a->cs, a->arena, &a->body);
        if (err_is(e, E_FIELD)) {
            attempt_dead(a, OPEN_R_CONTENT);
            return;
        }
    }
    if (err_ok(e) && attempt_wants_note(a)) {
        attempt_note(a);
        return;
    }
    if (err_ok(e) && !step_of(a)->is_signed) {
        record(a);
        return;
    }
    if (err_ok(e))
        e = sign(a);
    if (!err_ok(e))
        attempt_back(a, BACK_LONG_MS);
}

void attempt_read_done(struct attempt *a, struct err e) { on_read(a, e); }
void attempt_noted(struct attempt *a) { record(a); }

/* Somebody must hear of a correction; of the rest nobody waits for it. */
static void no_target(struct attempt *a)
{
    const bool wanted = a->n.kind == NOTICE_PROVISION && !targets_no_database(a->c->targets);
    const bool matters = wanted || (a->n.kind == NOTICE_RECORD && a->n.what != NOTICE_NEW);
    if (matters)
        attempt_dead(a, OPEN_R_TARGET);
    else
        attempt_drop(a, FAIL(E_CONFIG));
}

static struct target *target_of(const struct attempt *a, size_t step)
{
    const enum open_target kind = a->k->step[step].target;
    return targets_find(a->c->targets, kind, kind == OPEN_CLINIC || kind == OPEN_PORTAL ? notice_who(&a->n) : SLICE_NONE);
}

/* Of this step and of those behind it: nobody is asked for what could not be used then. False: the attempt has ended. */
static bool has_way(struct attempt *a)
{
    const uint64_t now = courier_now(a->c);
    for (size_t i = a->step; i < a->k->n_steps; i++) {
        struct target *t = target_of(a, i);
        if (!t) {
            a->step = i;
            no_target(a);
            return false;
        }
        if (t->in_flight >= a->c->p.conf->courier_per_target || !breaker_would_pass(&t->breaker, now)) {
            attempt_back(a, crowd_wait(&t->breaker, t->crowd++, now, courier_rnd()));
            return false;
        }
    }
    return true;
}

static void step_begin(struct attempt *a)
{
    if (!has_way(a))
        return;
    struct target *t = target_of(a, a->step);
    (void)breaker_pass(&t->breaker, courier_now(a->c));
    t->crowd -= t->crowd / 8;
    t->in_flight++;
    a->target = t;
    attempt_read(a, on_read);
}

static struct basis_fit basis_of(const struct courier *c, const struct notice *n)
{
    static const struct { const char *operation; unsigned items; } ACTS[NOTICE_KIND__MAX] = {
        [NOTICE_QUESTIONNAIRE] = { "tellClinics", AUDIT_ITEM_QUESTIONNAIRE }, [NOTICE_ELIGIBILITY] = { "tellClinics", AUDIT_ITEM_ELIGIBILITY },
        [NOTICE_RECORD] = { "tellClinics", AUDIT_ITEM_VACCINATION },          [NOTICE_CITIZEN] = { "tellCitizens", AUDIT_ITEM_VACCINATION },
        [NOTICE_PROVISION] = { "provideToDatabase", AUDIT_ITEM_VACCINATION },
    };
    return basis_judge(c->p.basis, CALLER_GATEWAY, SLICE_NONE, slice_str(ACTS[n->kind].operation), SLICE_NONE, ACTS[n->kind].items);
}

void attempt_begin(struct courier *c, const struct lane_item *it, uint64_t lease_end)
{
    struct attempt *a = calloc(1, sizeof *a);
    MUST(a); /* what was taken cannot be forgotten */
    a->c = c;
    a->it = *it;
    a->it.sealed = SLICE_NONE;
    a->lease_end = lease_end;
    a->arena = arena_new(ATTEMPT_ARENA);
    MUST(a->arena);
    buf_init(&a->body, OPEN_BODY_MAX);
    buf_init(&a->protected_b64, SIGN_HEAD_MAX);
    buf_init(&a->header, SIGN_HEAD_MAX + 256);
    memset(a->n.muni, '0', sizeof a->n.muni);
    struct err e = it->sealed.n ? notice_open(c->p.store, it->id, it->sealed, &a->n) : FAIL(E_SEAL);
    a->k = err_ok(e) ? open_connector_of(a->n.kind) : NULL;
    store_name_person(&a->n.person, &a->person);
    if (a->k)
        a->fit = basis_of(c, &a->n);
    if (a->k && !a->fit.id)
        attempt_dead(a, OPEN_R_BASIS);
    else if (a->k && a->n.kind == NOTICE_ELIGIBILITY && !a->n.who[0])
        attempt_fan_out(a);
    else if (a->k)
        step_begin(a);
    else
        attempt_dead(a, OPEN_R_CONTENT);
}
