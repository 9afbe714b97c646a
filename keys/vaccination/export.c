/* GET /v1/vaccination/ledger, /due, /statistics, /claims, /recalls: a file, made while it is sent, in the memory of one page of persons.
 *
 * how many persons -> a second officer where so many need one -> recorded -> pages of vi:<muni>, each person once, in the order of their names ->
 * recorded with rows and digest -> the end. What cannot be completed is broken off, so that nobody takes a part for the whole. */

#include <stdlib.h>

#include "gateway/crypto/crypto.h"
#include "keys/staff/staff.h"
#include "keys/vaccination/claims.h"
#include "keys/vaccination/rows.h"
#include "keys/vaccination/vaccination.h"

enum { PAGE = 64, HANDLE_CHARS = 32, BATCH_MAX = 16 * 1024, OUT_MAX = 16 << 20, PIECE = 32 * 1024, LOW_WATER = 32 * 1024, LOOK_MS = 10, ARENA_MAX = 8 << 20, ORDER_MAX = 512 };

struct export;
struct kind {
    const char *name;
    enum audit_event event;
    ERR (*read)(struct slice query, struct nz_vacc_ask *ret_a);
    void (*head)(struct export *x);
    ERR (*person)(struct export *x);
    void (*tail)(struct export *x);
};

struct export {
    struct req *r;
    struct nz_intake *in;
    const struct kind *kind;
    struct nz_vacc_ask ask;
    const struct vaccine_program *program; /* NULL: not in the table */
    char muni[6];
    struct timer *timer;
    struct arena *arena;
    struct sha256 *sum;
    struct buf out;             /* rows that were not put yet */
    struct nz_stat *stat;
    struct nz_claims *claims;
    struct nz_vacc_person person;
    size_t n_page;
    char page[PAGE][HANDLE_CHARS];
    char last[HANDLE_CHARS];    /* of the page before */
    bool begun;                 /* there is a page before */
    uint64_t rows, persons;
    bool placed, streaming, gone, waiting, at_end, final;
};

/* ---- the kinds ---- */

static void ledger_head(struct export *x)
{
    if (x->ask.header)
        nz_ledger_header(&x->out);
}

static ERR ledger_person(struct export *x)
{
    nz_ledger_row(&x->ask, &x->person, &x->out, &x->rows);
    return OK;
}

static void due_head(struct export *x) { nz_due_header(&x->out); }

static ERR due_person(struct export *x)
{
    nz_due_row(&x->ask, x->program, &x->person, &x->out, &x->rows);
    return OK;
}

static void nothing(struct export *x) { (void)x; }

static ERR stat_person(struct export *x) { return nz_stat_add(x->stat, &x->ask, &x->person); }
static void stat_tail(struct export *x) { nz_stat_write(x->stat, &x->ask, &x->out, &x->rows); }

static ERR claims_person(struct export *x) { return nz_claims_add(x->claims, x->in->fees, x->ask.month, &x->person); }
static void claims_tail(struct export *x) { nz_claims_write(x->claims, x->muni, x->ask.month, x->final, &x->out, &x->rows); }

static void recalls_head(struct export *x) { nz_recalls_header(&x->out); }

static ERR recalls_person(struct export *x)
{
    nz_recalls_rows(&x->person, &x->out, &x->rows);
    return OK;
}

static const struct kind RECALLS = { "recalls", AU_RECALLS_READ, nz_recalls_ask_read, recalls_head, recalls_person, nothing };
static const struct kind LEDGER = { "ledger", AU_LEDGER_EXPORTED, nz_ledger_ask_read, ledger_head, ledger_person, nothing };
static const struct kind DUE = { "due", AU_DUE_EXPORTED, nz_due_ask_read, due_head, due_person, nothing };
static const struct kind STATISTICS = { "statistics", AU_STATISTICS_EXPORTED, nz_statistics_ask_read, nothing, stat_person, stat_tail };
static const struct kind CLAIMS = { "claims", AU_CLAIMS_EXPORTED, nz_claims_ask_read, nothing, claims_person, claims_tail };

/* ---- few at a time, one of a municipality ---- */

static char *place_of(struct nz_intake *in, const char muni[static 6])
{
    for (size_t i = 0; i < NZ_EXPORTS_MAX; i++)
        if (slice_eq(ARR(in->ledgers[i]), slice_of(muni, 6)))
            return in->ledgers[i];
    return NULL;
}

static bool place_take(struct export *x)
{
    static const char FREE[6];
    char *place = place_of(x->in, FREE);
    if (!place || place_of(x->in, x->muni))
        return false;
    memcpy(place, x->muni, 6);
    return x->placed = true;
}

/* ---- ends ---- */

static void export_free(struct export *x)
{
    if (x->placed)
        memset(place_of(x->in, x->muni), 0, 6);
    timer_free(x->timer);
    arena_free(x->arena);
    sha256_free(x->sum);
    nz_stat_free(x->stat);
    nz_claims_free(x->claims);
    buf_done(&x->out);
    explicit_bzero(x, sizeof *x);
    free(x);
}

