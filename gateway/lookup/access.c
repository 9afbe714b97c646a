#include "gateway/lookup/access_int.h"

/* Before the end of the request: enough to write the audit record, and to tell that it could not be written. */
enum { STORE_MARGIN_MS = 500, AUDIT_MARGIN_MS = 100 };

enum leaves { AT_ONCE, ON_THE_BEAT /* rhythm.h */ };

/* Why an access ended, how that is recorded, what the caller hears, and when. What is not listed is FAILED, and heard at once as it is.
 * USED too is on the beat: the person's hash was read before. */
static const struct outcome {
    enum err_code why;
    enum audit_result result;
    enum err_code heard;
    enum leaves leaves;
} OUTCOMES[] = {
    { E_OK, AR_OK, E_OK, AT_ONCE },
    { E_NOTHING, AR_NOTHING, E_NOTHING, ON_THE_BEAT },        /* no such person, or nothing valid today */
    { E_NOT_DISCLOSED, AR_NOTHING, E_NOTHING, ON_THE_BEAT },
    { E_CONSENT, AR_NOTHING, E_NOTHING, ON_THE_BEAT },        /* withdrawn */
    { E_TOKEN, AR_NOTHING, E_NOTHING, ON_THE_BEAT },          /* link key broken, foreign or expired */
    { E_FORBIDDEN, AR_NOTHING, E_NOTHING, ON_THE_BEAT },      /* link key for another clinic or purpose; record without a key */
    { E_BASIS, AR_NOTHING, E_NOTHING, ON_THE_BEAT },          /* no legal basis for the purpose of the link key */
    { E_USED, AR_USED, E_USED, ON_THE_BEAT },
    { E_SESSION, AR_REFUSED, E_SESSION, ON_THE_BEAT },
    { E_CERT_REFUSED, AR_REFUSED, E_SESSION, ON_THE_BEAT },   /* session of another certificate */
    { E_CONFLICT, AR_REFUSED, E_CONFLICT, ON_THE_BEAT },
    { E_NO_DOSE, AR_NOTHING, E_NO_DOSE, ON_THE_BEAT },
    { E_ATTRIBUTES, AR_REFUSED, E_ATTRIBUTES, ON_THE_BEAT },
    { E_VERSION, AR_REFUSED, E_VERSION, ON_THE_BEAT },
    { E_RULES, AR_REFUSED, E_RULES, ON_THE_BEAT },            /* of a dose, judged by the person's records */
    { E_TRIES, AR_REFUSED, E_TRIES, AT_ONCE },                /* says nothing about any person */
    { E_FIELD, AR_REFUSED, E_FIELD, ON_THE_BEAT },            /* by what is stored: a template, a record */
};

static struct outcome outcome_of(enum err_code why)
{
    for (size_t i = 0; i < sizeof OUTCOMES / sizeof OUTCOMES[0]; i++)
        if (OUTCOMES[i].why == why)
            return OUTCOMES[i];
    return (struct outcome){ why, AR_FAILED, why, AT_ONCE };
}

static uint64_t before_deadline(const struct req *r, uint64_t margin_ms)
{
    uint64_t at = req_deadline(r);
    return at > margin_ms ? at - margin_ms : 0;
}

void *access_new(struct req *r, size_t size)
{
    void *p = arena_get(req_arena(r), size);
    if (!p)
        req_fail(r, FAIL(E_NOMEM));
    return p;
}

bool access_body(struct req *r, const struct field *table, size_t n, void *target)
{
    struct err e;
    struct field_report report;
    if (fields_read_text(&e, req_arena(r), req_body(r), table, n, target, &report))
        return true;
    if (!err_ok(e))
        req_fail(r, e);
    else
        req_problem(r, FAIL(E_FIELD), field_report_write, &report);
    return false;
}

void access_refuse_field(struct req *r, const char *field, enum field_rule rule)
{
    struct field_report report = { 0 };
    field_fault_add(&report, field, rule);
    req_problem(r, FAIL(E_FIELD), field_report_write, &report);
}

static struct basis_fit fit_of(const struct lookup_env *env, const struct req *r, struct slice purpose, unsigned items)
{
    const struct caller *who = req_caller(r);
    return basis_judge(env->basis, who->role, slice_str(who->system), slice_str(req_route(r)->operation.s), purpose, items);
}

