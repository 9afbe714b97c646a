/* POST /v1/residents/change-tasks: read, audited, each row applied in order, then the task in one transaction, then 202. A row that needs PMH
 * while PMH is away is stored with the task as waiting, and so are the later ones of its resident; what is held is kept as well. Every other trouble
 * fails the request: the sender repeats it, and what had been done is recognised by its operationKey. */

#include "keys/change/change.h"
#include "keys/intake/meter.h"
#include "keys/change/waiting.h"
#include "keys/intake/backoff.h"
#include "keys/intake/open_tasks.h"
#include "keys/intake/order.h"
#include "keys/intake/row_result.h"
#include "keys/intake/task.h"

#include "gateway/base/text.h"

struct row {
    struct nz_change c;
    struct field_report report;
    struct nz_row_result result;
    bool kept;                 /* something is stored of it: */
    struct nz_waiting waiting;
};

struct post {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    struct nz_task_id task;
    uint64_t received_ms;
    size_t n, next;
    struct row *row;
    uint64_t count[NZ_RESULT__MAX];
};

static void next_row(struct post *p);

static bool waits(const struct row *x) { return x->result.result == NZ_WAITING; }

/* ---- the answer ---- */

static void acknowledge(struct post *p)
{
    struct nz_task t = { .id = p->task, .form = NZ_FORM_CHANGE, .received_ms = p->received_ms, .rows = p->n };
    memcpy(t.count, p->count, sizeof t.count);
    struct buf *out = req_out(p->r);
    struct jsonw w;
    jsonw_init(&w, out);
    nz_task_json_open(&t, true, p->received_ms, &w);
    jsonw_array(&w, "rows");
    for (size_t i = 0; i < p->n; i++)
        nz_row_result_json(&p->row[i].result, (uint32_t)(i + 1), &w);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    nz_req_accepted(p->r, &p->task);
}

/* ---- the task ---- */

/* Should the store ever come back without the task, the log knows that, and which one. */
static void marked(void *arg, struct err e)
{
    struct post *p = arg;
    if (err_ok(e))
        acknowledge(p);
    else
        req_fail(p->r, e);
}

static void committed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct post *p = arg;
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        req_fail(p->r, e);
        return;
    }
    LOG(INFO, "changes_accepted", LF("id", req_id(p->r)), LF("rows", (uint64_t)p->n), LF("waiting", p->count[NZ_WAITING]));
    for (int i = NZ_WAITING + 1; i < NZ_RESULT__MAX; i++)
        nz_meter_rows(p->in, p->muni, (enum nz_result)i, p->count[i]);
    nz_changer_wake(p->in->changer);
    struct audit_rec rec = nz_audit_stored(p->r, &p->task, p->n, replies[n - 1]);
    audit_append(p->in->audit, &rec, nz_req_step(p->r, NZ_READ_MS, audit_up(p->in->audit)), marked, p);
}

static void add_task(const struct post *p, struct redis_batch *b)
{
    struct store_name t, tl;
    char hex[32];
    nz_name_task("t", p->muni, &p->task, &t);
    nz_name_task_list(p->muni, &tl);
    nz_task_id_format(&p->task, hex);
    redis_begin(b, 2 + 2 * (4 + NZ_RESULT__MAX - 1));
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&t));
    redis_arg(b, LIT(NZ_TASK_OP));
    redis_arg(b, slice_str(nz_form_info(NZ_FORM_CHANGE)->operation));
    redis_arg(b, LIT(NZ_TASK_SYSTEM));
    redis_arg(b, slice_str(req_caller(p->r)->system));
    redis_arg(b, LIT(NZ_TASK_RECEIVED));
    redis_arg_u64(b, p->received_ms);
    redis_arg(b, LIT(NZ_TASK_ROWS));
    redis_arg_u64(b, p->n);
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++) {
        redis_arg(b, slice_str(nz_result_name((enum nz_result)r)));
        redis_arg_u64(b, p->count[r]);
    }
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, store_name_slice(&tl));
    redis_arg_u64(b, p->received_ms);
    redis_arg(b, ARR(hex));
    if (p->count[NZ_WAITING])
        nz_open_tasks_add(b, p->muni, &p->task, p->received_ms);
}

