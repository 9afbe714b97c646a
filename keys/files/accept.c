/* The end of an upload. Audited before the effect, accepted in one transaction, and only then answered. */

#include "keys/files/work.h"

struct accept {
    struct nz_read *rd;
    uint64_t now_ms;
    void (*fn)(struct nz_read *rd, struct err e);
};

/* Should the store ever come back without the file, the log knows that, and which one. */
static void marked(void *arg, struct err e)
{
    struct accept *a = arg;
    a->fn(a->rd, e);
}

static void stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct accept *a = arg;
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        a->fn(a->rd, e);
        return;
    }
    struct nz_read *rd = a->rd;
    rd->t.state = NZ_FILE_ACCEPTED;
    rd->t.accepted_ms = a->now_ms;
    LOG(INFO, "file_accepted", LF("id", req_id(rd->r)));
    nz_bulk_wake(rd->in->bulk);
    struct audit_rec rec = nz_audit_stored(rd->r, &rd->t.task.id, 0, replies[n - 1]);
    audit_append(rd->in->audit, &rec, nz_req_step(rd->r, NZ_READ_MS, audit_up(rd->in->audit)), marked, a);
}

static void audited(void *arg, struct err e)
{
    struct accept *a = arg;
    struct nz_read *rd = a->rd;
    struct redis_batch *b = err_ok(e) ? redis_batch_new(1024) : NULL;
    if (!b) {
        a->fn(rd, err_ok(e) ? FAIL(E_NOMEM) : e);
        return;
    }
    struct store_name t, fu;
    struct nz_row_ref ref = { .task = rd->t.task.id, .row = 1 };
    struct nz_member member;
    char hex[32];
    memcpy(ref.muni, rd->muni, sizeof ref.muni);
    nz_member_write(&ref, &member);
    nz_task_id_format(&rd->t.task.id, hex);
    nz_name_task("t", rd->muni, &rd->t.task.id, &t);
    nz_files_names(rd->muni, &fu);
    a->now_ms = nz_files_now(rd->in);
    REDIS_ADD(b, LIT("MULTI"));
    redis_begin(b, 6);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, store_name_slice(&t));
    redis_arg(b, LIT(NZ_TASK_STATE));
    redis_arg(b, slice_str(nz_file_state_name(NZ_FILE_ACCEPTED)));
    redis_arg(b, LIT(NZ_TASK_ACCEPTED));
    redis_arg_u64(b, a->now_ms);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, nz_file_queue_name());
    redis_arg_u64(b, a->now_ms);
    redis_arg(b, nz_member_slice(&member));
    REDIS_ADD(b, LIT("ZREM"), store_name_slice(&fu), ARR(hex));
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    nz_read_send(rd->r, b, NZ_WRITE_MS, stored, a);
}

void nz_accept(struct nz_read *rd, void (*fn)(struct nz_read *rd, struct err e))
{
    struct accept *a = arena_get(req_arena(rd->r), sizeof *a);
    if (!a) {
        fn(rd, FAIL(E_NOMEM));
        return;
    }
    a->rd = rd;
    a->fn = fn;
    struct audit_rec rec = nz_audit_of(rd->r, AU_FILE_ACCEPTED, AR_OK, 1);
    nz_audit_rows(&rec, rd->r, rd->t.task.form);
    audit_append(rd->in->audit, &rec, nz_req_step(rd->r, NZ_READ_MS, audit_up(rd->in->audit)), audited, a);
}
