#include "keys/vault/vault.h"

#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/base/wipe.h"
#include "keys/vault/vault_int.h"

enum { START_RECORD_MS = 30000, CONNECT_MS = 1000, CONNECT_LOOK_MS = 1 };

void nz_vault__reply_error(struct ipc_call *call, struct err e) { ipc_reply(call, e, SLICE_NONE); }

void nz_op__end(struct nz_op *op, struct err e, struct slice body)
{
    ipc_reply(op->call, e, body);
    wipe_free(op);
}

void nz_op__fail(struct nz_op *op, struct err e) { nz_op__end(op, e, SLICE_NONE); }

struct nz_op *nz_op__new(struct nz_vaultd *v, struct ipc_call *call, size_t size)
{
    struct nz_op *op = wipe_calloc(1, size);
    if (op)
        *op = (struct nz_op){ v, call, loop_now(v->loop) + NZ_VAULT_STEP_MS };
    return op;
}

/* Sends one batch for the op, which ends here when there is none. */
void nz_op__ask(struct nz_op *op, struct redis_batch *b, redis_done_fn *done)
{
    if (!b) {
        nz_op__fail(op, FAIL(E_NOMEM));
        return;
    }
    if (op->v->closing) {
        redis_batch_free(b);
        nz_op__fail(op, FAIL(E_CANCELED));
        return;
    }
    redis_send(op->v->redis, b, op->deadline, done, op);
}

/* A call that is one batch and one answer. */
static void ask(struct nz_vaultd *v, struct ipc_call *call, struct redis_batch *b, redis_done_fn *done)
{
    struct nz_op *op = nz_op__new(v, call, sizeof *op);
    if (!op) {
        redis_batch_free(b);
        nz_vault__reply_error(call, FAIL(E_NOMEM));
        return;
    }
    nz_op__ask(op, b, done);
}

/* ---- REVEAL: look at the ticket, write the record, use the ticket up, answer ---- */

struct reveal {
    struct nz_op op; /* first */
    struct nz_grant grant;
    struct nz_place place;
    uint8_t muni[NZ_MUNI_BYTES], ticket[NZ_TICKET_BYTES], next[NZ_TICKET_BYTES];
    struct req_id request;
};

static struct audit_rec reveal_record(const struct reveal *r, enum audit_result result, enum err_code reason)
{
    struct audit_rec rec = { .event = AU_NUMBER_REVEALED, .result = result, .reason = reason, .request = r->request, .count = 1, .items = AUDIT_ITEM_NUMBER };
    memcpy(rec.muni, r->muni, sizeof rec.muni);
    audit_set_actor(&rec, LIT("vault"));
    return rec;
}

static void on_noted(void *arg, struct err e)
{
    (void)arg;
    if (!err_ok(e))
        LOG(WARN, "audit_record_lost", LF("error", e));
}

/* A record that nothing waits for. */
static void note(struct nz_vaultd *v, const struct audit_rec *rec, uint64_t wait_ms)
{
    if (!v->closing)
        audit_append(v->audit, rec, loop_now(v->loop) + wait_ms, on_noted, NULL);
}

/* The record says "revealed" already; this one says that nothing left after all. */
static void reveal_failed(struct reveal *r, struct err e)
{
    struct audit_rec rec = reveal_record(r, err_is(e, E_NOTHING) ? AR_NOTHING : AR_FAILED, e.code);
    note(r->op.v, &rec, NZ_VAULT_STEP_MS);
    nz_op__fail(&r->op, e);
}

static struct err reveal_open(struct reveal *r, const struct redis_reply *const *replies, size_t n, struct buf *digits)
{
    struct slice sealed;
    if (n != 1)
        return FAIL(E_STORE_REFUSED);
    TRY(nz_shelf_redeemed(replies[0], &sealed));
    return nz_sealer_open(r->op.v->sealer, ARR(r->muni), ARR(r->place.b), sealed, digits);
}

static void on_redeemed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reveal *r = arg;
    struct buf digits;
    buf_init(&digits, NZ_DIGITS_BYTES);
    if (err_ok(e))
        e = reveal_open(r, replies, n, &digits);
    if (err_ok(e))
        nz_op__end(&r->op, OK, buf_slice(&digits));
    else
        reveal_failed(r, e);
    buf_done(&digits);
}

static void on_reveal_recorded(void *arg, struct err e)
{
    struct reveal *r = arg;
    if (!err_ok(e)) {
        nz_op__fail(&r->op, e);
        return;
    }
    struct slice next = nz_ticket_none(ARR(r->next)) ? SLICE_NONE : ARR(r->next);
    nz_op__ask(&r->op, nz_shelf_redeem(&r->grant, ARR(r->ticket), next, &r->place), on_redeemed);
}