static void add_result(const struct post *p, size_t i, struct redis_batch *b)
{
    struct store_name tr;
    struct buf code;
    nz_name_task("tr", p->muni, &p->task, &tr);
    buf_init(&code, NZ_ROW_RESULT_MAX);
    nz_row_result_encode(&p->row[i].result, &code);
    redis_begin(b, 4);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&tr));
    redis_arg_u64(b, i + 1);
    redis_arg(b, buf_slice(&code));
    buf_done(&code);
}

static void add_places(const struct post *p, const struct row *x, struct slice member, struct redis_batch *b)
{
    struct store_name line[2];
    for (size_t i = 0, n = nz_waiting_lines(p->muni, &x->waiting, line); i < n; i++) {
        redis_begin(b, 4);
        redis_arg(b, LIT("ZADD"));
        redis_arg(b, store_name_slice(&line[i]));
        redis_arg_u64(b, nz_changer_place(p->in->changer));
        redis_arg(b, member);
    }
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, nz_waiting_queue());
    redis_arg_u64(b, x->waiting.since_ms + p->in->conf.retry_min_ms);
    redis_arg(b, member);
}

static ERR add_kept(const struct post *p, size_t i, struct redis_batch *b)
{
    const struct row *x = &p->row[i];
    struct store_name o;
    struct nz_row_ref ref = { .task = p->task, .row = (uint32_t)(i + 1) };
    struct nz_member m;
    struct buf plain, sealed;
    char digits[10];
    memcpy(ref.muni, p->muni, sizeof ref.muni);
    nz_member_write(&ref, &m);
    nz_name_task("o", p->muni, &p->task, &o);
    const struct slice field = slice_of(digits, nz_row_format(ref.row, digits));
    buf_init(&plain, NZ_WAITING_BYTES);
    buf_init(&sealed, NZ_WAITING_BYTES + AEAD_OVERHEAD);
    nz_waiting_encode(&x->waiting, &plain);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(p->in->store, slice_of(p->muni, 6), &o, field, buf_slice(&plain), &sealed);
    REDIS_ADD(b, LIT("HSET"), store_name_slice(&o), field, buf_slice(&sealed));
    if (waits(x))
        add_places(p, x, nz_member_slice(&m), b);
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}

static ERR transaction(const struct post *p, struct redis_batch *b)
{
    REDIS_ADD(b, LIT("MULTI"));
    add_task(p, b);
    for (size_t i = 0; i < p->n; i++) {
        if (p->row[i].kept)
            TRY(add_kept(p, i, b));
        if (!waits(&p->row[i]))
            add_result(p, i, b);
    }
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    return OK;
}

static void commit(struct post *p)
{
    struct redis_batch *b = redis_batch_new(8192 + p->n * (NZ_ROW_RESULT_MAX + 512));
    for (size_t i = 0; i < p->n; i++)
        p->count[p->row[i].result.result]++;
    struct err e = b ? transaction(p, b) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        redis_send(p->in->redis, b, nz_req_step(p->r, NZ_WRITE_MS, true), committed, p);
        return;
    }
    redis_batch_free(b);
    req_fail(p->r, e);
}

/* ---- row after row ---- */

static void row_over(struct post *p)
{
    p->next++;
    next_row(p);
}

static void ticketed(void *arg, struct err e, const struct nz_subject *subject, bool known)
{
    struct post *p = arg;
    struct row *x = &p->row[p->next];
    (void)subject, (void)known;
    if (err_is(e, E_SEAL)) { /* the vault will not give one: without it nothing can be kept */
        x->kept = false;
        x->result.result = NZ_REFUSED;
        x->result.code = NZ_CODE_UNREADABLE;
        e = OK;
    }
    if (err_ok(e))
        row_over(p);
    else
        req_fail(p->r, e);
}

/* It waits or is held; a ticket of the vault stands for its number. */
static void keep(struct post *p, struct row *x, const struct nz_waiting *w)
{
    struct nz_ticket t;
    x->kept = true;
    x->waiting = *w;
    x->waiting.since_ms = nz_waits_from_ms(p->in, p->received_ms);
    if (!nz_waiting_has_ticket(w)) {
        row_over(p);
    } else if (!p->in->vault) {
        req_fail(p->r, FAIL(E_VAULT_DOWN));
    } else {
        rnd_bytes(t.b, sizeof t.b);
        memcpy(x->waiting.ticket, t.b, sizeof x->waiting.ticket);
        nz_vault_link(p->in->vault, p->muni, x->c.new_number, &t, nz_req_step(p->r, NZ_READ_MS, nz_vault_up(p->in->vault)), ticketed, p);
    }
}

