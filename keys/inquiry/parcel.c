/* One question to one municipality: whose numbers these are is looked up, each person's record is in the log, then it is sent; the answer is judged, in
 * the log, and told. Whatever of ours fails on the way, the parcel waits and is asked again. */

#include <stdlib.h>

#include "keys/inquiry/work.h"

enum { OWN_PAUSE_MS = 1000 };

static uint64_t random_u64(void)
{
    uint64_t v;
    rnd_bytes(&v, sizeof v);
    return v;
}

static struct nz_inq_pair *pair_at(const struct nz_inq_parcel *p, size_t i) { return &p->task->pair[p->first + i]; }
static struct nz_inq_who *who_at(const struct nz_inq_parcel *p, size_t i) { return &p->task->who[pair_at(p, i)->who]; }

/* ---- where it stands ---- */

static struct nz_inq_peer *peer_of(const struct nz_inq_parcel *p)
{
    struct nz_inquiry *q = p->task->q;
    return nz_inq_peer_of(q->peers, p->peer, nz_inq_now(q));
}

static void fast_over(struct nz_inq_parcel *p)
{
    if (p->step == NZ_INQ_OUT && !p->slow)
        p->task->q->young--;
    p->slow = true;
}

static void wait_again(struct nz_inq_parcel *p, uint64_t ms)
{
    struct nz_inq_task *t = p->task;
    fast_over(p);
    TAILQ_REMOVE(&t->under_way, p, at);
    p->step = NZ_INQ_WAITING;
    p->due = nz_inq_now(t->q) + ms;
    TAILQ_INSERT_TAIL(&t->waiting, p, at);
    nz_inq_soon(t->q);
}

static void done(struct nz_inq_parcel *p)
{
    struct nz_inq_task *t = p->task;
    fast_over(p);
    if (p->step == NZ_INQ_OUT)
        TAILQ_REMOVE(&t->under_way, p, at);
    else
        TAILQ_REMOVE(&t->waiting, p, at);
    p->step = NZ_INQ_DONE;
    t->parcels_left--;
    for (size_t i = 0; i < p->n; i++)
        who_at(p, i)->left--;
    nz_inq_soon(t->q);
}

/* Numbers that nobody asks for any more, once no request that borrows them is on its way: neither of this parcel, nor, of who is asked for everywhere, of another. */
static void forget_numbers(struct nz_inq_parcel *p)
{
    for (size_t i = 0; i < p->n; i++) {
        struct nz_inq_who *w = who_at(p, i);
        if (w->left || w->lent)
            continue;
        nz_mynum_free(w->number);
        w->number = NULL;
    }
}

void nz_inq_parcel_fail(struct nz_inq_parcel *p, enum nz_inq_outcome o, enum nz_inq_reason why)
{
    for (size_t i = 0; i < p->n; i++)
        if (pair_at(p, i)->outcome == NZ_INQ_WAITS)
            nz_inq_tell(p->task, pair_at(p, i), p->peer, o, why, SLICE_NONE);
    done(p);
    forget_numbers(p);
}

/* Something of ours failed before anything was sent: the municipality has nothing to do with it. */
static void own_trouble(struct nz_inq_parcel *p, struct err e)
{
    peer_of(p)->out--;
    p->task->q->out--;
    nz_inq_task_trouble(p->task, e);
    if (p->step == NZ_INQ_OUT && !p->out)
        wait_again(p, OWN_PAUSE_MS);
}

/* ---- who is it? ---- */

struct look { struct nz_inq_parcel *p; size_t from, n, under_way; size_t pair[NZ_MANY_MAX]; struct nz_linked linked[NZ_MANY_MAX]; struct err failed; };

static bool still(const struct nz_inq_parcel *p) { return p->task->life == NZ_INQ_RUNS && p->step == NZ_INQ_OUT && !p->task->q->closed; }

static void look_on(struct look *k);

static void look_end(struct look *k, struct err e)
{
    struct nz_inq_parcel *p = k->p;
    struct nz_inq_task *t = p->task;
    free(k);
    t->q->asking--;
    if (!still(p)) {
        peer_of(p)->out--;
        t->q->out--;
    } else if (err_ok(e)) {
        p->audited = true;
        nz_inq_parcel_send(p);
    } else {
        own_trouble(p, e);
    }
    nz_inq_task_unref(t);
}

