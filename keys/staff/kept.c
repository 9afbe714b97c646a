#include "keys/staff/kept.h"

/* ---- sealed ---- */

static ERR seal(struct store *st, const char muni[static 6], const struct store_name *key, struct slice field, const struct buf *plain, struct arena *a, struct slice *ret)
{
    struct buf out;
    TRY(buf_check(plain));
    buf_init(&out, NZ_USER_MAX + AEAD_OVERHEAD);
    struct err e = store_seal(st, slice_of(muni, 6), key, field, buf_slice(plain), &out);
    if (err_ok(e))
        e = buf_check(&out);
    if (err_ok(e))
        *ret = arena_dup(a, buf_slice(&out));
    buf_done(&out);
    TRY(e);
    return arena_check(a);
}

ERR nz_user_seal(struct store *st, const char muni[static 6], const struct nz_user_name *n, const struct nz_user *u, struct arena *a, struct slice *ret_sealed)
{
    struct buf plain;
    buf_init(&plain, NZ_USER_MAX);
    nz_user_encode(u, &plain);
    struct err e = seal(st, muni, &n->us, ARR(n->hex), &plain, a, ret_sealed);
    buf_done(&plain);
    return e;
}

ERR nz_user_open(struct store *st, const char muni[static 6], const struct nz_user_name *n, struct slice sealed, struct nz_user *ret_u)
{
    struct buf plain;
    buf_init(&plain, NZ_USER_MAX);
    struct err e = store_open(st, slice_of(muni, 6), &n->us, ARR(n->hex), sealed, &plain);
    if (err_ok(e))
        e = nz_user_decode(buf_slice(&plain), ret_u);
    buf_done(&plain);
    return e;
}

ERR nz_session_seal(struct store *st, const char muni[static 6], const struct store_name *ss, const struct nz_session *s, struct arena *a, struct slice *ret_sealed)
{
    struct buf plain;
    buf_init(&plain, NZ_SESSION_BYTES);
    nz_session_encode(s, &plain);
    struct err e = seal(st, muni, ss, LIT("v"), &plain, a, ret_sealed);
    buf_done(&plain);
    return e;
}

ERR nz_session_open(struct store *st, const char muni[static 6], const struct store_name *ss, struct slice sealed, struct nz_session *ret_s)
{
    struct buf plain;
    buf_init(&plain, NZ_SESSION_BYTES);
    struct err e = store_open(st, slice_of(muni, 6), ss, LIT("v"), sealed, &plain);
    if (err_ok(e))
        e = nz_session_decode(buf_slice(&plain), ret_s);
    buf_done(&plain);
    return e;
}

/* ---- a try ---- */

/* KEYS us, sf, sk. ARGV: field, now, first lock, longest lock, tries without lock, how long failures are remembered, source. */
#define TRY_SCRIPT                                                                               \
    "local k,p=KEYS[2],'' if redis.call('HEXISTS',KEYS[3],ARGV[7])==1 then k,p=KEYS[3],':'..ARGV[7] end " \
    "local f=redis.call('HMGET',k,'n'..p,'until'..p,'at'..p) "                                   \
    "local n,locked,now=tonumber(f[1] or '0'),0,tonumber(ARGV[2]) "                              \
    "if now-tonumber(f[3] or '0')>tonumber(ARGV[6]) then n=0 end "                               \
    "if tonumber(f[2] or '0')>now then locked=1 else n=n+1 "                                     \
    "redis.call('HSET',k,'n'..p,n,'at'..p,ARGV[2]) "                                             \
    "if n>=tonumber(ARGV[5]) then "                                                              \
    "local d=math.min(ARGV[3]*2^math.min(n-ARGV[5],20),tonumber(ARGV[4])) "                      \
    "redis.call('HSET',k,'until'..p,string.format('%.0f',now+d)) end "                           \
    "if p=='' then redis.call('PEXPIRE',k,ARGV[6]) end end "                                     \
    "return {locked,redis.call('HGET',KEYS[1],ARGV[1])}"

void nz_try_ask(const struct nz_user_name *n, const struct nz_source *from, uint64_t now_ms, uint64_t lock_ms, struct redis_batch *b)
{
    redis_begin(b, 13);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(TRY_SCRIPT));
    redis_arg_u64(b, 3);
    redis_arg(b, store_name_slice(&n->us));
    redis_arg(b, store_name_slice(&n->sf));
    redis_arg(b, store_name_slice(&n->sk));
    redis_arg(b, ARR(n->hex));
    redis_arg_u64(b, now_ms);
    redis_arg_u64(b, lock_ms);
    redis_arg_u64(b, NZ_LOCK_MAX_MS);
    redis_arg_u64(b, NZ_LOCK_FROM);
    redis_arg_u64(b, NZ_FAILURES_KEPT_MS);
    redis_arg(b, ARR(from->hex));
}

