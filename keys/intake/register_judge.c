/* The rows of a registration against what redis-link holds: who has a PMH key, and whose resident key is whose. */

#include "keys/intake/judge.h"
#include "keys/intake/register.h"

#include "gateway/base/text.h"

enum { ROWS_PER_BATCH = 500 };

struct part { /* rows [from, to) in one batch of reads */
    struct nz_reg *g;
    size_t from, to;
};

static void judge_row(struct nz_reg_row *x, const struct redis_reply *subject, const struct redis_reply *owner)
{
    char sid[2 * SUBJECT_BYTES];
    struct store_name name;
    store_name_subject(x->subject.sid, &name);
    memcpy(sid, name.c + name.n - sizeof sid, sizeof sid);
    x->has_key = redis_reply_str(redis_reply_at(subject, 0)).n > 0;
    struct nz_ties ties = {
        .sid = ARR(sid),
        .rk = nz_reg_rk_hex(x),
        .rk_of_sid = redis_reply_str(redis_reply_at(subject, 1)),
        .sid_of_rk = owner ? redis_reply_str(owner) : SLICE_NONE,
        .to = redis_reply_str(redis_reply_at(subject, 2)),
    };
    struct nz_verdict v = nz_judge_ties(&ties);
    if (v.result == NZ_WAITING || x->result != NZ_WAITING)
        return; /* held for another row of the request: what is stored is looked at when it is released */
    x->result = v.result;
    x->code = v.code;
    nz_judge_seen(&ties, &x->seen);
}

static void part_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct part *p = arg;
    struct nz_reg *g = p->g;
    size_t at = 0;
    for (size_t i = p->from; err_ok(e) && i < p->to; i++) {
        struct nz_reg_row *x = &g->x[i];
        if (!x->linked)
            continue;
        size_t need = x->rk.n ? 2 : 1;
        if (n - at < need) {
            e = FAIL(E_STORE_REFUSED);
            break;
        }
        judge_row(x, replies[at], x->rk.n ? replies[at + 1] : NULL);
        at += need;
    }
    if (!err_ok(e) && err_ok(g->failed))
        g->failed = e;
    if (--g->under_way)
        return;
    if (err_ok(g->failed))
        nz_reg_tickets(g);
    else
        req_fail(g->r, g->failed);
}

static struct redis_batch *part_batch(const struct part *p)
{
    struct redis_batch *b = redis_batch_new(ROWS_PER_BATCH * 512);
    for (size_t i = p->from; b && i < p->to; i++) {
        const struct nz_reg_row *x = &p->g->x[i];
        if (!x->linked)
            continue;
        struct store_name s;
        store_name_subject(x->subject.sid, &s);
        REDIS_ADD(b, LIT("HMGET"), store_name_slice(&s), LIT("k"), LIT("rk"), LIT("to"));
        if (x->rk.n)
            REDIS_ADD(b, LIT("GET"), store_name_slice(&x->rk));
    }
    return b;
}

static bool part_send(struct nz_reg *g, size_t from, size_t to)
{
    struct part *p = arena_get(req_arena(g->r), sizeof *p);
    if (!p)
        return false;
    *p = (struct part){ g, from, to };
    struct redis_batch *b = part_batch(p);
    if (!b)
        return false;
    if (redis_batch_count(b) == 0) {
        redis_batch_free(b);
        return true;
    }
    g->under_way++;
    redis_send(g->in->redis, b, nz_req_step(g->r, NZ_READ_MS, true), part_read, p);
    return true;
}

void nz_reg_judge(struct nz_reg *g)
{
    for (size_t from = 0; from < g->rows->n; from += ROWS_PER_BATCH) {
        size_t to = from + ROWS_PER_BATCH < g->rows->n ? from + ROWS_PER_BATCH : g->rows->n;
        if (!part_send(g, from, to)) {
            g->failed = FAIL(E_NOMEM);
            break;
        }
    }
    if (g->under_way)
        return;
    if (err_ok(g->failed))
        nz_reg_tickets(g);
    else
        req_fail(g->r, g->failed);
}
