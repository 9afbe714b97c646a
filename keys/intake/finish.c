/* The ends of a row that are not an apply: a later attempt, or held for an officer. */

#include "keys/intake/task.h"
#include "keys/intake/meter.h"
#include "keys/intake/work.h"

#include <stdlib.h>

enum { U64_DIGITS = 20, HOLD_ROWS = 64 };

static struct slice decimal(uint64_t v, char out[static U64_DIGITS])
{
    size_t at = U64_DIGITS;
    do
        out[--at] = (char)('0' + v % 10);
    while (v /= 10);
    return slice_of(out + at, U64_DIGITS - at);
}

/* ---- the commands that finish a row ---- */

/* The stored template of the row holds its warnings; the outcome is added. */
static void result_write(const struct nz_job *j, const struct nz_verdict *v, struct buf *out)
{
    struct nz_row_result r;
    if (!err_ok(nz_row_result_decode(j->p.result, &r)))
        r = (struct nz_row_result){ 0 };
    r.result = v->result;
    r.code = v->code;
    r.with_row = 0; /* what it clashed with when it came is over */
    nz_row_result_encode(&r, out);
}

void nz_finish_row(struct redis_batch *b, const struct nz_job *j, const struct nz_verdict *v, struct nz_changes *c, bool drop_payload,
                   uint64_t now_ms)
{
    struct store_name t, tr, o;
    struct nz_member member;
    char digits[10], now[U64_DIGITS];
    const struct slice row = slice_of(digits, nz_row_format(j->ref.row, digits));
    nz_name_task("t", j->ref.muni, &j->ref.task, &t);
    nz_name_task("tr", j->ref.muni, &j->ref.task, &tr);
    nz_name_task("o", j->ref.muni, &j->ref.task, &o);
    nz_member_write(&j->ref, &member);
    struct buf result;
    buf_init(&result, NZ_ROW_RESULT_MAX);
    result_write(j, v, &result);
    NZ_CHANGE(c, LIT("HSET"), store_name_slice(&tr), row, buf_slice(&result));
    NZ_CHANGE(c, LIT("HINCRBY"), store_name_slice(&t), slice_str(nz_result_name(v->result)), LIT("1"));
    NZ_CHANGE(c, LIT("HSET"), store_name_slice(&t), LIT(NZ_TASK_MOVED), decimal(now_ms, now));
    if (drop_payload)
        NZ_CHANGE(c, LIT("HDEL"), store_name_slice(&o), row);
    NZ_CHANGE(c, LIT("ZREM"), nz_queue_name(j->queue), nz_member_slice(&member));
    nz_changes_send(c, j->queue, &member, b);
    buf_done(&result);
}

/* ---- held for an officer ---- */

struct hold {
    struct nz_outbox *o;
    struct nz_verdict v;
    unsigned under_way;
    struct err failed;
    size_t n;
    struct nz_job *job[HOLD_ROWS];
};

static void hold_end(struct hold *h, struct err e)
{
    struct nz_outbox *o = h->o;
    for (size_t i = 0; i < h->n; i++) {
        nz_meter_rows(o->in, h->job[i]->ref.muni, h->v.result, err_ok(e));
        nz_window_drop(o, h->job[i]);
    }
    free(h);
    if (!err_ok(e))
        nz_outbox_trouble(o, e);
    nz_outbox_tick(o);
}

static void hold_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    hold_end(arg, e);
}

