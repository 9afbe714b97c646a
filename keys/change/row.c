/* A row that waits: read, its number revealed, carried out; then it ends, is held, or waits on. Every script about it runs only while its entry and
 * what is kept of it are still what was read: one that comes late does nothing. */

#include "keys/change/worker.h"
#include "keys/intake/meter.h"
#include "keys/intake/task.h"
#include "keys/intake/work.h"

enum { DIGITS = 20, SCRIPT_ARENA = 1 << 20 };

static void reveal(struct nz_changer *c);
static void hold(struct nz_changer *c, enum nz_code code);

static struct slice row_of(const struct nz_changer *c) { return slice_of(c->row, c->n_row); }

/* ---- scripts ---- */

static ERR seal(struct nz_changer *c)
{
    struct buf plain;
    buf_init(&plain, NZ_WAITING_BYTES);
    nz_waiting_encode(&c->w, &plain);
    buf_reset(&c->sealed);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(c->in->store, slice_of(c->ref.muni, 6), &c->o, row_of(c), buf_slice(&plain), &c->sealed);
    buf_done(&plain);
    return e;
}

typedef struct err put_fn(struct nz_changer *c, struct nz_cas *s);

static void send_script(struct nz_changer *c, put_fn *put, redis_done_fn *done)
{
    struct redis_batch *b = NULL;
    struct arena *a = arena_new(SCRIPT_ARENA);
    struct nz_cas *s = a ? nz_cas_new(a) : NULL;
    struct err e = s ? OK : FAIL(E_NOMEM);
    if (err_ok(e)) {
        nz_cas_expect(s, store_name_slice(&c->tr), row_of(c), buf_slice(&c->entry));
        nz_cas_expect(s, store_name_slice(&c->o), row_of(c), buf_slice(&c->stored));
        e = put(c, s);
    }
    if (err_ok(e))
        e = nz_cas_batch(s, &b);
    arena_free(a);
    if (err_ok(e))
        redis_send(c->in->redis, b, changer__deadline(c), done, c);
    else
        changer__trouble(c, e);
}

/* false: the row is not what it was, or nobody knows; it is read again. */
static bool script_done(struct nz_changer *c, struct err e, const struct redis_reply *const *replies, size_t n)
{
    if (err_ok(e) && (n != 1 || redis_reply_int(replies[0]) != 1))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e))
        changer__trouble(c, e);
    return err_ok(e);
}

/* ---- it waits on ---- */

static void waits_on(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    if (script_done(arg, e, replies, n))
        changer__next(arg);
}

static struct err put_later(struct nz_changer *c, struct nz_cas *s)
{
    const struct conf *conf = &c->in->conf;
    const uint64_t now = changer__wall(c), pause = nz_backoff_ms(nz_waited_ms(now, c->w.since_ms, 0), conf->retry_min_ms, conf->retry_max_ms, nz_random());
    TRY(seal(c));
    NZ_CAS(s, LIT("HSET"), store_name_slice(&c->o), row_of(c), buf_slice(&c->sealed));
    NZ_CAS(s, LIT("ZADD"), nz_waiting_queue(), changer__decimal(&c->due, (c->hurry_to > now ? c->hurry_to : now) + pause), changer__member(c));
    if (!c->w.behind)
        NZ_CAS(s, LIT("HSET"), store_name_slice(&c->t), LIT(NZ_TASK_FAILED), changer__decimal(&c->now, now));
    return OK;
}

/* PMH is away. */
static void again(struct nz_changer *c)
{
    const struct conf *conf = &c->in->conf;
    if (nz_gave_up(nz_waited_ms(changer__wall(c), c->w.since_ms, c->w.received_ms), conf->give_up_hours))
        hold(c, NZ_CODE_DEAD);
    else
        send_script(c, put_later, waits_on);
}

/* ---- it ends ---- */

static bool keeps(const struct nz_changer *c) { return c->end.result == NZ_QUARANTINED && nz_waiting_keeps(c->end.code); }

