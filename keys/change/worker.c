/* What a crash or an absent PMH left open: one thing at a time, oldest first. */

#include <stdlib.h>

#include "keys/change/op.h"
#include "keys/change/waiting.h"
#include "keys/intake/task.h"
#include "keys/intake/work.h"

enum { FIRST_MS = 1, FAST_MS = 50 /* at the start, until Redis is there */, POLL_MS = 1000, OLD_MS = 2000 /* what is younger is in the hands of a request */, OP_MS = 30000, HOUR_MS = 3600 * 1000, DIGITS = 20 };

#define FAR_MS UINT64_C(9999999999999)

struct nz_changer {
    struct nz_intake *in;
    struct timer *timer;
    bool closed, busy, started;
    bool all;                    /* at the start: every open journal, whatever the clock says */
    /* what is in work */
    char member[NZ_MEMBER_MAX + NZ_CH_HEX];
    size_t n_member;
    struct nz_row_ref ref;
    struct store_name o_name;    /* o:<muni>:<task> */
    char row[10];
    size_t n_row;
    struct buf sealed;           /* the payload as it is stored */
    struct nz_waiting w;
    struct nz_mynum *number;
    struct nz_verdict held;      /* of the row in work, while its audit record is written */
};

static void reveal(struct nz_changer *c);

static uint64_t wall(const struct nz_changer *c) { return clock_wall(loop_clock(c->in->loop)); }
static uint64_t deadline(const struct nz_changer *c) { return loop_now(c->in->loop) + NZ_OP_STEP_MS; }
static struct slice member_of(const struct nz_changer *c) { return slice_of(c->member, c->n_member); }
static struct slice row_of(const struct nz_changer *c) { return slice_of(c->row, c->n_row); }

/* ---- turns ---- */

static void rest(struct nz_changer *c, uint64_t ms)
{
    c->busy = false;
    nz_mynum_free(c->number);
    c->number = NULL;
    buf_reset(&c->sealed);
    if (!c->closed)
        timer_start(c->timer, ms);
}

static void trouble(struct nz_changer *c, struct err e)
{
    LOG(WARN, "changes_pause", LF("error", e));
    rest(c, c->started ? POLL_MS : FAST_MS);
}

static void moved_on(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    (void)replies, (void)n;
    if (err_ok(e))
        rest(c, FIRST_MS);
    else
        trouble(c, e);
}

static void send_one(struct nz_changer *c, struct redis_batch *b, redis_done_fn *done)
{
    if (b)
        redis_send(c->in->redis, b, deadline(c), done, c);
    else
        trouble(c, FAIL(E_NOMEM));
}

static struct slice decimal(struct buf *b, uint64_t v)
{
    buf_reset(b);
    buf_u64(b, v);
    return buf_slice(b);
}

/* The thing in work is looked at again then. */
static void put_off(struct nz_changer *c, struct slice queue, uint64_t at_ms)
{
    struct redis_batch *b = redis_batch_new(1024);
    struct buf digits;
    buf_init(&digits, DIGITS);
    if (b)
        REDIS_ADD(b, LIT("ZADD"), queue, decimal(&digits, at_ms), member_of(c));
    buf_done(&digits);
    send_one(c, b, moved_on);
}

static void forget(struct nz_changer *c, struct slice queue)
{
    struct redis_batch *b = redis_batch_new(1024);
    if (b)
        REDIS_ADD(b, LIT("ZREM"), queue, member_of(c));
    send_one(c, b, moved_on);
}

/* ---- journals that were not carried out to the end ---- */

static void resumed(void *arg, struct err e, const struct nz_verdict *v)
{
    struct nz_changer *c = arg;
    if (err_is(e, E_NOTHING)) {
        forget(c, nz_ch_todo_name());
    } else if (!err_ok(e) || v->result == NZ_QUARANTINED || v->result == NZ_REFUSED) { /* the latter stay open until somebody repairs them */
        c->all = false;
        put_off(c, nz_ch_todo_name(), wall(c) + (err_ok(e) ? c->in->conf.retry_max_ms : c->in->conf.retry_min_ms));
    } else {
        LOG(INFO, "change_taken_up");
        rest(c, FIRST_MS);
    }
}

