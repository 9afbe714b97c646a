/* PUT /v1/files/{id}: a part. One writer at a time a file; acknowledged once it is synced. */

#include "keys/files/work.h"

struct part {
    struct nz_read *rd;
    struct req *r;
    struct nz_open *o;
    struct nz_wait wait;
    struct http_range range;
    bool whole;                 /* without Content-Range */
    uint8_t mac[MAC_BYTES];
};

/* ---- answers ---- */

static void part_fail(struct part *p, struct err e)
{
    nz_open_drop(p->o, true);
    req_fail(p->r, e);
}

static void write_received(struct jsonw *w, void *arg) { jsonw_u64(w, "received", *(const uint64_t *)arg); }

static void part_misplaced(struct part *p, enum err_code code)
{
    uint64_t received = p->o->received;
    nz_open_drop(p->o, true);
    req_problem(p->r, FAIL(code), write_received, &received);
}

static void part_received(struct part *p)
{
    struct buf *out = req_out(p->r);
    struct jsonw w;
    char hex[32];
    nz_task_id_format(&p->rd->t.task.id, hex);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "file_id", ARR(hex));
    jsonw_cstr(&w, "state", nz_file_state_name(NZ_FILE_UPLOADING));
    jsonw_u64(&w, "received", p->range.last + 1);
    jsonw_u64(&w, "bytes", p->range.total);
    jsonw_end_object(&w);
    nz_open_drop(p->o, true);
    struct err e = buf_check(out);
    if (err_ok(e))
        req_json(p->r, 200, buf_slice(out));
    else
        req_fail(p->r, e);
}

static void part_accepted(struct nz_read *rd, struct err e)
{
    struct part *p = rd->more;
    if (!err_ok(e)) {
        part_fail(p, e);
        return;
    }
    p->o->accepted = true;
    nz_open_shut(p->o);
    nz_open_drop(p->o, true);
    nz_told_send(rd, 202);
}

/* What is there now is everything that was announced. */
static void part_done(struct part *p)
{
    if (p->o->received == nz_spool_meta_of(p->o->entry)->bytes)
        nz_accept(p->rd, part_accepted);
    else
        part_received(p);
}

/* ---- the bytes ---- */

static void remember(struct part *p)
{
    struct nz_part_known *k = &p->o->known[p->o->n_known++ % NZ_PARTS_KNOWN];
    *k = (struct nz_part_known){ .first = p->range.first, .last = p->range.last };
    memcpy(k->mac, p->mac, sizeof k->mac);
}

static void synced(void *arg, struct err e)
{
    struct part *p = arg;
    if (!err_ok(e)) { /* nothing of it counts; if it cannot be taken away now, opening it anew tells how much there is */
        if (!err_ok(nz_frames_truncate(p->o->upload, p->o->received)))
            nz_open_shut(p->o);
        part_fail(p, e);
        return;
    }
    p->o->received = p->range.last + 1;
    remember(p);
    part_done(p);
}

static void part_append(struct part *p)
{
    struct err e = nz_frames_append(p->o->upload, req_body(p->r));
    if (!err_ok(e)) {
        part_fail(p, e);
        return;
    }
    nz_frames_sync(p->o->upload, p->rd->in->loop, synced, p);
}

/* A part that came before is answered as then, as long as we know that it is the same. */
static void part_repeated(struct part *p)
{
    for (unsigned i = 0; i < p->o->n_known && i < NZ_PARTS_KNOWN; i++) {
        const struct nz_part_known *k = &p->o->known[i];
        if (k->first != p->range.first || k->last != p->range.last)
            continue;
        if (!secret_equal(ARR(k->mac), ARR(p->mac)))
            part_misplaced(p, E_CONFLICT);
        else if (p->range.last + 1 == p->range.total)
            part_done(p);
        else
            part_received(p);
        return;
    }
    part_misplaced(p, E_OFFSET);
}

static void part_opened(void *arg, struct err e)
{
    struct part *p = arg;
    if (err_ok(e))
        e = p->o->upload ? OK : FAIL(E_NOTHING);
    if (err_ok(e))
        e = MAC_SUM(p->o->f->mac, p->mac, req_body(p->r));
    if (!err_ok(e)) {
        part_fail(p, err_is(e, E_NOTHING) ? FAIL(E_NO_ROUTE) : e);
        return;
    }
    uint64_t bytes = nz_spool_meta_of(p->o->entry)->bytes;
    if (p->range.total > bytes) {
        part_misplaced(p, E_BODY_TOO_LARGE);
    } else if (p->range.total < bytes) {
        nz_open_drop(p->o, true);
        nz_fail_one(p->r, p->whole ? "bytes" : "Content-Range", FR_LENGTH);
    } else if (p->range.first == p->o->received) {
        part_append(p);
    } else {
        part_repeated(p);
    }
}

/* ---- the beginning ---- */

static void part_again(struct part *p)
{
    nz_open_drop(p->o, true);
    nz_told_send(p->rd, 202);
}

static void part_read(struct nz_read *rd, struct err e)
{
    struct part *p = rd->more;
    p->rd = rd;
    if (err_ok(e) && (!rd->is_file || rd->t.mode == NZ_MODE_UNDO))
        e = FAIL(E_NO_ROUTE);
    if (err_ok(e) && rd->t.state != NZ_FILE_UPLOADING) {
        if (p->range.last + 1 == p->range.total) /* its answer was lost */
            part_again(p);
        else
            part_fail(p, FAIL(E_CONFLICT));
        return;
    }
    if (err_ok(e))
        nz_open_upload(p->o, &p->wait, nz_req_step(p->r, NZ_READ_MS, nz_vault_up(rd->in->vault)), part_opened, p);
    else
        part_fail(p, e);
}

void nz_files_put(struct req *r)
{
    struct part *p = arena_get(req_arena(r), sizeof *p);
    size_t n = req_body(r).n;
    bool bad = false;
    if (!p) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    p->r = r;
    p->whole = !req_content_range(r, &p->range, &bad) && !bad;
    if (p->whole && n)
        p->range = (struct http_range){ 0, n - 1, n };
    if (bad || n == 0 || p->range.last - p->range.first != n - 1) {
        req_fail(r, FAIL(E_BAD_REQUEST));
        return;
    }
    struct nz_intake *in = req_ctx(r);
    struct nz_task_id id;
    struct nz_open *o = NULL;
    struct err e = nz_task_id_parse(req_param(r), &id) ? nz_open_take(in->files, nz_req_muni(r), &id, true, &o) : FAIL(E_NO_ROUTE);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    p->o = o;
    struct nz_read *rd = nz_read_task(r, part_read, p); /* from now on nobody else changes the file */
    if (rd)
        p->rd = rd;
    else
        nz_open_drop(o, true);
}
