/* A task's persons into memory: its hash, its key, what was asked, what was answered before a restart, and the questions that are left. */

#include <stdlib.h>

#include "keys/inquiry/work.h"

enum { TEXTS_MAX = 64 << 20 };

/* The folder does not open, and no time heals that: rejected, nothing was asked. */
static void ended(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_inq_task *t = arg;
    (void)replies, (void)n;
    if (!err_ok(e))
        nz_inq_task_trouble(t, e);
    nz_inq_task_drop(t);
    nz_inq_task_unref(t);
}

static void reject(struct nz_inq_task *t, const char *rule)
{
    struct redis_batch *b = redis_batch_new(2048);
    struct store_name name;
    struct nz_row_ref ref = { .task = t->id, .row = 1 };
    struct nz_member member;
    if (!b) {
        nz_inq_task_drop(t);
        return;
    }
    LOG(ERROR, "inquiry_not_readable");
    memcpy(ref.muni, t->muni, sizeof ref.muni);
    nz_member_write(&ref, &member);
    nz_name_task("t", t->muni, &t->id, &name);
    redis_begin(b, 8);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&name));
    redis_arg(b, LIT(NZ_TASK_STATE));
    redis_arg(b, slice_str(nz_file_state_name(NZ_FILE_REJECTED)));
    redis_arg(b, LIT(NZ_TASK_REJECT_RULE));
    redis_arg(b, slice_str(rule));
    redis_arg(b, LIT(NZ_TASK_ENDED));
    redis_arg_u64(b, nz_inq_wall(t->q));
    REDIS_ADD(b, LIT("ZREM"), NZ_INQ_QUEUE, nz_member_slice(&member));
    t->users++;
    redis_send(t->q->in->redis, b, nz_inq_now(t->q) + NZ_WRITE_MS, ended, t);
}

static void load_failed(struct nz_inq_task *t, struct err e)
{
    const bool lost = err_is(e, E_SEAL) || err_is(e, E_NOTHING);
    if (lost || err_is(e, E_FORBIDDEN)) {
        reject(t, lost ? "stored_value_unreadable" : "municipality_closed");
        return;
    }
    LOG(WARN, "inquiry_waits", LF("error", e));
    nz_inq_task_drop(t);
}

/* ---- questions ---- */

static int pair_order(const struct nz_inq_who *who, const struct nz_inq_pair *a, const struct nz_inq_pair *b)
{
    int c = memcmp(a->peer, b->peer, sizeof a->peer);
    if (c)
        return c;
    if (who[a->who].basis != who[b->who].basis)
        return who[a->who].basis < who[b->who].basis ? -1 : 1;
    return a->who < b->who ? -1 : a->who > b->who;
}

static int by_question(const void *a, const void *b, void *who) { return pair_order(who, a, b); }

/* munis: of those who are asked for everywhere. When nobody has told them in time there is one question to nobody instead, which fails. */
static ERR pairs_make(struct nz_inq_task *t, const char (*munis)[6], size_t n_munis)
{
    static const char NOBODY[1][6] = { NZ_INQ_NOBODY };
    size_t n = 0;
    if (n_munis == 0) {
        munis = NOBODY;
        n_munis = 1;
    }
    for (size_t i = 0; i < t->n_who; i++)
        n += t->who[i].refused ? 0 : t->who[i].everywhere ? n_munis : 1;
    if (n > NZ_INQUIRY_PAIRS)
        return FAIL(E_FULL);
    t->pair = calloc(n + 1, sizeof *t->pair);
    if (!t->pair)
        return FAIL(E_NOMEM);
    for (uint32_t i = 0; i < t->n_who; i++) {
        const struct nz_inq_who *w = &t->who[i];
        for (size_t k = 0; !w->refused && k < (w->everywhere ? n_munis : 1); k++) {
            const char *peer = w->everywhere ? munis[k] : w->peer;
            if (memcmp(peer, t->muni, sizeof t->muni) == 0)
                continue; /* of those that are asked everywhere: not ourselves */
            struct nz_inq_pair *p = &t->pair[t->n_pairs++];
            p->who = i;
            memcpy(p->peer, peer, sizeof p->peer);
        }
    }
    qsort_r(t->pair, t->n_pairs, sizeof *t->pair, by_question, t->who);
    return OK;
}