static void hold_store(struct hold *h)
{
    struct nz_outbox *o = h->o;
    struct redis_batch *b = redis_batch_new(h->n * (4096 + NZ_ROW_RESULT_MAX) + 4096);
    if (!b) {
        hold_end(h, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("MULTI"));
    for (size_t i = 0; i < h->n; i++) {
        struct nz_changes none = { 0 };
        nz_finish_row(b, h->job[i], &h->v, &none, false, clock_wall(loop_clock(o->in->loop)));
    }
    REDIS_ADD(b, LIT("EXEC"));
    redis_send(o->in->redis, b, nz_outbox_deadline(o), hold_stored, h);
}

static void hold_audited(void *arg, struct err e)
{
    struct hold *h = arg;
    if (!err_ok(e) && err_ok(h->failed))
        h->failed = e;
    if (--h->under_way)
        return;
    if (err_ok(h->failed))
        hold_store(h);
    else
        hold_end(h, h->failed);
}

static bool same_muni(const struct nz_job *a, const struct nz_job *b) { return slice_eq(ARR(a->ref.muni), ARR(b->ref.muni)); }

/* One audit record for each municipality, then all rows in one transaction. */
static void hold_start(struct hold *h)
{
    h->under_way = 1; /* until all records are on their way */
    for (size_t i = 0; i < h->n; i++) {
        bool first = true;
        uint32_t n = 0;
        for (size_t k = 0; k < h->n; k++) {
            bool same = same_muni(h->job[k], h->job[i]);
            first = first && !(same && k < i);
            n += same;
        }
        if (!first)
            continue;
        struct audit_rec rec = nz_outbox_audit(h->o->in, AU_ROW_QUARANTINED, h->job[i]->ref.muni, n);
        h->under_way++;
        audit_append(h->o->in->audit, &rec, nz_outbox_deadline(h->o), hold_audited, h);
    }
    h->under_way--; /* records are answered from the loop, never before audit_append() returned */
}

void nz_hold_jobs(struct nz_outbox *o, struct nz_jobs *jobs, enum nz_code code)
{
    struct nz_job *j;
    /* What was sealed for a municipality that is closed cannot be released by anybody. */
    const struct nz_verdict v = { .result = code == NZ_CODE_MUNI_CLOSED ? NZ_REFUSED : NZ_QUARANTINED, .code = code };
    while (!TAILQ_EMPTY(jobs)) {
        struct hold *h = calloc(1, sizeof *h);
        while ((!h || h->n < HOLD_ROWS) && (j = TAILQ_FIRST(jobs))) {
            TAILQ_REMOVE(jobs, j, at);
            if (h)
                h->job[h->n++] = j;
            else
                nz_window_drop(o, j);
        }
        if (!h) {
            nz_outbox_trouble(o, FAIL(E_NOMEM));
            return;
        }
        h->o = o;
        h->v = v;
        hold_start(h);
    }
}

void nz_hold_job(struct nz_outbox *o, struct nz_job *j, enum nz_code code)
{
    struct nz_jobs one = TAILQ_HEAD_INITIALIZER(one);
    TAILQ_INSERT_TAIL(&one, j, at);
    nz_hold_jobs(o, &one, code);
}

void nz_hold_subject(struct nz_outbox *o, struct nz_subj *s, enum nz_code code)
{
    struct nz_jobs all = TAILQ_HEAD_INITIALIZER(all);
    nz_window_hold(s);
    nz_window_orphan(o, s);
    TAILQ_CONCAT(&all, &s->waiting, at);
    nz_hold_jobs(o, &all, code);
    nz_window_unhold(o, s);
}

void nz_take_old(struct nz_outbox *o, struct nz_subj *s, struct nz_jobs *old)
{
    const uint64_t now = clock_wall(loop_clock(o->in->loop));
    struct nz_job *next;
    for (struct nz_job *j = TAILQ_FIRST(&s->waiting); j; j = next) {
        struct record rec;
        next = TAILQ_NEXT(j, at);
        if (!err_ok(record_decode(j->p.record, &rec)) ||
            !nz_gave_up(nz_waited_ms(now, j->p.since_ms, rec.stored_ms), o->in->conf.give_up_hours))
            continue;
        TAILQ_REMOVE(&s->waiting, j, at);
        TAILQ_INSERT_TAIL(old, j, at);
    }
}

/* On which basis the gateway acts by itself. A change was ordered by a caller who was judged then; the start is nobody's. */
static struct basis_fit own_basis(const struct nz_intake *in, enum audit_event event)
{
    if (event == AU_PROCESS_START)
        return (struct basis_fit){ 0 };
    if (event == AU_RESIDENT_CHANGED)
        return basis_judge(in->basis, CALLER_MUNICIPALITY, SLICE_NONE, LIT("postResidentChangeTasks"), SLICE_NONE, 0);
    struct slice act = event == AU_NUMBERING ? LIT("requestPmhKeys") : LIT("carryOutRows");
    return basis_judge(in->basis, CALLER_GATEWAY, SLICE_NONE, act, SLICE_NONE, 0);
}

struct audit_rec nz_outbox_audit(const struct nz_intake *in, enum audit_event event, const char muni[static 6], uint32_t count)
{
    struct audit_rec rec = { .event = event, .result = event == AU_ROW_QUARANTINED ? AR_FAILED : AR_OK, .count = count };
    audit_set_actor(&rec, LIT("intake"));
    memcpy(rec.muni, muni, sizeof rec.muni);
    basis_note(&rec, own_basis(in, event));
    return rec;
}

/* ---- a later attempt ---- */

struct retry {
    struct nz_outbox *o;
    size_t n;
    struct nz_subj *subj[];
};

static void retry_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct retry *r = arg;
    struct nz_outbox *o = r->o;
    (void)replies, (void)n;
    for (size_t i = 0; i < r->n; i++)
        nz_window_release(o, r->subj[i]);
    free(r);
    if (!err_ok(e))
        nz_outbox_trouble(o, e);
    nz_outbox_dirty(o);
    nz_outbox_tick(o);
}

