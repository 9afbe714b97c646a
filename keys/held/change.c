/* Rows that go on or are dropped, some at a time. Each is one script, so that a crash leaves it held or changed, never both, and two orders
 * about one row change it once. */

#include "keys/change/change.h"
#include "keys/held/work.h"
#include "keys/intake/file_task.h"
#include "keys/intake/open_tasks.h"
#include "keys/intake/row_change.h"

/* The row's entry says that it is held, and why; another order, or a later end of the row, has changed it. KEYS[2]: the task of a row that is to go
 * on; none of a file that was taken back does. */
#define SCRIPT                                                                 \
    "if KEYS[2] and redis.call('HEXISTS',KEYS[2],'" NZ_TASK_UNDONE "')==1 then return 0 end " \
    "if redis.call('HGET',KEYS[1],ARGV[1])~=ARGV[2] then return 0 end "        \
    "local i=3 "                                                               \
    "while i<=#ARGV do "                                                       \
    "local n=tonumber(ARGV[i]) redis.call(unpack(ARGV,i+1,i+n)) i=i+n+1 "      \
    "end return 1"

enum { U64_DIGITS = 20, ROOM_PER_ROW = 4096 + NZ_ROW_RESULT_MAX };

struct parts { /* borrowed by the commands of one row */
    char row[10], now[U64_DIGITS];
    struct slice row_s, now_s;
    struct nz_member member;
    struct slice queue;
    size_t n_lines;          /* of a resident change */
    struct store_name line[2];
    char place[U64_DIGITS];
    struct slice place_s;
    struct buf result, sealed;
};

static void script_send(const struct nz_held *h, const struct nz_held_row *x, struct slice row, const struct nz_changes *c, struct redis_batch *b)
{
    const bool goes_on = h->action != NZ_HELD_DISCARD;
    size_t n = 6 + goes_on;
    for (size_t i = 0; i < c->n; i++)
        n += 1 + c->cmd[i].n;
    redis_begin(b, n);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SCRIPT));
    redis_arg_u64(b, 1 + goes_on);
    redis_arg(b, store_name_slice(&h->tr));
    if (goes_on)
        redis_arg(b, store_name_slice(&h->t));
    redis_arg(b, row);
    redis_arg(b, x->stored);
    for (size_t i = 0; i < c->n; i++) {
        redis_arg_u64(b, c->cmd[i].n);
        for (size_t k = 0; k < c->cmd[i].n; k++)
            redis_arg(b, c->cmd[i].arg[k]);
    }
}

/* ---- the commands of one row ---- */

static struct slice decimal(uint64_t v, char out[static U64_DIGITS])
{
    size_t at = U64_DIGITS;
    do
        out[--at] = (char)('0' + v % 10);
    while (v /= 10);
    return slice_of(out + at, U64_DIGITS - at);
}

static void change_send(const struct nz_held *h, const struct nz_held_row *x, const struct parts *p, struct redis_batch *b)
{
    const struct slice t = store_name_slice(&h->t), o = store_name_slice(&h->o);
    struct nz_changes c = { 0 };
    struct store_name tb;
    char hex[32];
    nz_open_tasks_name(h->muni, &tb);
    nz_task_id_format(&h->task, hex);
    NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&h->tr), p->row_s, buf_slice(&p->result));
    NZ_CHANGE(&c, LIT("HINCRBY"), t, slice_str(nz_result_name(NZ_QUARANTINED)), LIT("-1"));
    NZ_CHANGE(&c, LIT("HSET"), t, LIT(NZ_TASK_MOVED), p->now_s);
    if (h->action == NZ_HELD_DISCARD) {
        NZ_CHANGE(&c, LIT("HINCRBY"), t, slice_str(nz_result_name(NZ_REFUSED)), LIT("1"));
        NZ_CHANGE(&c, LIT("HDEL"), o, p->row_s);
    } else {
        NZ_CHANGE(&c, LIT("HSET"), o, p->row_s, buf_slice(&p->sealed));
        NZ_CHANGE(&c, LIT("ZADD"), p->queue, p->now_s, nz_member_slice(&p->member));
        NZ_CHANGE(&c, LIT("ZADD"), store_name_slice(&tb), p->now_s, ARR(hex));
        for (size_t i = 0; i < p->n_lines; i++)
            NZ_CHANGE(&c, LIT("ZADD"), store_name_slice(&p->line[i]), p->place_s, nz_member_slice(&p->member));
    }
    script_send(h, x, p->row_s, &c, b);
}