static void on_refusal_recorded(void *arg, struct err e)
{
    struct reveal *r = arg;
    nz_op__fail(&r->op, err_ok(e) ? FAIL(E_NOTHING) : e);
}

static void on_peeked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reveal *r = arg;
    if (!err_ok(e) || n != 1 || r->op.v->closing) {
        nz_op__fail(&r->op, err_ok(e) ? FAIL(E_CANCELED) : e);
        return;
    }
    bool granted = nz_shelf_granted(replies[0], &r->grant);
    struct audit_rec rec = reveal_record(r, granted ? AR_OK : AR_NOTHING, granted ? E_OK : E_NOTHING);
    audit_append(r->op.v->audit, &rec, r->op.deadline, granted ? on_reveal_recorded : on_refusal_recorded, r);
}

static struct err reveal_check(struct nz_vaultd *v, struct slice body, struct nz_reveal_msg *m)
{
    TRY(nz_reveal_decode(body, m));
    if (slice_eq(m->ticket, m->next))
        return FAIL(E_PROTOCOL); /* it would stay good for ever */
    return nz_sealer_knows(v->sealer, m->muni);
}

static void on_reveal(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct nz_vaultd *v = ctx;
    struct nz_reveal_msg m;
    struct reveal *r = NULL;
    (void)from;
    struct err e = reveal_check(v, body, &m);
    if (err_ok(e) && !(r = (struct reveal *)nz_op__new(v, call, sizeof *r)))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_vault__reply_error(call, e);
        return;
    }
    r->grant = nz_grant_of(m.muni, m.sid, m.purpose);
    r->place = nz_place_of(m.sid);
    r->request = m.request;
    memcpy(r->muni, m.muni.p, sizeof r->muni);
    memcpy(r->ticket, m.ticket.p, sizeof r->ticket);
    memcpy(r->next, m.next.p, sizeof r->next);
    nz_op__ask(&r->op, nz_shelf_peek(m.ticket), on_peeked);
}

/* ---- DROP, PING ---- */

static void on_answered(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    nz_op__end(arg, e, SLICE_NONE);
}

static void on_drop(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from;
    ask(ctx, call, nz_shelf_drop(body), on_answered);
}

static void on_ping(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from, (void)body;
    ask(ctx, call, nz_shelf_ping(), on_answered);
}

enum { MANY_MIN = NZ_MANY_HEAD_BYTES + NZ_DIGITS_BYTES, MANY_MAX = NZ_MANY_HEAD_BYTES + NZ_MANY_MAX * NZ_DIGITS_BYTES };
_Static_assert(MANY_MAX <= (int)IPC_BODY_MAX && 2 + NZ_MANY_MAX * NZ_LINK_REPLY_BYTES <= (int)IPC_BODY_MAX, "a frame holds both ways");

static const struct ipc_rule RULES[] = {
    { NZ_VAULT_LINK,      IPC_BIT(IPC_INTAKE),                    NZ_LINK_BYTES,     NZ_LINK_BYTES,     nz_vault__on_link },
    { NZ_VAULT_REVEAL,    IPC_BIT(IPC_INTAKE),                    NZ_REVEAL_BYTES,   NZ_REVEAL_BYTES,   on_reveal },
    { NZ_VAULT_DROP,      IPC_BIT(IPC_INTAKE),                    NZ_DROP_BYTES,     NZ_DROP_BYTES,     on_drop },
    { NZ_VAULT_PING,      IPC_BIT(IPC_INTAKE) | IPC_BIT(IPC_CTL), 0,                 0,                 on_ping },
    { NZ_VAULT_LINK_MANY, IPC_BIT(IPC_INTAKE),                    MANY_MIN,          MANY_MAX,          nz_vault__on_link_many },
    { NZ_VAULT_SHOW,      IPC_BIT(IPC_INTAKE),                    NZ_SHOW_BYTES,     NZ_SHOW_BYTES,     nz_vault__on_show },
    { NZ_VAULT_TELL,      IPC_BIT(IPC_INTAKE),                    NZ_TELL_BYTES,     NZ_TELL_BYTES,     nz_vault__on_tell },
    { NZ_VAULT_PART,      IPC_BIT(IPC_INTAKE),                    NZ_PART_BYTES,     NZ_PART_BYTES,     nz_vault__on_part },
    { NZ_VAULT_KEY_NEW,   IPC_BIT(IPC_INTAKE),                    NZ_KEY_NEW_BYTES,  NZ_KEY_NEW_BYTES,  nz_vault__on_key_new },
    { NZ_VAULT_KEY_OPEN,  IPC_BIT(IPC_INTAKE),                    NZ_KEY_OPEN_BYTES, NZ_KEY_OPEN_BYTES, nz_vault__on_key_open },
    { NZ_VAULT_ERASE,     IPC_BIT(IPC_INTAKE) | IPC_BIT(IPC_CTL), NZ_ERASE_BYTES,    NZ_ERASE_BYTES,    nz_vault__on_erase },
};

