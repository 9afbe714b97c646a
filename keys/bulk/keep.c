/* A resident change that leaves its file: PMH is away, or an earlier change of its resident waits (ch:wait), or an officer must look (held). It is
 * durable before the next row has its turn. A ticket of the vault stands for a new number, so that the file is not needed any more. */

#include "keys/bulk/work.h"
#include "keys/intake/meter.h"

#include "keys/bulk/script.h"

enum { ROOM = 8192 };

static void again(struct nz_batch *b, struct nz_brow *x, struct err e)
{
    x->verdict = (struct nz_verdict){ .result = NZ_WAITING };
    x->diverted = x->held = false;
    bulk__batch_again(b, NZ_STEP_LINK, e);
}

/* ---- stored ---- */

static bool waits(const struct nz_brow *x) { return x->verdict.result == NZ_WAITING; }

static void put_waiting(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x, uint64_t place)
{
    const struct nz_run *r = b->run;
    struct nz_row_ref ref = { .task = r->t.task.id, .row = x->row.row };
    struct store_name line[2];
    struct nz_member m;
    memcpy(ref.muni, r->muni, sizeof ref.muni);
    nz_member_write(&ref, &m);
    for (size_t i = 0, n = nz_waiting_lines(r->muni, x->waiting, line); i < n; i++) {
        nz_args_begin(a, 4);
        nz_args_put(a, LIT("ZADD"));
        nz_args_put(a, store_name_slice(&line[i]));
        nz_args_u64(a, place);
        nz_args_put(a, nz_member_slice(&m));
    }
    nz_args_begin(a, 4);
    nz_args_put(a, LIT("ZADD"));
    nz_args_put(a, nz_waiting_queue());
    nz_args_u64(a, bulk__wall(r) + r->in->conf.retry_min_ms);
    nz_args_put(a, nz_member_slice(&m));
}

static void put_held(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x, struct slice row)
{
    const struct nz_run *r = b->run;
    struct buf *code = &b->run->work;
    struct nz_row_result result;
    nz_row_result_of(&x->row, &result);
    result.result = x->verdict.result;
    result.code = x->verdict.code;
    buf_reset(code);
    nz_row_result_encode(&result, code);
    NZ_ARGS(a, LIT("HSET"), store_name_slice(&r->name_tr), row, buf_slice(code));
    NZ_ARGS(a, LIT("HINCRBY"), store_name_slice(&r->name_t), slice_str(nz_result_name(result.result)), LIT("1"));
}

static void put_all(struct nz_args *a, const struct nz_batch *b, const struct nz_brow *x, struct slice sealed, uint64_t place)
{
    const struct nz_run *r = b->run;
    char digits[10];
    const struct slice row = slice_of(digits, nz_row_format(x->row.row, digits));
    if (sealed.n)
        NZ_ARGS(a, LIT("HSET"), store_name_slice(&r->name_o), row, sealed);
    if (waits(x))
        put_waiting(a, b, x, place);
    else
        put_held(a, b, x, row);
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    struct nz_run *r = b->run;
    struct nz_brow *x = b->keeping;
    if (err_is(e, E_BUSY) || err_is(e, E_NOMEM) || err_is(e, E_FULL)) { /* not sent */
        again(b, x, e);
        return;
    }
    if (err_ok(e) && n == 1 && redis_reply_int(replies[0]) == NZ_SCRIPT_DONE) {
        nz_meter_rows(r->in, r->muni, x->verdict.result, !waits(x));
        x->held = !waits(x);
        x->diverted = waits(x);
        nz_change_done(x->change);
        nz_changer_wake(r->in->changer);
        bulk__batch_go(b, NZ_STEP_LINK);
        return;
    }
    b->redo = true; /* nobody knows whether it was carried out: the fence is raised, then it is looked for */
    x->looked = false;
    r->fence_lost = r->fence_lost || b->fence == r->fence;
    again(b, x, err_ok(e) ? FAIL(E_STORE_REFUSED) : e);
}

static ERR seal(struct nz_batch *b, const struct nz_brow *x, struct buf *plain, struct buf *ret_sealed)
{
    struct nz_run *r = b->run;
    char digits[10];
    if (!waits(x) && !nz_waiting_keeps(x->verdict.code))
        return OK;
    nz_waiting_encode(x->waiting, plain);
    TRY(buf_check(plain));
    return store_seal(r->in->store, slice_of(r->muni, 6), &r->name_o, slice_of(digits, nz_row_format(x->row.row, digits)), buf_slice(plain), ret_sealed);
}

static void store(struct nz_batch *b, struct nz_brow *x)
{
    struct nz_run *r = b->run;
    struct buf plain, sealed;
    struct redis_batch *out = redis_batch_new(ROOM);
    buf_init(&plain, NZ_WAITING_BYTES);
    buf_init(&sealed, NZ_WAITING_BYTES + AEAD_OVERHEAD);
    struct err e = out ? seal(b, x, &plain, &sealed) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        const uint64_t place = nz_changer_place(r->in->changer);
        struct nz_args count = { 0 }, put = { .out = out };
        put_all(&count, b, x, buf_slice(&sealed), place);
        nz_script_begin(out, &r->name_t, r->fence, count.n);
        put_all(&put, b, x, buf_slice(&sealed), place);
        b->fence = r->fence;
        redis_send(r->in->redis, out, bulk__deadline(r), written, b);
    } else {
        redis_batch_free(out);
    }
    buf_done(&plain);
    buf_done(&sealed);
    if (err_is(e, E_FORBIDDEN)) { /* nothing can be sealed for this municipality any more */
        bulk__refuse(x, NZ_CODE_MUNI_CLOSED);
        nz_change_done(x->change);
        bulk__batch_go(b, NZ_STEP_LINK);
    } else if (!err_ok(e)) {
        again(b, x, e);
    }
}

/* ---- the ticket ---- */

static void ticketed(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    struct nz_batch *b = arg;
    struct nz_brow *x = b->keeping;
    (void)subject, (void)known;
    if (err_is(e, E_SEAL)) { /* the vault will not give one: without it nothing can be kept */
        bulk__refuse(x, NZ_CODE_UNREADABLE);
        nz_change_done(x->change);
        bulk__batch_go(b, NZ_STEP_LINK);
    } else if (err_ok(e)) {
        store(b, x);
    } else {
        again(b, x, e);
    }
}

/* The ticket is the same at every attempt: asking twice registers it once. */
static void ask_ticket(struct nz_batch *b, struct nz_brow *x)
{
    struct nz_run *r = b->run;
    struct nz_ticket t;
    if (!x->has_ticket)
        rnd_bytes(x->ticket, sizeof x->ticket);
    x->has_ticket = true;
    memcpy(t.b, x->ticket, sizeof t.b);
    memcpy(x->waiting->ticket, x->ticket, sizeof x->waiting->ticket);
    nz_vault_link(r->in->vault, r->muni, x->change->new_number, &t, bulk__deadline(r), ticketed, b);
}

void bulk__change_keep(struct nz_batch *b, struct nz_brow *x, const struct nz_waiting *w)
{
    if (!x->waiting)
        x->waiting = arena_get(b->arena, sizeof *x->waiting);
    if (!x->waiting) {
        again(b, x, FAIL(E_FULL));
        return;
    }
    b->keeping = x;
    *x->waiting = *w;
    x->waiting->since_ms = bulk__wall(b->run);
    if (nz_waiting_has_ticket(w) && (waits(x) || nz_waiting_keeps(x->verdict.code)))
        ask_ticket(b, x);
    else
        store(b, x);
}
