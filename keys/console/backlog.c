#include "keys/console/backlog.h"

#include "keys/intake/open_tasks.h"
#include "keys/intake/task.h"

/* KEYS tb:, tl:. ARGV municipality, now in ms, tasks, how long until rows are overdue in ms, 1 when the upstream is away, and the operations that count.
 * Reply: rows, files, oldest (0: none), stalled tasks, held rows, 1 when there may be more. */
#define SCRIPT                                                                                                                                            \
    "local c,m,now,n,late,away=redis.call,ARGV[1],tonumber(ARGV[2]),tonumber(ARGV[3]),tonumber(ARGV[4]),ARGV[5]=='1' "                                     \
    "local ops={} for i=6,#ARGV do ops[ARGV[i]]=true end "                                                                                                \
    "local rows,files,old,stalled,held=0,0,0,0,0 "                                                                                                        \
    "local ids=c('ZRANGE',KEYS[1],0,n-1) "                                                                                                                \
    "for _,id in ipairs(ids) do "                                                                                                                         \
    "local v=c('HMGET','t:'..m..':'..id,'rows','registered','updated','unchanged','refused','quarantined','src','st','mode','ms','acc_ms','op','failed_ms','moved_ms') " \
    "if v[1] and ops[v[12]] and v[8]~='rejected' then "                                                                                                   \
    "local left,file=0,v[7] and v[8]~='ended' and v[8]~='uploading' "                                                                                     \
    "if v[9]~='dry_run' then left=tonumber(v[1]) for i=2,6 do left=left-tonumber(v[i] or '0') end end "                                                   \
    "local ms=tonumber(v[11] or v[10] or '0') "                                                                                                           \
    "if left>0 then rows=rows+left "                                                                                                                      \
    "if now-ms>late and (away or tonumber(v[13] or '0')>tonumber(v[14] or '0')) then stalled=stalled+1 end end "                                          \
    "if file then files=files+1 end "                                                                                                                     \
    "if (file or left>0) and (old==0 or ms<old) then old=ms end end end "                                                                                 \
    "local all=c('ZREVRANGE',KEYS[2],0,n-1) "                                                                                                             \
    "for _,id in ipairs(all) do local v=c('HMGET','t:'..m..':'..id,'op','mode','quarantined') "                                                           \
    "if v[1] and ops[v[1]] and v[2]~='dry_run' then held=held+tonumber(v[3] or '0') end end "                                                             \
    "return {rows,files,old,stalled,held,(#ids==n or #all==n) and 1 or 0}"

void nz_backlog_look(struct redis_batch *b, const struct nz_backlog_ask *a)
{
    struct store_name tb, tl;
    size_t n = 0;
    nz_open_tasks_name(a->muni, &tb);
    nz_name_task_list(a->muni, &tl);
    for (int f = 0; f < NZ_FORM__MAX; f++)
        n += a->sees[f];
    redis_begin(b, 10 + n);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SCRIPT));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(&tb));
    redis_arg(b, store_name_slice(&tl));
    redis_arg(b, slice_of(a->muni, 6));
    redis_arg_u64(b, a->now_ms);
    redis_arg_u64(b, NZ_BACKLOG_TASKS);
    redis_arg_u64(b, NZ_STALLED_MS);
    redis_arg_u64(b, a->upstream_down);
    for (int f = 0; f < NZ_FORM__MAX; f++)
        if (a->sees[f])
            redis_arg(b, slice_str(nz_form_info((enum nz_form)f)->operation));
}

ERR nz_backlog_heard(const struct redis_reply *reply, struct nz_backlog_view *ret_v)
{
    enum { ROWS, FILES, OLDEST, STALLED, HELD, MORE, WORDS };
    uint64_t v[WORDS];
    TRY(redis_reply_counts(reply, v, WORDS));
    *ret_v = (struct nz_backlog_view){ v[ROWS], v[FILES], v[OLDEST], v[STALLED], v[HELD], v[MORE] };
    return OK;
}
