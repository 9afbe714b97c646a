/* GET and DELETE /v1/files/{id}. */

#include "keys/files/work.h"

struct file {
    struct req *r;
    struct nz_read *rd;
    struct nz_open *o;
    bool write;
    struct nz_wait wait;
};

/* Taken before the task is read: what is read then is not changed behind our back by one who writes. */
static void file_begin(struct req *r, bool write, void (*fn)(struct nz_read *rd, struct err e))
{
    struct nz_intake *in = req_ctx(r);
    struct file *f = arena_get(req_arena(r), sizeof *f);
    struct nz_task_id id;
    struct nz_open *o = NULL;
    struct err e = f ? OK : FAIL(E_NOMEM);
    if (err_ok(e))
        e = nz_task_id_parse(req_param(r), &id) ? nz_open_take(in->files, nz_req_muni(r), &id, write, &o) : FAIL(E_NO_ROUTE);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    *f = (struct file){ .r = r, .o = o, .write = write };
    if (!nz_read_task(r, fn, f))
        nz_open_drop(o, write);
}

static void file_fail(struct file *f, struct err e)
{
    nz_open_drop(f->o, f->write);
    req_fail(f->r, e);
}

/* An undo has nothing uploaded. */
static struct err only_files(const struct nz_read *rd, struct err e)
{
    return err_ok(e) && (!rd->is_file || rd->t.mode == NZ_MODE_UNDO) ? FAIL(E_NO_ROUTE) : e;
}

/* ---- where to go on ---- */

static void file_tell(struct file *f, bool open)
{
    const struct nz_spool_meta *meta = open ? nz_spool_meta_of(f->o->entry) : NULL;
    struct buf *out = req_out(f->r);
    struct jsonw w;
    char hex[32];
    nz_task_id_format(&f->rd->t.task.id, hex);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "file_id", ARR(hex));
    jsonw_cstr(&w, "state", nz_file_task_state(&f->rd->t, clock_wall(loop_clock(f->rd->in->loop))));
    if (meta) {
        jsonw_u64(&w, "received", f->o->received);
        jsonw_u64(&w, "bytes", meta->bytes);
        if (meta->name[0])
            jsonw_cstr(&w, "name", meta->name);
    }
    jsonw_end_object(&w);
    struct err e = buf_check(out);
    if (!err_ok(e)) {
        file_fail(f, e);
        return;
    }
    nz_open_drop(f->o, f->write);
    req_json(f->r, 200, buf_slice(out));
}

static void file_accepted(struct nz_read *rd, struct err e)
{
    struct file *f = rd->more;
    if (!err_ok(e)) {
        file_fail(f, e);
        return;
    }
    f->o->accepted = true;
    nz_open_shut(f->o);
    file_tell(f, false);
}

static void file_opened(void *arg, struct err e)
{
    struct file *f = arg;
    if (err_ok(e) && f->o->accepted) {
        f->rd->t.state = NZ_FILE_ACCEPTED;
        file_tell(f, false);
        return;
    }
    if (err_ok(e))
        e = f->o->upload ? OK : FAIL(E_NOTHING);
    if (!err_ok(e)) {
        file_fail(f, err_is(e, E_NOTHING) ? FAIL(E_NO_ROUTE) : e);
        return;
    }
    if (f->o->received < nz_spool_meta_of(f->o->entry)->bytes || f->o->writing) {
        file_tell(f, true);
        return;
    }
    f->o->writing = f->write = true; /* the end of the last part was not reached, but every byte is there */
    nz_accept(f->rd, file_accepted);
}

static void file_read(struct nz_read *rd, struct err e)
{
    struct file *f = rd->more;
    f->rd = rd;
    e = only_files(rd, e);
    if (!err_ok(e))
        file_fail(f, e);
    else if (rd->t.state != NZ_FILE_UPLOADING)
        file_tell(f, false);
    else
        nz_open_upload(f->o, &f->wait, nz_req_step(f->r, NZ_READ_MS, nz_vault_up(rd->in->vault)), file_opened, f);
}

void nz_files_get(struct req *r) { file_begin(r, false, file_read); }

/* ---- given up ---- */

static void file_gone(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct file *f = arg;
    if (err_ok(e) && !nz_upload_forgotten(replies, n))
        e = FAIL(E_CONFLICT);
    if (!err_ok(e)) {
        file_fail(f, e);
        return;
    }
    nz_open_shut(f->o);
    struct err left = nz_spool_remove(f->rd->in->spool, f->rd->muni, f->rd->t.task.id.b);
    if (!err_ok(left)) /* the sweep takes it away */
        LOG(WARN, "upload_not_removed", LF("error", left));
    nz_open_drop(f->o, true);
    req_answer(f->r, 204, NULL, SLICE_NONE);
}

static void delete_read(struct nz_read *rd, struct err e)
{
    struct file *f = rd->more;
    f->rd = rd;
    e = only_files(rd, e);
    if (err_ok(e) && rd->t.state != NZ_FILE_UPLOADING)
        e = FAIL(E_CONFLICT);
    struct redis_batch *b = err_ok(e) ? nz_upload_forget(rd->muni, &rd->t.task.id) : NULL;
    if (b)
        nz_read_send(f->r, b, NZ_WRITE_MS, file_gone, f);
    else
        file_fail(f, err_ok(e) ? FAIL(E_NOMEM) : e);
}

void nz_files_delete(struct req *r) { file_begin(r, true, delete_read); }