static void resume(struct nz_changer *c)
{
    struct nz_op *o = c->n_member == 7 + NZ_CH_HEX ? nz_op_new(c->in, c->member, loop_now(c->in->loop) + OP_MS, resumed, c) : NULL;
    if (!o) {
        trouble(c, FAIL(E_NOMEM));
        return;
    }
    o->resume = true;
    memcpy(o->ch.c, "ch:", 3);
    memcpy(o->ch.c + 3, c->member, c->n_member);
    o->ch.n = 3 + c->n_member;
    nz_op_start(o);
}

/* ---- rows that wait for PMH ---- */

static ERR seal_waiting(struct nz_changer *c)
{
    struct buf plain;
    buf_init(&plain, NZ_WAITING_BYTES);
    nz_waiting_encode(&c->w, &plain);
    buf_reset(&c->sealed);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(c->in->store, slice_of(c->ref.muni, 6), &c->o_name, row_of(c), buf_slice(&plain), &c->sealed);
    buf_done(&plain);
    return e;
}

static void hold_row(struct nz_changer *c, enum nz_code code);

static void again(struct nz_changer *c)
{
    const struct conf *conf = &c->in->conf;
    uint64_t now = wall(c), age = now > c->w.since_ms ? now - c->w.since_ms : 0;
    if (age > conf->give_up_hours * HOUR_MS) {
        hold_row(c, NZ_CODE_DEAD);
        return;
    }
    struct redis_batch *b = redis_batch_new(4096);
    struct err e = b ? seal_waiting(c) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        redis_batch_free(b);
        trouble(c, e);
        return;
    }
    struct store_name t;
    struct buf digits;
    buf_init(&digits, DIGITS);
    nz_name_task("t", c->ref.muni, &c->ref.task, &t);
    REDIS_ADD(b, LIT("MULTI"));
    REDIS_ADD(b, LIT("HSET"), store_name_slice(&c->o_name), row_of(c), buf_slice(&c->sealed));
    REDIS_ADD(b, LIT("ZADD"), LIT("ch:wait"), decimal(&digits, now + nz_backoff_ms(age, conf->retry_min_ms, conf->retry_max_ms, nz_random())), member_of(c));
    REDIS_ADD(b, LIT("HSET"), store_name_slice(&t), LIT(NZ_TASK_FAILED), decimal(&digits, now));
    REDIS_ADD(b, LIT("EXEC"));
    buf_done(&digits);
    send_one(c, b, moved_on);
}

static void ended(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    struct nz_ticket t;
    memcpy(t.b, c->w.ticket, sizeof t.b);
    if (err_ok(e) && c->in->vault)
        nz_vault_drop(c->in->vault, &t, deadline(c));
    moved_on(c, e, replies, n);
}

static ERR end_script(struct nz_changer *c, struct arena *a, const struct nz_verdict *v, struct redis_batch **ret_b)
{
    struct nz_cas *s = nz_cas_new(a);
    struct store_name t, tr;
    struct buf code, digits;
    const struct nz_row_result r = { .result = v->result, .code = v->code };
    if (!s)
        return FAIL(E_NOMEM);
    nz_name_task("t", c->ref.muni, &c->ref.task, &t);
    nz_name_task("tr", c->ref.muni, &c->ref.task, &tr);
    buf_init(&code, NZ_ROW_RESULT_MAX);
    buf_init(&digits, DIGITS);
    nz_row_result_encode(&r, &code);
    nz_cas_expect(s, store_name_slice(&tr), row_of(c), SLICE_NONE);
    NZ_CAS(s, LIT("HSET"), store_name_slice(&tr), row_of(c), buf_slice(&code));
    NZ_CAS(s, LIT("HINCRBY"), store_name_slice(&t), slice_str(nz_result_name(v->result)), LIT("1"));
    NZ_CAS(s, LIT("HSET"), store_name_slice(&t), LIT(NZ_TASK_MOVED), decimal(&digits, wall(c)));
    NZ_CAS(s, LIT("HDEL"), store_name_slice(&c->o_name), row_of(c));
    NZ_CAS(s, LIT("ZREM"), LIT("ch:wait"), member_of(c));
    struct err e = nz_cas_batch(s, ret_b);
    buf_done(&code);
    buf_done(&digits);
    return e;
}

