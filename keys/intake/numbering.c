/* A batch of subjects to PMH: the number from memory or revealed by the vault, audited, sent, judged. */

#include "keys/intake/work.h"

#include <stdlib.h>

#include "connectors/number/pmh.h"

enum reveal { REVEAL_NONE, REVEAL_ASKED, REVEAL_PROMOTED, REVEAL_LOST, REVEAL_UNREADABLE, REVEAL_CLOSED };

struct one {
    struct batch *b;
    struct nz_subj *subj;
    struct nz_mynum *number;
    uint64_t since;           /* when the number came into memory */
    enum reveal reveal;
};

struct batch {
    struct nz_outbox *o;
    size_t n, n_rows;
    struct one *one;          /* n */
    struct nz_pmh_row *row;   /* n_rows of them are sent */
    size_t *row_of;           /* row -> one */
    size_t under_way;
    struct err failed;
};

static void tickets(struct batch *b);
static void count_and_send(struct batch *b);

/* ---- life ---- */

static void batch_free(struct batch *b)
{
    struct nz_outbox *o = b->o;
    for (size_t i = 0; i < b->n; i++)
        nz_mynum_free(b->one[i].number);
    free(b->one);
    free(b->row);
    free(b->row_of);
    free(b);
    o->numberings--;
    nz_outbox_tick(o);
}

static struct batch *batch_new(struct nz_outbox *o, size_t n)
{
    struct batch *b = calloc(1, sizeof *b);
    if (!b)
        return NULL;
    b->one = calloc(n, sizeof *b->one);
    b->row = calloc(n, sizeof *b->row);
    b->row_of = calloc(n, sizeof *b->row_of);
    b->o = o;
    o->numberings++;
    if (b->one && b->row && b->row_of)
        return b;
    batch_free(b);
    return NULL;
}

/* Nothing was sent: the rows are found again in redis-link, the numbers go back to where they are wiped in time. */
static void give_up(struct batch *b, struct err e)
{
    struct nz_outbox *o = b->o;
    for (size_t i = 0; i < b->n; i++) {
        struct one *x = &b->one[i];
        if (!x->subj)
            continue;
        nz_hot_put(o->in->hot, x->subj->sid, x->number, x->since);
        x->number = NULL; /* given to the hot table */
        nz_window_release(o, x->subj);
        nz_window_unhold(o, x->subj);
    }
    nz_breaker_step(&o->pmh, NZ_BREAKER_VOID, loop_now(o->in->loop), nz_random());
    nz_outbox_trouble(o, e);
    batch_free(b);
}

/* ---- numbers that are not in memory: tickets ---- */

/* Of one number and no other: its row must not keep the rest of the batch from PMH. */
static bool is_the_rows(struct one *x, struct err e)
{
    if (err_is(e, E_NOTHING))
        x->reveal = x->reveal == REVEAL_ASKED ? REVEAL_PROMOTED : REVEAL_LOST;
    else if (err_is(e, E_SEAL))
        x->reveal = REVEAL_UNREADABLE;
    else if (err_is(e, E_FORBIDDEN))
        x->reveal = REVEAL_CLOSED;
    else
        return false;
    return true;
}

static void revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct one *x = arg;
    struct batch *b = x->b;
    struct nz_job *j = TAILQ_FIRST(&x->subj->waiting);
    if (err_ok(e) || err_is(e, E_NOTHING)) {
        /* Used up now, or used up by the same question before a crash: either way next has taken its place. */
        memcpy(j->p.ticket, j->p.next, sizeof j->p.ticket);
        j->p.has_next = false;
        j->tickets_changed = true;
    }
    x->since = loop_now(b->o->in->loop);
    if (err_ok(e))
        x->number = number;
    else if (!is_the_rows(x, e) && err_ok(b->failed))
        b->failed = e;
    if (--b->under_way)
        return;
    if (err_ok(b->failed))
        tickets(b);
    else
        give_up(b, b->failed);
}

static bool wants_reveal(const struct one *x) { return x->subj && !x->number && x->reveal < REVEAL_LOST; }

