/* POST /v1/vaccination/inquiries: read, sealed in the spool, audited, a task in one transaction, 202. */

#include <stdio.h>

#include "keys/inquiry/work.h"
#include "keys/intake/open_tasks.h"
#include "keys/intake/order.h"

struct post {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    struct nz_inq_person *p;
    size_t n;
    uint16_t basis;             /* of the first person: the record's */
    struct nz_task_id id;
    uint64_t now_ms;
    struct nz_spool_entry *entry;
    struct nz_frames *upload;
};

/* With the request, whatever becomes of it. */
static void post_end(void *arg)
{
    struct post *x = arg;
    nz_inq_persons_free(x->p, x->n);
    nz_frames_close(x->upload);
    nz_spool_close(x->entry);
    x->in->inquiry->under_way--;
}

static void post_fail(struct post *x, struct err e, bool made)
{
    struct err left = made ? nz_spool_remove(x->in->spool, x->muni, x->id.b) : OK;
    if (!err_ok(left) && !err_is(left, E_NOTHING))
        LOG(WARN, "upload_not_removed", LF("error", left));
    req_fail(x->r, e);
}

/* ---- may it be asked? ---- */

static ERR judge_bases(struct post *x)
{
    const struct caller *who = req_caller(x->r);
    const struct slice system = slice_str(who->system);
    size_t everywhere = 0;
    for (size_t i = 0; i < x->n; i++) {
        const struct nz_inq_person *p = &x->p[i];
        if (p->refused)
            continue;
        const struct basis_row *row = basis_named(x->in->basis, p->basis, who->role, system, LIT("postInquiries"));
        if (!row || (p->everywhere && !basis_named(x->in->basis, p->basis, who->role, system, LIT("inquireEverywhere"))))
            return FAIL(E_BASIS);
        if (row->consent && !p->consented)
            return FAIL(E_CONSENT_NEEDED);
        x->basis = x->basis ? x->basis : p->basis;
        everywhere += p->everywhere;
    }
    return everywhere > NZ_INQUIRY_EVERYWHERE ? FAIL(E_TOO_MANY_ROWS) : OK;
}

/* ---- the task ---- */

static void put(struct redis_batch *b, const char *name, struct slice value)
{
    redis_arg(b, slice_str(name));
    redis_arg(b, value);
}

static void add_hash(const struct post *x, struct redis_batch *b, const struct store_name *t, struct slice now)
{
    redis_begin(b, 2 + 2 * 8);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(t));
    put(b, NZ_TASK_OP, LIT("postInquiries"));
    put(b, NZ_TASK_SYSTEM, slice_str(req_caller(x->r)->system));
    put(b, NZ_TASK_RECEIVED, now);
    redis_arg(b, LIT(NZ_TASK_ROWS));
    redis_arg_u64(b, x->n);
    put(b, NZ_TASK_SRC, slice_str(nz_file_source_name(NZ_SOURCE_JSON)));
    put(b, NZ_TASK_STATE, slice_str(nz_file_state_name(NZ_FILE_ACCEPTED)));
    put(b, NZ_TASK_MODE, slice_str(nz_file_mode_name(NZ_MODE_APPLY)));
    put(b, NZ_TASK_ACCEPTED, now);
}

static void add_place(struct redis_batch *b, struct slice list, uint64_t score, struct slice member)
{
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, list);
    redis_arg_u64(b, score);
    redis_arg(b, member);
}

static struct redis_batch *transaction(const struct post *x)
{
    struct redis_batch *b = redis_batch_new(8192);
    struct store_name t, tl;
    struct nz_row_ref ref = { .task = x->id, .row = 1 };
    struct nz_member member;
    char hex[32], now[21];
    if (!b)
        return NULL;
    memcpy(ref.muni, x->muni, sizeof ref.muni);
    nz_member_write(&ref, &member);
    nz_task_id_format(&x->id, hex);
    nz_name_task("t", x->muni, &x->id, &t);
    nz_name_task_list(x->muni, &tl);
    REDIS_ADD(b, LIT("MULTI"));
    add_hash(x, b, &t, slice_of(now, (size_t)snprintf(now, sizeof now, "%llu", (unsigned long long)x->now_ms)));
    add_place(b, store_name_slice(&tl), x->now_ms, ARR(hex));
    nz_open_tasks_add(b, x->muni, &x->id, x->now_ms);
    add_place(b, NZ_INQ_QUEUE, nz_waits_from_ms(x->in, x->now_ms), nz_member_slice(&member));
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    return b;
}

/* ---- the steps ---- */

static void marked(void *arg, struct err e)
{
    struct post *x = arg;
    struct nz_file_task t = {
        .task = { .id = x->id, .form = NZ_FORM_INQUIRY, .received_ms = x->now_ms, .rows = x->n }, .state = NZ_FILE_ACCEPTED, .mode = NZ_MODE_APPLY,
        .source = NZ_SOURCE_JSON, .accepted_ms = x->now_ms, .has_source = true, .has_state = true,
    };
    struct buf *out = req_out(x->r);
    struct jsonw w;
    nz_inq_wake(x->in->inquiry);
    if (!err_ok(e)) {
        req_fail(x->r, e);
        return;
    }
    t.task.count[NZ_WAITING] = x->n;
    jsonw_init(&w, out);
    nz_file_task_json_open(&t, x->now_ms, &w);
    jsonw_end_object(&w);
    nz_req_accepted(x->r, &x->id);
}

