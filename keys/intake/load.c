/* From the name of a row to a job that knows what it wants: its payload, then the PMH key of its subject. */

#include "keys/intake/work.h"

#include <stdlib.h>

struct load { /* payloads of n jobs */
    struct nz_outbox *o;
    size_t n;
    struct nz_job *job[NZ_LOAD_ROWS];
};

struct keys { /* keys of n subjects, each kept by one of its waiting jobs */
    struct nz_outbox *o;
    size_t n;
    struct nz_subj *subj[NZ_LOAD_ROWS];
};

/* ---- the subject's key ---- */

static ERR key_open(struct nz_outbox *o, struct nz_subj *s, struct slice sealed, struct buf *ret_key)
{
    struct store_name name;
    store_name_subject(s->sid, &name);
    TRY(store_open(o->in->store, slice_of(s->muni, 6), &name, LIT("k"), sealed, ret_key));
    return ret_key->n && ret_key->n <= PMH_KEY_MAX ? OK : FAIL(E_SEAL);
}

static void subject_known(struct nz_outbox *o, struct nz_subj *s, struct slice sealed)
{
    if (!sealed.n) {
        nz_window_need(o, s);
        return;
    }
    struct buf key;
    buf_init(&key, PMH_KEY_MAX);
    struct err e = key_open(o, s, sealed, &key);
    if (err_ok(e)) {
        s->stored_key = true;
        nz_window_keyed(o, s, buf_slice(&key));
        buf_done(&key);
        return;
    }
    buf_done(&key);
    LOG(ERROR, "subject_key_unreadable", LF("error", e));
    nz_hold_subject(o, s, NZ_CODE_UNREADABLE);
}

static void keys_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct keys *k = arg;
    struct nz_outbox *o = k->o;
    o->loads--;
    if (err_ok(e) && n != k->n)
        e = FAIL(E_STORE_REFUSED);
    for (size_t i = 0; i < k->n; i++) {
        if (err_ok(e))
            subject_known(o, k->subj[i], redis_reply_str(replies[i]));
        else
            nz_window_release(o, k->subj[i]);
    }
    free(k);
    if (!err_ok(e))
        nz_outbox_trouble(o, e);
    nz_outbox_tick(o);
}

static void keys_ask(struct keys *k)
{
    struct nz_outbox *o = k->o;
    struct redis_batch *b = k->n ? redis_batch_new(NZ_LOAD_ROWS * 128) : NULL;
    for (size_t i = 0; b && i < k->n; i++) {
        struct store_name name;
        store_name_subject(k->subj[i]->sid, &name);
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&name), LIT("k"));
    }
    if (b) {
        o->loads++;
        redis_send(o->in->redis, b, nz_outbox_deadline(o), keys_read, k);
        return;
    }
    for (size_t i = 0; i < k->n; i++)
        nz_window_release(o, k->subj[i]);
    if (k->n)
        nz_outbox_trouble(o, FAIL(E_NOMEM));
    free(k);
}

/* ---- the payload ---- */

static ERR payload_open(struct nz_outbox *o, struct nz_job *j, struct slice sealed)
{
    struct store_name name;
    char digits[10];
    nz_name_task("o", j->ref.muni, &j->ref.task, &name);
    TRY(store_open(o->in->store, slice_of(j->ref.muni, 6), &name, slice_of(digits, nz_row_format(j->ref.row, digits)), sealed, &j->plain));
    return nz_payload_decode(buf_slice(&j->plain), &j->p);
}

static enum nz_code code_of(struct err e) { return err_is(e, E_FORBIDDEN) ? NZ_CODE_MUNI_CLOSED : NZ_CODE_UNREADABLE; }

/* true when the job's subject is new here and its key is to be read. */
static bool job_loaded(struct nz_outbox *o, struct nz_job *j, struct slice sealed, struct nz_subj **ret_fresh)
{
    if (!sealed.n) { /* finished between the two reads */
        nz_window_drop(o, j);
        return false;
    }
    struct err e = payload_open(o, j, sealed);
    if (!err_ok(e)) {
        LOG(ERROR, "outbox_payload_unreadable", LF("error", e));
        nz_hold_job(o, j, code_of(e));
        return false;
    }
    bool fresh;
    struct nz_subj *s = nz_window_subject(o, j->ref.muni, j->p.sid, &fresh);
    if (!s) {
        nz_window_drop(o, j);
        return false;
    }
    nz_window_attach(o, j, s);
    *ret_fresh = s;
    return fresh;
}

/* None for a row that has left its queue since the queue was read: it is finished, or held with its payload. */
static struct slice payload_of(const struct redis_reply *in_queue, const struct redis_reply *payload)
{
    return redis_reply_str(in_queue).n ? redis_reply_str(payload) : SLICE_NONE;
}

static void loaded(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct load *l = arg;
    struct nz_outbox *o = l->o;
    o->loads--;
    if (err_ok(e) && n != 2 * l->n)
        e = FAIL(E_STORE_REFUSED);
    struct keys *k = err_ok(e) ? calloc(1, sizeof *k) : NULL;
    if (err_ok(e) && !k)
        e = FAIL(E_NOMEM);
    if (k)
        k->o = o;
    for (size_t i = 0; i < l->n; i++) {
        struct nz_subj *fresh;
        if (!err_ok(e))
            nz_window_drop(o, l->job[i]);
        else if (job_loaded(o, l->job[i], payload_of(replies[2 * i], replies[2 * i + 1]), &fresh))
            k->subj[k->n++] = fresh;
    }
    free(l);
    if (k)
        keys_ask(k);
    if (!err_ok(e))
        nz_outbox_trouble(o, e);
    nz_outbox_tick(o);
}

static void load_send(struct load *l)
{
    struct nz_outbox *o = l->o;
    struct redis_batch *b = redis_batch_new(NZ_LOAD_ROWS * 320);
    for (size_t i = 0; b && i < l->n; i++) {
        struct store_name name;
        nz_name_task("o", l->job[i]->ref.muni, &l->job[i]->ref.task, &name);
        struct nz_member member;
        nz_member_write(&l->job[i]->ref, &member);
        REDIS_ADD(b, LIT("ZSCORE"), nz_queue_name(l->job[i]->queue), nz_member_slice(&member));
        redis_begin(b, 3);
        redis_arg(b, LIT("HGET"));
        redis_arg(b, store_name_slice(&name));
        redis_arg_u64(b, l->job[i]->ref.row);
    }
    if (b) {
        o->loads++;
        redis_send(o->in->redis, b, nz_outbox_deadline(o), loaded, l);
        return;
    }
    for (size_t i = 0; i < l->n; i++)
        nz_window_drop(o, l->job[i]);
    free(l);
    nz_outbox_trouble(o, FAIL(E_NOMEM));
}

void nz_load_jobs(struct nz_outbox *o, struct nz_jobs *fresh)
{
    while (!TAILQ_EMPTY(fresh)) {
        struct load *l = calloc(1, sizeof *l);
        struct nz_job *j;
        while ((!l || l->n < NZ_LOAD_ROWS) && (j = TAILQ_FIRST(fresh))) {
            TAILQ_REMOVE(fresh, j, at);
            if (l)
                l->job[l->n++] = j;
            else
                nz_window_drop(o, j);
        }
        if (!l) {
            nz_outbox_trouble(o, FAIL(E_NOMEM));
            return;
        }
        l->o = o;
        load_send(l);
    }
}