/* ---- the daemon ---- */

static void on_breach(void *ctx)
{
    struct audit_rec rec = { .event = AU_IPC_BREACH, .result = AR_REFUSED, .reason = E_PROTOCOL };
    memset(rec.muni, '0', sizeof rec.muni);
    audit_set_actor(&rec, LIT("vault"));
    note(ctx, &rec, NZ_VAULT_STEP_MS);
}

static void note_start(struct nz_vaultd *v)
{
    struct audit_rec rec = { .event = AU_PROCESS_START, .result = AR_OK };
    memset(rec.muni, '0', sizeof rec.muni);
    audit_set_actor(&rec, LIT("vault"));
    note(v, &rec, START_RECORD_MS);
}

static void close_all(void *arg)
{
    struct nz_vaultd *v = arg;
    v->closing = true;
    ipc_server_close(v->server);
    if (v->redis)
        redis_close(v->redis);
    if (v->audit)
        audit_close(v->audit);
}

static void on_stop(void *arg)
{
    struct nz_vaultd *v = arg;
    ipc_server_leave(v->server, close_all, v);
}

static struct err serve(struct nz_vaultd *v, struct nz_vaultd_conf *conf)
{
    struct ipc_server_conf server = { .path = conf->socket, .rules = RULES, .n_rules = sizeof RULES / sizeof RULES[0],
                                      .conns_max = NZ_VAULT_CONNS_MAX, .on_breach = on_breach, .ctx = v };
    server.caps[IPC_INTAKE] = conf->cap_intake;
    server.caps[IPC_CTL] = conf->cap_ctl;
    conf->cap_intake = conf->cap_ctl = NULL; /* given to the server */
    return ipc_server_new(&v->server, v->loop, server);
}

static struct err connect_out(struct nz_vaultd *v, struct nz_vaultd_conf *conf)
{
    struct secret *pass = conf->redis_pass, *cap = conf->audit_cap;
    conf->redis_pass = NULL; /* given to redis */
    TRY(redis_new(&v->redis, v->loop, (struct redis_conf){ .path = conf->redis_socket, .user = conf->redis_user, .password = pass,
        .conns = conf->redis_conns, .queue_max = NZ_VAULT_QUEUE_MAX, .replicas = conf->redis_replicas, .wait_ms = conf->redis_wait_ms }));
    conf->audit_cap = NULL; /* given to audit */
    return audit_new(&v->audit, v->loop, conf->audit_socket, IPC_VAULT, cap);
}

/* Who takes the place of another vault should not answer that the store is away while it connects. */
static void await_store(const struct nz_vaultd *v)
{
    uint64_t until = loop_now(v->loop) + CONNECT_MS;
    while (!redis_up(v->redis) && loop_now(v->loop) < until) {
        uv_run(loop_uv(v->loop), UV_RUN_NOWAIT);
        uv_sleep(CONNECT_LOOK_MS);
    }
}

static struct err start(struct nz_vaultd *v, struct nz_vaultd_conf *conf)
{
    TRY(nz_sealer_new(&v->sealer, conf->ring));
    TRY(nz_pool_new(&v->numbers, NZ_MANY_AT_ONCE * NZ_MANY_MAX + 1)); /* and the one that is compared */
    TRY(connect_out(v, conf));
    await_store(v);
    return serve(v, conf);
}

struct err nz_vaultd_new(struct nz_vaultd **ret_v, struct loop *l, struct nz_vaultd_conf conf)
{
    struct nz_vaultd *v = calloc(1, sizeof *v);
    struct err e = v ? OK : FAIL(E_NOMEM);
    if (v) {
        v->loop = l;
        e = start(v, &conf);
    }
    secret_free(conf.cap_intake);
    secret_free(conf.cap_ctl);
    secret_free(conf.redis_pass);
    secret_free(conf.audit_cap);
    if (!err_ok(e)) {
        if (v)
            close_all(v); /* nothing is pending yet, so nothing will look at v again */
        nz_vaultd_free(v);
        return e;
    }
    loop_on_stop(l, on_stop, v);
    note_start(v);
    *ret_v = v;
    return OK;
}

void nz_vaultd_free(struct nz_vaultd *v)
{
    if (!v)
        return;
    v->closing = true; /* also where the stop took too long */
    nz_sealer_free(v->sealer);
    nz_pool_free(v->numbers);
    free(v);
}