static void recorded(void *arg, struct err e)
{
    struct look *k = arg;
    if (!err_ok(e))
        k->failed = e;
    if (--k->under_way)
        return;
    k->from += k->n;
    if (err_ok(k->failed) && k->from < k->p->n && still(k->p))
        look_on(k);
    else
        look_end(k, k->failed);
}

/* Each person's own entry: who asks, on which basis, about whom, and whom. */
static void record(struct look *k)
{
    struct nz_inq_parcel *p = k->p;
    struct nz_inquiry *q = p->task->q;
    for (size_t i = 0; i < k->n; i++)
        k->under_way += pair_at(p, k->from + i)->outcome == NZ_INQ_WAITS;
    if (!k->under_way) {
        k->under_way = 1;
        recorded(k, OK);
        return;
    }
    for (size_t i = 0; i < k->n; i++) {
        const struct nz_inq_who *w = who_at(p, k->from + i);
        if (pair_at(p, k->from + i)->outcome != NZ_INQ_WAITS)
            continue;
        struct audit_rec rec = nz_inq_audit(p->task, AU_INQUIRY_SENT, w->basis, 1);
        memcpy(rec.subject, w->subject, sizeof rec.subject);
        memcpy(rec.ref, p->peer, sizeof p->peer);
        audit_append(q->in->audit, &rec, nz_inq_now(q) + NZ_INQ_STEP_MS, recorded, k);
    }
}

/* A person whom the asking municipality has registered has a name in the log; of others only that somebody was asked about. */
static void take_subject(struct look *k, size_t i, const struct redis_reply *reply)
{
    struct nz_inq_task *t = k->p->task;
    struct nz_intake *in = t->q->in;
    struct store_name name;
    struct buf key;
    const struct slice sealed = redis_reply_str(reply);
    if (!sealed.n)
        return;
    store_name_subject(k->linked[i].subject.sid, &name);
    buf_init(&key, PMH_KEY_MAX);
    struct err e = store_open(in->store, ARR(t->muni), &name, LIT("k"), sealed, &key);
    if (err_ok(e))
        e = store_audit_handle(in->store, buf_slice(&key), who_at(k->p, k->pair[i])->subject);
    if (!err_ok(e))
        LOG(WARN, "subject_not_readable", LF("error", e));
    buf_done(&key);
}

static void subjects_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look *k = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < NZ_MANY_MAX && at < n; i++)
        if (k->linked[i].known == NZ_KNOWN)
            take_subject(k, i, replies[at++]);
    if (err_ok(e) && still(k->p))
        record(k);
    else
        look_end(k, e);
}

static void numbers_found(void *arg, struct err e, const struct nz_linked *linked, size_t n)
{
    struct look *k = arg;
    size_t known = 0;
    for (size_t i = 0; err_ok(e) && i < n; i++)
        known += linked[i].known == NZ_KNOWN;
    struct redis_batch *b = known ? redis_batch_new(known * 128 + 64) : NULL;
    if (err_ok(e) && known && !b)
        e = FAIL(E_NOMEM);
    if (!err_ok(e) || !still(k->p)) {
        redis_batch_free(b);
        look_end(k, e);
        return;
    }
    memset(k->linked, 0, sizeof k->linked);
    memcpy(k->linked, linked, n * sizeof *linked);
    if (!known) {
        record(k);
        return;
    }
    for (size_t i = 0; i < n; i++) {
        struct store_name name;
        store_name_subject(linked[i].subject.sid, &name);
        if (linked[i].known == NZ_KNOWN)
            REDIS_ADD(b, LIT("HGET"), store_name_slice(&name), LIT("k"));
    }
    redis_send(k->p->task->q->in->redis, b, nz_inq_now(k->p->task->q) + NZ_READ_MS, subjects_read, k);
}

static void look_on(struct look *k)
{
    struct nz_inq_parcel *p = k->p;
    struct nz_inquiry *q = p->task->q;
    const struct nz_mynum *numbers[NZ_MANY_MAX];
    size_t n = 0;
    k->n = p->n - k->from < NZ_MANY_MAX ? p->n - k->from : NZ_MANY_MAX;
    for (size_t i = 0; i < k->n; i++) {
        if (!who_at(p, k->from + i)->number)
            continue;
        k->pair[n] = k->from + i;
        numbers[n++] = who_at(p, k->from + i)->number;
    }
    if (n)
        nz_vault_link_many(q->in->vault, p->task->muni, false, numbers, n, nz_inq_now(q) + NZ_READ_MS, numbers_found, k);
    else
        record(k);
}