/* The entry of a row that waits again stands there as well: a file has an older word about it in its results. */
static ERR result_after(const struct nz_held *h, const struct nz_held_row *x, struct buf *out)
{
    struct nz_row_result r;
    TRY(nz_row_result_decode(x->stored, &r));
    nz_held_result(h->action, &r);
    nz_row_result_encode(&r, out);
    return buf_check(out);
}

static void keep_tickets(struct nz_held_row *x, bool has_ticket, const uint8_t ticket[static NZ_TICKET_BYTES], bool has_next,
                         const uint8_t next[static NZ_TICKET_BYTES])
{
    x->has_ticket = has_ticket;
    x->has_next = has_ticket && has_next;
    memcpy(x->ticket.b, ticket, sizeof x->ticket.b);
    memcpy(x->next.b, next, sizeof x->next.b);
}

/* *io_plain: the payload as it is, and as it will be. */
static ERR registration_after(const struct nz_held *h, struct nz_held_row *x, uint64_t now, struct parts *p, struct buf *io_plain)
{
    struct nz_payload payload;
    struct buf after;
    TRY(nz_payload_decode(buf_slice(io_plain), &payload));
    keep_tickets(x, payload.has_ticket, payload.ticket, payload.has_next, payload.next);
    nz_held_payload(h->action, x->code, &payload, now);
    p->queue = nz_queue_name(payload.has_ticket ? NZ_QUEUE_NUMBERING : NZ_QUEUE_READY);
    buf_init(&after, NZ_PAYLOAD_MAX);
    nz_payload_encode(&payload, &after);
    buf_done(io_plain);
    *io_plain = after;
    return buf_check(io_plain);
}

static ERR change_after(const struct nz_held *h, struct nz_held_row *x, uint64_t now, struct parts *p, struct buf *io_plain)
{
    struct nz_waiting w;
    TRY(nz_waiting_decode(buf_slice(io_plain), &w));
    keep_tickets(x, nz_waiting_has_ticket(&w), w.ticket, w.asked, w.next);
    nz_held_waiting(h->action, &w, now);
    p->queue = nz_waiting_queue();
    p->n_lines = nz_waiting_lines(h->muni, &w, p->line);
    p->place_s = decimal(nz_changer_place(h->in->changer), p->place);
    buf_reset(io_plain);
    nz_waiting_encode(&w, io_plain);
    return buf_check(io_plain);
}

/* The payload as it is, and as it will be. An error is the row's: it cannot go on. */
static ERR payload_change(const struct nz_held *h, struct nz_held_row *x, struct slice sealed, uint64_t now, struct parts *p)
{
    struct buf plain;
    buf_init(&plain, NZ_PAYLOAD_MAX);
    struct err e = sealed.n ? store_open(h->in->store, slice_of(h->muni, 6), &h->o, p->row_s, sealed, &plain) : FAIL(E_SEAL);
    if (err_ok(e))
        e = (nz_waiting_is(buf_slice(&plain)) ? change_after : registration_after)(h, x, now, p, &plain);
    if (err_ok(e) && h->action != NZ_HELD_DISCARD)
        e = store_seal(h->in->store, slice_of(h->muni, 6), &h->o, p->row_s, buf_slice(&plain), &p->sealed);
    buf_done(&plain);
    return e;
}

static ERR row_change(struct nz_held *h, struct nz_held_row *x, struct slice sealed, uint64_t now, struct redis_batch *b)
{
    struct parts p = { 0 };
    struct nz_row_ref ref = { .task = h->task, .row = x->row };
    memcpy(ref.muni, h->muni, sizeof ref.muni);
    nz_member_write(&ref, &p.member);
    p.row_s = slice_of(p.row, nz_row_format(x->row, p.row));
    p.now_s = decimal(now, p.now);
    buf_init(&p.result, NZ_ROW_RESULT_MAX);
    buf_init(&p.sealed, NZ_PAYLOAD_MAX + AEAD_OVERHEAD);
    struct err e = payload_change(h, x, sealed, now, &p);
    bool unreadable = err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN);
    if (unreadable && h->action != NZ_HELD_DISCARD) { /* what cannot be read can still be dropped */
        x->may = NZ_HELD_CANNOT;
        x->code = err_is(e, E_FORBIDDEN) ? NZ_CODE_MUNI_CLOSED : NZ_CODE_UNREADABLE;
        e = OK;
    } else if (err_ok(e) || unreadable) {
        e = result_after(h, x, &p.result);
        if (err_ok(e))
            change_send(h, x, &p, b);
    }
    buf_done(&p.result);
    buf_done(&p.sealed);
    return e;
}

/* ---- some rows at a time ---- */

static void chunk(struct nz_held *h);