static void woken(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    if (err_ok(e))
        changer__next(arg);
    else
        changer__trouble(arg, e);
}

static void next_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    struct redis_batch *b = redis_batch_new(1024);
    struct buf now;
    buf_init(&now, DIGITS);
    for (size_t i = 0; b && err_ok(e) && i < n; i++) {
        const struct slice member = redis_reply_str(redis_reply_at(replies[i], 0));
        if (member.n)
            REDIS_ADD(b, LIT("ZADD"), nz_waiting_queue(), LIT("XX"), changer__decimal(&now, changer__wall(c)), member);
    }
    buf_done(&now);
    if (err_ok(e) && b && redis_batch_count(b)) {
        redis_send(c->in->redis, b, changer__deadline(c), woken, c);
        return;
    }
    redis_batch_free(b);
    woken(c, e, NULL, 0);
}

/* Who stood behind it is due now. */
static void wake_lines(struct nz_changer *c)
{
    struct redis_batch *b = redis_batch_new(512);
    if (!b) {
        changer__trouble(c, FAIL(E_NOMEM));
        return;
    }
    for (size_t i = 0; i < c->n_lines; i++)
        REDIS_ADD(b, LIT("ZRANGE"), store_name_slice(&c->line[i]), LIT("0"), LIT("0"));
    redis_send(c->in->redis, b, changer__deadline(c), next_heard, c);
}

static void ended(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    struct nz_ticket t;
    if (!script_done(c, e, replies, n))
        return;
    nz_meter_rows(c->in, c->ref.muni, c->end.result, 1);
    memcpy(t.b, c->w.ticket, sizeof t.b);
    if (c->known && !keeps(c) && nz_waiting_has_ticket(&c->w) && c->in->vault)
        nz_vault_drop(c->in->vault, &t, changer__deadline(c));
    if (c->n_lines)
        wake_lines(c);
    else
        changer__next(c);
}

static struct err put_end(struct nz_changer *c, struct nz_cas *s)
{
    struct nz_row_result r = { 0 };
    if (c->entry.n && !err_ok(nz_row_result_decode(buf_slice(&c->entry), &r)))
        r = (struct nz_row_result){ 0 };
    r.result = c->end.result;
    r.code = c->end.code;
    buf_reset(&c->code);
    nz_row_result_encode(&r, &c->code);
    NZ_CAS(s, LIT("HSET"), store_name_slice(&c->tr), row_of(c), buf_slice(&c->code));
    NZ_CAS(s, LIT("HINCRBY"), store_name_slice(&c->t), slice_str(nz_result_name(c->end.result)), LIT("1"));
    NZ_CAS(s, LIT("HSET"), store_name_slice(&c->t), LIT(NZ_TASK_MOVED), changer__decimal(&c->now, changer__wall(c)));
    if (!keeps(c)) {
        NZ_CAS(s, LIT("HDEL"), store_name_slice(&c->o), row_of(c));
    } else if (c->known) {
        TRY(seal(c));
        NZ_CAS(s, LIT("HSET"), store_name_slice(&c->o), row_of(c), buf_slice(&c->sealed));
    }
    for (size_t i = 0; i < c->n_lines; i++)
        NZ_CAS(s, LIT("ZREM"), store_name_slice(&c->line[i]), changer__member(c));
    NZ_CAS(s, LIT("ZREM"), nz_waiting_queue(), changer__member(c));
    return OK;
}

static void end(struct nz_changer *c, const struct nz_verdict *v)
{
    c->end = *v;
    send_script(c, put_end, ended);
}

static void held_audited(void *arg, struct err e)
{
    struct nz_changer *c = arg;
    if (err_ok(e))
        send_script(c, put_end, ended);
    else
        changer__trouble(c, e);
}

/* What no change has ended, which would have audited it. */
static void hold(struct nz_changer *c, enum nz_code code)
{
    struct audit_rec rec = nz_outbox_audit(c->in, AU_ROW_QUARANTINED, c->ref.muni, 1);
    c->end = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = code };
    audit_append(c->in->audit, &rec, changer__deadline(c), held_audited, c);
}

