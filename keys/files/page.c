/* A page of the results of a file: entries out of the sealed frames, and over them what tr: says of rows that ended, or were decided, later. */

#include "keys/files/work.h"

enum { SCAN_MAX = 2 << 20 /* bytes looked through for one page */, KEEP_FRAMES = 2 * NZ_FRAME_PLAIN + NZ_ENTRY_MAX };

/* ---- out of the frames ---- */

struct scan {
    struct nz_page *p;
    struct nz_frames *f;
    struct buf plain;             /* frames that are not used up */
    struct nz_results_at next;    /* where the next entry begins */
    struct nz_frames_at ahead;    /* the frame behind plain */
    uint64_t starts[3];           /* in plain, where the frames begin that entries may begin in */
    struct nz_frames_at frame[3];
    size_t n_frames, looked;
};

/* What is there from the next entry on. */
static struct slice rest_of(const struct scan *s)
{
    bool there = s->plain.n >= s->next.skip;
    return there && s->plain.p ? slice_of(s->plain.p + s->next.skip, s->plain.n - (size_t)s->next.skip) : SLICE_NONE;
}

static bool whole(struct slice in) { return in.n >= 2 && in.n - 2 >= (size_t)in.p[0] * 256 + in.p[1]; }

/* NOTHING: no frame behind. */
static ERR scan_more(struct scan *s)
{
    struct nz_frames_at from = s->ahead;
    size_t had = s->plain.n;
    TRY(nz_frames_read(s->f, &s->ahead, &s->plain));
    TRY(buf_check(&s->plain));
    if (s->n_frames == sizeof s->frame / sizeof s->frame[0])
        return FAIL(E_SEAL); /* an entry is shorter than two frames */
    s->starts[s->n_frames] = had;
    s->frame[s->n_frames++] = from;
    s->looked += s->plain.n - had;
    return OK;
}

/* `used` bytes of plain are done with: frames before the one in which the next entry begins go. */
static void scan_used(struct scan *s, size_t used)
{
    size_t i = 0;
    while (i + 1 < s->n_frames && s->starts[i + 1] <= used)
        i++;
    s->next.frame = used < s->plain.n ? s->frame[i] : s->ahead;
    s->next.skip = used < s->plain.n ? used - s->starts[i] : 0;
    size_t drop = used < s->plain.n ? s->starts[i] : s->plain.n;
    size_t left = used < s->plain.n ? s->n_frames - i : 0;
    for (size_t k = 0; k < left; k++) {
        s->frame[k] = s->frame[i + k];
        s->starts[k] = s->starts[i + k] - drop;
    }
    s->n_frames = left;
    if (drop)
        buf_drop(&s->plain, drop);
}

static bool may_change(const struct nz_row_result *r) { return r->result == NZ_WAITING || r->result == NZ_QUARANTINED; }
static bool failed(const struct nz_row_result *r) { return r->result == NZ_REFUSED || r->result == NZ_QUARANTINED; }

/* The entry's bytes move into the arena, its texts with them. */
static ERR keep(struct nz_page *p, struct slice raw)
{
    struct slice copy = arena_dup(p->arena, raw);
    TRY(arena_check(p->arena));
    TRY(nz_entry_decode(&copy, &p->row[p->n]));
    p->n++;
    return OK;
}

/* One entry; *ret_more false at the end of what may be told. */
static ERR scan_one(struct scan *s, bool *ret_more)
{
    struct nz_page *p = s->p;
    struct nz_result_entry e;
    *ret_more = false;
    while (!whole(rest_of(s))) {
        struct err more = scan_more(s);
        if (err_is(more, E_NOTHING)) {
            p->at_end = true;
            return s->next.rows < p->t->checkpoint ? FAIL(E_SEAL) : OK; /* what was durable is gone */
        }
        TRY(more);
    }
    struct slice in = rest_of(s), raw = in;
    TRY(nz_entry_decode(&in, &e));
    if (s->next.rows >= p->t->checkpoint || (p->t->mode != NZ_MODE_UNDO && e.row > p->t->checkpoint)) { /* not durable: it may be told otherwise yet */
        p->at_end = true;
        return OK;
    }
    raw.n -= in.n;
    if (!p->only_failed || failed(&e.result) || may_change(&e.result))
        TRY(keep(p, raw));
    s->next.rows++; /* of an undo the rows come in another order, and not all */
    scan_used(s, (size_t)s->next.skip + raw.n);
    *ret_more = true;
    return OK;
}