ERR nz_try_heard(const struct redis_reply *const *replies, size_t n, struct nz_try *ret_t)
{
    if (n != 1 || redis_reply_len(replies[0]) < 1 || redis_reply_type(redis_reply_at(replies[0], 0)) != REDIS_INT)
        return FAIL(E_STORE_REFUSED);
    *ret_t = (struct nz_try){ redis_reply_int(redis_reply_at(replies[0], 0)) != 0, redis_reply_str(redis_reply_at(replies[0], 1)) };
    return OK;
}

/* ---- a change ---- */

/* The source is known from now on, without failures; the one that was not used for the longest time makes room. Its first login ends the count of those that
 * are not known. */
#define KNOWN_SCRIPT                                                                             \
    "local s=ARGV[9] "                                                                           \
    "if redis.call('HEXISTS',KEYS[4],s)==0 then redis.call('DEL',KEYS[2]) end "                  \
    "redis.call('HDEL',KEYS[4],'n:'..s,'until:'..s,'at:'..s) redis.call('HSET',KEYS[4],s,ARGV[10]) " \
    "local h,n,old,least=redis.call('HGETALL',KEYS[4]),0,'',nil "                                \
    "for i=1,#h,2 do if #h[i]==#s then n=n+1 local t=tonumber(h[i+1]) if not least or t<least then old,least=h[i],t end end end " \
    "if n>tonumber(ARGV[11]) then redis.call('HDEL',KEYS[4],old,'n:'..old,'until:'..old,'at:'..old) end " \
    "redis.call('PEXPIRE',KEYS[4],ARGV[12]) "

/* KEYS us, sf, ss, sk. ARGV: field, user as it was read or "", as it becomes or "" for no change, greatest number of users, session or "", whether it is
 * new, its life, whether failures are forgotten, source or "", now, sources, how long they are known. */
#define CHANGE_SCRIPT                                                                            \
    "local o=redis.call('HGET',KEYS[1],ARGV[1]) "                                                \
    "if (o or '')~=ARGV[2] then return 0 end "                                                   \
    "if not o and redis.call('HLEN',KEYS[1])>=tonumber(ARGV[4]) then return -1 end "             \
    "if ARGV[3]~='' then redis.call('HSET',KEYS[1],ARGV[1],ARGV[3]) end "                        \
    "if ARGV[5]~='' and (ARGV[6]=='1' or redis.call('EXISTS',KEYS[3])==1) then "                 \
    "redis.call('HSET',KEYS[3],'u',ARGV[1],'v',ARGV[5]) redis.call('PEXPIRE',KEYS[3],ARGV[7]) end " \
    "if ARGV[8]=='1' then redis.call('DEL',KEYS[2],KEYS[4]) end "                                \
    "if ARGV[9]~='' then " KNOWN_SCRIPT "end "                                                   \
    "return 1"

void nz_change_ask(const struct nz_user_change *c, struct redis_batch *b)
{
    redis_begin(b, 19);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(CHANGE_SCRIPT));
    redis_arg_u64(b, 4);
    redis_arg(b, store_name_slice(&c->name->us));
    redis_arg(b, store_name_slice(&c->name->sf));
    redis_arg(b, c->ss ? store_name_slice(c->ss) : store_name_slice(&c->name->sf));
    redis_arg(b, store_name_slice(&c->name->sk));
    redis_arg(b, ARR(c->name->hex));
    redis_arg(b, c->old);
    redis_arg(b, c->now);
    redis_arg_u64(b, NZ_USERS_MAX);
    redis_arg(b, c->ss ? c->session : SLICE_NONE);
    redis_arg_u64(b, c->fresh);
    redis_arg_u64(b, c->idle_ms);
    redis_arg_u64(b, c->forget);
    redis_arg(b, c->from ? ARR(c->from->hex) : SLICE_NONE);
    redis_arg_u64(b, c->now_ms);
    redis_arg_u64(b, NZ_SOURCES_MAX);
    redis_arg_u64(b, NZ_SOURCE_KEPT_MS);
    if (c->now.n)
        redis_raise(b, STORE_EPOCH);
}

ERR nz_change_heard(const struct redis_reply *const *replies, size_t n, uint64_t *ret_epoch)
{
    if (n < 1 || n > 2 || redis_reply_type(replies[0]) != REDIS_INT)
        return FAIL(E_STORE_REFUSED);
    int64_t got = redis_reply_int(replies[0]);
    *ret_epoch = n == 2 ? (uint64_t)redis_reply_int(replies[1]) : 0;
    return got == 1 ? OK : got == 0 ? FAIL(E_CONFLICT) : FAIL(E_FULL);
}
