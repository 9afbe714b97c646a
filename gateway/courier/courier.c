#include "gateway/courier/courier_in.h"
#include "gateway/courier/sweep.h"

#include <stdlib.h>

#include "gateway/base/log.h"
#include "gateway/jose/es256.h"

enum { LOOK_MS = 200, ASK_KEYS_MS = 30000, ASK_KEYS_SOON_MS = 1000, BEAT_SOON_MS = 50, BATCH_MAX = 16 * 1024, LEASE_MARGIN_MS = 4 * ASK_MS };

uint64_t courier_rnd(void)
{
    uint64_t v;
    rnd_bytes(&v, sizeof v);
    return v;
}

/* Of each step: read, sign, record and send; and the end. */
uint64_t courier_lease_ms(const struct courier *c) { return OPEN_STEPS_MAX * c->p.conf->courier_timeout_ms + LEASE_MARGIN_MS; }

/* Longer than anything is put off. */
static uint64_t far_ms(const struct courier *c) { return courier_lease_ms(c) + 2 * c->p.conf->courier_retry_max_ms + 4 * BREAKER_MAX_MS; }

/* ---- taking ---- */

static void look_again(struct courier *c, uint64_t ms)
{
    if (!c->closing)
        timer_start(c->tick, ms);
}

static void on_claimed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct courier *c = arg;
    struct lane_item it;
    size_t taken = 0;
    c->claiming = false;
    c->questions--;
    if (err_ok(e) && n == 1)
        for (; taken < redis_reply_len(replies[0]); taken++) {
            if (!lanes_item(replies[0], taken, &it)) {
                LOG(ERROR, "outbox_not_ours"); /* left alone until its lease runs out */
                continue;
            }
            c->in_flight++;
            attempt_begin(c, &it, c->lease_end);
        }
    look_again(c, taken ? 0 : LOOK_MS);
}

static void look(void *arg)
{
    struct courier *c = arg;
    const uint64_t room = c->p.conf->courier_in_flight - c->in_flight;
    const uint64_t now = courier_wall(c);
    if (c->closing || c->claiming)
        return;
    if (!room || !err_ok(redis_ready(c->p.redis)) || !audit_up(c->p.audit)) {
        look_again(c, LOOK_MS);
        return;
    }
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b) {
        look_again(c, LOOK_MS);
        return;
    }
    lanes_claim(&(struct lanes_times){ now, now + courier_lease_ms(c), now + far_ms(c) }, room, b);
    c->claiming = true;
    c->lease_end = courier_now(c) + courier_lease_ms(c); /* from the asking on, however late the answer is looked at */
    c->questions++;
    redis_send(c->p.redis, b, courier_now(c) + ASK_MS, on_claimed, c);
}

void courier_ended(struct courier *c)
{
    c->in_flight--;
    if (!c->claiming)
        look_again(c, 0);
}

/* ---- alive ---- */

static void on_beat(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct courier *c = arg;
    c->questions--;
    if (err_ok(e) && n == LANES_BEAT_REPLIES)
        c->n_dead = (uint64_t)redis_reply_int(replies[1]);
    if (!err_ok(e) && !c->closing) /* whoever waits for it hears so as soon as redis-link answers */
        timer_start(c->beat, BEAT_SOON_MS);
    if (c->n_dead)
        sweep_page(c->sweep);
}

static void beat(void *arg)
{
    struct courier *c = arg;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (c->closing || !b) {
        redis_batch_free(b);
        return;
    }
    lanes_beat(courier_wall(c), b);
    c->questions++;
    redis_send(c->p.redis, b, courier_now(c) + ASK_MS, on_beat, c);
    timer_start(c->beat, LANES_BEAT_MS);
}

/* ---- the key that signs ---- */