static void rec_begin(struct audit_rec *rec, const struct req *r, enum audit_event event)
{
    *rec = (struct audit_rec){ .event = event, .request = req_id(r) };
    memset(rec->muni, '0', sizeof rec->muni);
    audit_set_actor(rec, slice_str(req_caller(r)->identity));
    basis_note(rec, fit_of(req_ctx(r), r, SLICE_NONE, 0));
}

struct err access_basis(struct access *a, struct slice purpose, unsigned items)
{
    struct basis_fit fit = fit_of(a->env, a->r, purpose, items);
    if (!fit.id)
        return FAIL(E_BASIS);
    basis_note(&a->rec, fit);
    return OK;
}

struct err access_allow(void *ctx, struct req *r)
{
    const struct lookup_env *env = ctx;
    const struct caller *who = req_caller(r);
    return basis_may(env->basis, who->role, slice_str(who->system), slice_str(req_route(r)->operation.s)) ? OK : FAIL(E_BASIS);
}

struct err access__can_work(const struct lookup_env *env)
{
    if (env->stopped)
        return FAIL(E_CANCELED);
    if (!audit_up(env->audit))
        return FAIL(E_AUDIT_DOWN);
    return redis_ready(env->redis);
}

void access__begin(struct access *a, struct req *r, enum audit_event event)
{
    struct lookup_env *env = req_ctx(r);
    *a = (struct access){ .r = r, .env = env, .out = req_out(r), .store_turn = redis_turn(env->redis) };
    rec_begin(&a->rec, r, event);
}

bool access_open(struct access *a, struct req *r, enum audit_event event)
{
    access__begin(a, r, event);
    struct err e = access__can_work(a->env);
    if (!err_ok(e)) {
        req_fail(r, e);
        return false;
    }
    rhythm_arrived(&a->place, before_deadline(r, loop_now(req_loop(r))));
    a->env->in_work++;
    return true;
}

struct err access_subject(struct access *a, struct slice pmh_key) { return store_audit_handle(a->env->store, pmh_key, a->rec.subject); }

void access_send(struct access *a, struct redis_batch *b, redis_done_fn *done, void *arg)
{
    redis_send(a->env->redis, b, before_deadline(a->r, STORE_MARGIN_MS), done, arg);
}

static void write_used_at(struct jsonw *w, void *arg)
{
    const struct access *a = arg;
    char at[24];
    clock_format_utc(a->used_ms, at);
    jsonw_str(w, "used_at", ARR(at));
}

/* Of an act: a store that came back without it may have been found good before the log had its record (decision 33). */
void access__look_at_store(struct access *a)
{
    if (a->rec.epoch && err_ok(a->heard))
        a->heard = redis_unbroken_at(a->env->redis, a->store_turn, audit_heard(a->env->audit));
    if (!err_ok(a->heard))
        buf_reset(a->out);
}

access_extra_fn *access__extra(struct access *a, void **ret_arg)
{
    const bool since = err_is(a->heard, E_USED) && a->used_ms;
    *ret_arg = since ? a : a->extra_arg;
    return since ? write_used_at : a->heard.code == a->rec.reason ? a->extra : NULL;
}

static void answer(void *arg)
{
    struct access *a = arg;
    const struct buf *out = a->out;
    a->env->in_work--;
    access__look_at_store(a);
    req_recorded(a->r);
    if (!err_ok(a->heard)) {
        void *extra_arg;
        access_extra_fn *extra = access__extra(a, &extra_arg);
        req_problem(a->r, a->heard, extra, extra_arg);
    } else if (out->n) {
        req_json(a->r, 200, buf_slice(out));
    } else {
        req_answer(a->r, 204, NULL, SLICE_NONE);
    }
}

static void count_told(struct access *a)
{
    struct told *t = &a->env->told;
    struct metrics *m = loop_metrics(req_loop(a->r));
    const enum caller_role who = req_caller(a->r)->role;
    if (!err_ok(a->heard) || a->rec.result != AR_OK)
        return;
    told_count(t, m, who, a->rec.muni);
    for (size_t i = 0; i < a->n_others; i++)
        told_count(t, m, who, a->others[i].code);
}

