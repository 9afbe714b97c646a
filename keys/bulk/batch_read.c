/* What redis-link holds about the rows of a batch. Rows whose subject the vault made just now are not read: nothing can be stored about
 * them, and the script that writes them looks once more. */

#include "keys/bulk/work.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/vaccine/ticket_index.h"

enum { SID_HEX = 2 * SUBJECT_BYTES, READ_ROOM = NZ_BULK_ROWS * 1024 };

static void sid_hex(const struct nz_brow *x, char out[static SID_HEX])
{
    struct store_name name;
    store_name_subject(x->subject.sid, &name);
    memcpy(out, name.c + name.n - SID_HEX, SID_HEX);
}

void bulk__name_rk(const struct nz_run *r, const struct nz_brow *x, struct store_name *ret_k)
{
    memcpy(ret_k->c, "rk:", 3);
    memcpy(ret_k->c + 3, r->muni, 6);
    ret_k->c[9] = ':';
    memcpy(ret_k->c + 10, x->rk, NZ_RK_HEX);
    ret_k->n = 10 + NZ_RK_HEX;
}

/* What was read of a row's ties, until the row is judged. */
struct nz_brow_ties { struct slice rk_of_sid, sid_of_rk, to, key; };

static bool reads_ties(const struct nz_batch *b, const struct nz_brow *x) { return bulk__open_row(b, x) && !x->fresh; }
bool bulk__may_be_diverted(const struct nz_batch *b, const struct nz_brow *x)
{
    return b->redo || (uint64_t)x->row.row <= b->run->redo_until;
}

/* ---- ties ---- */

static struct redis_batch *ties_batch(struct nz_batch *b)
{
    struct nz_run *r = b->run;
    struct redis_batch *out = redis_batch_new(READ_ROOM);
    for (size_t i = 0; out && i < b->n; i++) {
        const struct nz_brow *x = &b->row[i];
        struct store_name name;
        if (!reads_ties(b, x))
            continue;
        store_name_subject(x->subject.sid, &name);
        REDIS_ADD(out, LIT("HMGET"), store_name_slice(&name), LIT("k"), LIT("rk"), LIT("to"));
        if (x->has_rk) {
            bulk__name_rk(r, x, &name);
            REDIS_ADD(out, LIT("GET"), store_name_slice(&name));
        }
        if (!bulk__may_be_diverted(b, x) || r->t.mode != NZ_MODE_APPLY)
            continue;
        redis_begin(out, 3);
        redis_arg(out, LIT("HGET"));
        redis_arg(out, store_name_slice(&r->name_tr));
        redis_arg_u64(out, x->row.row);
        redis_begin(out, 3);
        redis_arg(out, LIT("HEXISTS"));
        redis_arg(out, store_name_slice(&r->name_o));
        redis_arg_u64(out, x->row.row);
    }
    return out;
}

/* The row went to the outbox, or was held, before a crash: it is not ours any more, whatever became of it. */
bool bulk__was_diverted(struct nz_brow *x, const struct redis_reply *result, const struct redis_reply *payload)
{
    struct nz_row_result was;
    struct slice stored = redis_reply_str(result);
    if (!stored.n && !redis_reply_int(payload))
        return false;
    x->diverted = x->was_diverted = true;
    if (stored.n && err_ok(nz_row_result_decode(stored, &was)) && was.result == NZ_QUARANTINED) {
        x->verdict = (struct nz_verdict){ .result = NZ_QUARANTINED, .code = was.code };
        x->counted = true;
    }
    return true;
}

static ERR key_open(struct nz_batch *b, struct nz_brow *x, struct slice sealed)
{
    struct store_name name;
    struct buf *key = &b->run->work;
    if (!sealed.n)
        return OK;
    buf_reset(key);
    store_name_subject(x->subject.sid, &name);
    TRY(store_open(b->run->in->store, slice_of(b->run->muni, 6), &name, LIT("k"), sealed, key));
    if (key->n == 0 || key->n > PMH_KEY_MAX)
        return FAIL(E_SEAL);
    memcpy(x->key, key->p, key->n);
    x->key[key->n] = 0;
    x->keyed = x->key_stored = true;
    return OK;
}

