/* Changes of one resident are carried out in the order of their coming: while one waits (for PMH), the later ones that name its resident key wait
 * behind it. Otherwise the later number would be replaced by the earlier one as soon as PMH is back. */

#include "keys/change/op.h"

#include "gateway/base/text.h"

struct line {
    struct nz_op *o;
    size_t n;
    struct store_name name[2];
    struct nz_member self, head; /* head: who stands before it */
    size_t at;                   /* in which line */
};

static void sid_bytes(const char hex[static NZ_CH_HEX], uint8_t out[static 16])
{
    if (!hex_decode(slice_of(hex, NZ_CH_HEX), out, 16))
        memset(out, 0, 16);
}

void nz_op_kept(const struct nz_op *o, struct nz_waiting *ret_w)
{
    struct nz_waiting w = {
        .type = o->type, .effective = o->effective, .received_ms = o->received_ms ? o->received_ms : o->task_ms, .has_number = o->has_number,
        .number_known = o->number_known, .has_from = o->has_from, .released = o->released, .behind = o->behind };
    sid_bytes(o->ch.c + (o->ch.n > NZ_CH_HEX ? o->ch.n - NZ_CH_HEX : 0), w.ch);
    sid_bytes(o->rk, w.rk);
    if (o->has_other)
        sid_bytes(o->other_rk, w.other_rk);
    if (o->has_number)
        sid_bytes(o->number_sid, w.number_sid);
    if (o->has_new)
        sid_bytes(o->new_sid, w.new_sid);
    if (o->has_from)
        sid_bytes(o->from, w.from);
    *ret_w = w;
}

static void waits_behind(struct nz_op *o)
{
    o->behind = true;
    o->decision.verdict = (struct nz_verdict){ .result = NZ_WAITING };
    nz_op_over(o, OK);
}

/* ---- who is first ---- */

static void ask_heads(struct line *l);

static void send_one(struct line *l, struct redis_batch *b, redis_done_fn *heard)
{
    if (b)
        redis_send(l->o->in->redis, b, nz_op_deadline(l->o), heard, l);
    else
        nz_op_over(l->o, FAIL(E_NOMEM));
}

static void left(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct line *l = arg;
    (void)replies, (void)n;
    if (!err_ok(e))
        nz_op_over(l->o, e);
    else if (loop_now(l->o->in->loop) >= l->o->deadline)
        nz_op_over(l->o, FAIL(E_BUSY));
    else
        ask_heads(l);
}

/* A place whose row does not wait any more, as after an end whose script did not know the line, is taken away. */
static void head_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct line *l = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_op_over(l->o, e);
    } else if (redis_reply_str(replies[0]).n) {
        waits_behind(l->o);
    } else {
        struct redis_batch *b = redis_batch_new(512);
        if (b)
            REDIS_ADD(b, LIT("ZREM"), store_name_slice(&l->name[l->at]), nz_member_slice(&l->head));
        send_one(l, b, left);
    }
}

static bool take_head(struct line *l, size_t i, const struct redis_reply *members)
{
    const struct slice s = redis_reply_str(redis_reply_at(members, 0));
    if (!s.n || s.n > sizeof l->head.c || slice_eq(s, nz_member_slice(&l->self)))
        return false;
    memcpy(l->head.c, s.p, s.n);
    l->head.n = s.n;
    l->at = i;
    return true;
}

static void heads_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct line *l = arg;
    if (err_ok(e) && n != l->n)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_op_over(l->o, e);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        if (!take_head(l, i, replies[i]))
            continue;
        struct redis_batch *b = redis_batch_new(512);
        if (b)
            REDIS_ADD(b, LIT("ZSCORE"), nz_waiting_queue(), nz_member_slice(&l->head));
        send_one(l, b, head_heard);
        return;
    }
    nz_op_round(l->o);
}

static void ask_heads(struct line *l)
{
    struct redis_batch *b = redis_batch_new(512);
    for (size_t i = 0; b && i < l->n; i++)
        REDIS_ADD(b, LIT("ZRANGE"), store_name_slice(&l->name[i]), LIT("0"), LIT("0"));
    send_one(l, b, heads_heard);
}

void nz_op_line(struct nz_op *o)
{
    if (o->dry || o->resume) {
        nz_op_round(o);
        return;
    }
    if (o->behind) {
        waits_behind(o);
        return;
    }
    struct line *l = arena_get(o->arena, sizeof *l);
    struct nz_row_ref ref = { .row = o->row };
    struct nz_waiting w;
    if (!l) {
        nz_op_over(o, FAIL(E_NOMEM));
        return;
    }
    memcpy(ref.muni, o->muni, sizeof ref.muni);
    memcpy(ref.task.b, o->task, sizeof ref.task.b);
    nz_op_kept(o, &w);
    l->o = o;
    l->n = nz_waiting_lines(o->muni, &w, l->name);
    nz_member_write(&ref, &l->self);
    ask_heads(l);
}