static void marked(void *arg, struct err e)
{
    struct nz_held *h = arg;
    nz_held_answer(h, err_ok(e) ? redis_unbroken(h->in->redis, h->store_turn) : e);
}

/* A store that comes back without the order is known: the log has what the order raised the epoch to before it is answered. */
static void mark(struct nz_held *h)
{
    if (!h->epoch) {
        nz_held_answer(h, OK);
        return;
    }
    struct audit_rec rec = nz_audit_of(h->r, AU_STORE_MARK, AR_OK, 0);
    rec.behalf = AB_OWN;
    memset(rec.ref, 0, sizeof rec.ref);
    rec.epoch = h->epoch;
    audit_append(h->in->audit, &rec, nz_req_step(h->r, NZ_READ_MS, audit_up(h->in->audit)), marked, h);
}

/* Nobody waits for it: a ticket that stays is of no use to anybody, and ends by itself. */
static void drop_tickets(struct nz_held *h, struct nz_held_row *x)
{
    uint64_t deadline = loop_now(h->in->loop) + NZ_READ_MS;
    if (x->done && x->has_ticket && h->in->vault)
        nz_vault_drop(h->in->vault, &x->ticket, deadline);
    if (x->done && x->has_next && h->in->vault)
        nz_vault_drop(h->in->vault, &x->next, deadline);
    explicit_bzero(&x->ticket, sizeof x->ticket);
    explicit_bzero(&x->next, sizeof x->next);
}

static void chunk_done(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_held *h = arg;
    size_t at = 0;
    for (size_t i = h->at; err_ok(e) && i < h->to; i++) {
        struct nz_held_row *x = &h->row[i];
        if (x->may != NZ_HELD_GO)
            continue;
        if (at == n)
            e = FAIL(E_STORE_REFUSED);
        else
            x->done = redis_reply_int(replies[at++]) == 1;
        if (h->action == NZ_HELD_DISCARD)
            drop_tickets(h, x);
    }
    if (err_ok(e) && at < n)
        h->epoch = (uint64_t)redis_reply_int(replies[at]);
    h->at = h->to;
    if (err_ok(e))
        chunk(h);
    else
        nz_held_answer(h, e);
}

static void payloads_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_held *h = arg;
    struct redis_batch *b = NULL;
    size_t at = 0, room = 4096;
    uint64_t now = clock_wall(loop_clock(h->in->loop));
    const struct redis_reply *all = err_ok(e) && n == 1 ? replies[0] : NULL;
    if (err_ok(e) && !all)
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; all && i < redis_reply_len(all); i++)
        room += ROOM_PER_ROW + redis_reply_str(redis_reply_at(all, i)).n;
    if (err_ok(e)) {
        b = redis_batch_new(room);
        e = b ? OK : FAIL(E_NOMEM);
    }
    for (size_t i = h->at; err_ok(e) && i < h->to; i++) {
        struct nz_held_row *x = &h->row[i];
        if (x->may == NZ_HELD_GO)
            e = row_change(h, x, redis_reply_str(redis_reply_at(all, at++)), now, b);
    }
    if (err_ok(e) && redis_batch_count(b)) {
        redis_raise(b, STORE_EPOCH);
        redis_send(h->in->redis, b, nz_req_step(h->r, NZ_WRITE_MS, true), chunk_done, h);
        return;
    }
    redis_batch_free(b);
    h->at = h->to;
    if (err_ok(e))
        chunk(h);
    else
        nz_held_answer(h, e);
}

/* The next rows that may go. */
static size_t chunk_find(struct nz_held *h)
{
    size_t n = 0;
    for (h->to = h->at; h->to < h->n && n < NZ_HELD_CHUNK; h->to++)
        n += h->row[h->to].may == NZ_HELD_GO;
    return n;
}

static void chunk(struct nz_held *h)
{
    size_t n = chunk_find(h);
    if (!n) {
        mark(h);
        return;
    }
    struct redis_batch *b = redis_batch_new(NZ_HELD_CHUNK * 32 + 256);
    if (!b) {
        nz_held_answer(h, FAIL(E_NOMEM));
        return;
    }
    redis_begin(b, 2 + n);
    redis_arg(b, LIT("HMGET"));
    redis_arg(b, store_name_slice(&h->o));
    for (size_t i = h->at; i < h->to; i++) {
        if (h->row[i].may == NZ_HELD_GO)
            redis_arg_u64(b, h->row[i].row);
    }
    redis_send(h->in->redis, b, nz_req_step(h->r, NZ_READ_MS, true), payloads_read, h);
}

void nz_held_change(struct nz_held *h)
{
    h->at = 0;
    h->store_turn = redis_turn(h->in->redis);
    chunk(h);
}