static void on_gone(void *arg)
{
    struct export *x = arg;
    x->gone = true;
    if (!x->waiting)
        export_free(x);
}

static void fail(struct export *x, struct err e)
{
    struct req *r = x->r;
    LOG(WARN, "export_broken_off", LF("request", req_id(r)), LF("error", e));
    if (x->streaming) {
        timer_stop(x->timer);
        req_stream_break(r); /* on_gone follows */
        return;
    }
    export_free(x);
    req_fail(r, e);
}

/* A call of another daemon has ended. False: nobody is there any more. */
static bool back(struct export *x)
{
    bool gone = x->gone;
    x->waiting = false;
    if (gone)
        export_free(x);
    return !gone;
}

static void audited_end(void *arg, struct err e)
{
    struct export *x = arg;
    if (!back(x))
        return;
    if (!err_ok(e)) {
        fail(x, e);
        return;
    }
    struct req *r = x->r;
    export_free(x);
    req_stream_end(r);
}

static void finish(struct export *x)
{
    uint8_t sum[SHA256_BYTES];
    struct audit_rec rec = nz_audit_of(x->r, x->kind->event, AR_OK, x->rows);
    struct err e = sha256_done(x->sum, sum);
    if (!err_ok(e)) {
        fail(x, e);
        return;
    }
    rec.behalf = AB_OWN; /* who asked stands in the first record of this request */
    memcpy(rec.ref, sum, sizeof rec.ref);
    x->waiting = true;
    audit_append(x->in->audit, &rec, loop_now(x->in->loop) + NZ_READ_MS, audited_end, x);
}

/* ---- pages ---- */

static void read_page(struct export *x);

/* What is there goes to the client in pieces, as it takes them; then the next page. */
static void go_on(void *arg)
{
    struct export *x = arg;
    if (req_stream_waiting(x->r) > LOW_WATER) {
        timer_start(x->timer, LOOK_MS); /* a client that does not read is left by the door */
    } else if (x->out.n) {
        size_t n = x->out.n < PIECE ? x->out.n : PIECE;
        struct err e = sha256_put(x->sum, slice_of(x->out.p, n));
        if (!err_ok(e)) {
            fail(x, e);
            return;
        }
        timer_start(x->timer, 0); /* others have their turn */
        req_stream_put(x->r, slice_of(x->out.p, n));
        buf_drop(&x->out, n);
    } else if (x->at_end) {
        finish(x);
    } else {
        read_page(x);
    }
}

static ERR take_person(struct export *x, size_t i, const struct redis_reply *hash)
{
    struct person p;
    struct store_name name;
    memcpy(p.h, x->page[i], sizeof p.h);
    store_name_person(&p, &name);
    arena_reset(x->arena);
    if (!redis_reply_len(hash))
        return OK; /* erased meanwhile */
    x->persons++;
    TRY(nz_vacc_person_read(x->in->store, x->muni, &name, hash, x->ask.on, x->arena, &x->person));
    TRY(x->kind->person(x));
    return buf_check(&x->out);
}

static void on_persons(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct export *x = arg;
    if (!back(x))
        return;
    if (err_ok(e) && n != x->n_page)
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; err_ok(e) && i < n; i++)
        e = take_person(x, i, replies[i]);
    arena_reset(x->arena);
    if (err_ok(e))
        timer_start(x->timer, 0);
    else
        fail(x, e);
}

static void ask(struct export *x, struct redis_batch *b, redis_done_fn *done)
{
    if (!b) {
        fail(x, FAIL(E_NOMEM));
        return;
    }
    x->waiting = true;
    redis_send(x->in->redis, b, loop_now(x->in->loop) + NZ_READ_MS, done, x);
}

static void read_persons(struct export *x)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    for (size_t i = 0; b && i < x->n_page; i++) {
        struct person p;
        struct store_name name;
        memcpy(p.h, x->page[i], sizeof p.h);
        store_name_person(&p, &name);
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&name));
    }
    ask(x, b, on_persons);
}

static ERR take_page(struct export *x, const struct redis_reply *members)
{
    x->n_page = 0;
    for (size_t i = 0; i < redis_reply_len(members) && i < PAGE; i++) {
        struct slice h = redis_reply_str(redis_reply_at(members, i));
        if (h.n != HANDLE_CHARS)
            return FAIL(E_STORE_REFUSED);
        memcpy(x->page[x->n_page++], h.p, HANDLE_CHARS);
    }
    if (x->n_page)
        memcpy(x->last, x->page[x->n_page - 1], sizeof x->last);
    x->begun = true;
    return OK;
}

static void on_page(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct export *x = arg;
    if (!back(x))
        return;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = take_page(x, replies[0]);
    if (!err_ok(e)) {
        fail(x, e);
    } else if (x->n_page) {
        read_persons(x);
    } else {
        x->kind->tail(x);
        x->at_end = true;
        e = buf_check(&x->out);
        if (err_ok(e))
            timer_start(x->timer, 0);
        else
            fail(x, e);
    }
}

