/* What became of each question: into the sealed results as it comes, synced in rounds, then the counts into redis-link; at the end the statement of
 * completeness, and the numbers are removed from the disk. */

#include "keys/inquiry/work.h"

enum { FAILED_LISTED = 500 };

/* ---- results ---- */

/* A record is not spread over two frames. */
static ERR append(struct nz_inq_task *t, const struct nz_inq_result *r)
{
    struct buf rec;
    buf_init(&rec, NZ_FRAME_PLAIN);
    nz_inq_result_encode(r, &rec);
    struct err e = buf_check(&rec);
    if (err_ok(e) && t->pending && t->pending + rec.n > NZ_FRAME_PLAIN) {
        e = nz_frames_flush(t->results);
        t->pending = 0;
    }
    if (err_ok(e))
        e = nz_frames_append(t->results, buf_slice(&rec));
    t->pending += rec.n;
    t->dirty = true;
    buf_done(&rec);
    return e;
}

/* What cannot be kept was not answered: the task begins anew with what is on the disk. */
static void append_or_drop(struct nz_inq_task *t, const struct nz_inq_result *r)
{
    struct err e = append(t, r);
    if (err_ok(e))
        return;
    nz_inq_task_trouble(t, e);
    t->broken = true;
}

static struct slice key_of(const struct nz_inq_task *t, const struct nz_inq_who *w)
{
    return w->key_n ? slice_of(t->texts.p + w->key_at, w->key_n) : SLICE_NONE;
}

void nz_inq_tell(struct nz_inq_task *t, struct nz_inq_pair *pair, const char peer[static 6], enum nz_inq_outcome o, enum nz_inq_reason why, struct slice json)
{
    struct nz_inq_result r = { .kind = NZ_INQ_ANSWER, .row = pair->who + 1, .outcome = o, .reason = why, .at_ms = nz_inq_wall(t->q),
                               .key = key_of(t, &t->who[pair->who]), .json = json };
    memcpy(r.peer, peer, sizeof r.peer);
    append_or_drop(t, &r);
    pair->outcome = (uint8_t)o;
    pair->reason = (uint8_t)why;
    t->count[o]++;
}

static void tell_refused(struct nz_inq_task *t)
{
    for (uint32_t i = 0; i < t->n_who; i++) {
        struct nz_inq_who *w = &t->who[i];
        struct nz_inq_result r = { .kind = NZ_INQ_ANSWER, .row = i + 1, .outcome = NZ_INQ_REFUSED, .reason = NZ_INQ_BECAUSE_FIELD, .at_ms = nz_inq_wall(t->q),
                                   .json = key_of(t, w) /* of a refused one: its errors */ };
        if (!w->refused || w->refusal_told)
            continue;
        memset(r.peer, '0', sizeof r.peer);
        append_or_drop(t, &r);
        w->refusal_told = true;
        t->count[NZ_INQ_REFUSED]++;
    }
    t->refused_told = true;
}

/* ---- the statement ---- */

struct asked { size_t peers, answered, listed; };

static void write_peer(struct jsonw *w, const struct nz_inq_pair *p, size_t persons)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "municipalityCode", ARR(p->peer));
    jsonw_u64(w, "persons", persons);
    jsonw_cstr(w, "code", nz_inq_reason_slug((enum nz_inq_reason)p->reason));
    jsonw_end_object(w);
}

/* A municipality has answered when it has answered for everybody who was asked for there. */
static struct asked write_failed(const struct nz_inq_task *t, struct jsonw *w)
{
    struct asked n = { 0 };
    for (size_t i = 0, k; i < t->n_pairs; i = k) {
        const struct nz_inq_pair *bad = NULL;
        size_t persons = 0;
        for (k = i; k < t->n_pairs && memcmp(t->pair[k].peer, t->pair[i].peer, 6) == 0; k++) {
            if (t->pair[k].outcome == NZ_INQ_FOUND || t->pair[k].outcome == NZ_INQ_NOTHING)
                continue;
            bad = &t->pair[k];
            persons++;
        }
        n.peers++;
        n.answered += !bad;
        if (bad && n.listed++ < FAILED_LISTED && w)
            write_peer(w, bad, persons);
    }
    return n;
}

static void say(struct jsonw *w, const struct asked *n)
{
    struct buf text;
    buf_init(&text, 256);
    buf_u64(&text, n->peers);
    buf_puts(&text, " 市区町村のうち ");
    buf_u64(&text, n->answered);
    buf_puts(&text, " から回答がありました。");
    jsonw_str(w, "message_ja", buf_slice(&text));
    buf_reset(&text);
    buf_u64(&text, n->answered);
    buf_puts(&text, " of ");
    buf_u64(&text, n->peers);
    buf_puts(&text, " municipalities answered.");
    jsonw_str(w, "message_en", buf_slice(&text));
    buf_done(&text);
}