void nz_inq_parcel_start(struct nz_inq_parcel *p)
{
    struct nz_inq_task *t = p->task;
    struct nz_inquiry *q = t->q;
    TAILQ_REMOVE(&t->waiting, p, at);
    TAILQ_INSERT_TAIL(&t->under_way, p, at);
    p->step = NZ_INQ_OUT;
    p->slow = p->hedged = false;
    p->sent_ms = nz_inq_now(q);
    q->young++;
    q->out++;
    peer_of(p)->out++;
    if (p->audited) {
        nz_inq_parcel_send(p);
        return;
    }
    struct look *k = calloc(1, sizeof *k);
    if (!k) {
        own_trouble(p, FAIL(E_NOMEM));
        return;
    }
    k->p = p;
    t->users++;
    q->asking++;
    look_on(k);
}

/* ---- asked ---- */

struct nz_inq_try {
    struct nz_inq_parcel *p;
    struct nz_vrs_ask ask;
    struct nz_vrs_person *person;
    uint32_t *pair;  /* person -> pair of the parcel */
    size_t found;
};

static void try_free(struct nz_inq_try *y)
{
    struct nz_inq_task *t = y->p->task;
    for (size_t i = 0; i < y->ask.n; i++)
        who_at(y->p, y->pair[i])->lent--;
    forget_numbers(y->p);
    nz_vrs_persons_done(y->person, y->ask.n);
    free(y->person);
    free(y->pair);
    free(y);
    nz_inq_task_unref(t);
}

static void tell_person(struct nz_inq_try *y, size_t i)
{
    static const struct { enum nz_inq_outcome o; enum nz_inq_reason why; } TOLD[] = {
        [NZ_VRS_FOUND] = { NZ_INQ_FOUND, NZ_INQ_BECAUSE_NONE }, [NZ_VRS_NOTHING] = { NZ_INQ_NOTHING, NZ_INQ_BECAUSE_NONE },
        [NZ_VRS_QUARANTINE] = { NZ_INQ_QUARANTINED, NZ_INQ_BECAUSE_BREACH },
    };
    struct nz_inq_pair *pair = pair_at(y->p, y->pair[i]);
    const struct nz_vrs_person *v = &y->person[i];
    if (v->outcome != NZ_VRS_WAITS && pair->outcome == NZ_INQ_WAITS)
        nz_inq_tell(y->p->task, pair, y->p->peer, TOLD[v->outcome].o, TOLD[v->outcome].why, v->outcome == NZ_VRS_FOUND ? buf_slice(&v->json) : SLICE_NONE);
}

static bool all_told(const struct nz_inq_parcel *p)
{
    for (size_t i = 0; i < p->n; i++)
        if (pair_at(p, i)->outcome == NZ_INQ_WAITS)
            return false;
    return true;
}

/* In the log: now it may be kept. */
static void answer_recorded(void *arg, struct err e)
{
    struct nz_inq_try *y = arg;
    struct nz_inq_parcel *p = y->p;
    p->out--;
    if (!still(p)) {
        try_free(y);
        return;
    }
    for (size_t i = 0; err_ok(e) && i < y->ask.n; i++)
        tell_person(y, i);
    if (!err_ok(e))
        nz_inq_task_trouble(p->task, e);
    if (err_ok(e) && all_told(p))
        done(p);
    else if (!p->out)
        wait_again(p, err_ok(e) ? nz_inq_retry_ms(++p->tries, random_u64()) : OWN_PAUSE_MS);
    try_free(y);
}

static void answered(struct nz_inq_try *y)
{
    struct nz_inq_parcel *p = y->p;
    struct nz_inquiry *q = p->task->q;
    uint32_t quarantined = 0, found = 0;
    for (size_t i = 0; i < y->ask.n; i++) {
        quarantined += y->person[i].outcome == NZ_VRS_QUARANTINE;
        found += y->person[i].outcome == NZ_VRS_FOUND;
    }
    nz_inq_peer_answered(peer_of(p));
    p->task->any_answer = p->answered = true;
    p->why = NZ_INQ_BECAUSE_PARTIAL;
    if (quarantined)
        LOG(ERROR, "inquiry_quarantined", LF("persons", (uint64_t)quarantined));
    struct audit_rec rec = nz_inq_audit(p->task, AU_INQUIRY_ANSWERED, who_at(p, 0)->basis, found);
    rec.result = quarantined ? AR_FAILED : found ? AR_OK : AR_NOTHING;
    rec.reason = quarantined ? E_UPSTREAM_BAD : E_OK;
    memcpy(rec.ref, p->peer, sizeof p->peer);
    audit_append(q->in->audit, &rec, nz_inq_now(q) + NZ_INQ_STEP_MS, answer_recorded, y);
}

