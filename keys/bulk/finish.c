/* Every row has its result: audited, stored, and the upload with its numbers goes. */

#include "keys/bulk/work.h"
#include "keys/intake/meter.h"

#include "gateway/base/log.h"
#include "keys/bulk/script.h"

static void put_end(const struct nz_run *r, struct nz_args *a)
{
    const struct nz_bulk_place p = bulk__place(r);
    nz_args_begin(a, r->lost ? 10 : 8);
    nz_args_put(a, LIT("HSET"));
    nz_args_put(a, store_name_slice(&r->name_t));
    nz_args_put(a, LIT(NZ_TASK_STATE));
    nz_args_put(a, slice_str(nz_file_state_name(NZ_FILE_ENDED)));
    nz_args_put(a, LIT(NZ_TASK_ENDED));
    nz_args_u64(a, r->ended_ms);
    nz_args_put(a, LIT(NZ_TASK_ROWS));
    nz_args_u64(a, r->rows_told);
    if (r->lost) {
        nz_args_put(a, LIT(NZ_TASK_REJECT_RULE));
        nz_args_put(a, slice_str(r->of_lost ? BULK_OF_LOST : "file_unreadable"));
    }
    NZ_ARGS(a, LIT("ZREM"), store_name_slice(&p.queue), nz_member_slice(&p.member));
}

static void ended(struct nz_run *r)
{
    LOG(INFO, "file_ended", LF("rows", r->rows_told), LF("ms", bulk__wall(r) - r->started_ms));
    nz_meter_file(r->in, r->muni);
    bulk__feed_close(r);
    if (!err_ok(nz_spool_drop(r->in->spool, r->muni, r->t.task.id.b, NZ_SPOOL_UPLOAD)))
        LOG(WARN, "upload_not_removed"); /* the janitor tries again */
    bulk__run_leave(r);
}

static void audited(void *arg, struct err e)
{
    struct nz_run *r = arg;
    r->busy = false;
    if (err_ok(e))
        bulk__run_write(r, put_end, ended);
    else
        bulk__run_pause(r, e, "end");
    bulk__run_soon(r);
}

void bulk__end(struct nz_run *r)
{
    if (!err_ok(r->read_failed)) { /* the rest is read by a new run */
        (bulk__is_damage(r->read_failed) ? bulk__run_hurt : bulk__run_later)(r, r->read_failed);
        return;
    }
    struct audit_rec rec = bulk__audit(r, AU_FILE_ENDED, r->rows_told);
    rec.result = r->lost ? AR_FAILED : AR_OK;
    r->ended_ms = bulk__wall(r);
    r->busy = true;
    audit_append(r->in->audit, &rec, bulk__deadline(r), audited, r);
}
