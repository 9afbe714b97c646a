/* Rows about residents who were erased after the file was received. While nobody is, a run asks once: from then on the script that writes a batch notices it
 * (script.h), and the batch is judged again. A dry run writes none, and asks each time. */

#include "keys/bulk/work.h"

#include "keys/intake/erased.h"

enum { ASK_ROOM = NZ_BULK_ROWS * 512, ROW_NAMES = 2 };

struct look {
    bool (*asks)(const struct nz_batch *b, const struct nz_brow *x);
    enum nz_step step, next;
    bool finds_diverted; /* nobody has looked yet whether an earlier run put the row off */
};

/* ---- a row ---- */

static bool may_be_linked(const struct nz_batch *b, const struct nz_brow *x)
{
    (void)b;
    return x->pass && x->has_rk;
}

/* Its result is open, or will be that it waits or is held. */
static bool may_be_written(const struct nz_batch *b, const struct nz_brow *x)
{
    return bulk__turn(b, x) && !x->was_diverted && (bulk__open_row(b, x) || x->diverted || x->held);
}

static size_t names_of(const struct nz_batch *b, const struct nz_brow *x, struct slice ret_hex[static ROW_NAMES])
{
    size_t n = 0;
    if (x->has_rk)
        ret_hex[n++] = ARR(x->rk);
    if (x->keyed && bulk__open_row(b, x))
        ret_hex[n++] = ARR(x->person.h);
    return n;
}

static bool is_gone(const struct nz_batch *b, const struct nz_brow *x, const struct redis_reply *scores, size_t *io_at)
{
    struct slice hex[ROW_NAMES];
    bool gone = false;
    for (size_t n = names_of(b, x, hex); n; n--)
        gone |= nz_erased_since(scores, (*io_at)++, b->run->t.accepted_ms);
    return gone;
}

static bool finds_diverted(const struct look *l, const struct nz_batch *b, const struct nz_brow *x)
{
    return l->finds_diverted && b->run->t.mode == NZ_MODE_APPLY && bulk__may_be_diverted(b, x);
}

static void forgotten(void *arg, struct err e, bool there) { (void)arg, (void)e, (void)there; }

/* The number that this row brought back to the vault. One that stays leads nowhere. */
static void forget(const struct nz_batch *b, const struct nz_brow *x)
{
    struct req_id id;
    rnd_bytes(id.b, sizeof id.b);
    if (x->made && b->run->t.mode == NZ_MODE_APPLY)
        nz_vault_erase(b->run->in->vault, b->run->muni, &x->subject, id, bulk__deadline(b->run), forgotten, NULL);
}

/* For good: it is never judged again. */
static void refuse(const struct nz_batch *b, struct nz_brow *x)
{
    forget(b, x);
    bulk__refuse(x, NZ_CODE_ERASED_SINCE);
    x->diverted = x->held = x->tie_person = x->tie_key = x->tie_rk = false;
    x->sealed_n = x->key_n = 0;
    x->with_row = 0;
    x->changed = SLICE_NONE;
    x->pass = 0;
}

/* ---- the question ---- */

static struct redis_batch *question(const struct nz_batch *b, const struct look *l)
{
    const struct nz_run *r = b->run;
    struct slice hex[ROW_NAMES * NZ_BULK_ROWS];
    size_t n = 0;
    struct redis_batch *out = redis_batch_new(ASK_ROOM);
    if (!out)
        return NULL;
    for (size_t i = 0; i < b->n; i++)
        n += l->asks(b, &b->row[i]) ? names_of(b, &b->row[i], hex + n) : 0;
    nz_erased_count(out, r->muni, r->t.accepted_ms);
    nz_erased_ask(out, r->muni, hex, n);
    for (size_t i = 0; i < b->n; i++) {
        char digits[10];
        const struct slice row = slice_of(digits, nz_row_format(b->row[i].row.row, digits));
        if (!l->asks(b, &b->row[i]) || !finds_diverted(l, b, &b->row[i]))
            continue;
        REDIS_ADD(out, LIT("HGET"), store_name_slice(&r->name_tr), row);
        REDIS_ADD(out, LIT("HEXISTS"), store_name_slice(&r->name_o), row);
    }
    return out;
}

/* ---- the answer ---- */

static ERR fits(const struct nz_batch *b, const struct look *l, const struct redis_reply *const *replies, size_t n)
{
    struct slice hex[ROW_NAMES];
    size_t names = 0, need = 2;
    for (size_t i = 0; i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        if (!l->asks(b, x))
            continue;
        names += names_of(b, x, hex);
        need += finds_diverted(l, b, x) ? 2 : 0;
    }
    if (n != need || redis_reply_type(replies[0]) != REDIS_INT)
        return FAIL(E_STORE_REFUSED);
    return nz_erased_check(replies[1], names);
}

static void heard(struct nz_batch *b, const struct look *l, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = b->run;
    size_t name = 0, at = 2;
    if (err_ok(e))
        e = fits(b, l, replies, n);
    if (!err_ok(e)) {
        bulk__batch_again(b, l->step, e);
        return;
    }
    b->erased = r->erased = (uint64_t)redis_reply_int(replies[0]);
    r->erased_known = true;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!l->asks(b, x))
            continue;
        const bool gone = is_gone(b, x, replies[1], &name), looks = finds_diverted(l, b, x);
        if (gone && looks && bulk__was_diverted(x, replies[at], replies[at + 1]))
            x->pass = 0;
        else if (gone)
            refuse(b, x);
        at += looks ? 2 : 0;
    }
    bulk__batch_go(b, l->next);
}

/* ---- the steps ---- */

static const struct look FIRST = { may_be_linked, NZ_STEP_ERASED, NZ_STEP_LINK, true };
static const struct look LAST = { may_be_written, NZ_STEP_GONE, NZ_STEP_RECORDS, false };

static void first_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n) { heard(arg, &FIRST, e, replies, n); }
static void last_heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n) { heard(arg, &LAST, e, replies, n); }

static bool ask(struct nz_batch *b, const struct look *l, redis_done_fn *done)
{
    struct redis_batch *out = question(b, l);
    if (!out) {
        bulk__batch_again(b, l->step, FAIL(E_NOMEM));
        return false;
    }
    b->busy = true;
    redis_send(b->run->in->redis, out, bulk__deadline(b->run), done, b);
    return false;
}

bool bulk__step_erased(struct nz_batch *b)
{
    const struct nz_run *r = b->run;
    const bool nobody = r->erased_known && !r->erased && r->t.mode == NZ_MODE_APPLY;
    b->erased = r->erased;
    return r->t.task.form == NZ_FORM_CHANGE || nobody || ask(b, &FIRST, first_heard);
}

bool bulk__step_gone(struct nz_batch *b) { return (!b->redo && !b->erased) || ask(b, &LAST, last_heard); }
