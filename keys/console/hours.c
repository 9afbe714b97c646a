#include "keys/console/hours.h"

#include "gateway/base/text.h"

/* KEYS cs:<muni>, cs:<muni>:<hour>. ARGV life in ms, age, then name and total of each count. What is counted anew (a total that is less than it was) counts whole.
 * The first totals ever are where counting begins. */
#define ADD_SCRIPT                                                                                        \
    "local c=redis.call local fresh=c('EXISTS',KEYS[1])==0 "                                              \
    "for i=3,#ARGV,2 do local now=tonumber(ARGV[i+1]) "                                                   \
    "local was=fresh and now or tonumber(c('HGET',KEYS[1],ARGV[i]) or '0') "                              \
    "local d=now<was and now or now-was "                                                                 \
    "if d>0 then c('HINCRBY',KEYS[2],ARGV[i],d) end "                                                     \
    "if fresh or d>0 or now~=was then c('HSET',KEYS[1],ARGV[i],ARGV[i+1]) end end "                       \
    "if tonumber(ARGV[2])>tonumber(c('HGET',KEYS[2],'oldest_s') or '0') then c('HSET',KEYS[2],'oldest_s',ARGV[2]) end " \
    "if c('HSETNX',KEYS[2],'seen',1)==1 then c('PEXPIRE',KEYS[2],ARGV[1]) end return 1"

static const char *const NAMES[NZ_HOUR__MAX] = {
#define X(sym, name) [NZ_HOUR_##sym] = name,
    NZ_HOUR_COUNTS(X)
#undef X
};
#define OLDEST "oldest_s"
#define SEEN "seen"

const char *nz_hour_name(enum nz_hour_count c) { return NAMES[c]; }

static void name_totals(const char muni[static 6], struct store_name *ret_k)
{
    memcpy(ret_k->c, "cs:", 3);
    memcpy(ret_k->c + 3, muni, 6);
    ret_k->n = 9;
}

static void name_hour(const char muni[static 6], uint64_t hour, struct store_name *ret_k)
{
    struct buf digits;
    name_totals(muni, ret_k);
    buf_init(&digits, 24);
    buf_putc(&digits, ':');
    buf_u64(&digits, hour);
    memcpy(ret_k->c + ret_k->n, digits.p, digits.n);
    ret_k->n += digits.n;
    buf_done(&digits);
}

void nz_hours_add(struct redis_batch *b, const char muni[static 6], uint64_t now_ms, const struct nz_hour_totals *t)
{
    struct store_name totals, hour;
    name_totals(muni, &totals);
    name_hour(muni, now_ms / NZ_HOUR_MS, &hour);
    redis_begin(b, 7 + 2 * NZ_HOUR__MAX);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(ADD_SCRIPT));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(&totals));
    redis_arg(b, store_name_slice(&hour));
    redis_arg_u64(b, NZ_HOURS_LIFE_MS);
    redis_arg_u64(b, t->oldest_s);
    for (int c = 0; c < NZ_HOUR__MAX; c++) {
        redis_arg(b, slice_str(NAMES[c]));
        redis_arg_u64(b, t->n[c]);
    }
}

void nz_hours_ask(struct redis_batch *b, const char muni[static 6], uint64_t now_ms)
{
    for (int i = NZ_HOURS - 1; i >= 0; i--) {
        struct store_name hour;
        name_hour(muni, now_ms / NZ_HOUR_MS - (uint64_t)i, &hour);
        redis_begin(b, 4 + NZ_HOUR__MAX);
        redis_arg(b, LIT("HMGET"));
        redis_arg(b, store_name_slice(&hour));
        redis_arg(b, LIT(SEEN));
        redis_arg(b, LIT(OLDEST));
        for (int c = 0; c < NZ_HOUR__MAX; c++)
            redis_arg(b, slice_str(NAMES[c]));
    }
}

static ERR write_row(const struct redis_reply *const *replies, size_t at, const char *name, struct jsonw *w)
{
    jsonw_array(w, name);
    for (size_t i = 0; i < NZ_HOURS; i++) {
        uint64_t v = 0;
        const struct slice text = redis_reply_str(redis_reply_at(replies[i], at));
        if (!redis_reply_str(redis_reply_at(replies[i], 0)).n)
            jsonw_null(w, NULL);
        else if (text.n && !u64_parse(text, &v))
            return FAIL(E_STORE_REFUSED);
        else
            jsonw_u64(w, NULL, v);
    }
    jsonw_end_array(w);
    return OK;
}

ERR nz_hours_write(const struct redis_reply *const *replies, size_t n, uint64_t now_ms, struct jsonw *w)
{
    char at[24];
    if (n != NZ_HOURS)
        return FAIL(E_STORE_REFUSED);
    clock_format_utc((now_ms / NZ_HOUR_MS - (NZ_HOURS - 1)) * NZ_HOUR_MS, at);
    jsonw_str(w, "from", ARR(at));
    jsonw_u64(w, "step_s", NZ_HOUR_MS / 1000);
    TRY(write_row(replies, 1, OLDEST, w));
    for (int c = 0; c < NZ_HOUR__MAX; c++)
        TRY(write_row(replies, 2 + (size_t)c, NAMES[c], w));
    return OK;
}