static ERR take_key(struct courier *c, const struct signer_keys *keys)
{
    const struct signer_key *newest = signer_newest(keys, SIGNER_WEBHOOK);
    struct es256_key k;
    if (!newest)
        return FAIL(E_NOTHING);
    memcpy(k.x, newest->x, sizeof k.x);
    memcpy(k.y, newest->y, sizeof k.y);
    TRY(es256_thumbprint(&k, c->kid));
    c->key_number = newest->number;
    return OK;
}

static void on_keys(void *arg, struct err e, const struct signer_keys *keys)
{
    struct courier *c = arg;
    c->questions--;
    if (err_ok(e)) {
        e = take_key(c, keys);
        c->can_sign = err_ok(e);
        if (!c->can_sign)
            LOG(ERROR, "no_key_for_webhooks", LF("error", e));
    }
    if (!c->closing)
        timer_start(c->ask, c->can_sign ? ASK_KEYS_MS : ASK_KEYS_SOON_MS);
}

static void ask_keys(void *arg)
{
    struct courier *c = arg;
    if (c->closing)
        return;
    c->questions++;
    signer_ask_keys(c->p.signer, courier_now(c) + ASK_MS, on_keys, c);
}

void courier_ask_keys(struct courier *c)
{
    if (!c->closing)
        timer_start(c->ask, 0);
}

/* ---- life ---- */

/* Partners of one issuer share connections; a partner holds at most courier_per_target of them. */
static ERR client_of(struct courier *c, struct target *t)
{
    const struct conf *conf = c->p.conf;
    for (size_t i = 0; i < c->n_clients; i++)
        if (c->clients[i].is_private == t->is_private && strcmp(c->clients[i].ca, t->ca) == 0) {
            t->client = c->clients[i].client;
            return OK;
        }
    if (c->n_clients == COURIER_CLIENTS_MAX)
        return FAIL(E_CONFIG);
    TRY(client_new(&t->client, c->p.loop, &(struct client_conf){ .ca_path = t->ca, .cert_path = conf->courier_cert, .key_path = conf->courier_key,
        .conns_max = (unsigned)conf->courier_in_flight, .queue_max = (unsigned)conf->courier_in_flight, .outside_only = !t->is_private }));
    c->clients[c->n_clients].ca = t->ca;
    c->clients[c->n_clients].is_private = t->is_private;
    c->clients[c->n_clients++].client = t->client;
    return OK;
}

static ERR set_up(struct courier *c)
{
    TRY(targets_load(&c->targets, c->p.conf->courier_targets));
    for (size_t i = 0; i < targets_n(c->targets); i++)
        TRY(client_of(c, targets_at(c->targets, i)));
    c->sweep = sweep_new(c);
    if (!c->sweep)
        return FAIL(E_NOMEM);
    TRY(timer_new(&c->tick, c->p.loop, look, c));
    TRY(timer_new(&c->beat, c->p.loop, beat, c));
    TRY(timer_new(&c->ask, c->p.loop, ask_keys, c));
    timer_start(c->tick, LOOK_MS);
    timer_start(c->beat, 0);
    timer_start(c->ask, 0);
    return OK;
}

ERR courier_new(struct courier **ret_c, const struct courier_parts *p)
{
    struct courier *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    c->p = *p;
    c->pace = (struct pace){ p->conf->courier_retry_min_ms, p->conf->courier_retry_max_ms };
    *ret_c = c; /* also a broken one: it is closed and freed with the process */
    return set_up(c);
}

void courier_close(struct courier *c)
{
    if (!c || c->closing)
        return;
    c->closing = true;
    timer_free(c->tick);
    timer_free(c->beat);
    timer_free(c->ask);
}

bool courier_idle(const struct courier *c) { return !c || (!c->in_flight && !c->questions); }

void courier_stop(struct courier *c)
{
    if (!c || c->stopped)
        return;
    c->stopped = true;
    for (size_t i = 0; i < c->n_clients; i++)
        client_close(c->clients[i].client);
}

void courier_free(struct courier *c)
{
    if (!c)
        return;
    targets_free(c->targets);
    sweep_free(c->sweep);
    free(c);
}
