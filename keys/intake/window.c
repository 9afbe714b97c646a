#include "keys/intake/work.h"

#include <stdlib.h>

#include "gateway/base/must.h"

uint64_t nz_random(void)
{
    uint64_t r;
    rnd_bytes(&r, sizeof r);
    return r;
}

/* Task and subject ids are random: their first bytes are the hash. */
static size_t bucket_of(const uint8_t *random_id, uint32_t salt)
{
    uint64_t v;
    memcpy(&v, random_id, sizeof v);
    return (size_t)((v ^ salt) % NZ_WINDOW_BUCKETS);
}

static bool ref_same(const struct nz_row_ref *a, const struct nz_row_ref *b)
{
    return a->row == b->row && memcmp(a->task.b, b->task.b, sizeof a->task.b) == 0 && memcmp(a->muni, b->muni, 6) == 0;
}

struct nz_job *nz_window_find(struct nz_outbox *o, const struct nz_row_ref *ref)
{
    struct nz_job *j;
    LIST_FOREACH(j, &o->jobs[bucket_of(ref->task.b, ref->row)], bucket) {
        if (ref_same(&j->ref, ref))
            return j;
    }
    return NULL;
}

struct nz_job *nz_window_add(struct nz_outbox *o, const struct nz_row_ref *ref, enum nz_queue queue)
{
    struct nz_job *j = calloc(1, sizeof *j);
    if (!j)
        return NULL;
    j->ref = *ref;
    j->queue = queue;
    buf_init(&j->plain, NZ_PAYLOAD_MAX);
    LIST_INSERT_HEAD(&o->jobs[bucket_of(ref->task.b, ref->row)], j, bucket);
    o->in_window[queue]++;
    return j;
}

struct nz_subj *nz_window_subject(struct nz_outbox *o, const char muni[static 6], const uint8_t sid[static SUBJECT_BYTES], bool *ret_fresh)
{
    struct nz_subj_bucket *bucket = &o->subjs[bucket_of(sid, 0)];
    struct nz_subj *s;
    LIST_FOREACH(s, bucket, bucket) {
        if (memcmp(s->sid, sid, SUBJECT_BYTES) == 0 && memcmp(s->muni, muni, 6) == 0) {
            *ret_fresh = false;
            return s;
        }
    }
    s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    memcpy(s->sid, sid, SUBJECT_BYTES);
    memcpy(s->muni, muni, 6);
    TAILQ_INIT(&s->waiting);
    LIST_INSERT_HEAD(bucket, s, bucket);
    *ret_fresh = true;
    return s;
}

void nz_window_attach(struct nz_outbox *o, struct nz_job *j, struct nz_subj *s)
{
    MUST(!j->subj);
    j->subj = s;
    s->jobs++;
    if (s->state == NZ_SUBJ_KEYED)
        TAILQ_INSERT_TAIL(&o->ready, j, at);
    else
        TAILQ_INSERT_TAIL(&s->waiting, j, at);
}

void nz_window_keyed(struct nz_outbox *o, struct nz_subj *s, struct slice key)
{
    MUST(key.n > 0 && key.n <= PMH_KEY_MAX);
    memcpy(s->key, key.p, key.n);
    s->key[key.n] = 0;
    s->state = NZ_SUBJ_KEYED;
    TAILQ_CONCAT(&o->ready, &s->waiting, at);
}

void nz_window_need(struct nz_outbox *o, struct nz_subj *s)
{
    s->state = NZ_SUBJ_NEED;
    TAILQ_INSERT_TAIL(&o->need, s, at);
    o->n_need++;
}

struct nz_subj *nz_window_take_need(struct nz_outbox *o)
{
    struct nz_subj *s = TAILQ_FIRST(&o->need);
    if (s) {
        TAILQ_REMOVE(&o->need, s, at);
        o->n_need--;
        s->state = NZ_SUBJ_SENT;
    }
    return s;
}

static void subject_free(struct nz_outbox *o, struct nz_subj *s)
{
    if (s->state == NZ_SUBJ_NEED) {
        TAILQ_REMOVE(&o->need, s, at);
        o->n_need--;
    }
    LIST_REMOVE(s, bucket);
    free(s);
}

static void job_free(struct nz_outbox *o, struct nz_job *j)
{
    LIST_REMOVE(j, bucket);
    o->in_window[j->queue]--;
    buf_done(&j->plain);
    explicit_bzero(j, sizeof *j);
    free(j);
}

void nz_window_hold(struct nz_subj *s) { s->jobs++; }

void nz_window_unhold(struct nz_outbox *o, struct nz_subj *s)
{
    if (--s->jobs == 0)
        subject_free(o, s);
}

void nz_window_orphan(struct nz_outbox *o, struct nz_subj *s)
{
    LIST_REMOVE(s, bucket);
    LIST_INSERT_HEAD(&o->orphans, s, bucket);
}

void nz_window_drop(struct nz_outbox *o, struct nz_job *j)
{
    struct nz_subj *s = j->subj;
    job_free(o, j);
    if (s)
        nz_window_unhold(o, s);
}

void nz_window_release(struct nz_outbox *o, struct nz_subj *s)
{
    struct nz_job *j;
    nz_window_hold(s);
    nz_window_orphan(o, s);
    while ((j = TAILQ_FIRST(&s->waiting))) {
        TAILQ_REMOVE(&s->waiting, j, at);
        nz_window_drop(o, j);
    }
    nz_window_unhold(o, s);
}