static void end_row(struct nz_changer *c, const struct nz_verdict *v)
{
    struct redis_batch *b = NULL;
    struct arena *a = arena_new(1 << 20);
    struct err e = a ? end_script(c, a, v, &b) : FAIL(E_NOMEM);
    arena_free(a);
    if (err_ok(e))
        send_one(c, b, ended);
    else
        trouble(c, e);
}

static void held_audited(void *arg, struct err e)
{
    struct nz_changer *c = arg;
    if (err_ok(e))
        end_row(c, &c->held);
    else
        trouble(c, e);
}

/* What no change has ended, which would have audited it. */
static void hold_row(struct nz_changer *c, enum nz_code code)
{
    struct audit_rec rec = nz_outbox_audit(AU_ROW_QUARANTINED, c->ref.muni, 1);
    c->held = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = code };
    audit_append(c->in->audit, &rec, deadline(c), held_audited, c);
}

static void row_done(void *arg, struct err e, const struct nz_verdict *v)
{
    struct nz_changer *c = arg;
    if (err_ok(e))
        end_row(c, v);
    else
        again(c);
}

static void hex_of(const uint8_t b[static 16], char out[static NZ_CH_HEX])
{
    struct nz_task_id id;
    memcpy(id.b, b, sizeof id.b);
    nz_task_id_format(&id, out);
}

static void run_row(struct nz_changer *c)
{
    struct nz_op *o = nz_op_new(c->in, c->ref.muni, loop_now(c->in->loop) + OP_MS, row_done, c);
    if (!o) {
        trouble(c, FAIL(E_NOMEM));
        return;
    }
    memcpy(o->task, c->ref.task.b, sizeof o->task);
    o->row = c->ref.row;
    o->type = NZ_CH_NUMBER;
    o->effective = c->w.effective;
    memcpy(o->ch.c, "ch:", 3);
    memcpy(o->ch.c + 3, c->ref.muni, 6);
    o->ch.c[9] = ':';
    hex_of(c->w.ch, o->ch.c + 10);
    o->ch.n = 10 + NZ_CH_HEX;
    hex_of(c->w.rk, o->rk);
    o->have_rk = true;
    hex_of(c->w.new_sid, o->new_sid);
    o->has_new = true;
    o->new_number = c->number;
    nz_op_start(o);
}

static void revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct nz_changer *c = arg;
    if (err_ok(e) || err_is(e, E_NOTHING)) { /* used now, or by the same question before a crash: next has taken its place */
        bool was_asked_before = c->w.asked;
        memcpy(c->w.ticket, c->w.next, sizeof c->w.ticket);
        c->w.asked = false;
        if (!err_ok(e) && !was_asked_before) {
            hold_row(c, NZ_CODE_TICKET_LOST);
            return;
        }
        c->number = number;
    }
    if (err_ok(e))
        run_row(c);
    else if (err_is(e, E_NOTHING))
        reveal(c);
    else
        trouble(c, e);
}

static void ask_vault(struct nz_changer *c)
{
    struct nz_subject subject;
    struct nz_ticket ticket, next;
    struct req_id id;
    if (!c->in->vault) {
        trouble(c, FAIL(E_CANCELED));
        return;
    }
    memcpy(subject.sid, c->w.new_sid, sizeof subject.sid);
    memcpy(ticket.b, c->w.ticket, sizeof ticket.b);
    memcpy(next.b, c->w.next, sizeof next.b);
    rnd_bytes(id.b, sizeof id.b);
    nz_vault_reveal(c->in->vault, c->in->pool, c->ref.muni, &subject, &ticket, &next, NZ_PURPOSE_NUMBERING, id, deadline(c), revealed, c);
}

static void next_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    (void)replies, (void)n;
    if (err_ok(e))
        ask_vault(c);
    else
        trouble(c, e);
}

/* `next` is durable before the vault is asked; what a crash left is asked again as it was. */
static void reveal(struct nz_changer *c)
{
    if (c->w.asked) {
        ask_vault(c);
        return;
    }
    rnd_bytes(c->w.next, sizeof c->w.next);
    c->w.asked = true;
    struct redis_batch *b = redis_batch_new(4096);
    struct err e = b ? seal_waiting(c) : FAIL(E_NOMEM);
    c->w.asked = false; /* this very question was not asked before */
    if (!err_ok(e)) {
        redis_batch_free(b);
        trouble(c, e);
        return;
    }
    REDIS_ADD(b, LIT("HSET"), store_name_slice(&c->o_name), row_of(c), buf_slice(&c->sealed));
    send_one(c, b, next_stored);
}

