#include "gateway/clinic/look_up.h"
#include "gateway/consent/tell.h"
#include "gateway/lookup/access_list.h"

/* What the key tells, and whether it is its first use. */

enum { TAKE_BACK_MAX = 8192, SETTLE_BATCH_MAX = 256 * 1024 /* with all that may have to be pruned */ };

/* ---- whether it is the first use; before that nothing has left but the session, which nobody has the token of ---- */

static void on_settled(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct look_up *l = arg;
    if (err_ok(e))
        access_used(&l->a, OK);
    else
        access_end(&l->a, e);
}

static void on_pruned(void *arg, struct err e, const struct redis_reply *const *replies, size_t n) { (void)arg, (void)e, (void)replies, (void)n; }

/* What could not be known before. Nobody waits for what is only pruned. */
static ERR plan_rest(struct look_up *l, const struct redis_reply *hash)
{
    struct redis_batch *b = redis_batch_new(SETTLE_BATCH_MAX);
    struct err e = b ? consent_use_settle(l->a.env->store, &l->person, hash, &l->consent, &l->session.open, l->noted, look_up_now_ms(l), b, &l->rest_matters) : FAIL(E_NOMEM);
    if (err_ok(e) && redis_batch_count(b))
        l->rest = b;
    else
        redis_batch_free(b);
    return e;
}

static void settle(struct look_up *l)
{
    struct redis_batch *b = l->rest;
    l->rest = NULL;
    if (b)
        access_send(&l->a, b, l->rest_matters ? on_settled : on_pruned, l);
    if (!b || !l->rest_matters)
        access_used(&l->a, OK);
}

static void known(struct access *a, struct err e);

static void on_taken_back(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct look_up *l = arg;
    const struct err why = err_ok(e) ? l->why : e;
    l->gone = true;
    if (err_is(why, E_USED) || !err_ok(e))
        access_end(&l->a, why);
    else if (err_is(why, E_AUDIT_DOWN))
        access_used(&l->a, why);
    else
        access_use(&l->a, why, known);
}

/* What was left goes before anybody hears why. The consent stays where somebody may have been told under it: by the use that was first. */
static void take_back(struct look_up *l, struct err why)
{
    const bool told = err_is(why, E_USED) || err_is(why, E_AUDIT_DOWN);
    struct redis_batch *b = redis_batch_new(TAKE_BACK_MAX);
    struct err e = b ? consent_use_take_back(&l->person, l->noted && !told ? &l->consent.name : NULL, &l->token.name, b) : FAIL(E_NOMEM);
    l->why = why;
    if (err_ok(e)) {
        access_send(&l->a, b, on_taken_back, l);
        return;
    }
    redis_batch_free(b);
    access_end(&l->a, e);
}

static void known(struct access *a, struct err e)
{
    struct look_up *l = (struct look_up *)a;
    if (err_ok(e)) {
        settle(l);
        return;
    }
    redis_batch_free(l->rest);
    l->rest = NULL;
    memset(a->rec.muni, '0', sizeof a->rec.muni); /* nobody's data are told */
    a->rec.count = 0;
    if (!l->gone)
        take_back(l, e);
    else if (err_is(e, E_USED))
        access_end(a, e);
    else
        access_used(a, e);
}

/* ---- what may be told ---- */

static void tell_session(const struct look_up *l, struct jsonw *w)
{
    char until[24];
    clock_format_utc(l->session.open.until_ms, until);
    jsonw_str(w, "session", ARR(l->token.text));
    session_write_id(w, &l->token.name);
    jsonw_str(w, "session_expires_at", ARR(until));
    jsonw_end_object(w);
}

/* Nothing is told but that there is somebody. */
static ERR heard(struct look_up *l, const struct redis_reply *hash)
{
    struct judge j;
    TRY(judge_heard(&j, l->a.env->store, &l->person, clock_date_jst(look_up_now_ms(l)), hash));
    return judge_lives(&j, hash) ? OK : FAIL(E_NOTHING);
}

static ERR on_first_use(struct look_up *l, const struct redis_reply *hash)
{
    struct jsonw w;
    TRY(consent_judge(l->a.env->store, &l->person, hash, &l->session.open.consent));
    l->a.fields = l->claims.allowed.fields;
    if (look_up_tells_eligibility(l)) {
        TRY(access_judge(&l->a, &w, &l->person, hash));
    } else {
        TRY(heard(l, hash));
        jsonw_init(&w, l->a.out);
        jsonw_object(&w, NULL);
    }
    tell_session(l, &w);
    return buf_check(l->a.out);
}

/* In a list there may be no room left, which says nothing of the key: alone it has enough. */
static ERR has_room(struct look_up *l, struct err e)
{
    if (!l->a.list || (!err_ok(e) && !err_is(e, E_FULL)))
        return e;
    return err_ok(e) ? access_list_room(&l->a) : (struct err){ E_BUSY, e.site };
}

static ERR judge_use(struct look_up *l, const struct redis_reply *hash)
{
    TRY(l->refused);
    TRY(has_room(l, on_first_use(l, hash)));
    return plan_rest(l, hash);
}

/* Ended before its clinic heard of it: by the citizen, then nothing is told; or by that clinic's own lookups side by side, then it is told, and its session has ended. */
static ERR judge_ended(struct look_up *l, const struct redis_reply *hash)
{
    bool gave_way;
    struct store *s = l->a.env->store;
    TRY(consent_gave_way(s, &l->person, hash, &l->session.open, look_up_now_ms(l), &gave_way));
    return gave_way ? consent_judge(s, &l->person, hash, &l->session.open.consent) : FAIL(E_CONSENT);
}

/* The key is used up; what it rests on may have been withdrawn while the record was written. */
static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct look_up *l = arg;
    struct err e = session_judge(l->a.env->store, &l->person, hash, &l->token.name, &l->session.open.consent, look_up_now_ms(l));
    TRY(err_is(e, E_SESSION) ? judge_ended(l, hash) : e);
    return look_up_tells_eligibility(l) ? access_judge_again(&l->a, hash) : heard(l, hash);
}

struct err look_up_ask(struct look_up *l, struct redis_batch *b)
{
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&l->person)); /* as it was before */
    TRY(session_add_unseen(l->a.env->store, &l->session, &l->consent, look_up_now_ms(l), &l->token, b));
    fresh_watch(&l->a, &l->person, still_good, l);
    return OK;
}

void look_up_heard(struct look_up *l, struct err e, const struct redis_reply *const *replies, uint64_t epoch)
{
    if (!err_ok(e)) {
        access_end(&l->a, e);
        return;
    }
    l->noted = redis_reply_int(replies[1]) == 1;
    l->a.rec.epoch = epoch;
    e = judge_use(l, replies[0]);
    if (err_ok(e))
        access_use(&l->a, OK, known);
    else
        take_back(l, e);
}
