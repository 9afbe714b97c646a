/* The queue of files: new ones are put in the row of their municipality, and the first one of each row is told. One script, so that nobody
 * sees a file twice or not at all, and however many files of one municipality wait, those of the others are seen. */

#include "keys/bulk/work.h"

#include "gateway/base/log.h"
#include "gateway/base/text.h"

/* Answers: how many members of fq were none (they are thrown away), then member and score of each row's first. */
#define LOOK                                                                                                         \
    "local c,o=redis.call,{0} local l=c('ZRANGE','fq',0,4095,'WITHSCORES') "                                         \
    "for i=1,#l,2 do local m=string.match(l[i],'^(%d%d%d%d%d%d):') "                                                 \
    "if m then c('ZADD','fq:'..m,l[i+1],l[i]) c('ZADD','fq:munis',l[i+1],m) else o[1]=o[1]+1 end "                   \
    "c('ZREM','fq',l[i]) end "                                                                                       \
    "for _,m in ipairs(c('ZRANGE','fq:munis',0,-1)) do local h=c('ZRANGE','fq:'..m,0,0,'WITHSCORES') "               \
    "if h[1] then o[#o+1]=h[1] o[#o+1]=h[2] else c('ZREM','fq:munis',m) end end return o"

void bulk__queue_look(struct nz_bulk *b, redis_done_fn *done)
{
    struct redis_batch *out = redis_batch_new(sizeof LOOK + 256);
    if (!out) {
        done(b, FAIL(E_NOMEM), NULL, 0);
        return;
    }
    REDIS_ADD(out, LIT("EVAL"), LIT(LOOK), LIT("0"));
    redis_send(b->in->redis, out, loop_now(b->in->loop) + NZ_BULK_STEP_MS, done, b);
}

bool bulk__queue_first(const struct nz_bulk *b, const struct redis_reply *rows, bool (*may)(const struct nz_bulk *b, const char *muni),
                       struct nz_row_ref *ret_ref)
{
    uint64_t first = 0;
    bool any = false;
    if (redis_reply_int(redis_reply_at(rows, 0)))
        LOG(ERROR, "file_queue_member_malformed");
    for (size_t i = 1; i + 1 < redis_reply_len(rows); i += 2) {
        struct nz_row_ref ref;
        uint64_t ms;
        if (!nz_member_parse(redis_reply_str(redis_reply_at(rows, i)), &ref) || !u64_parse(redis_reply_str(redis_reply_at(rows, i + 1)), &ms)) {
            LOG(ERROR, "file_queue_member_malformed");
            continue;
        }
        if ((any && ms >= first) || !may(b, ref.muni))
            continue;
        *ret_ref = ref;
        first = ms;
        any = true;
    }
    return any;
}

struct nz_bulk_place bulk__place(const struct nz_run *r)
{
    struct nz_row_ref ref = { .task = r->t.task.id, .row = 1 };
    struct nz_bulk_place p;
    memcpy(ref.muni, r->muni, sizeof ref.muni);
    nz_member_write(&ref, &p.member);
    nz_file_queue_of(r->muni, &p.queue);
    return p;
}
