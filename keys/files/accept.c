/* The end of an upload. Audited before the effect, accepted by one script, and only then answered. */

#include "keys/files/work.h"

/* A script that comes late, when the client had long sent the last part again, must not open a file anew that has ended, nor take it away. */
#define WHILE_UPLOADING "local c=redis.call if c('HGET',KEYS[1],'" NZ_TASK_STATE "')~='uploading' then return 0 end "

/* KEYS task, queue, uploads; ARGV now, member, task. */
#define ACCEPT                                                                                                         \
    WHILE_UPLOADING "c('HSET',KEYS[1],'" NZ_TASK_STATE "','accepted','" NZ_TASK_ACCEPTED "',ARGV[1]) "                 \
                    "c('ZADD',KEYS[2],ARGV[1],ARGV[2]) c('ZREM',KEYS[3],ARGV[3]) return 1"

/* KEYS task, list, uploads; ARGV task. */
#define FORGET WHILE_UPLOADING "c('DEL',KEYS[1]) c('ZREM',KEYS[2],ARGV[1]) c('ZREM',KEYS[3],ARGV[1]) return 1"

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
    if (err_ok(e) && redis_reply_type(redis_reply_at(replies[n - 1], 0)) != REDIS_INT)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(redis_reply_at(replies[n - 1], 0)) != 1)
        e = FAIL(E_BUSY); /* an earlier try came late: it is accepted, as the next look says */
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
    struct redis_batch *b = err_ok(e) ? redis_batch_new(2048) : NULL;
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
    redis_begin(b, 9);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(ACCEPT));
    redis_arg_u64(b, 3);
    redis_arg(b, store_name_slice(&t));
    redis_arg(b, nz_file_queue_name());
    redis_arg(b, store_name_slice(&fu));
    redis_arg_u64(b, a->now_ms);
    redis_arg(b, nz_member_slice(&member));
    redis_arg(b, ARR(hex));
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

struct redis_batch *nz_upload_forget(const char muni[static 6], const struct nz_task_id *id)
{
    struct redis_batch *b = redis_batch_new(2048);
    struct store_name t, tl, fu;
    char hex[32];
    if (!b)
        return NULL;
    nz_task_id_format(id, hex);
    nz_name_task("t", muni, id, &t);
    nz_name_task_list(muni, &tl);
    nz_files_names(muni, &fu);
    REDIS_ADD(b, LIT("EVAL"), LIT(FORGET), LIT("3"), store_name_slice(&t), store_name_slice(&tl), store_name_slice(&fu), ARR(hex));
    return b;
}

bool nz_upload_forgotten(const struct redis_reply *const *replies, size_t n) { return n == 1 && redis_reply_int(replies[0]) == 1; }