static void ties_keep(struct nz_batch *b, struct nz_brow *x, const struct nz_ties *t)
{
    x->ties = arena_get(b->arena, sizeof *x->ties);
    if (x->ties)
        *x->ties = (struct nz_brow_ties){ arena_dup(b->arena, t->rk_of_sid), arena_dup(b->arena, t->sid_of_rk), arena_dup(b->arena, t->to), SLICE_NONE };
}

static void seen_keep(struct nz_batch *b, struct nz_brow *x, const struct nz_ties *t)
{
    x->seen = arena_get(b->arena, sizeof *x->seen);
    if (x->seen)
        nz_judge_seen(t, x->seen);
}

static void ties_row(struct nz_batch *b, struct nz_brow *x, const struct redis_reply *subject, const struct redis_reply *owner)
{
    char sid[SID_HEX];
    sid_hex(x, sid);
    const struct nz_ties t = {
        .sid = ARR(sid),
        .rk = x->has_rk ? ARR(x->rk) : SLICE_NONE,
        .rk_of_sid = redis_reply_str(redis_reply_at(subject, 1)),
        .sid_of_rk = owner ? redis_reply_str(owner) : SLICE_NONE,
        .to = redis_reply_str(redis_reply_at(subject, 2)),
    };
    struct nz_verdict v = nz_judge_ties(&t);
    ties_keep(b, x, &t);
    x->key_stored = false;
    x->seen = NULL;
    struct err e = key_open(b, x, redis_reply_str(redis_reply_at(subject, 0)));
    if (!err_ok(e)) {
        LOG(ERROR, "stored_value_unreadable", LF("error", e));
        bulk__hold(x, NZ_CODE_UNREADABLE);
    } else if (v.result != NZ_WAITING) {
        seen_keep(b, x, &t);
        bulk__hold(x, v.code);
    }
}

static void ties_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!reads_ties(b, x))
            continue;
        bool redo = bulk__may_be_diverted(b, x) && b->run->t.mode == NZ_MODE_APPLY;
        size_t need = 1u + x->has_rk + 2u * redo;
        if (n - at < need) {
            e = FAIL(E_STORE_REFUSED);
            break;
        }
        const struct redis_reply *owner = x->has_rk ? replies[at + 1] : NULL;
        if (!redo || !bulk__was_diverted(x, replies[at + need - 2], replies[at + need - 1]))
            ties_row(b, x, replies[at], owner);
        at += need;
    }
    if (err_ok(e))
        e = arena_check(b->arena);
    if (err_ok(e))
        bulk__batch_go(b, NZ_STEP_NUMBER);
    else
        bulk__batch_again(b, NZ_STEP_TIES, e);
}

bool bulk__step_ties(struct nz_batch *b)
{
    struct redis_batch *out;
    bool any = false;
    for (size_t i = 0; !any && i < b->n; i++)
        any = reads_ties(b, &b->row[i]);
    if (!any)
        return true;
    out = ties_batch(b);
    if (!out) {
        bulk__batch_again(b, NZ_STEP_TIES, FAIL(E_NOMEM));
        return false;
    }
    b->busy = true;
    redis_send(b->run->in->redis, out, bulk__deadline(b->run), ties_came, b);
    return false;
}

/* ---- records ---- */

static void ties_of(const struct nz_brow *x, const char sid[static SID_HEX], struct nz_ties *ret)
{
    *ret = (struct nz_ties){ .sid = slice_of(sid, SID_HEX), .rk = x->has_rk ? ARR(x->rk) : SLICE_NONE };
    if (x->fresh || !x->ties)
        return;
    ret->rk_of_sid = x->ties->rk_of_sid;
    ret->sid_of_rk = x->ties->sid_of_rk;
    ret->to = x->ties->to;
}

static ERR judge(struct nz_batch *b, struct nz_brow *x, const struct nz_seen *seen)
{
    char sid[SID_HEX];
    struct nz_ties ties;
    sid_hex(x, sid);
    ties_of(x, sid, &ties);
    return bulk__judge(b, x, &ties, x->key_stored ? slice_str(x->key) : SLICE_NONE, seen);
}