/* ---- it is carried out ---- */

static void row_done(void *arg, struct err e, const struct nz_verdict *v, const struct nz_waiting *w)
{
    struct nz_changer *c = arg;
    c->w.behind = !err_ok(e) || w->behind; /* or busy: nothing that makes it give up */
    if (err_ok(e) && w->has_from) {
        c->w.has_from = true;
        memcpy(c->w.from, w->from, sizeof c->w.from);
    }
    if (err_ok(e) && v->result != NZ_WAITING)
        end(c, v);
    else if (c->w.behind)
        send_script(c, put_later, waits_on);
    else
        again(c);
}

static void hex_of(const uint8_t b[static 16], char out[static NZ_CH_HEX])
{
    struct nz_task_id id;
    memcpy(id.b, b, sizeof id.b);
    nz_task_id_format(&id, out);
}

static void op_fill(struct nz_op *o, const struct nz_changer *c)
{
    const struct nz_waiting *w = &c->w;
    memcpy(o->task, c->ref.task.b, sizeof o->task);
    o->row = c->ref.row;
    o->type = w->type;
    o->effective = w->effective;
    memcpy(o->ch.c, "ch:", 3);
    memcpy(o->ch.c + 3, c->ref.muni, 6);
    o->ch.c[9] = ':';
    hex_of(w->ch, o->ch.c + 10);
    o->ch.n = 10 + NZ_CH_HEX;
    hex_of(w->rk, o->rk);
    o->have_rk = true;
    o->has_other = nz_waiting_has_other(w);
    hex_of(w->other_rk, o->other_rk);
    o->has_number = w->has_number;
    o->number_known = w->number_known;
    hex_of(w->number_sid, o->number_sid);
    hex_of(w->new_sid, o->new_sid);
    o->has_new = w->type == NZ_CH_NUMBER;
    o->new_number = c->number;
    o->released = w->released;
    o->has_from = w->has_from;
    hex_of(w->from, o->from);
    o->task_ms = w->received_ms;
    o->received_ms = w->held ? w->received_ms : 0;
}

static void run(struct nz_changer *c)
{
    struct nz_op *o = nz_op_new(c->in, c->ref.muni, loop_now(c->in->loop) + NZ_CHANGER_OP_MS, row_done, c);
    if (!o) {
        changer__trouble(c, FAIL(E_NOMEM));
        return;
    }
    op_fill(o, c);
    nz_op_start(o);
}

/* ---- its number ---- */

static void revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct nz_changer *c = arg;
    const bool was_asked_before = c->w.asked;
    if (err_ok(e) || err_is(e, E_NOTHING) || err_is(e, E_SEAL)) { /* used now, or by the same question before a crash: next has taken its place */
        memcpy(c->w.ticket, c->w.next, sizeof c->w.ticket);
        c->w.asked = false;
    }
    c->number = err_ok(e) ? number : NULL;
    if (err_ok(e))
        run(c);
    else if (err_is(e, E_NOTHING) && was_asked_before)
        reveal(c);
    else if (err_is(e, E_NOTHING))
        hold(c, NZ_CODE_TICKET_LOST);
    else if (err_is(e, E_SEAL))
        hold(c, NZ_CODE_UNREADABLE);
    else if (err_is(e, E_FORBIDDEN))
        end(c, &(struct nz_verdict){ .result = NZ_REFUSED, .code = NZ_CODE_MUNI_CLOSED });
    else
        changer__trouble(c, e);
}

static void ask_vault(struct nz_changer *c)
{
    struct nz_subject subject;
    struct nz_ticket ticket, next;
    struct req_id id;
    if (!c->in->vault) {
        changer__trouble(c, FAIL(E_CANCELED));
        return;
    }
    memcpy(subject.sid, c->w.new_sid, sizeof subject.sid);
    memcpy(ticket.b, c->w.ticket, sizeof ticket.b);
    memcpy(next.b, c->w.next, sizeof next.b);
    rnd_bytes(id.b, sizeof id.b);
    nz_vault_reveal(c->in->vault, c->in->pool, c->ref.muni, &subject, &ticket, &next, NZ_PURPOSE_NUMBERING, id, changer__deadline(c), revealed, c);
}

