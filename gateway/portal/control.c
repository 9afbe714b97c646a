/* A change that the citizen orders.
 *
 * Read, write in one MULTI that raises the epoch, read again in the same round trip. What the second reading still shows as good was written by somebody
 * between the two, and is changed once more: after the answer nothing that was there before it is left. Somebody who reads after the write sees it; a
 * session that is opened on an older reading is refused when it is used, because that asks about the consent again.
 *
 * A silenced person's order is carried out and answered like one of nobody, who costs the same round trips. */
#include "gateway/portal/consents.h"

enum { ROUNDS_MAX = 4, BATCH_MAX = 256 * 1024, RECORD_MARGIN_MS = 100 };

static void round_go(struct control *t, const struct redis_reply *hash);

/* ---- the end: records of every act, then the answer ---- */

static void answer(struct control *t)
{
    struct err e = t->why;
    if (err_ok(e) && !err_ok(t->unrecorded))
        e = t->unrecorded;
    if (err_ok(e))
        e = consents_write(&t->c, &t->book);
    access_end(&t->c.a, e);
}

static void on_recorded(void *arg, struct err e)
{
    struct control *t = arg;
    if (!err_ok(e))
        t->unrecorded = e;
    if (--t->waiting == 0)
        answer(t);
}

/* The records of all acts but the first are written before that one, which decides about the answer. */
static void record(struct control *t)
{
    struct access *a = &t->c.a;
    size_t n = t->kind->acts ? t->kind->acts(t, 0, &a->rec) : 1;
    uint64_t at = req_deadline(a->r);
    t->waiting = 1;
    for (size_t i = 1; i < n; i++) {
        struct audit_rec rec = a->rec;
        t->kind->acts(t, i, &rec);
        t->waiting++;
        audit_append(a->env->audit, &rec, at > RECORD_MARGIN_MS ? at - RECORD_MARGIN_MS : 0, on_recorded, t);
    }
    if (--t->waiting == 0)
        answer(t);
}

/* ---- the change ---- */

/* The last result of the MULTI is the epoch. */
static ERR check_exec(struct control *t, const struct redis_reply *exec)
{
    size_t n = redis_reply_len(exec);
    for (size_t i = 0; i < n; i++)
        if (redis_reply_type(redis_reply_at(exec, i)) == REDIS_ERR)
            return FAIL(E_STORE_REFUSED);
    if (n == 0 || redis_reply_type(redis_reply_at(exec, n - 1)) != REDIS_INT)
        return FAIL(E_STORE_REFUSED);
    t->c.a.rec.epoch = (uint64_t)redis_reply_int(redis_reply_at(exec, n - 1));
    return OK;
}

static void on_changed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct control *t = arg;
    struct citizen *c = &t->c;
    if (err_ok(e) && n < 2)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = check_exec(t, replies[n - 2]);
    if (err_ok(e) && c->known)
        e = consent_read(c->a.env->store, &c->ps.person, replies[n - 1], citizen_now_ms(c), &t->book);
    if (!err_ok(e)) {
        access_end(&c->a, e);
        return;
    }
    bool left = c->known && t->kind->left && t->kind->left(t);
    if (left && ++t->rounds < ROUNDS_MAX)
        round_go(t, replies[n - 1]);
    else if (left && err_ok(t->why))
        access_end(&c->a, FAIL(E_BUSY));
    else
        record(t);
}

/* What a withdrawal costs, for those who have none: under a name that nobody has, and gone again in the same MULTI. */
static ERR add_nothing(struct control *t, const struct redis_reply *hash, struct redis_batch *b)
{
    struct store_name nobody;
    if (!t->kind->left)
        return OK;
    citizen_nobody(&nobody);
    TRY(consent_add_withdrawal_of_all(t->c.a.env->store, &nobody, redis_reply_at(hash, SIZE_MAX) /* no hash */, citizen_now_ms(&t->c), b));
    REDIS_ADD(b, LIT("DEL"), store_name_slice(&nobody));
    return OK;
}

static ERR add_changes(struct control *t, const struct redis_reply *hash, struct redis_batch *b)
{
    struct citizen *c = &t->c;
    struct err e = OK;
    if (!c->known)
        return add_nothing(t, hash, b);
    t->now_ms = citizen_now_ms(c);
    if (!t->first_ms)
        t->first_ms = t->now_ms;
    TRY(consent_read(c->a.env->store, &c->ps.person, hash, t->now_ms, &t->book));
    if (t->kind->add(t, hash, b, &e))
        return e;
    if (err_ok(t->why) && t->rounds == 0)
        t->why = FAIL(E_NOTHING);
    return add_nothing(t, hash, b);
}

static ERR batch_make(struct control *t, const struct redis_reply *hash, struct redis_batch *b)
{
    REDIS_ADD(b, LIT("MULTI"));
    TRY(add_changes(t, hash, b));
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&t->c.ps.person));
    return OK;
}

static void round_go(struct control *t, const struct redis_reply *hash)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct err e = b ? batch_make(t, hash, b) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        access_send(&t->c.a, b, on_changed, t);
        return;
    }
    redis_batch_free(b);
    access_end(&t->c.a, e);
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct control *t = (struct control *)c;
    if (err_ok(e))
        e = citizen_heard(c, hash);
    t->why = e;
    if (err_ok(e) || err_is(e, E_NOTHING) || err_is(e, E_NOT_DISCLOSED) || err_is(e, E_FORBIDDEN))
        round_go(t, hash);
    else
        access_end(&c->a, e);
}

void control_begin(struct control *t, struct req *r, struct slice pseudonym)
{
    t->unrecorded = OK;
    citizen_find(&t->c, r, t->kind->event, pseudonym, on_person);
}

bool control_target(struct control *t, struct req *r, const char *name_field, const struct field_value *name, const struct field_value *all)
{
    const char *bad = NULL;
    enum field_rule rule = FR_RANGE;
    t->all = all->present;
    if (name->present == all->present || (all->present && !all->flag))
        bad = all->present && !all->flag ? "all" : name_field;
    else if (name->present && !consent_name_parse(name->text, &t->name))
        bad = name_field, rule = FR_CLASS;
    if (bad)
        access_refuse_field(r, bad, rule);
    return !bad;
}