static ERR scan_page(struct nz_page *p)
{
    struct scan s = { .p = p, .next = p->at, .ahead = p->at.frame };
    bool more = true;
    if (!p->entry)
        return FAIL(E_NOTHING);
    p->row = arena_get(p->arena, (size_t)p->limit * sizeof *p->row);
    if (!p->row)
        return FAIL(E_NOMEM);
    struct err e = nz_spool_frames(p->entry, NZ_SPOOL_RESULTS, NZ_SPOOL_READ, &s.f);
    if (err_is(e, E_NOTHING) && p->at.rows >= p->t->checkpoint) { /* none yet */
        p->at_end = true;
        return OK;
    }
    TRY(e);
    buf_init(&s.plain, KEEP_FRAMES + NZ_FRAME_PLAIN);
    while (err_ok(e) && more && p->n < p->limit && s.looked < SCAN_MAX)
        e = scan_one(&s, &more);
    if (s.next.rows >= p->t->checkpoint)
        p->at_end = true;
    p->at = s.next;
    buf_done(&s.plain);
    nz_frames_close(s.f);
    return e;
}

struct err nz_results_error(struct err e)
{
    bool lost = err_is(e, E_NOTHING) || err_is(e, E_SEAL) || err_is(e, E_FORBIDDEN);
    return lost ? FAIL(E_RESULTS_LOST) : e;
}

/* ---- what ended later ---- */

static void page_fn(struct nz_page *p, struct err e)
{
    if (err_ok(e) && p->only_failed) {
        size_t kept = 0;
        for (size_t i = 0; i < p->n; i++) {
            if (failed(&p->row[i].result))
                p->row[kept++] = p->row[i];
        }
        p->n = kept;
    }
    p->fn(p->arg, e);
}

static ERR merge(struct nz_page *p, const struct redis_reply *values)
{
    size_t at = 0;
    for (size_t i = 0; i < p->n; i++) {
        if (!may_change(&p->row[i].result))
            continue;
        struct slice stored = arena_dup(p->arena, redis_reply_str(redis_reply_at(values, at++)));
        TRY(arena_check(p->arena));
        if (stored.n)
            TRY(nz_row_result_decode(stored, &p->row[i].result));
    }
    return OK;
}

static void later_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_page *p = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = merge(p, replies[0]);
    page_fn(p, e);
}

static void page_deferred(void *arg) { page_fn(arg, OK); }

void nz_page_read(struct nz_page *p)
{
    p->n = 0;
    p->at_end = false;
    struct err e = scan_page(p);
    size_t n = 0;
    for (size_t i = 0; err_ok(e) && i < p->n; i++)
        n += may_change(&p->row[i].result);
    if (!err_ok(e) || !n) {
        if (!err_ok(e) || !err_ok(loop_defer(p->in->loop, page_deferred, p)))
            page_fn(p, err_ok(e) ? FAIL(E_BUSY) : e);
        return;
    }
    struct redis_batch *b = redis_batch_new(64 * 1024);
    if (!b) {
        page_fn(p, FAIL(E_NOMEM));
        return;
    }
    struct store_name tr;
    nz_name_task("tr", p->muni, &p->t->task.id, &tr);
    redis_begin(b, 2 + n);
    redis_arg(b, LIT("HMGET"));
    redis_arg(b, store_name_slice(&tr));
    for (size_t i = 0; i < p->n; i++) {
        if (may_change(&p->row[i].result))
            redis_arg_u64(b, p->row[i].row);
    }
    redis_send(p->in->redis, b, p->deadline, later_read, p);
}
