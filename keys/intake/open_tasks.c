#include "keys/intake/open_tasks.h"

/* KEYS[1] tb:, ARGV municipality, first rank, how many. One script: nothing can be put there between the look at a task and its removal.
 * Reply: rows, files, oldest (0: none), tasks that are not over, removed, 1 when there may be more. */
#define SCRIPT                                                                                                                   \
    "local c,m,n=redis.call,ARGV[1],tonumber(ARGV[3]) "                                                                          \
    "local ids=c('ZRANGE',KEYS[1],ARGV[2],ARGV[2]+n-1) "                                                                         \
    "local rows,files,old,open,gone=0,0,0,0,0 "                                                                                  \
    "for _,id in ipairs(ids) do "                                                                                                \
    "local v=c('HMGET','t:'..m..':'..id,'rows','registered','updated','unchanged','refused','quarantined','src','st','mode','ms','acc_ms') " \
    "local is,left,file=false,0,false "                                                                                          \
    "if v[1] and v[8]~='rejected' then "                                                                                         \
    "if v[9]~='dry_run' then left=tonumber(v[1]) for i=2,6 do left=left-tonumber(v[i] or '0') end end "                          \
    "is=left>0 or (v[7] and v[8]~='ended') file=v[7] and v[8]~='ended' and v[8]~='uploading' end "                               \
    "if not is then c('ZREM',KEYS[1],id) gone=gone+1 else open=open+1 "                                                          \
    "if left>0 then rows=rows+left end if file then files=files+1 end "                                                          \
    "local ms=tonumber(v[11] or v[10] or '0') "                                                                                  \
    "if (file or left>0) and (old==0 or ms<old) then old=ms end end end "                                                        \
    "return {rows,files,old,open,gone,#ids==n and 1 or 0}"

void nz_open_tasks_name(const char muni[static 6], struct store_name *ret_k) { nz_name_muni("tb", muni, ret_k); }

void nz_open_tasks_add(struct redis_batch *b, const char muni[static 6], const struct nz_task_id *task, uint64_t now_ms)
{
    struct store_name tb;
    char hex[32];
    nz_open_tasks_name(muni, &tb);
    nz_task_id_format(task, hex);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZADD"));
    redis_arg(b, store_name_slice(&tb));
    redis_arg_u64(b, now_ms);
    redis_arg(b, ARR(hex));
}

void nz_open_tasks_look(struct redis_batch *out, const char muni[static 6], const struct nz_backlog *b)
{
    struct store_name tb;
    nz_open_tasks_name(muni, &tb);
    redis_begin(out, 7);
    redis_arg(out, LIT("EVAL"));
    redis_arg(out, LIT(SCRIPT));
    redis_arg_u64(out, 1);
    redis_arg(out, store_name_slice(&tb));
    redis_arg(out, slice_of(muni, 6));
    redis_arg_u64(out, b->tasks);
    redis_arg_u64(out, NZ_OPEN_LOOK);
}

ERR nz_open_tasks_heard(const struct redis_reply *reply, struct nz_backlog *b)
{
    enum { ROWS, FILES, OLDEST, OPEN, GONE, MORE, WORDS };
    uint64_t v[WORDS];
    TRY(redis_reply_counts(reply, v, WORDS));
    b->rows += v[ROWS];
    b->files += v[FILES];
    b->oldest_ms = v[OLDEST] && (!b->oldest_ms || v[OLDEST] < b->oldest_ms) ? v[OLDEST] : b->oldest_ms;
    b->tasks += v[OPEN];
    b->removed += v[GONE];
    b->more = v[MORE];
    return OK;
}