static void leave(struct access *a)
{
    count_told(a);
    if (!err_ok(a->heard))
        buf_reset(a->out); /* wiped before the beat: it takes the longer, the more a silent person has */
    if (a->list) {
        access__part_left(a->list);
        return;
    }
    if (!a->on_the_beat && !a->always_on_the_beat) {
        answer(a);
        return;
    }
    req_rests(a->r);
    rhythm_wait(a->env->rhythm, &a->place, answer, a);
}

static void recorded(struct access *a)
{
    if (a->list || !err_ok(a->heard) || !fresh_again(a, leave))
        leave(a);
}

static void on_audited(void *arg, struct err e)
{
    struct access *a = arg;
    if (!err_ok(e))
        a->heard = e;
    if (--a->waiting == 0)
        recorded(a);
}

static void append(struct access *a, const struct audit_rec *rec)
{
    a->waiting++;
    audit_append(a->env->audit, rec, before_deadline(a->r, AUDIT_MARGIN_MS), on_audited, a);
}

/* Their data was told, or after that it was not. What the access did stands in the first record alone. */
static void append_others(struct access *a)
{
    struct audit_rec rec = a->rec;
    memset(rec.subject, 0, sizeof rec.subject);
    memset(rec.ref, 0, sizeof rec.ref);
    rec.until_s = 0;
    rec.epoch = 0;
    for (size_t i = 0; i < a->n_others; i++) {
        memcpy(rec.muni, a->others[i].code, sizeof rec.muni);
        rec.count = a->rec.result == AR_OK ? a->others[i].count : 0;
        append(a, &rec);
    }
    a->others_told = a->n_others > 0;
}

static void judged(struct access *a, struct err why)
{
    if (err_ok(why))
        why = buf_check(a->out);
    struct outcome o = outcome_of(why.code);
    a->rec.result = o.result;
    a->rec.reason = why.code;
    a->heard = (struct err){ o.heard, why.site };
    a->on_the_beat = o.leaves == ON_THE_BEAT;
    if (o.result == AR_FAILED)
        LOG(ERROR, "access_failed", LF("request", req_id(a->r)), LF("error", why));
}

void access_end(struct access *a, struct err why)
{
    judged(a, why);
    if (a->rec.result == AR_OK || a->others_told)
        append_others(a);
    append(a, &a->rec);
}

/* ---- the use of a link key ---- */

static void on_use(void *arg, struct err e, uint64_t used_ms)
{
    struct access *a = arg;
    a->used_ms = err_is(e, E_USED) ? used_ms : 0;
    a->may_be_used = !err_is(e, E_USED);
    a->used(a, e);
}

void access_use(struct access *a, struct err why, access_used_fn *used)
{
    judged(a, why);
    if (!audit_is_use(&a->rec)) {
        append(a, &a->rec);
        return;
    }
    a->used = used;
    audit_use(a->env->audit, &a->rec, before_deadline(a->r, AUDIT_MARGIN_MS), on_use, a);
}

void access_used(struct access *a, struct err e)
{
    if (!err_ok(e)) {
        a->heard = e;
        a->on_the_beat = false;
        leave(a);
        return;
    }
    memset(a->rec.ref, 0, sizeof a->rec.ref); /* a key is used up by one record: a further one, by fresh.h, has none */
    a->rec.until_s = 0;
    if (a->rec.result == AR_OK)
        append_others(a);
    if (a->waiting == 0)
        recorded(a);
}

struct refusal {
    struct lookup_env *env;
    struct req *r;
    void (*done)(struct req *r, struct err e);
};

static void on_refusal_audited(void *arg, struct err e)
{
    struct refusal *f = arg;
    f->env->in_work--;
    f->done(f->r, e);
}

void access_on_refused(void *ctx, struct req *r, struct err why, void (*done)(struct req *r, struct err e))
{
    struct lookup_env *env = ctx;
    struct audit_rec rec;
    struct refusal *f = arena_get(req_arena(r), sizeof *f);
    if (!f || env->stopped || !audit_up(env->audit)) {
        done(r, f ? FAIL(E_AUDIT_DOWN) : FAIL(E_NOMEM));
        return;
    }
    *f = (struct refusal){ env, r, done };
    env->in_work++;
    rec_begin(&rec, r, AU_REFUSED);
    rec.result = AR_REFUSED;
    rec.reason = why.code;
    rec.count = req_refusals(r);
    audit_append(env->audit, &rec, before_deadline(r, AUDIT_MARGIN_MS), on_refusal_audited, f);
}

