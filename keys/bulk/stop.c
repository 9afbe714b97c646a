/* A file that cannot go on ends before its end: what it applied stays, rows without a result are counted as refused, and the task says why. Rows
 * that had left the file for the outbox, or for an officer, are not among them. */

#include "keys/bulk/work.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/log.h"

enum { WORDS_ROOM = 4096 };

/* KEYS task, outbox, results; ARGV fence, first row, last row: those that one of the latter two has. They are in no count that the file itself makes. */
#define LEFT_ROWS                                                                                                    \
    "local c,a,o=redis.call,ARGV,{} if c('HGET',KEYS[1],'fence')~=a[1] then return 0 end "                           \
    "if c('HLEN',KEYS[2])+c('HLEN',KEYS[3])>0 then for i=tonumber(a[2]),tonumber(a[3]) do "                          \
    "local f=string.format('%d',i) "                                                                                 \
    "if c('HEXISTS',KEYS[2],f)==1 or c('HEXISTS',KEYS[3],f)==1 then o[#o+1]=i end end end "

/* ARGV further: rows without a result, if none had left; end, reason, queue, member. */
#define STOP                                                                                                         \
    LEFT_ROWS "if c('HGET',KEYS[1],'" NZ_TASK_STATE "')==a[9] then return 1 end local n=tonumber(a[4])-#o "          \
              "c('HINCRBY',KEYS[1],'refused',string.format('%d',n)) "                                                \
              "c('HSET',KEYS[1],'" NZ_TASK_STATE "',a[9],'" NZ_TASK_ENDED "',a[5],'" NZ_TASK_REJECT_RULE "',a[6],'"  \
              NZ_TASK_UNTOLD "',string.format('%d',n)) c('ZREM',a[7],a[8]) return 1"

/* Rows behind the checkpoint that an earlier run may have done something about. */
static uint64_t touched(const struct nz_run *r)
{
    uint64_t last = r->t.checkpoint + NZ_BULK_AHEAD_MAX + 4 * NZ_BULK_PIECE;
    return last < r->t.task.rows ? last : r->t.task.rows;
}

static void begin(const struct nz_run *r, struct redis_batch *out, struct slice script, size_t more)
{
    redis_begin(out, 9 + more);
    redis_arg(out, LIT("EVAL"));
    redis_arg(out, script);
    redis_arg_u64(out, 3);
    redis_arg(out, store_name_slice(&r->name_t));
    redis_arg(out, store_name_slice(&r->name_o));
    redis_arg(out, store_name_slice(&r->name_tr));
    redis_arg_u64(out, r->fence);
    redis_arg_u64(out, r->t.checkpoint + 1);
    redis_arg_u64(out, touched(r));
}

/* ---- the end ---- */

static void stopped(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    r->busy = false;
    if (!err_ok(e)) {
        bulk__run_pause(r, e, "stop");
    } else if (n == 1 && redis_reply_int(replies[0]) == 1) {
        LOG(ERROR, "file_stopped", LF("row", r->t.checkpoint));
        bulk__trouble_over(r);
        bulk__damage_over(r);
        if (!err_ok(nz_spool_drop(r->in->spool, r->muni, r->t.task.id.b, NZ_SPOOL_UPLOAD)))
            LOG(WARN, "upload_not_removed"); /* the janitor tries again */
        bulk__run_leave(r);
    } else {
        LOG(WARN, "file_taken_over");
        bulk__run_leave(r);
    }
    bulk__run_soon(r);
}

static void audited(void *arg, struct err e)
{
    struct nz_run *r = arg;
    struct redis_batch *out = err_ok(e) ? redis_batch_new(sizeof STOP + WORDS_ROOM) : NULL;
    const struct nz_bulk_place place = bulk__place(r);
    r->busy = false;
    if (!out) {
        bulk__run_pause(r, err_ok(e) ? FAIL(E_NOMEM) : e, "stop");
        bulk__run_soon(r);
        return;
    }
    begin(r, out, LIT(STOP), 6);
    redis_arg_u64(out, r->t.task.rows - r->t.checkpoint);
    redis_arg_u64(out, r->ended_ms);
    redis_arg(out, slice_str(r->t.reject.rule));
    redis_arg(out, store_name_slice(&place.queue));
    redis_arg(out, nz_member_slice(&place.member));
    redis_arg(out, slice_str(nz_file_state_name(NZ_FILE_ENDED)));
    r->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), stopped, r);
}

void bulk__stop_store(struct nz_run *r)
{
    struct audit_rec rec = bulk__audit(r, AU_FILE_ENDED, r->t.task.rows);
    rec.result = AR_FAILED;
    r->ended_ms = bulk__wall(r);
    r->busy = true;
    audit_append(r->in->audit, &rec, bulk__deadline(r), audited, r);
}

void bulk__stop(struct nz_run *r, const char *rule)
{
    if (!r->begun) {
        bulk__reject_rule(r, rule);
        return;
    }
    r->t.reject = (struct nz_file_reject){ .line = 0 };
    snprintf(r->t.reject.rule, sizeof r->t.reject.rule, "%s", rule);
    r->step = NZ_RUN_STOP;
    bulk__run_soon(r);
}

/* ---- rows that had left ---- */

static void left_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_run *r = arg;
    size_t count = err_ok(e) && n == 1 ? redis_reply_len(replies[0]) : 0;
    r->busy = false;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_ARRAY))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && count && !(r->left_rows = calloc(count, sizeof *r->left_rows)))
        e = FAIL(E_NOMEM);
    for (size_t i = 0; err_ok(e) && i < count; i++)
        r->left_rows[r->n_left_rows++] = (uint32_t)redis_reply_int(redis_reply_at(replies[0], i));
    if (!err_ok(e)) {
        r->asked_left = false;
        bulk__run_pause(r, e, "left");
    }
    bulk__run_soon(r);
}

bool bulk__left_rows(struct nz_run *r)
{
    if (r->asked_left || !r->resumed || r->t.mode != NZ_MODE_APPLY)
        return !r->busy;
    struct redis_batch *out = redis_batch_new(sizeof LEFT_ROWS + WORDS_ROOM);
    if (!out) {
        bulk__run_pause(r, FAIL(E_NOMEM), "left");
        return false;
    }
    begin(r, out, LIT(LEFT_ROWS "return o"), 0);
    r->asked_left = r->busy = true;
    redis_send(r->in->redis, out, bulk__deadline(r), left_came, r);
    return false;
}