static struct err put_next(struct nz_changer *c, struct nz_cas *s)
{
    c->w.asked = true;
    struct err e = seal(c);
    c->w.asked = false; /* this very question was not asked before */
    TRY(e);
    NZ_CAS(s, LIT("HSET"), store_name_slice(&c->o), row_of(c), buf_slice(&c->sealed));
    return OK;
}

static void next_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    if (!script_done(c, e, replies, n))
        return;
    buf_reset(&c->stored);
    buf_put(&c->stored, buf_slice(&c->sealed));
    ask_vault(c);
}

/* `next` is durable before the vault is asked; what a crash left is asked again as it was. */
static void reveal(struct nz_changer *c)
{
    if (c->w.asked) {
        ask_vault(c);
        return;
    }
    rnd_bytes(c->w.next, sizeof c->w.next);
    send_script(c, put_next, next_stored);
}

/* ---- it is read ---- */

static void go_on(struct nz_changer *c)
{
    const bool away = c->pmh.state != NZ_BREAKER_CLOSED && !nz_breaker_room(&c->pmh, loop_now(c->in->loop), 1);
    if (!nz_waiting_has_ticket(&c->w))
        run(c);
    else if (away) /* its number is not revealed for nothing */
        again(c);
    else
        reveal(c);
}

static bool has_ended(const struct nz_changer *c)
{
    struct nz_row_result r;
    return c->entry.n && err_ok(nz_row_result_decode(buf_slice(&c->entry), &r)) && r.result != NZ_WAITING;
}

static void loaded(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_changer *c = arg;
    struct buf plain;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        changer__trouble(c, e);
        return;
    }
    buf_put(&c->stored, redis_reply_str(replies[0]));
    buf_put(&c->entry, redis_reply_str(replies[1]));
    if (!c->stored.n || has_ended(c)) {
        changer__forget(c, nz_waiting_queue());
        return;
    }
    buf_init(&plain, NZ_WAITING_BYTES);
    e = store_open(c->in->store, slice_of(c->ref.muni, 6), &c->o, row_of(c), buf_slice(&c->stored), &plain);
    if (err_ok(e))
        e = nz_waiting_decode(buf_slice(&plain), &c->w);
    buf_done(&plain);
    c->known = err_ok(e);
    c->n_lines = c->known ? nz_waiting_lines(c->ref.muni, &c->w, c->line) : 0;
    if (err_ok(e))
        go_on(c);
    else if (err_is(e, E_FORBIDDEN))
        end(c, &(struct nz_verdict){ .result = NZ_REFUSED, .code = NZ_CODE_MUNI_CLOSED });
    else if (err_is(e, E_SEAL) || err_is(e, E_FULL))
        hold(c, NZ_CODE_UNREADABLE);
    else
        changer__trouble(c, e);
}

void changer__row(struct nz_changer *c)
{
    if (!nz_member_parse(changer__member(c), &c->ref)) {
        changer__forget(c, nz_waiting_queue());
        return;
    }
    nz_name_task("t", c->ref.muni, &c->ref.task, &c->t);
    nz_name_task("o", c->ref.muni, &c->ref.task, &c->o);
    nz_name_task("tr", c->ref.muni, &c->ref.task, &c->tr);
    c->n_row = nz_row_format(c->ref.row, c->row);
    c->w = (struct nz_waiting){ 0 };
    c->known = false;
    c->n_lines = 0;
    struct redis_batch *b = redis_batch_new(1024);
    if (!b) {
        changer__trouble(c, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&c->o), row_of(c));
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&c->tr), row_of(c));
    redis_send(c->in->redis, b, changer__deadline(c), loaded, c);
}