ERR nz_inq_statement(struct nz_inq_task *t, struct buf *out)
{
    struct jsonw w;
    const struct asked all = write_failed(t, NULL);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "askedMunicipalities", all.peers);
    jsonw_u64(&w, "answeredMunicipalities", all.answered);
    jsonw_bool(&w, "complete", all.answered == all.peers && !t->count[NZ_INQ_REFUSED]);
    say(&w, &all);
    jsonw_u64(&w, "persons", t->n_who);
    jsonw_u64(&w, "questions", t->n_pairs);
    for (int o = NZ_INQ_FOUND; o < NZ_INQ__MAX; o++)
        jsonw_u64(&w, nz_inq_outcome_name((enum nz_inq_outcome)o), t->count[o]);
    jsonw_array(&w, "failedMunicipalities");
    write_failed(t, &w);
    jsonw_end_array(&w);
    if (all.listed > FAILED_LISTED)
        jsonw_u64(&w, "failedMunicipalitiesNotListed", all.listed - FAILED_LISTED);
    jsonw_end_object(&w);
    t->n_peers = all.peers;
    t->peers_answered = all.answered;
    return buf_check(out);
}

static ERR tell_statement(struct nz_inq_task *t)
{
    struct buf json;
    buf_init(&json, NZ_INQ_JSON_MAX);
    struct err e = nz_inq_statement(t, &json);
    struct nz_inq_result r = { .kind = NZ_INQ_STATEMENT, .at_ms = nz_inq_wall(t->q), .json = buf_slice(&json) };
    memset(r.peer, '0', sizeof r.peer);
    if (err_ok(e) && !t->statement_told)
        e = append(t, &r);
    t->statement_told = true;
    buf_done(&json);
    return e;
}

/* ---- counts ---- */

void nz_inq_counts(const struct nz_inq_task *t, struct nz_file_task *file)
{
    uint64_t told = 0;
    struct nz_task *to = &file->task;
    file->thrown_away = t->count[NZ_INQ_QUARANTINED];
    to->rows = t->n_pairs;
    for (size_t i = 0; i < t->n_who; i++)
        to->rows += t->who[i].refused;
    to->count[NZ_REGISTERED] = t->count[NZ_INQ_FOUND];
    to->count[NZ_UPDATED] = 0;
    to->count[NZ_UNCHANGED] = t->count[NZ_INQ_NOTHING];
    to->count[NZ_REFUSED] = t->count[NZ_INQ_FAILED] + t->count[NZ_INQ_REFUSED] + t->count[NZ_INQ_QUARANTINED];
    to->count[NZ_QUARANTINED] = 0; /* nobody can release what was thrown away */
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++)
        told += to->count[r];
    to->count[NZ_WAITING] = to->rows - told;
}

static void put_u64(struct redis_batch *b, struct slice name, uint64_t v)
{
    redis_arg(b, name);
    redis_arg_u64(b, v);
}

static void add_counts(const struct nz_inq_task *t, struct redis_batch *b, bool end)
{
    struct nz_file_task now = { .state = NZ_FILE_PROCESSING };
    struct store_name name;
    nz_inq_counts(t, &now);
    nz_name_task("t", t->muni, &t->id, &name);
    redis_begin(b, 2 + 2 * (NZ_RESULT__MAX + 3 + (end ? 3u : 0u)));
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&name));
    put_u64(b, LIT(NZ_TASK_ROWS), now.task.rows);
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++)
        put_u64(b, slice_str(nz_result_name((enum nz_result)r)), now.task.count[r]);
    put_u64(b, LIT(NZ_TASK_THROWN_AWAY), now.thrown_away);
    put_u64(b, LIT(NZ_TASK_MOVED), nz_inq_wall(t->q));
    redis_arg(b, LIT(NZ_TASK_STATE));
    redis_arg(b, slice_str(nz_file_state_name(end ? NZ_FILE_ENDED : NZ_FILE_PROCESSING)));
    if (end) {
        put_u64(b, LIT(NZ_TASK_ENDED), t->ended_ms);
        put_u64(b, LIT(NZ_TASK_PEERS), t->n_peers);
        put_u64(b, LIT(NZ_TASK_PEERS_ANSWERED), t->peers_answered);
    }
}

static void counted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_inq_task *t = arg;
    (void)replies, (void)n;
    t->counting = false;
    if (!err_ok(e))
        t->counts_due = true; /* with the next look */
    nz_inq_task_unref(t);
}