static void read_page(struct export *x)
{
    struct store_name index;
    char from[1 + HANDLE_CHARS] = "(";
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    store_name_vaccinated(x->muni, &index);
    memcpy(from + 1, x->last, sizeof x->last);
    if (b) {
        redis_begin(b, 7);
        redis_arg(b, LIT("ZRANGEBYLEX"));
        redis_arg(b, store_name_slice(&index));
        redis_arg(b, x->begun ? ARR(from) : LIT("-"));
        redis_arg(b, LIT("+"));
        redis_arg(b, LIT("LIMIT"));
        redis_arg_u64(b, 0);
        redis_arg_u64(b, PAGE);
    }
    ask(x, b, on_page);
}

/* ---- the beginning ---- */

static void audited_begin(void *arg, struct err e)
{
    struct export *x = arg;
    x->waiting = false;
    if (!err_ok(e)) {
        fail(x, e);
        return;
    }
    x->streaming = true;
    req_stream_whole(x->r);
    req_stream(x->r, "text/csv; charset=utf-8", on_gone, x);
    x->kind->head(x);
    go_on(x);
}

static void approved(void *arg, struct err e)
{
    struct export *x = arg;
    if (err_ok(e) && !place_take(x))
        e = FAIL(E_BUSY);
    if (!err_ok(e)) {
        struct req *r = x->r;
        export_free(x);
        req_fail(r, e);
        return;
    }
    struct audit_rec rec = nz_audit_of(x->r, x->kind->event, AR_OK, 0);
    audit_append(x->in->audit, &rec, nz_req_step(x->r, NZ_READ_MS, audit_up(x->in->audit)), audited_begin, x);
}

/* The same export again is the same order, whoever asks for it. */
static void counted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct export *x = arg;
    struct buf order;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_INT))
        e = FAIL(E_STORE_REFUSED);
    buf_init(&order, ORDER_MAX);
    buf_puts(&order, x->kind->name);
    buf_putc(&order, '?');
    buf_put(&order, req_query(x->r));
    if (err_ok(e))
        e = buf_check(&order);
    struct slice kept = err_ok(e) ? arena_dup(req_arena(x->r), buf_slice(&order)) : SLICE_NONE;
    buf_done(&order);
    if (err_ok(e))
        nz_staff_approve(x->r, kept, (uint64_t)redis_reply_int(replies[0]), approved, x);
    else
        fail(x, e);
}

static void count(struct export *x)
{
    struct store_name index;
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    store_name_vaccinated(x->muni, &index);
    if (!b) {
        fail(x, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("ZCARD"), store_name_slice(&index));
    redis_send(x->in->redis, b, nz_req_step(x->r, NZ_READ_MS, redis_up(x->in->redis)), counted, x);
}

static uint32_t month_before(uint32_t yyyymm, unsigned months)
{
    uint32_t n = yyyymm / 100 * 12 + yyyymm % 100 - 1 - months;
    return n / 12 * 100 + n % 12 + 1;
}

static ERR set_up(struct export *x)
{
    const uint64_t now = clock_wall(loop_clock(x->in->loop));
    const ymd_t today = clock_date_jst(now);
    TRY(x->kind->read(req_query(x->r), &x->ask));
    x->final = nz_claims_are_final(x->ask.month, now);
    if (!x->ask.on)
        x->ask.on = today;
    if (!x->ask.to_month) {
        x->ask.to_month = today / 100;
        x->ask.from_month = month_before(today / 100, 11);
    }
    x->program = x->in->vaccines ? vaccine_program(x->in->vaccines, slice_str(x->ask.program)) : NULL;
    if (x->kind == &DUE && !x->program)
        return FAIL(E_BAD_URL);
    if (x->kind == &CLAIMS && !x->in->fees)
        return FAIL(E_NO_ROUTE);
    if (x->ask.month > today / 100)
        return FAIL(E_BAD_URL);
    x->stat = x->kind == &STATISTICS ? nz_stat_new() : NULL;
    x->claims = x->kind == &CLAIMS ? nz_claims_new() : NULL;
    x->arena = arena_new(ARENA_MAX);
    if (!x->arena || (x->kind == &STATISTICS && !x->stat) || (x->kind == &CLAIMS && !x->claims))
        return FAIL(E_NOMEM);
    TRY(sha256_new(&x->sum));
    return timer_new(&x->timer, x->in->loop, go_on, x);
}

static void begin(struct req *r, const struct kind *kind)
{
    struct export *x = calloc(1, sizeof *x);
    if (!x) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    x->r = r;
    x->in = req_ctx(r);
    x->kind = kind;
    memcpy(x->muni, nz_req_muni(r), sizeof x->muni);
    buf_init(&x->out, OUT_MAX);
    struct err e = set_up(x);
    if (err_ok(e)) {
        count(x);
        return;
    }
    export_free(x);
    req_fail(r, e);
}

void nz_export_ledger(struct req *r) { begin(r, &LEDGER); }
void nz_export_due(struct req *r) { begin(r, &DUE); }
void nz_export_statistics(struct req *r) { begin(r, &STATISTICS); }
void nz_export_recalls(struct req *r) { begin(r, &RECALLS); }
void nz_export_claims(struct req *r) { begin(r, &CLAIMS); }