static void reveal(struct batch *b)
{
    struct nz_intake *in = b->o->in;
    for (size_t i = 0; i < b->n; i++)
        b->under_way += wants_reveal(&b->one[i]);
    for (size_t i = 0; i < b->n; i++) {
        struct one *x = &b->one[i];
        if (!wants_reveal(x))
            continue;
        const struct nz_job *j = TAILQ_FIRST(&x->subj->waiting);
        struct nz_subject subject;
        struct nz_ticket ticket, next;
        struct req_id id;
        memcpy(subject.sid, j->p.sid, sizeof subject.sid);
        memcpy(ticket.b, j->p.ticket, sizeof ticket.b);
        memcpy(next.b, j->p.next, sizeof next.b);
        rnd_bytes(id.b, sizeof id.b);
        if (x->reveal == REVEAL_NONE)
            x->reveal = REVEAL_ASKED;
        nz_vault_reveal(in->vault, in->pool, x->subj->muni, &subject, &ticket, &next, NZ_PURPOSE_NUMBERING, id,
                        nz_outbox_deadline(b->o), revealed, x);
    }
}

static void tickets_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct batch *b = arg;
    (void)replies, (void)n;
    if (err_ok(e))
        reveal(b);
    else
        give_up(b, e);
}

/* The vault knows none of this row's tickets, or does not open its number: held. Other rows of the same person have tickets of their own. */
static void lost(struct batch *b, struct one *x)
{
    const enum nz_code code = x->reveal == REVEAL_CLOSED       ? NZ_CODE_MUNI_CLOSED
                              : x->reveal == REVEAL_UNREADABLE ? NZ_CODE_UNREADABLE
                                                               : NZ_CODE_TICKET_LOST;
    struct nz_outbox *o = b->o;
    struct nz_job *j = TAILQ_FIRST(&x->subj->waiting);
    TAILQ_REMOVE(&x->subj->waiting, j, at);
    nz_hold_job(o, j, code);
    if (TAILQ_EMPTY(&x->subj->waiting))
        nz_window_orphan(o, x->subj);
    else
        nz_window_need(o, x->subj);
    nz_window_unhold(o, x->subj);
    x->subj = NULL;
}

/* true when the subject's first row has a ticket to be stored before it is asked with. */
static bool ticket_prepare(struct batch *b, struct one *x)
{
    if (!x->subj || x->number)
        return false;
    struct nz_job *j = TAILQ_FIRST(&x->subj->waiting);
    if (!j->p.has_ticket || x->reveal >= REVEAL_LOST) {
        lost(b, x);
        return false;
    }
    if (j->p.has_next) /* stored before a crash: the same question again */
        return false;
    rnd_bytes(j->p.next, sizeof j->p.next);
    j->p.has_next = true;
    return true;
}

/* Prepares the next tickets, stores them, then asks; goes on when every number is there. */
static void tickets(struct batch *b)
{
    struct nz_outbox *o = b->o;
    struct redis_batch *out = redis_batch_new(b->n * NZ_PAYLOAD_MAX);
    struct err e = out ? OK : FAIL(E_NOMEM);
    size_t left = 0;
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        if (ticket_prepare(b, &b->one[i]))
            e = nz_tickets_store(o, out, TAILQ_FIRST(&b->one[i].subj->waiting));
        left += wants_reveal(&b->one[i]);
    }
    if (err_ok(e) && redis_batch_count(out)) {
        redis_send(o->in->redis, out, nz_outbox_deadline(o), tickets_stored, b);
        return;
    }
    redis_batch_free(out);
    if (!err_ok(e))
        give_up(b, e);
    else if (left)
        reveal(b);
    else
        count_and_send(b);
}

/* ---- to PMH and back ---- */

/* What becomes of a subject of the batch; those to be tried later are collected. */
struct heard {
    struct batch *b;
    struct one *x;
    const struct nz_pmh_row *row;
    struct nz_subj **retry;
    size_t *n_retry;
};

static void hear_later(const struct heard *h) { h->retry[(*h->n_retry)++] = h->x->subj; }

static void hear_answer(const struct heard *h)
{
    struct nz_outbox *o = h->b->o;
    switch (h->row->outcome) {
    case NZ_PMH_KEY:
        nz_window_keyed(o, h->x->subj, slice_str(h->row->pmh_key));
        break;
    case NZ_PMH_RETRY:
        hear_later(h);
        break;
    case NZ_PMH_QUARANTINE:
        nz_hold_subject(o, h->x->subj, NZ_CODE_UPSTREAM);
        break;
    }
}

