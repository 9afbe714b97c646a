/* A new task of a file: its key, its folder, then its hash and its places in the lists, in one transaction. */

#include <stdio.h>

#include "keys/files/work.h"
#include "keys/intake/open_tasks.h"
#include "keys/intake/order.h"

uint64_t nz_files_now(struct nz_intake *in)
{
    return nz_received_ms(in);
}

void nz_files_names(const char muni[static 6], struct store_name *ret_uploads)
{
    ret_uploads->n = (size_t)snprintf(ret_uploads->c, sizeof ret_uploads->c, "fu:%.6s", muni);
}

/* ---- the hash ---- */

struct pair { struct slice name, value; };

static void add_hash(struct nz_make *m, struct redis_batch *b, struct slice name)
{
    const struct nz_file_ask *a = &m->ask;
    char now[21], of[32];
    struct slice now_s = slice_of(now, (size_t)snprintf(now, sizeof now, "%llu", (unsigned long long)m->now_ms));
    nz_task_id_format(&a->of, of);
    const struct pair pairs[] = {
        { LIT(NZ_TASK_OP), slice_str(nz_form_info(a->form)->operation) },
        { LIT(NZ_TASK_SYSTEM), slice_str(req_caller(m->r)->system) },
        { LIT(NZ_TASK_RECEIVED), now_s },
        { LIT(NZ_TASK_ROWS), LIT("0") },
        { LIT(NZ_TASK_SRC), slice_str(nz_file_source_name(a->source)) },
        { LIT(NZ_TASK_STATE), slice_str(nz_file_state_name(m->accepted ? NZ_FILE_ACCEPTED : NZ_FILE_UPLOADING)) },
        { LIT(NZ_TASK_MODE), slice_str(nz_file_mode_name(a->mode)) },
        { LIT(NZ_TASK_LAYOUT), slice_str(a->layout) },
        { LIT(NZ_TASK_ENCODING), slice_str(a->encoding[0] ? a->encoding : "auto") },
        { LIT(NZ_TASK_OF), a->has_of ? ARR(of) : SLICE_NONE },
        { LIT(NZ_TASK_ACCEPTED), m->accepted ? now_s : SLICE_NONE },
    };
    size_t n = 0;
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++)
        n += pairs[i].value.n > 0;
    redis_begin(b, 2 + 2 * n);
    redis_arg(b, LIT("HSET"));
    redis_arg(b, name);
    for (size_t i = 0; i < sizeof pairs / sizeof pairs[0]; i++) {
        if (!pairs[i].value.n)
            continue;
        redis_arg(b, pairs[i].name);
        redis_arg(b, pairs[i].value);
    }
}

static void add_place(struct redis_batch *b, struct slice list, uint64_t score, struct slice member)
{
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, list);
    redis_arg_u64(b, score);
    redis_arg(b, member);
}

static void add_undone(struct nz_make *m, struct redis_batch *b)
{
    struct store_name of;
    char hex[32];
    nz_task_id_format(&m->id, hex);
    nz_name_task("t", m->muni, &m->ask.of, &of);
    REDIS_ADD(b, LIT("HSET"), store_name_slice(&of), LIT(NZ_TASK_UNDONE), ARR(hex));
}

static struct redis_batch *transaction(struct nz_make *m)
{
    struct redis_batch *b = redis_batch_new(4096);
    if (!b)
        return NULL;
    struct store_name t, tl, fu;
    struct nz_row_ref ref = { .task = m->id, .row = 1 };
    struct nz_member member;
    char hex[32];
    memcpy(ref.muni, m->muni, sizeof ref.muni);
    nz_member_write(&ref, &member);
    nz_task_id_format(&m->id, hex);
    nz_name_task("t", m->muni, &m->id, &t);
    nz_name_task_list(m->muni, &tl);
    nz_files_names(m->muni, &fu);
    REDIS_ADD(b, LIT("MULTI"));
    add_hash(m, b, store_name_slice(&t));
    add_place(b, store_name_slice(&tl), m->now_ms, ARR(hex));
    nz_open_tasks_add(b, m->muni, &m->id, m->now_ms);
    if (m->accepted)
        add_place(b, nz_file_queue_name(), m->now_ms, nz_member_slice(&member));
    else
        add_place(b, store_name_slice(&fu), m->now_ms, ARR(hex));
    if (m->ask.mode == NZ_MODE_UNDO)
        add_undone(m, b);
    REDIS_ADD(b, LIT("EXEC"));
    return b;
}

/* ---- the steps ---- */

static void make_end(struct nz_make *m, struct err e)
{
    nz_open_drop(m->o, true);
    m->fn(m, e);
}

/* When the outcome is not known the folder stays: the task may be there. The sweep finds it when it is not. */
static void stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_make *m = arg;
    if (err_ok(e) && (n == 0 || redis_reply_type(replies[n - 1]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    make_end(m, e);
}

/* The folder, and in it the upload: a disk that fills up later does not keep anybody from asking how much of it there is. */
static ERR folder(struct nz_make *m, struct secret *key, const uint8_t *wrapped)
{
    struct nz_spool_entry *entry;
    struct nz_frames *upload = NULL;
    TRY(nz_spool_create(m->in->spool, &entry, m->muni, m->id.b, key, wrapped, &m->ask.meta)); /* key given to the entry */
    struct err e = m->accepted ? OK : nz_spool_frames(entry, NZ_SPOOL_UPLOAD, NZ_SPOOL_CREATE, &upload);
    nz_frames_close(upload);
    nz_spool_close(entry);
    return e;
}

static void key_made(void *arg, struct err e, struct secret *key, const uint8_t *wrapped)
{
    struct nz_make *m = arg;
    bool made = err_ok(e);
    if (err_ok(e))
        e = folder(m, key, wrapped);
    struct redis_batch *b = err_ok(e) ? transaction(m) : NULL;
    if (b) {
        nz_read_send(m->r, b, NZ_WRITE_MS, stored, m);
        return;
    }
    struct err left = made ? nz_spool_remove(m->in->spool, m->muni, m->id.b) : OK;
    if (!err_ok(left) && !err_is(left, E_NOTHING))
        LOG(WARN, "upload_not_removed", LF("error", left));
    make_end(m, err_ok(e) ? FAIL(E_NOMEM) : e);
}

void nz_make_task(struct nz_make *m)
{
    m->in = req_ctx(m->r);
    memcpy(m->muni, nz_req_muni(m->r), sizeof m->muni);
    rnd_bytes(m->id.b, sizeof m->id.b);
    m->now_ms = nz_files_now(m->in);
    struct err e = nz_open_take(m->in->files, m->muni, &m->id, true, &m->o); /* so that the sweep keeps away */
    if (!err_ok(e)) {
        m->fn(m, e);
        return;
    }
    nz_vault_key_new(m->in->vault, m->muni, m->id.b, nz_req_step(m->r, NZ_READ_MS, nz_vault_up(m->in->vault)), key_made, m);
}