struct err access_able(const struct lookup_env *env)
{
    TRY(access__can_work(env));
    return redis_health(env->redis);
}

static void say_worker(struct jsonw *w, void *arg) { jsonw_u64(w, "worker", *(unsigned *)arg); }

void access_health(struct req *r)
{
    const struct lookup_env *env = req_ctx(r);
    unsigned worker = 0;
    struct err e = access_able(env), others = OK;
    if (err_ok(e))
        e = req_revocations(r);
    if (err_ok(e) && env->group)
        others = env->group(env->group_arg, &worker);
    if (!err_ok(e))
        req_fail(r, e);
    else if (!err_ok(others))
        req_problem(r, others, say_worker, &worker);
    else
        req_json(r, 200, LIT("{\"status\":\"ok\"}"));
}

static ERR judge_into(struct access *a, struct jsonw *w, struct buf *out, const struct store_name *person, const struct redis_reply *hash, struct judge *ret_j)
{
    ymd_t today = clock_date_jst(clock_wall(loop_clock(req_loop(a->r))));
    jsonw_init(w, out);
    jsonw_object(w, NULL);
    jsonw_array(w, "eligibility");
    judge_begin(ret_j, a->env->store, person, today, w);
    ret_j->fields = a->fields;
    struct err e = judge_reply(ret_j, hash);
    if (e.code == E_FORBIDDEN)
        LOG(ERROR, "record_without_key", LF("request", req_id(a->r)));
    TRY(e);
    jsonw_end_array(w);
    return buf_check(out);
}

static ERR note_munis(struct access *a, const struct judge *j)
{
    memcpy(a->rec.muni, j->munis[0].code, sizeof a->rec.muni);
    a->rec.count = j->munis[0].count;
    if (j->n_munis == 1)
        return OK;
    size_t n = j->n_munis - 1;
    struct judge_muni *others = arena_get(req_arena(a->r), n * sizeof *others);
    if (!others)
        return FAIL(E_NOMEM);
    memcpy(others, &j->munis[1], n * sizeof *others);
    a->others = others;
    a->n_others = n;
    return OK;
}

struct err access_judge(struct access *a, struct jsonw *w, const struct store_name *person, const struct redis_reply *hash)
{
    struct judge j;
    struct buf *out = a->out;
    struct err e = judge_into(a, w, out, person, hash, &j);
    if (!err_ok(e)) {
        buf_reset(out);
        return e;
    }
    a->fresh.told = out->n;
    e = note_munis(a, &j);
    if (!err_ok(e))
        buf_reset(out);
    return e;
}

struct err access_judge_aside(struct access *a, struct buf *out, const struct store_name *person, const struct redis_reply *hash)
{
    struct judge j;
    struct jsonw w;
    TRY(judge_into(a, &w, out, person, hash, &j));
    jsonw_end_object(&w);
    TRY(note_munis(a, &j));
    return buf_check(out);
}

struct err access_judge_same(struct access *a, struct slice told, const struct store_name *person, const struct redis_reply *hash)
{
    struct judge j;
    struct jsonw w;
    struct buf now;
    buf_init(&now, told.n + STORE_RECORD_MAX);
    struct err e = judge_into(a, &w, &now, person, hash, &j);
    if (err_ok(e))
        jsonw_end_object(&w);
    if (err_is(e, E_FULL) || (err_ok(e) && !slice_eq(buf_slice(&now), told)))
        e = FAIL(E_DEADLINE);
    buf_done(&now);
    return e;
}

struct err access_judge_again(struct access *a, const struct redis_reply *hash)
{
    struct judge j;
    struct jsonw w;
    struct buf now;
    const struct slice out = buf_slice(a->out);
    buf_init(&now, out.n + STORE_RECORD_MAX);
    struct err e = judge_into(a, &w, &now, &a->fresh.person, hash, &j);
    if (err_is(e, E_FULL) || (err_ok(e) && !slice_eq(buf_slice(&now), slice_of(out.p, a->fresh.told))))
        e = FAIL(E_DEADLINE);
    buf_done(&now);
    return e;
}