/* When the outcome is not known the folder stays: the task may be there. The sweep of keys/files finds it when it is not. */
static void stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct post *x = arg;
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        post_fail(x, e, err_is(e, E_BUSY) || err_is(e, E_FULL) || err_is(e, E_NOMEM));
        return;
    }
    LOG(INFO, "inquiry_accepted", LF("id", req_id(x->r)), LF("persons", (uint64_t)x->n));
    struct audit_rec rec = nz_audit_stored(x->r, &x->id, x->n, replies[n - 1]);
    audit_append(x->in->audit, &rec, nz_req_step(x->r, NZ_READ_MS, audit_up(x->in->audit)), marked, x);
}

static void audited(void *arg, struct err e)
{
    struct post *x = arg;
    struct redis_batch *b = err_ok(e) ? transaction(x) : NULL;
    if (b)
        redis_send(x->in->redis, b, nz_req_step(x->r, NZ_WRITE_MS, true), stored, x);
    else
        post_fail(x, err_ok(e) ? FAIL(E_NOMEM) : e, true);
}

static void synced(void *arg, struct err e)
{
    struct post *x = arg;
    if (!err_ok(e)) {
        post_fail(x, e, true);
        return;
    }
    struct audit_rec rec = nz_audit_of(x->r, AU_INQUIRY_ACCEPTED, AR_OK, x->n);
    if (x->basis)
        rec.basis = x->basis;
    audit_append(x->in->audit, &rec, nz_req_step(x->r, NZ_READ_MS, audit_up(x->in->audit)), audited, x);
}

/* A record is not spread over two frames. */
static ERR persons_write(struct post *x)
{
    struct buf rec;
    size_t pending = 0;
    struct err e = OK;
    buf_init(&rec, NZ_INQ_PERSON_MAX);
    for (size_t i = 0; err_ok(e) && i < x->n; i++) {
        buf_reset(&rec);
        e = nz_inq_person_encode(&x->p[i], &rec);
        if (err_ok(e) && pending && pending + rec.n > NZ_FRAME_PLAIN) {
            e = nz_frames_flush(x->upload);
            pending = 0;
        }
        if (err_ok(e))
            e = nz_frames_append(x->upload, buf_slice(&rec));
        pending += rec.n;
    }
    buf_done(&rec);
    return e;
}

static void key_made(void *arg, struct err e, struct secret *key, const uint8_t *wrapped)
{
    struct post *x = arg;
    const struct nz_spool_meta meta = { .bytes = 0 };
    bool made = err_ok(e);
    if (err_ok(e))
        e = nz_spool_create(x->in->spool, &x->entry, x->muni, x->id.b, key, wrapped, &meta); /* key given to the entry */
    if (err_ok(e))
        e = nz_spool_frames(x->entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_CREATE, &x->upload);
    if (err_ok(e))
        e = persons_write(x);
    if (err_ok(e))
        nz_frames_sync(x->upload, x->in->loop, synced, x);
    else
        post_fail(x, e, made);
}

static size_t queued_of(const struct post *x, const struct redis_reply *members)
{
    struct nz_row_ref ref;
    size_t n = 0;
    for (size_t i = 0; i < redis_reply_len(members); i++)
        n += nz_member_parse(redis_reply_str(redis_reply_at(members, i)), &ref) && slice_eq(ARR(ref.muni), ARR(x->muni));
    return n;
}

static void counted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct post *x = arg;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && (redis_reply_len(replies[0]) >= NZ_INQUIRY_QUEUE || queued_of(x, replies[0]) >= NZ_INQUIRY_QUEUED))
        e = FAIL(E_BUSY);
    if (err_ok(e))
        nz_vault_key_new(x->in->vault, x->muni, x->id.b, nz_req_step(x->r, NZ_READ_MS, nz_vault_up(x->in->vault)), key_made, x);
    else
        req_fail(x->r, e);
}

static ERR begin(struct post *x)
{
    struct nz_intake *in = x->in;
    TRY(nz_inq_parse(req_body(x->r), req_arena(x->r), in->pool, in->conf.rows_max, x->muni, &in->levels, &x->p, &x->n));
    TRY(judge_bases(x));
    if (!store_knows_muni(in->store, slice_of(x->muni, 6)))
        return FAIL(E_FORBIDDEN);
    if (nz_spool_room(in->spool) < 64u << 20)
        return FAIL(E_DISK_FULL);
    struct redis_batch *b = redis_batch_new(256);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("ZRANGE"), NZ_INQ_QUEUE, LIT("0"), LIT("-1"));
    redis_send(in->redis, b, nz_req_step(x->r, NZ_READ_MS, true), counted, x);
    return OK;
}

void nz_inquiry_post(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    struct post *x = in->inquiry->client ? arena_get(req_arena(r), sizeof *x) : NULL;
    struct err e = in->inquiry->client ? x ? OK : FAIL(E_NOMEM) : FAIL(E_NO_ROUTE);
    if (err_ok(e)) {
        x->r = r;
        x->in = in;
        memcpy(x->muni, nz_req_muni(r), sizeof x->muni);
        e = arena_on_reset(req_arena(r), post_end, x) ? OK : FAIL(E_NOMEM);
        in->inquiry->under_way += err_ok(e);
    }
    if (err_ok(e)) {
        rnd_bytes(x->id.b, sizeof x->id.b);
        x->now_ms = nz_received_ms(in);
        e = begin(x);
    }
    if (!err_ok(e))
        req_fail(r, e);
}