static void applied(void *arg, struct err e, const struct nz_verdict *v, const struct nz_waiting *w)
{
    struct post *p = arg;
    struct row *x = &p->row[p->next];
    if (!err_ok(e)) {
        req_fail(p->r, e);
        return;
    }
    x->result.result = v->result;
    x->result.code = v->code;
    if (v->result == NZ_WAITING || (v->result == NZ_QUARANTINED && nz_waiting_keeps(v->code)))
        keep(p, x, w);
    else
        row_over(p);
}

static bool names(const struct nz_change *c, struct slice key) { return slice_eq(c->resident_key, key) || slice_eq(c->other_key, key); }

/* An earlier row of the request waits that names a resident of this one; it is not stored yet. */
static bool is_behind(const struct post *p)
{
    const struct nz_change *c = &p->row[p->next].c;
    for (size_t i = 0; i < p->next; i++) {
        const struct row *x = &p->row[i];
        if (x->kept && waits(x) && (names(&x->c, c->resident_key) || (c->other_key.n && names(&x->c, c->other_key))))
            return true;
    }
    return false;
}

static void next_row(struct post *p)
{
    while (p->next < p->n && p->row[p->next].report.n_faults)
        p->next++;
    if (p->next == p->n) {
        commit(p);
        return;
    }
    nz_change_apply(p->in, p->muni, &p->task, (uint32_t)(p->next + 1), &p->row[p->next].c, is_behind(p), p->received_ms, req_deadline(p->r), applied, p);
}

static void audited(void *arg, struct err e)
{
    struct post *p = arg;
    if (err_ok(e))
        next_row(p);
    else
        req_fail(p->r, e);
}

/* ---- reading ---- */

static ERR read_rows(struct post *p, json_t *array)
{
    for (size_t i = 0; i < p->n; i++) {
        struct row *x = &p->row[i];
        TRY(nz_change_read(json_array_get(array, i), &p->in->levels, p->in->pool, req_arena(p->r), &x->c, &x->report));
        const struct nz_row as_row = { .row = (unsigned)(i + 1), .verdict = x->report.n_faults ? NZ_ROW_FIELD : NZ_ROW_OK, .report = x->report };
        nz_row_result_of(&as_row, &x->result);
    }
    return OK;
}

/* With the request, whatever becomes of it. */
static void post_end(void *arg)
{
    struct post *p = arg;
    for (size_t i = 0; i < p->n; i++)
        nz_change_done(&p->row[i].c);
    p->in->registrations--;
}

static ERR post_read(struct post *p)
{
    json_t *array;
    struct arena *a = req_arena(p->r);
    TRY(json_in_array(&array, a, req_body(p->r)));
    const size_t n = json_array_size(array);
    if (n == 0)
        return FAIL(E_JSON_SHAPE);
    if (n > NZ_CHANGE_ROWS_MAX)
        return FAIL(E_TOO_MANY_ROWS);
    p->row = arena_get(a, n * sizeof *p->row);
    if (!p->row)
        return FAIL(E_FULL);
    if (!arena_on_reset(a, post_end, p))
        return FAIL(E_NOMEM);
    p->in->registrations++;
    p->n = n;
    return read_rows(p, array);
}

void nz_change_post(struct req *r)
{
    struct post *p = arena_get(req_arena(r), sizeof *p);
    if (!p) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    p->r = r;
    p->in = req_ctx(r);
    memcpy(p->muni, nz_req_muni(r), sizeof p->muni);
    rnd_bytes(p->task.b, sizeof p->task.b);
    p->received_ms = nz_received_ms(p->in);
    struct err e = post_read(p);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    struct audit_rec rec = nz_audit_of(r, AU_REGISTRATION, AR_OK, p->n);
    audit_append(p->in->audit, &rec, nz_req_step(r, NZ_READ_MS, audit_up(p->in->audit)), audited, p);
}