static void keep_number(const struct heard *h)
{
    nz_hot_put(h->b->o->in->hot, h->x->subj->sid, h->x->number, h->x->since);
    h->x->number = NULL; /* given to the hot table */
}

static void hear_soon(const struct heard *h)
{
    keep_number(h);
    nz_window_release(h->b->o, h->x->subj);
}

/* One row of many is not wanted: it is found by halves, and the others go through. While the upstream is not well, only one that was
 * refused alone is held: a partner that refuses everything must not empty the queue. */
static void hear_refused(const struct heard *h)
{
    struct nz_outbox *o = h->b->o;
    if (h->b->n_rows == 1)
        nz_hold_subject(o, h->x->subj, NZ_CODE_UPSTREAM);
    else if (o->pmh.state != NZ_BREAKER_CLOSED)
        hear_later(h);
    else {
        keep_number(h);
        h->x->subj->batch_max = (unsigned)(h->b->n_rows + 1) / 2;
        nz_window_need(o, h->x->subj);
    }
}

static const struct {
    enum nz_breaker_event event;
    void (*hear)(const struct heard *h);
} HEAR[NZ_UPSTREAM__MAX] = {
    [NZ_UPSTREAM_GOOD] = { NZ_BREAKER_GOOD, hear_answer },
    [NZ_UPSTREAM_SOON] = { NZ_BREAKER_VOID, hear_soon },
    [NZ_UPSTREAM_LATER] = { NZ_BREAKER_BAD, hear_later },
    [NZ_UPSTREAM_ROWS] = { NZ_BREAKER_BAD, hear_refused },
};

static void breaker_hear(struct nz_outbox *o, struct err e, enum nz_breaker_event event)
{
    bool was_well = o->pmh.state == NZ_BREAKER_CLOSED && o->pmh.failures == 0;
    bool was_open = o->pmh.state != NZ_BREAKER_CLOSED;
    nz_breaker_step(&o->pmh, event, loop_now(o->in->loop), nz_random());
    if (event == NZ_BREAKER_VOID)
        return;
    o->hurry = err_ok(e) && (o->hurry || !was_well);
    if (o->hurry)
        nz_outbox_dirty(o);
    if (!err_ok(e) && !was_open)
        LOG(WARN, "pmh_failed", LF("failures", o->pmh.failures), LF("error", e));
    if (err_ok(e) && was_open)
        LOG(INFO, "pmh_is_back");
}

void nz_outbox_heard(struct nz_outbox *o, struct err e)
{
    breaker_hear(o, e, HEAR[nz_upstream_class(e.code)].event);
    nz_outbox_tick(o);
}

static void answered(void *arg, struct err e)
{
    struct batch *b = arg;
    struct nz_outbox *o = b->o;
    struct nz_subj **retry = calloc(b->n, sizeof *retry);
    size_t n_retry = 0;
    const enum nz_upstream_class class = nz_upstream_class(e.code);
    breaker_hear(o, e, HEAR[class].event);
    for (size_t k = 0; k < b->n_rows; k++) {
        struct one *x = &b->one[b->row_of[k]];
        if (retry)
            HEAR[class].hear(&(struct heard){ b, x, &b->row[k], retry, &n_retry });
        else
            nz_window_release(o, x->subj);
        nz_mynum_free(x->number);
        x->number = NULL;
    }
    if (class == NZ_UPSTREAM_SOON)
        nz_outbox_trouble(o, e);
    if (n_retry && err_ok(e))
        o->hurry = false; /* PMH itself asks for time */
    if (retry)
        nz_retry_subjects(o, retry, n_retry); /* held by the batch until below */
    for (size_t k = 0; k < b->n_rows; k++)
        nz_window_unhold(o, b->one[b->row_of[k]].subj);
    explicit_bzero(b->row, b->n * sizeof *b->row);
    free(retry);
    batch_free(b);
}

