#include "keys/bulk/script.h"

#include "keys/intake/erased.h"

#define SCRIPT                                                                                     \
    "local c,a,i=redis.call,ARGV,2 if c('HGET',KEYS[1],'fence')~=a[1] then return 0 end "          \
    "while i<=#a do local go=true if a[i]=='?' then go=c('HGET',a[i+1],a[i+2])==a[i+3] i=i+4 end " \
    "local n=tonumber(a[i]) if go then c(unpack(a,i+1,i+n)) end i=i+n+1 end return 1"

/* A key that is watched and was changed makes EXEC do nothing. It is gone again at once: that it was touched is all there is to say. */
#define GUARD                                                                                                  \
    "local c,a,n=redis.call,ARGV,tonumber(ARGV[2]) "                                                           \
    "local function no(why) c('SET',KEYS[2],'') c('DEL',KEYS[2]) return why end "                              \
    "if c('HGET',KEYS[1],'fence')~=a[1] then return no(0) end "                                                \
    "if c('ZCOUNT',KEYS[3],a[4],'+inf')~=tonumber(a[5]) then return no(-1) end "                               \
    "if n>0 and c('EXISTS',unpack(a,6,5+n))~=0 then return no(-1) end "                                        \
    "if 5+n<#a and c('EXISTS',unpack(a,6+n,#a))~=0 then "                                                      \
    "for k=6+n,#a do if c('HEXISTS',a[k],a[3])==1 then return no(-1) end end end return 1"

void nz_args_put(struct nz_args *a, struct slice word)
{
    a->n++;
    if (a->out)
        redis_arg(a->out, word);
}

void nz_args_u64(struct nz_args *a, uint64_t v)
{
    a->n++;
    if (a->out)
        redis_arg_u64(a->out, v);
}

void nz_args_cmd(struct nz_args *a, size_t n, const struct slice *words)
{
    nz_args_begin(a, n);
    for (size_t i = 0; i < n; i++)
        nz_args_put(a, words[i]);
}

void nz_args_next_if(struct nz_args *a, struct slice key, struct slice field, struct slice value)
{
    const struct slice words[] = { LIT("?"), key, field, value };
    for (size_t i = 0; i < sizeof words / sizeof *words; i++)
        nz_args_put(a, words[i]);
}

void nz_script_begin(struct redis_batch *out, const struct store_name *task, uint64_t fence, size_t n)
{
    redis_begin(out, 5 + n);
    redis_arg(out, LIT("EVAL"));
    redis_arg(out, LIT(SCRIPT));
    redis_arg_u64(out, 1);
    redis_arg(out, store_name_slice(task));
    redis_arg_u64(out, fence);
}

/* ---- commands that do not go through Lua ---- */

static void put_name(struct store_name *k, struct slice s)
{
    memcpy(k->c + k->n, s.p, s.n);
    k->n += s.n;
}

static void name_fence(const struct store_name *task, struct store_name *ret_k)
{
    *ret_k = *task;
    put_name(ret_k, LIT(":fence"));
}

static void name_veto(const struct store_name *task, uint64_t turn, struct store_name *ret_k)
{
    char hex[16];
    for (size_t i = 0; i < sizeof hex; i++, turn >>= 4)
        hex[i] = "0123456789abcdef"[turn & 15];
    *ret_k = *task;
    put_name(ret_k, LIT(":"));
    put_name(ret_k, ARR(hex));
}

void nz_fence_raise(struct redis_batch *out, const struct store_name *task)
{
    struct store_name watched;
    name_fence(task, &watched);
    REDIS_ADD(out, LIT("MULTI"));
    REDIS_ADD(out, LIT("HINCRBY"), store_name_slice(task), LIT("fence"), LIT("1"));
    REDIS_ADD(out, LIT("SET"), store_name_slice(&watched), LIT(""));
    REDIS_ADD(out, LIT("DEL"), store_name_slice(&watched));
    REDIS_ADD(out, LIT("EXEC"));
}

uint64_t nz_fence_raised(const struct redis_reply *const *replies, size_t n)
{
    int64_t fence = n == 5 ? redis_reply_int(redis_reply_at(replies[4], 0)) : 0;
    return fence > 0 ? (uint64_t)fence : 0;
}

void nz_fenced_begin(struct redis_batch *out, const struct nz_fenced *f)
{
    struct store_name fence, veto, er;
    name_fence(f->task, &fence);
    name_veto(f->task, f->turn, &veto);
    nz_erased_name(f->muni, &er);
    REDIS_ADD(out, LIT("WATCH"), store_name_slice(&fence), store_name_slice(&veto), store_name_slice(&er));
    redis_begin(out, 11 + f->absent + f->strangers);
    redis_arg(out, LIT("EVAL"));
    redis_arg(out, LIT(GUARD));
    redis_arg_u64(out, 3);
    redis_arg(out, store_name_slice(f->task));
    redis_arg(out, store_name_slice(&veto));
    redis_arg(out, store_name_slice(&er));
    redis_arg_u64(out, f->fence);
    redis_arg_u64(out, f->absent);
    redis_arg(out, f->field);
    redis_arg_u64(out, f->received_ms);
    redis_arg_u64(out, f->erased);
}

void nz_fenced_commands(struct redis_batch *out) { REDIS_ADD(out, LIT("MULTI")); }

void nz_fenced_end(struct redis_batch *out)
{
    REDIS_ADD(out, LIT("EXEC"));
    redis_may_abort(out);
}

enum nz_fenced_said nz_fenced_heard(const struct redis_reply *const *replies, size_t n)
{
    enum { GUARD_AT = 1, LEAST = 4 /* WATCH, EVAL, MULTI, EXEC */ };
    size_t exec = LEAST - 1;
    while (exec < n && redis_reply_type(replies[exec]) == REDIS_STATUS) /* QUEUED */
        exec++;
    if (n < LEAST || exec == n)
        return NZ_FENCED_LOST;
    if (redis_reply_type(replies[exec]) == REDIS_ARRAY)
        return NZ_FENCED_DONE;
    return redis_reply_int(replies[GUARD_AT]) == NZ_SCRIPT_FENCED ? NZ_FENCED_LOST : NZ_FENCED_NOTHING;
}