static struct nz_inq_pair *pair_find(struct nz_inq_task *t, uint32_t who, const char peer[static 6])
{
    struct nz_inq_pair key = { .who = who };
    size_t lo = 0, hi = t->n_pairs;
    memcpy(key.peer, peer, sizeof key.peer);
    while (lo < hi) {
        size_t mid = lo + (hi - lo) / 2;
        if (pair_order(t->who, &t->pair[mid], &key) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    return lo < t->n_pairs && pair_order(t->who, &t->pair[lo], &key) == 0 ? &t->pair[lo] : NULL;
}

/* ---- what was answered before ---- */

static void take_result(struct nz_inq_task *t, const struct nz_inq_result *r)
{
    if (r->kind == NZ_INQ_STATEMENT) {
        t->statement_told = true;
        return;
    }
    if (r->row == 0 || r->row > t->n_who)
        return;
    struct nz_inq_who *w = &t->who[r->row - 1];
    struct nz_inq_pair *p = w->refused ? NULL : pair_find(t, r->row - 1, r->peer);
    if (w->refused && !w->refusal_told) {
        w->refusal_told = true;
        t->count[NZ_INQ_REFUSED]++;
    } else if (p && p->outcome == NZ_INQ_WAITS) {
        p->outcome = (uint8_t)r->outcome;
        p->reason = (uint8_t)r->reason;
        t->count[r->outcome]++;
    }
}

static ERR results_read(struct nz_inq_task *t)
{
    struct nz_frames_at at = { 0 };
    struct buf plain;
    struct err e;
    buf_init(&plain, 2 * NZ_FRAME_PLAIN);
    for (;;) {
        struct nz_inq_result r;
        buf_reset(&plain);
        e = nz_frames_read(t->results, &at, &plain);
        struct slice in = buf_slice(&plain);
        while (err_ok(e) && in.n) {
            e = nz_inq_result_decode(&in, &r);
            if (err_ok(e))
                take_result(t, &r);
        }
        if (!err_ok(e))
            break;
    }
    buf_done(&plain);
    return err_is(e, E_NOTHING) ? OK : e;
}

/* ---- parcels ---- */

static bool same_parcel(const struct nz_inq_task *t, size_t a, size_t b)
{
    return memcmp(t->pair[a].peer, t->pair[b].peer, 6) == 0 && t->who[t->pair[a].who].basis == t->who[t->pair[b].who].basis;
}

static void parcel_make(struct nz_inq_task *t, size_t first, size_t n)
{
    struct nz_inq_parcel *p = &t->parcel[t->n_parcels];
    bool waits = false;
    for (size_t i = first; i < first + n; i++)
        waits |= t->pair[i].outcome == NZ_INQ_WAITS;
    if (!waits)
        return;
    uint8_t id[NZ_VRS_REQUEST_ID / 2];
    struct buf hex;
    *p = (struct nz_inq_parcel){ .task = t, .first = (uint32_t)first, .n = (uint32_t)n, .why = NZ_INQ_BECAUSE_AWAY };
    memcpy(p->peer, t->pair[first].peer, sizeof p->peer);
    rnd_bytes(id, sizeof id);
    buf_init(&hex, sizeof p->id);
    buf_hex(&hex, ARR(id));
    memcpy(p->id, hex.p, sizeof p->id);
    buf_done(&hex);
    for (size_t i = first; i < first + n; i++)
        t->who[t->pair[i].who].left++;
    TAILQ_INSERT_TAIL(&t->waiting, p, at);
    t->n_parcels++;
}

static ERR parcels_make(struct nz_inq_task *t)
{
    const size_t most = t->q->in->conf.vrs_batch_rows;
    size_t n = 0;
    for (size_t first = 0, i = 0; i < t->n_pairs; i++) {
        if (i && same_parcel(t, first, i) && i - first < most)
            continue;
        first = i;
        n++;
    }
    t->parcel = calloc(n + 1, sizeof *t->parcel);
    if (!t->parcel)
        return FAIL(E_NOMEM);
    for (size_t first = 0, i = 0; i < t->n_pairs; first = i) {
        for (i = first + 1; i < t->n_pairs && same_parcel(t, first, i) && i - first < most;)
            i++;
        parcel_make(t, first, i - first);
    }
    t->parcels_left = t->n_parcels;
    for (size_t i = 0; i < t->n_who; i++) {
        if (t->who[i].left)
            continue;
        nz_mynum_free(t->who[i].number); /* answered before the restart */
        t->who[i].number = NULL;
    }
    return OK;
}

static void runs(struct nz_inq_task *t, const char (*munis)[6], size_t n_munis)
{
    struct err e = pairs_make(t, munis, n_munis);
    if (err_ok(e))
        e = nz_spool_frames(t->entry, NZ_SPOOL_RESULTS, NZ_SPOOL_CREATE, &t->results);
    if (err_ok(e))
        e = results_read(t);
    for (size_t i = 0; err_ok(e) && i < t->n_pairs; i++)
        if (t->pair[i].outcome == NZ_INQ_WAITS && memcmp(t->pair[i].peer, NZ_INQ_NOBODY, sizeof t->pair[i].peer) == 0)
            nz_inq_tell(t, &t->pair[i], t->pair[i].peer, NZ_INQ_FAILED, NZ_INQ_BECAUSE_VRS, SLICE_NONE);
    if (err_ok(e))
        e = parcels_make(t);
    if (!err_ok(e)) {
        load_failed(t, e);
        return;
    }
    t->life = NZ_INQ_RUNS;
    t->deadline = nz_inq_now(t->q) + t->q->in->conf.inquiry_deadline_s * 1000;
    t->counts_due = true;
    LOG(INFO, "inquiry_runs", LF("persons", (uint64_t)t->n_who), LF("questions", (uint64_t)t->n_pairs), LF("requests", (uint64_t)t->n_parcels));
    nz_inq_soon(t->q);
}

/* Whom to ask is asked again until the deadline; the task stays as it is, so that its key is opened once. */
static void munis_heard(void *arg, struct err e, const char (*munis)[6], size_t n)
{
    struct nz_inq_task *t = arg;
    const uint64_t now = nz_inq_now(t->q);
    uint64_t random;
    if (t->life == NZ_INQ_LOADING && ((err_ok(e) && n) || now >= t->deadline)) {
        runs(t, munis, err_ok(e) ? n : 0);
    } else if (t->life == NZ_INQ_LOADING) {
        LOG(WARN, "inquiry_waits", LF("error", err_ok(e) ? FAIL(E_UPSTREAM_BAD) : e));
        rnd_bytes(&random, sizeof random);
        t->retry_at = now + nz_inq_retry_ms(++t->munis_tries, random);
        t->wants_munis = true;
    }
    nz_inq_task_unref(t);
}

static void ask_munis(struct nz_inq_task *t)
{
    struct nz_inquiry *q = t->q;
    t->wants_munis = false;
    nz_vrs_municipalities(q->client, q->in->conf.vrs_url, (unsigned)q->in->conf.vrs_timeout_ms, munis_heard, t);
}

void nz_inq_load_tick(struct nz_inq_task *t)
{
    if (!t->wants_munis || nz_inq_now(t->q) < t->retry_at || !t->q->client)
        return;
    t->users++;
    ask_munis(t);
}

/* ---- persons ---- */

static ERR person_take(struct nz_inq_task *t, size_t *cap, struct nz_inq_person *p)
{
    if (t->n_who == *cap) {
        size_t more = *cap ? 2 * *cap : 256;
        struct nz_inq_who *who = realloc(t->who, more * sizeof *who);
        if (!who)
            return FAIL(E_NOMEM);
        t->who = who;
        *cap = more;
    }
    if (p->row != t->n_who + 1)
        return FAIL(E_SEAL);
    struct nz_inq_who *w = &t->who[t->n_who++];
    *w = (struct nz_inq_who){ .number = p->number, .basis = p->basis, .everywhere = p->everywhere, .refused = p->refused, .key_at = (uint32_t)t->texts.n };
    p->number = NULL; /* given to the task */
    memcpy(w->peer, p->peer, sizeof w->peer);
    buf_put(&t->texts, p->refused ? p->errors : p->key);
    w->key_n = (uint32_t)(t->texts.n - w->key_at);
    return buf_check(&t->texts);
}

static ERR persons_read(struct nz_inq_task *t)
{
    struct nz_frames *upload;
    struct nz_frames_at at = { 0 };
    struct buf plain;
    size_t cap = 0;
    TRY(nz_spool_frames(t->entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_READ, &upload));
    buf_init(&plain, 2 * NZ_FRAME_PLAIN);
    struct err e = OK;
    while (err_ok(e)) {
        buf_reset(&plain);
        e = nz_frames_read(upload, &at, &plain);
        struct slice in = buf_slice(&plain);
        while (err_ok(e) && in.n) {
            struct nz_inq_person p = { .row = 0 };
            e = nz_inq_person_decode(&in, t->q->in->pool, &p);
            if (err_ok(e))
                e = person_take(t, &cap, &p);
            nz_mynum_free(p.number);
        }
    }
    buf_done(&plain);
    nz_frames_close(upload);
    return err_is(e, E_NOTHING) && t->n_who ? OK : err_is(e, E_NOTHING) ? FAIL(E_SEAL) : e;
}

static void key_opened(void *arg, struct err e, struct secret *key, const uint8_t *wrapped)
{
    struct nz_inq_task *t = arg;
    struct nz_inquiry *q = t->q;
    bool everywhere = false;
    (void)wrapped;
    if (t->life == NZ_INQ_OVER || q->closed) {
        secret_free(key);
        nz_inq_task_unref(t);
        return;
    }
    if (err_ok(e))
        e = nz_spool_open(q->in->spool, &t->entry, t->muni, t->id.b, key); /* given to the entry */
    if (err_ok(e))
        e = persons_read(t);
    for (size_t i = 0; err_ok(e) && i < t->n_who; i++)
        everywhere |= t->who[i].everywhere;
    if (err_ok(e) && everywhere) {
        t->deadline = nz_inq_now(q) + q->in->conf.inquiry_deadline_s * 1000;
        ask_munis(t); /* still a user */
        return;
    }
    if (err_ok(e))
        runs(t, NULL, 0);
    else
        load_failed(t, e);
    nz_inq_task_unref(t);
}

/* ---- the hash ---- */

static ERR hash_take(struct nz_inq_task *t, const struct redis_reply *hash)
{
    struct nz_file_task ft = { .task.id = t->id };
    bool is_file;
    struct slice system = SLICE_NONE;
    struct buf actor;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        struct slice name = redis_reply_str(redis_reply_at(hash, i)), value = redis_reply_str(redis_reply_at(hash, i + 1));
        if (slice_eq(name, LIT(NZ_TASK_SYSTEM)))
            system = value;
        if (!nz_file_task_field(&ft, name, value))
            return FAIL(E_SEAL);
    }
    if (!nz_file_task_complete(&ft, &is_file) || !is_file || ft.task.form != NZ_FORM_INQUIRY)
        return FAIL(E_SEAL);
    t->accepted_ms = ft.accepted_ms;
    buf_init(&actor, sizeof t->actor - 1);
    buf_puts(&actor, "municipality/");
    buf_put(&actor, ARR(t->muni));
    buf_putc(&actor, '/');
    buf_put(&actor, system);
    if (!actor.failed)
        memcpy(t->actor, actor.p, actor.n);
    buf_done(&actor);
    return OK;
}

static void hash_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_inq_task *t = arg;
    struct nz_intake *in = t->q->in;
    uint8_t wrapped[NZ_WRAPPED_BYTES];
    if (t->life == NZ_INQ_OVER || t->q->closed) {
        nz_inq_task_unref(t);
        return;
    }
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = hash_take(t, replies[0]);
    if (err_ok(e))
        e = nz_spool_wrapped(in->spool, t->muni, t->id.b, wrapped);
    if (err_ok(e)) {
        nz_vault_key_open(in->vault, t->muni, t->id.b, ARR(wrapped), nz_inq_now(t->q) + NZ_READ_MS, key_opened, t);
        return;
    }
    load_failed(t, e);
    nz_inq_task_unref(t);
}

void nz_inq_load(struct nz_inq_task *t)
{
    struct redis_batch *b = redis_batch_new(256);
    struct store_name name;
    if (!b) {
        nz_inq_task_drop(t);
        return;
    }
    buf_init(&t->texts, TEXTS_MAX);
    nz_name_task("t", t->muni, &t->id, &name);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&name));
    t->users++;
    redis_send(t->q->in->redis, b, nz_inq_now(t->q) + NZ_READ_MS, hash_read, t);
}