ERR nz_tickets_store(struct nz_outbox *o, struct redis_batch *b, struct nz_job *j)
{
    struct store_name name;
    struct nz_changes c = { 0 };
    struct nz_member member;
    char digits[10];
    const struct slice row = slice_of(digits, nz_row_format(j->ref.row, digits));
    nz_member_write(&j->ref, &member);
    nz_name_task("o", j->ref.muni, &j->ref.task, &name);
    struct buf plain, sealed;
    buf_init(&plain, NZ_PAYLOAD_MAX);
    buf_init(&sealed, NZ_PAYLOAD_MAX + AEAD_OVERHEAD);
    nz_payload_encode(&j->p, &plain);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(o->in->store, slice_of(j->ref.muni, 6), &name, row, buf_slice(&plain), &sealed);
    if (err_ok(e)) {
        NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&name), row, buf_slice(&sealed));
        nz_changes_send(&c, j->queue, &member, b);
    }
    buf_done(&plain);
    buf_done(&sealed);
    if (err_ok(e))
        j->tickets_changed = false;
    return e;
}

static ERR retry_job(struct nz_outbox *o, struct redis_batch *b, struct nz_job *j, uint64_t now)
{
    struct nz_member member;
    struct store_name t;
    struct nz_changes c = { 0 };
    const struct conf *conf = &o->in->conf;
    struct record rec;
    char due[U64_DIGITS], failed[U64_DIGITS];
    TRY(record_decode(j->p.record, &rec));
    uint64_t age = nz_waited_ms(now, j->p.since_ms, rec.stored_ms);
    nz_member_write(&j->ref, &member);
    nz_name_task("t", j->ref.muni, &j->ref.task, &t);
    const struct slice score = decimal(now + nz_backoff_ms(age, conf->retry_min_ms, conf->retry_max_ms, nz_random()), due);
    NZ_CHANGE(&c, LIT("ZADD"), nz_queue_name(j->queue), score, nz_member_slice(&member));
    NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&t), LIT(NZ_TASK_FAILED), decimal(now, failed));
    nz_changes_send(&c, j->queue, &member, b);
    return j->tickets_changed ? nz_tickets_store(o, b, j) : OK;
}

static void retry_subjects(struct nz_outbox *o, struct nz_subj *const *s, size_t n)
{
    struct retry *r = malloc(sizeof *r + n * sizeof r->subj[0]);
    struct redis_batch *b = redis_batch_new((size_t)NZ_WINDOW * (NZ_PAYLOAD_MAX / 8));
    struct err e = r && b ? OK : FAIL(E_NOMEM);
    uint64_t now = clock_wall(loop_clock(o->in->loop));
    for (size_t i = 0; err_ok(e) && i < n; i++) {
        struct nz_job *j;
        TAILQ_FOREACH(j, &s[i]->waiting, at) {
            if (err_ok(e))
                e = retry_job(o, b, j, now);
        }
    }
    if (err_ok(e)) {
        r->o = o;
        r->n = n;
        memcpy(r->subj, s, n * sizeof r->subj[0]);
        redis_send(o->in->redis, b, nz_outbox_deadline(o), retry_stored, r);
        return;
    }
    free(r);
    redis_batch_free(b);
    for (size_t i = 0; i < n; i++)
        nz_window_release(o, s[i]);
    nz_outbox_trouble(o, e);
}

void nz_retry_subjects(struct nz_outbox *o, struct nz_subj **s, size_t n)
{
    struct nz_jobs old = TAILQ_HEAD_INITIALIZER(old);
    size_t left = 0;
    for (size_t i = 0; i < n; i++) {
        nz_take_old(o, s[i], &old);
        if (TAILQ_EMPTY(&s[i]->waiting))
            nz_window_orphan(o, s[i]); /* ends with the rows that are held */
        else
            s[left++] = s[i];
    }
    if (left)
        retry_subjects(o, s, left);
    nz_hold_jobs(o, &old, NZ_CODE_DEAD);
}