static void audited(void *arg, struct err e)
{
    struct batch *b = arg;
    const struct nz_intake *in = b->o->in;
    if (!err_ok(e) && err_ok(b->failed))
        b->failed = e;
    if (--b->under_way)
        return;
    if (err_ok(b->failed))
        nz_pmh_number(in->client, in->conf.pmh_url, (unsigned)in->conf.pmh_timeout_ms, b->row, b->n_rows, answered, b);
    else
        give_up(b, b->failed);
}

static uint32_t count_muni(const struct batch *b, size_t from, bool *ret_first)
{
    const char *muni = b->one[b->row_of[from]].subj->muni;
    uint32_t n = 0;
    *ret_first = true;
    for (size_t k = 0; k < b->n_rows; k++) {
        bool same = memcmp(b->one[b->row_of[k]].subj->muni, muni, 6) == 0;
        if (same && k < from)
            *ret_first = false;
        n += same;
    }
    return n;
}

/* One audit record for each municipality of the batch, then the request. */
static void count_and_send(struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (!b->one[i].number)
            continue;
        b->row_of[b->n_rows] = i;
        b->row[b->n_rows++].number = b->one[i].number;
    }
    if (!b->n_rows) {
        nz_breaker_step(&b->o->pmh, NZ_BREAKER_VOID, loop_now(b->o->in->loop), nz_random());
        batch_free(b);
        return;
    }
    b->under_way = 1; /* until all records are on their way */
    for (size_t k = 0; k < b->n_rows; k++) {
        bool first;
        uint32_t n = count_muni(b, k, &first);
        if (!first)
            continue;
        struct audit_rec rec = nz_outbox_audit(b->o->in, AU_NUMBERING, b->one[b->row_of[k]].subj->muni, n);
        b->under_way++;
        audit_append(b->o->in->audit, &rec, nz_outbox_deadline(b->o), audited, b);
    }
    b->under_way--; /* records are answered from the loop, never before audit_append() returned */
}

/* ---- start ---- */

/* The next subject shares a batch with the n that are in it; *max is what it allows. */
static bool room_for(const struct nz_subj *s, size_t n, size_t *max)
{
    if (!s || (s->batch_max && n >= s->batch_max))
        return false;
    if (s->batch_max && s->batch_max < *max)
        *max = s->batch_max;
    return true;
}

static void start(struct nz_outbox *o, size_t max)
{
    struct batch *b = batch_new(o, max);
    if (!b) {
        nz_breaker_step(&o->pmh, NZ_BREAKER_VOID, loop_now(o->in->loop), nz_random());
        nz_outbox_trouble(o, FAIL(E_NOMEM));
        return;
    }
    while (b->n < max && room_for(TAILQ_FIRST(&o->need), b->n, &max)) {
        struct nz_subj *s = nz_window_take_need(o);
        nz_window_hold(s);
        struct one *x = &b->one[b->n++];
        *x = (struct one){ .b = b, .subj = s };
        x->number = nz_hot_take(o->in->hot, s->sid, &x->since);
    }
    tickets(b);
}

/* They stay in redis-link until the breaker lets them go; those that have waited too long for it are held. */
static void put_back(struct nz_outbox *o)
{
    struct nz_jobs old = TAILQ_HEAD_INITIALIZER(old);
    struct nz_subj *s;
    while ((s = nz_window_take_need(o))) {
        o->dirty[NZ_QUEUE_NUMBERING] = true;
        if (o->pmh.state == NZ_BREAKER_OPEN)
            nz_take_old(o, s, &old);
        nz_window_release(o, s);
    }
    nz_hold_jobs(o, &old, NZ_CODE_DEAD);
}

void nz_numbering_pump(struct nz_outbox *o)
{
    uint64_t now = loop_now(o->in->loop);
    unsigned room = nz_breaker_room(&o->pmh, now, NZ_NUMBERING_REQUESTS);
    if (!room)
        put_back(o);
    while (o->numberings < room && o->n_need) {
        if (o->n_need < o->in->conf.pmh_batch_rows && (o->fetching || o->loads))
            break; /* more are coming: a fuller batch */
        bool probe = nz_breaker_step(&o->pmh, NZ_BREAKER_DUE, now, nz_random());
        start(o, probe ? NZ_PROBE_ROWS : (size_t)o->in->conf.pmh_batch_rows);
        room = nz_breaker_room(&o->pmh, now, NZ_NUMBERING_REQUESTS);
    }
}
