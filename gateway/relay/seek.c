#include "gateway/relay/seek.h"

#include <stdlib.h>

#include "gateway/relay/far.h"

enum { TICK_MS = 100, ANSWER_MS = 1000, RETRY_MS = 300, OUT_BYTES = 8 * 1024 };

struct voter {
    struct seek *seek;
    const struct place_at *at;
    struct far *far;
    struct redis_reader *reader;
    uint64_t since, again; /* since: of the question, or of the attempt to connect; again: when the next one is due */
    bool up, asked, auths; /* auths: the next answer is to AUTH */
    bool says_so, told; /* told: that whom it names is elsewhere */
    struct place_at says;
    uint64_t said;
};

struct seek {
    struct seek_conf conf;
    struct timer *tick;
    bool known;
    struct place_at found;
    struct voter voters[PLACE_ASKED_MAX];
    size_t n;
};

/* ---- the vote ---- */

static bool counts(const struct voter *v, uint64_t now) { return v->says_so && now <= v->said + SEEK_FRESH_MS; }

static const struct place_at *most(const struct seek *s, uint64_t now)
{
    for (size_t i = 0; i < s->n; i++) {
        size_t same = 0;
        for (size_t k = 0; k < s->n && counts(&s->voters[i], now); k++)
            same += counts(&s->voters[k], now) && place_at_same(&s->voters[k].says, &s->voters[i].says);
        if (2 * same > s->n)
            return &s->voters[i].says;
    }
    return NULL;
}

static void decide(struct seek *s)
{
    const struct place_at *now = most(s, loop_now(s->conf.loop));
    if (now ? s->known && place_at_same(now, &s->found) : !s->known)
        return;
    s->known = now;
    if (now)
        s->found = *now;
    s->conf.changed(s->conf.ctx);
}

/* ---- who is asked ---- */

static void lost(struct voter *v)
{
    far_close(v->far);
    v->far = NULL;
    redis_reader_free(v->reader);
    v->reader = NULL;
    v->up = v->asked = v->auths = false;
    v->again = loop_now(v->seek->conf.loop) + RETRY_MS;
}

static void on_gone(void *ctx)
{
    struct voter *v = ctx;
    v->far = NULL;
    lost(v);
}

static void ask(struct voter *v)
{
    const struct seek_conf *c = &v->seek->conf;
    struct buf out;
    buf_init(&out, OUT_BYTES);
    if (v->auths && !err_ok(seek_put_auth(&out, c->user, c->password)))
        out.failed = true;
    if (c->place->kind == PLACE_SENTINEL)
        SEEK_COMMAND(&out, LIT("SENTINEL"), LIT("get-master-addr-by-name"), slice_str(c->place->name));
    else
        SEEK_COMMAND(&out, LIT("CLUSTER"), LIT("SLOTS"));
    const bool good = err_ok(buf_check(&out));
    if (good)
        far_put(v->far, buf_slice(&out));
    buf_done(&out);
    v->asked = true;
    v->since = loop_now(c->loop);
    if (!good)
        lost(v);
}

static void on_up(void *ctx)
{
    struct voter *v = ctx;
    v->up = true;
    v->auths = v->seek->conf.user[0];
    ask(v);
}

/* Whom it names, if we may go there: what the settings allow for its own address holds for those that it gives, too. */
static bool hear(struct voter *v, const struct redis_reply *reply)
{
    const struct seek_conf *c = &v->seek->conf;
    const bool named = c->place->kind == PLACE_SENTINEL ? seek_read_sentinel(reply, &v->says) : seek_read_slots(reply, c->slot, v->at, &v->says);
    const bool refused = named && c->here_only && !place_is_loopback(&v->says);
    if (refused && !v->told)
        LOG(ERROR, "relay_needs_tls", LF("address", (struct lit){ v->says.ip }), LF("port", v->says.port));
    v->told = refused;
    return named && !refused;
}

static bool on_reply(void *arg, const struct redis_reply *reply)
{
    struct voter *v = arg;
    const struct seek_conf *c = &v->seek->conf;
    if (!v->asked)
        return false;
    if (v->auths) {
        v->auths = false;
        return redis_reply_type(reply) == REDIS_STATUS;
    }
    v->asked = false;
    v->said = loop_now(c->loop);
    v->again = v->said + SEEK_AGAIN_MS;
    v->says_so = hear(v, reply);
    return true;
}

static void on_bytes(void *ctx, struct slice in)
{
    struct voter *v = ctx;
    if (!redis_reader_feed(v->reader, in, on_reply, v))
        lost(v);
    decide(v->seek);
}

static void call(struct voter *v)
{
    static const struct far_ops OPS = { .on_up = on_up, .on_bytes = on_bytes, .on_gone = on_gone };
    const struct seek_conf *c = &v->seek->conf;
    v->since = loop_now(c->loop);
    v->reader = redis_reader_new();
    if (!v->reader || !err_ok(far_open(&v->far, c->loop, v->at, c->secure, &OPS, v)))
        lost(v);
}

static void look(struct voter *v, uint64_t now)
{
    if (!v->far && now >= v->again)
        call(v);
    else if (v->far && (!v->up || v->asked) && now > v->since + ANSWER_MS)
        lost(v);
    else if (v->up && !v->asked && now >= v->again)
        ask(v);
}

static void on_tick(void *arg)
{
    struct seek *s = arg;
    for (size_t i = 0; i < s->n; i++)
        look(&s->voters[i], loop_now(s->conf.loop));
    timer_start(s->tick, TICK_MS);
    decide(s);
}

struct err seek_new(struct seek **ret_s, const struct seek_conf *conf)
{
    struct seek *s = calloc(1, sizeof *s);
    if (!s)
        return FAIL(E_NOMEM);
    s->conf = *conf;
    struct err e = timer_new(&s->tick, conf->loop, on_tick, s);
    if (!err_ok(e)) {
        free(s);
        return e;
    }
    if (conf->place->kind == PLACE_ONE) {
        s->known = true;
        s->found = conf->place->at[0];
    } else {
        for (; s->n < conf->place->n; s->n++)
            s->voters[s->n] = (struct voter){ .seek = s, .at = &conf->place->at[s->n] };
        timer_start(s->tick, 0);
    }
    *ret_s = s;
    return OK;
}

void seek_close(struct seek *s)
{
    if (!s)
        return;
    timer_free(s->tick);
    for (size_t i = 0; i < s->n; i++)
        lost(&s->voters[i]);
    free(s);
}

const struct place_at *seek_found(const struct seek *s) { return s->known ? &s->found : NULL; }
