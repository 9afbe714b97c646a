/* The ends of a row that are not an apply: a later attempt, or held for an officer. */

#include "keys/intake/task.h"
#include "keys/intake/work.h"

#include <stdlib.h>

enum { U64_DIGITS = 20 };

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
    struct nz_job *j;
    struct nz_verdict v;
};

static void hold_end(struct hold *h, struct err e)
{
    struct nz_outbox *o = h->o;
    nz_window_drop(o, h->j);
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

static void hold_audited(void *arg, struct err e)
{
    struct hold *h = arg;
    struct nz_outbox *o = h->o;
    struct redis_batch *b = err_ok(e) ? redis_batch_new(8192) : NULL;
    if (!b) {
        hold_end(h, err_ok(e) ? FAIL(E_NOMEM) : e);
        return;
    }
    struct nz_changes none = { 0 };
    REDIS_ADD(b, LIT("MULTI"));
    nz_finish_row(b, h->j, &h->v, &none, false, clock_wall(loop_clock(o->in->loop)));
    REDIS_ADD(b, LIT("EXEC"));
    redis_send(o->in->redis, b, nz_outbox_deadline(o), hold_stored, h);
}

void nz_hold_job(struct nz_outbox *o, struct nz_job *j, enum nz_code code)
{
    struct hold *h = calloc(1, sizeof *h);
    if (!h) {
        nz_window_drop(o, j);
        nz_outbox_trouble(o, FAIL(E_NOMEM));
        return;
    }
    /* What was sealed for a municipality that is closed cannot be released by anybody. */
    *h = (struct hold){ o, j, { .result = code == NZ_CODE_MUNI_CLOSED ? NZ_REFUSED : NZ_QUARANTINED, .code = code } };
    struct audit_rec rec = nz_outbox_audit(AU_ROW_QUARANTINED, j->ref.muni, 1);
    audit_append(o->in->audit, &rec, nz_outbox_deadline(o), hold_audited, h);
}

void nz_hold_subject(struct nz_outbox *o, struct nz_subj *s, enum nz_code code)
{
    struct nz_job *j;
    nz_window_hold(s);
    nz_window_orphan(o, s);
    while ((j = TAILQ_FIRST(&s->waiting))) {
        TAILQ_REMOVE(&s->waiting, j, at);
        nz_hold_job(o, j, code);
    }
    nz_window_unhold(o, s);
}

struct audit_rec nz_outbox_audit(enum audit_event event, const char muni[static 6], uint32_t count)
{
    struct audit_rec rec = { .event = event, .result = event == AU_ROW_QUARANTINED ? AR_FAILED : AR_OK, .count = count };
    audit_set_actor(&rec, LIT("intake"));
    memcpy(rec.muni, muni, sizeof rec.muni);
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
    uint64_t age = now > rec.stored_ms ? now - rec.stored_ms : 0;
    nz_member_write(&j->ref, &member);
    nz_name_task("t", j->ref.muni, &j->ref.task, &t);
    const struct slice score = decimal(now + nz_backoff_ms(age, conf->retry_min_ms, conf->retry_max_ms, nz_random()), due);
    NZ_CHANGE(&c, LIT("ZADD"), nz_queue_name(j->queue), score, nz_member_slice(&member));
    NZ_CHANGE(&c, LIT("HSET"), store_name_slice(&t), LIT(NZ_TASK_FAILED), decimal(now, failed));
    nz_changes_send(&c, j->queue, &member, b);
    return j->tickets_changed ? nz_tickets_store(o, b, j) : OK;
}

void nz_retry_subjects(struct nz_outbox *o, struct nz_subj *const *s, size_t n)
{
    if (!n)
        return;
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