static void count(struct nz_inq_task *t, uint64_t now)
{
    struct redis_batch *b = redis_batch_new(4096);
    if (!b)
        return;
    add_counts(t, b, false);
    t->counting = true;
    t->counts_due = false;
    t->counted_ms = now;
    t->users++;
    redis_send(t->q->in->redis, b, now + NZ_READ_MS, counted, t);
}

/* ---- syncing ---- */

static void synced(void *arg, struct err e)
{
    struct nz_inq_task *t = arg;
    t->syncing = false;
    if (!err_ok(e)) {
        nz_inq_task_trouble(t, e);
        t->broken = true;
    }
    t->counts_due = true;
    nz_inq_soon(t->q);
    nz_inq_task_unref(t);
}

static void sync_results(struct nz_inq_task *t)
{
    t->dirty = false;
    t->syncing = true;
    t->pending = 0; /* a sync ends the frame */
    t->users++;
    nz_frames_sync(t->results, t->q->in->loop, synced, t);
}

/* ---- the end ---- */

static void ended(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_inq_task *t = arg;
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        t->counting = false;
        nz_inq_task_trouble(t, e);
    } else {
        LOG(INFO, "inquiry_ended", LF("found", t->count[NZ_INQ_FOUND]), LF("nothing", t->count[NZ_INQ_NOTHING]), LF("failed", t->count[NZ_INQ_FAILED]),
            LF("quarantined", t->count[NZ_INQ_QUARANTINED]), LF("refused", t->count[NZ_INQ_REFUSED]), LF("municipalities", (uint64_t)t->n_peers),
            LF("answered", (uint64_t)t->peers_answered));
        if (!err_ok(nz_spool_drop_part(t->entry, NZ_SPOOL_UPLOAD))) /* the numbers */
            LOG(WARN, "upload_not_removed");
        t->q->again = true;
        nz_inq_task_drop(t);
    }
    nz_inq_soon(t->q);
    nz_inq_task_unref(t);
}

static void end_audited(void *arg, struct err e)
{
    struct nz_inq_task *t = arg;
    struct redis_batch *b = err_ok(e) ? redis_batch_new(8192) : NULL;
    struct nz_row_ref ref = { .task = t->id, .row = 1 };
    struct nz_member member;
    if (!b) {
        t->counting = false;
        nz_inq_task_trouble(t, err_ok(e) ? FAIL(E_NOMEM) : e);
        nz_inq_task_unref(t);
        return;
    }
    memcpy(ref.muni, t->muni, sizeof ref.muni);
    nz_member_write(&ref, &member);
    t->ended_ms = nz_inq_wall(t->q);
    REDIS_ADD(b, LIT("MULTI"));
    add_counts(t, b, true);
    REDIS_ADD(b, LIT("ZREM"), NZ_INQ_QUEUE, nz_member_slice(&member));
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, NZ_INQ_KEPT);
    redis_arg_u64(b, t->ended_ms + t->q->in->conf.inquiry_keep_days * UINT64_C(86400000));
    redis_arg(b, nz_member_slice(&member));
    REDIS_ADD(b, LIT("EXEC"));
    redis_send(t->q->in->redis, b, nz_inq_now(t->q) + NZ_WRITE_MS, ended, t);
}

static void end(struct nz_inq_task *t)
{
    struct audit_rec rec = nz_inq_audit(t, AU_INQUIRY_ENDED, t->n_who ? t->who[0].basis : 0, (uint32_t)t->n_who);
    rec.result = t->count[NZ_INQ_FAILED] + t->count[NZ_INQ_QUARANTINED] ? AR_FAILED : AR_OK;
    t->counting = true;
    t->users++;
    audit_append(t->q->in->audit, &rec, nz_inq_now(t->q) + NZ_INQ_STEP_MS, end_audited, t);
}

void nz_inq_tell_tick(struct nz_inq_task *t)
{
    const uint64_t now = nz_inq_now(t->q);
    if (t->broken) {
        nz_inq_task_drop(t); /* taken up again from the disk */
        return;
    }
    if (!t->refused_told)
        tell_refused(t);
    if (t->life == NZ_INQ_RUNS && !t->parcels_left) {
        t->life = NZ_INQ_ENDING;
        struct err e = tell_statement(t);
        if (!err_ok(e)) {
            nz_inq_task_trouble(t, e);
            t->broken = true;
            return;
        }
    }
    if (t->dirty && !t->syncing)
        sync_results(t);
    else if (t->life == NZ_INQ_ENDING && !t->dirty && !t->syncing && !t->counting && now >= t->pause_until)
        end(t);
    else if (t->life == NZ_INQ_RUNS && t->counts_due && !t->counting && now - t->counted_ms >= NZ_INQ_COUNTS_MS)
        count(t, now);
}