static void loaded(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    struct buf plain;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && !redis_reply_str(replies[0]).n) {
        forget(c, LIT("ch:wait"));
        return;
    }
    buf_init(&plain, NZ_WAITING_BYTES);
    if (err_ok(e))
        e = store_open(c->in->store, slice_of(c->ref.muni, 6), &c->o_name, row_of(c), redis_reply_str(replies[0]), &plain);
    if (err_ok(e))
        e = nz_waiting_decode(buf_slice(&plain), &c->w);
    buf_done(&plain);
    if (err_ok(e))
        reveal(c);
    else if (err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN))
        hold_row(c, NZ_CODE_UNREADABLE);
    else
        trouble(c, e);
}

static void take_row(struct nz_changer *c)
{
    if (!nz_member_parse(member_of(c), &c->ref)) {
        forget(c, LIT("ch:wait"));
        return;
    }
    nz_name_task("o", c->ref.muni, &c->ref.task, &c->o_name);
    c->n_row = nz_row_format(c->ref.row, c->row);
    c->w = (struct nz_waiting){ 0 };
    struct redis_batch *b = redis_batch_new(1024);
    if (b)
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&c->o_name), row_of(c));
    send_one(c, b, loaded);
}

/* ---- what is due ---- */

static bool take_member(struct nz_changer *c, const struct redis_reply *members)
{
    const struct slice s = redis_reply_str(redis_reply_at(members, 0));
    if (!s.n || s.n > sizeof c->member)
        return false;
    memcpy(c->member, s.p, s.n);
    c->n_member = s.n;
    return true;
}

static void looked(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        trouble(c, e);
        return;
    }
    c->started = true;
    if (c->closed)
        rest(c, POLL_MS);
    else if (take_member(c, replies[0]))
        resume(c);
    else if (take_member(c, replies[1]))
        take_row(c);
    else {
        c->all = false;
        rest(c, POLL_MS);
    }
}

static void ask_due(struct redis_batch *b, struct slice queue, uint64_t until)
{
    struct buf digits;
    buf_init(&digits, DIGITS);
    REDIS_ADD(b, LIT("ZRANGEBYSCORE"), queue, LIT("-inf"), decimal(&digits, until), LIT("LIMIT"), LIT("0"), LIT("1"));
    buf_done(&digits);
}

static void look(struct nz_changer *c)
{
    struct redis_batch *b = redis_batch_new(1024);
    uint64_t now = wall(c);
    c->busy = true;
    if (b) {
        ask_due(b, nz_ch_todo_name(), c->all ? FAR_MS : now - OLD_MS);
        ask_due(b, LIT("ch:wait"), now);
    }
    send_one(c, b, looked);
}

static void due(void *arg)
{
    struct nz_changer *c = arg;
    if (!c->busy && !c->closed)
        look(c);
}

/* ---- life ---- */

ERR nz_changer_new(struct nz_changer **ret_c, struct nz_intake *in)
{
    struct nz_changer *c = calloc(1, sizeof *c);
    if (!c)
        return FAIL(E_NOMEM);
    c->in = in;
    c->all = true;
    buf_init(&c->sealed, NZ_WAITING_BYTES + AEAD_OVERHEAD);
    struct err e = timer_new(&c->timer, in->loop, due, c);
    if (!err_ok(e)) {
        free(c);
        return e;
    }
    timer_start(c->timer, FIRST_MS);
    *ret_c = c;
    return OK;
}

void nz_changer_close(struct nz_changer *c)
{
    if (!c || c->closed)
        return;
    c->closed = true;
    timer_free(c->timer);
    c->timer = NULL;
}

bool nz_changer_idle(const struct nz_changer *c) { return !c->busy; }

void nz_changer_free(struct nz_changer *c)
{
    if (!c)
        return;
    nz_mynum_free(c->number);
    buf_done(&c->sealed);
    free(c);
}

void nz_changer_wake(struct nz_changer *c)
{
    if (!c->closed && !c->busy)
        timer_start(c->timer, FIRST_MS);
}