static void scan(const struct nz_run *r, const struct nz_brow *x, const struct redis_reply *hash, struct nz_seen *s)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i)), value = redis_reply_str(redis_reply_at(hash, i + 1));
        enum store_kind kind;
        struct slice muni;
        if (slice_eq(field, store_name_slice(&x->field)))
            s->record = value;
        else if (slice_eq(field, store_name_slice(&r->field_s)))
            s->subject = value;
        else if (store_field_kind(field, &kind, &muni) && slice_eq(muni, slice_of(r->muni, 6))) {
            s->sibling = value;
            s->sibling_field = field;
        }
    }
}

static bool reads_record(const struct nz_batch *b, const struct nz_brow *x) { return bulk__open_row(b, x) && x->keyed && !x->fresh; }

static void records_end(struct nz_batch *b, struct err e)
{
    if (err_ok(e))
        bulk__batch_go(b, NZ_STEP_TICKETS);
    else
        bulk__batch_again(b, NZ_STEP_RECORDS, e);
}

/* Rows whose own record is not there, of people that the municipality knows: another record tells whether it is the same person. */
static void siblings_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        struct nz_seen seen = { 0 };
        if (!reads_record(b, x))
            continue;
        if (at == n) {
            e = FAIL(E_STORE_REFUSED);
            break;
        }
        scan(b->run, x, replies[at++], &seen);
        e = judge(b, x, &seen);
    }
    records_end(b, e);
}

static ERR read_siblings(struct nz_batch *b)
{
    struct redis_batch *out = redis_batch_new(READ_ROOM);
    if (!out)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < b->n; i++) {
        struct store_name name;
        if (!reads_record(b, &b->row[i]))
            continue;
        store_name_person(&b->row[i].person, &name);
        REDIS_ADD(out, LIT("HGETALL"), store_name_slice(&name));
    }
    redis_send(b->run->in->redis, out, bulk__deadline(b->run), siblings_came, b);
    return OK;
}

static bool is_of_another(const struct nz_brow *x, struct slice owner)
{
    struct store_name person;
    store_name_person(&x->person, &person);
    return owner.n && !slice_eq(owner, store_name_slice(&person));
}

static void records_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    size_t at = 0;
    bool more = false;
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!reads_record(b, x))
            continue;
        if (n - at < 1u + (x->ticket_index.n > 0)) {
            e = FAIL(E_STORE_REFUSED);
            break;
        }
        const struct redis_reply *two = replies[at++];
        x->ticket_taken = x->ticket_index.n && is_of_another(x, redis_reply_str(replies[at++]));
        struct nz_seen seen = { .record = redis_reply_str(redis_reply_at(two, 0)), .subject = redis_reply_str(redis_reply_at(two, 1)) };
        if (seen.subject.n && !seen.record.n)
            more = true;
        else
            e = judge(b, x, &seen);
    }
    if (err_ok(e) && more) {
        e = read_siblings(b);
        if (err_ok(e))
            return;
    }
    records_end(b, e);
}

static ERR judge_fresh(struct nz_batch *b, bool *ret_any)
{
    const struct nz_seen nothing = { .record = SLICE_NONE };
    *ret_any = false;
    for (size_t i = 0; i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!bulk__open_row(b, x) || !x->keyed)
            continue;
        if (x->fresh)
            TRY(judge(b, x, &nothing));
        else
            *ret_any = true;
    }
    return OK;
}

bool bulk__step_records(struct nz_batch *b)
{
    bool any;
    struct err e = judge_fresh(b, &any);
    if (err_ok(e) && !any)
        return true;
    struct redis_batch *out = err_ok(e) ? redis_batch_new(READ_ROOM) : NULL;
    if (!out) {
        bulk__batch_again(b, NZ_STEP_RECORDS, err_ok(e) ? FAIL(E_NOMEM) : e);
        return false;
    }
    for (size_t i = 0; i < b->n; i++) {
        struct store_name name;
        if (!reads_record(b, &b->row[i]))
            continue;
        store_name_person(&b->row[i].person, &name);
        REDIS_ADD(out, LIT("HMGET"), store_name_slice(&name), store_name_slice(&b->row[i].field), store_name_slice(&b->run->field_s));
        if (b->row[i].ticket_index.n)
            ticket_index_ask(&b->row[i].ticket_index, out);
    }
    b->busy = true;
    redis_send(b->run->in->redis, out, bulk__deadline(b->run), records_came, b);
    return false;
}
