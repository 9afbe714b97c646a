/* POST /v1/tasks/{id}/undo: a new task that takes a file back. */

#include "keys/files/work.h"

struct undo {
    struct req *r;
    struct nz_read *rd;
    struct nz_open *o;          /* of the file: nobody else begins to take it back meanwhile */
    struct nz_make m;
};

static void undo_fail(struct undo *u, struct err e)
{
    nz_open_drop(u->o, true);
    req_fail(u->r, e);
}

static void undo_made(struct nz_make *m, struct err e)
{
    struct undo *u = m->more;
    struct nz_read *rd = u->rd;
    if (!err_ok(e)) {
        undo_fail(u, e);
        return;
    }
    nz_open_drop(u->o, true);
    nz_bulk_wake(rd->in->bulk);
    rd->t = (struct nz_file_task){
        .task = { .id = m->id, .form = m->ask.form, .received_ms = m->now_ms }, .state = NZ_FILE_ACCEPTED, .mode = NZ_MODE_UNDO,
        .has_of = true, .of = m->ask.of, .accepted_ms = m->now_ms, .has_source = true, .has_state = true,
    };
    nz_told_send(rd, 202);
}

static void undo_audited(void *arg, struct err e)
{
    struct undo *u = arg;
    if (err_ok(e))
        nz_make_task(&u->m);
    else
        undo_fail(u, e);
}

static struct err undo_may(const struct nz_read *rd)
{
    const struct nz_file_task *t = &rd->t;
    uint64_t now = clock_wall(loop_clock(rd->in->loop)), hours = rd->in->conf.undo_hours;
    if (!rd->is_file)
        return FAIL(E_NO_ROUTE);
    if (t->mode != NZ_MODE_APPLY || t->state == NZ_FILE_REJECTED || t->is_undone || t->task.form == NZ_FORM_CHANGE || t->task.form == NZ_FORM_INQUIRY)
        return FAIL(E_NO_UNDO);
    if (t->state != NZ_FILE_ENDED || t->task.count[NZ_WAITING])
        return FAIL(E_NOT_COMPLETE);
    return now > t->ended_ms && now - t->ended_ms > hours * 3600000 ? FAIL(E_TOO_LATE) : OK;
}

static void undo_read(struct nz_read *rd, struct err e)
{
    struct undo *u = rd->more;
    u->rd = rd;
    if (err_ok(e))
        e = undo_may(rd);
    if (!err_ok(e)) {
        undo_fail(u, e);
        return;
    }
    u->m = (struct nz_make){ .r = u->r, .accepted = true, .fn = undo_made, .more = u };
    u->m.ask = (struct nz_file_ask){ .form = rd->t.task.form, .mode = NZ_MODE_UNDO, .has_of = true, .of = rd->t.task.id };
    struct audit_rec rec = nz_audit_of(u->r, AU_FILE_ACCEPTED, AR_OK, 1);
    nz_audit_rows(&rec, u->r, rd->t.task.form);
    audit_append(rd->in->audit, &rec, nz_req_step(u->r, NZ_READ_MS, audit_up(rd->in->audit)), undo_audited, u);
}

/* The body may be absent or an empty object: there is nothing to say. */
static ERR body_check(struct req *r)
{
    json_t *v;
    if (req_body(r).n == 0)
        return OK;
    TRY(json_in_object(&v, req_arena(r), req_body(r)));
    return json_object_size(v) == 0 ? OK : FAIL(E_JSON_SHAPE);
}

void nz_tasks_undo(struct req *r)
{
    struct nz_intake *in = req_ctx(r);
    struct undo *u = arena_get(req_arena(r), sizeof *u);
    struct nz_task_id id;
    struct nz_open *o = NULL;
    struct err e = u ? body_check(r) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = nz_task_id_parse(req_param(r), &id) ? nz_open_take(in->files, nz_req_muni(r), &id, true, &o) : FAIL(E_NO_ROUTE);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    u->r = r;
    u->o = o;
    if (!nz_read_task(r, undo_read, u))
        nz_open_drop(o, true);
}
