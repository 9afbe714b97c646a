#include "keys/intake/erased.h"

#include "gateway/base/text.h"
#include "keys/intake/names.h"

#define UNKNOWN LIT("*")

/* KEYS[1] er:, ARGV ms, how many at most, names. Too many: the oldest give way to one that stands for all of them. */
#define NOTE                                                                                      \
    "local c,k,a=redis.call,KEYS[1],ARGV for i=3,#a do c('ZADD',k,'GT',a[1],a[i]) end "           \
    "local n=c('ZCARD',k)-a[2] if n<=0 then return 1 end "                                        \
    "local last=c('ZRANGE',k,n,n,'WITHSCORES')[2] c('ZREMRANGEBYRANK',k,0,n) c('ZADD',k,'GT',last,'*') return 1"

/* KEYS er: tl:, ARGV ms */
#define PRUNE                                                                                     \
    "local old,to=redis.call('ZRANGE',KEYS[2],0,0,'WITHSCORES')[2],ARGV[1] "                      \
    "if old and tonumber(old)<tonumber(to) then to=old end "                                      \
    "return redis.call('ZREMRANGEBYSCORE',KEYS[1],'-inf','('..to)"

void nz_erased_name(const char muni[static 6], struct store_name *ret_k) { nz_name_muni("er", muni, ret_k); }

void nz_erased_note(struct redis_batch *b, const char muni[static 6], uint64_t at_ms, const struct slice *hex, size_t n)
{
    struct store_name er;
    nz_erased_name(muni, &er);
    redis_begin(b, 6 + n);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(NOTE));
    redis_arg_u64(b, 1);
    redis_arg(b, store_name_slice(&er));
    redis_arg_u64(b, at_ms);
    redis_arg_u64(b, NZ_ERASED_MAX);
    for (size_t i = 0; i < n; i++)
        redis_arg(b, hex[i]);
}

void nz_erased_ask(struct redis_batch *b, const char muni[static 6], const struct slice *hex, size_t n)
{
    struct store_name er;
    nz_erased_name(muni, &er);
    redis_begin(b, 3 + n);
    redis_arg(b, LIT("ZMSCORE"));
    redis_arg(b, store_name_slice(&er));
    redis_arg(b, UNKNOWN);
    for (size_t i = 0; i < n; i++)
        redis_arg(b, hex[i]);
}

ERR nz_erased_check(const struct redis_reply *reply, size_t n)
{
    return redis_reply_type(reply) == REDIS_ARRAY && redis_reply_len(reply) == 1 + n ? OK : FAIL(E_STORE_REFUSED);
}

static bool is_since(const struct redis_reply *score, uint64_t received_ms)
{
    uint64_t at;
    return u64_parse(redis_reply_str(score), &at) && at >= received_ms;
}

bool nz_erased_since(const struct redis_reply *reply, size_t i, uint64_t received_ms)
{
    return is_since(redis_reply_at(reply, 0), received_ms) || is_since(redis_reply_at(reply, 1 + i), received_ms);
}

void nz_erased_count(struct redis_batch *b, const char muni[static 6], uint64_t received_ms)
{
    struct store_name er;
    nz_erased_name(muni, &er);
    redis_begin(b, 4);
    redis_arg(b, LIT("ZCOUNT"));
    redis_arg(b, store_name_slice(&er));
    redis_arg_u64(b, received_ms);
    redis_arg(b, LIT("+inf"));
}

void nz_erased_prune(struct redis_batch *b, const char muni[static 6], uint64_t before_ms)
{
    struct store_name er, tl;
    nz_erased_name(muni, &er);
    nz_name_task_list(muni, &tl);
    redis_begin(b, 6);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(PRUNE));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(&er));
    redis_arg(b, store_name_slice(&tl));
    redis_arg_u64(b, before_ms);
}