/* It is about the question, and asking again would not help. */
static bool is_final(struct err e, enum nz_inq_reason *ret_why)
{
    *ret_why = err_is(e, E_NOTHING) ? NZ_INQ_BECAUSE_UNKNOWN : NZ_INQ_BECAUSE_REFUSED;
    return err_is(e, E_NOTHING) || err_is(e, E_FORBIDDEN) || err_is(e, E_FIELD);
}

static void not_answered(struct nz_inq_try *y, struct err e)
{
    struct nz_inq_parcel *p = y->p;
    struct nz_inq_task *t = p->task;
    enum nz_inq_reason why;
    if (is_final(e, &why)) {
        t->any_answer = true;
        nz_inq_peer_answered(peer_of(p));
        nz_inq_parcel_fail(p, NZ_INQ_FAILED, why);
    } else if (err_is(e, E_UPSTREAM_DOWN) || err_is(e, E_UPSTREAM_BAD)) {
        nz_inq_peer_failed(peer_of(p), nz_inq_now(t->q), random_u64());
        p->why = err_is(e, E_UPSTREAM_BAD) ? NZ_INQ_BECAUSE_BREACH : p->answered ? NZ_INQ_BECAUSE_PARTIAL : NZ_INQ_BECAUSE_AWAY;
        if (!p->out)
            wait_again(p, nz_inq_retry_ms(++p->tries, random_u64()));
    } else {
        nz_inq_task_trouble(t, e);
        if (!p->out)
            wait_again(p, OWN_PAUSE_MS);
    }
}

static void heard(void *arg, struct err e)
{
    struct nz_inq_try *y = arg;
    struct nz_inq_parcel *p = y->p;
    p->task->q->out--;
    peer_of(p)->out--;
    if (err_ok(e) && still(p)) {
        answered(y); /* y goes on, and counts as on its way */
        return;
    }
    p->out--;
    if (still(p))
        not_answered(y, e);
    try_free(y);
}

static ERR try_fill(struct nz_inq_try *y)
{
    struct nz_inq_parcel *p = y->p;
    y->person = calloc(p->n, sizeof *y->person);
    y->pair = calloc(p->n, sizeof *y->pair);
    if (!y->person || !y->pair)
        return FAIL(E_NOMEM);
    for (uint32_t i = 0; i < p->n; i++) {
        if (pair_at(p, i)->outcome != NZ_INQ_WAITS || !who_at(p, i)->number)
            continue;
        y->pair[y->ask.n] = i;
        y->person[y->ask.n++].number = who_at(p, i)->number;
        who_at(p, i)->lent++;
    }
    memcpy(y->ask.id, p->id, sizeof y->ask.id);
    memcpy(y->ask.inquirer, p->task->muni, sizeof y->ask.inquirer);
    memcpy(y->ask.provider, p->peer, sizeof y->ask.provider);
    y->ask.basis = who_at(p, 0)->basis;
    y->ask.person = y->person;
    return y->ask.n ? OK : FAIL(E_INTERNAL);
}

/* q->out and the municipality's are counted already. */
void nz_inq_parcel_send(struct nz_inq_parcel *p)
{
    struct nz_inq_task *t = p->task;
    struct nz_inquiry *q = t->q;
    struct nz_inq_try *y = calloc(1, sizeof *y);
    if (y) {
        y->p = p;
        t->users++;
    }
    struct err e = y ? try_fill(y) : FAIL(E_NOMEM);
    if (err_ok(e) && !q->client)
        e = FAIL(E_CANCELED);
    if (!err_ok(e)) {
        own_trouble(p, e);
        if (y)
            try_free(y);
        return;
    }
    if (!p->out)
        p->sent_ms = nz_inq_now(q);
    p->out++;
    nz_vrs_inquire(q->client, q->in->conf.vrs_url, (unsigned)q->in->conf.vrs_timeout_ms, q->in->pool, &y->ask, heard, y);
}
