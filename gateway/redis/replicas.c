/* Replicas: a batch that may have changed something asks behind its own commands how many of them have it. */

#include "gateway/base/text.h"
#include "gateway/redis/redis_int.h"

enum { WAIT_BYTES = 64 };

/* Commands that change nothing. Whatever is not here may. */
static const char *const READS[] = { "GET", "HGETALL", "HMGET", "HGET", "MGET", "EXISTS", "HEXISTS", "HLEN", "HSCAN", "LLEN", "LINDEX", "ZCARD", "ZCOUNT", "ZRANGE",
                                     "ZRANGEBYLEX", "ZRANGEBYSCORE", "ZREVRANGE", "ZREVRANGEBYSCORE", "ZSCORE", "ZMSCORE", "PING" };

static bool is_read(struct slice command)
{
    for (size_t i = 0; i < sizeof READS / sizeof READS[0]; i++)
        if (slice_eq(command, slice_str(READS[i])))
            return true;
    return false;
}

/* "<mark><number>\r\n", as batch.c writes it. */
static bool take_head(struct slice *in, uint64_t *ret_n)
{
    struct slice line;
    return slice_cut(*in, '\n', &line, in) && line.n > 2 && u64_parse(slice_of(line.p + 1, line.n - 2), ret_n);
}

static bool take_arg(struct slice *in, struct slice *ret_arg)
{
    uint64_t n;
    struct slice end;
    return take_head(in, &n) && slice_take(in, n, ret_arg) && slice_take(in, 2, &end);
}

bool redis__writes(struct slice in)
{
    uint64_t args;
    struct slice arg;
    while (in.n) {
        if (!take_head(&in, &args) || !take_arg(&in, &arg) || !is_read(arg))
            return true;
        while (--args > 0)
            if (!take_arg(&in, &arg))
                return true;
    }
    return false;
}

/* What the caller made room for is his. */
void redis__replicas_add(const struct redis *r, struct redis_batch *b)
{
    if (!r->replicas || b->count == 0 || !err_ok(buf_check(&b->cmds)) || !redis__writes(buf_slice(&b->cmds)))
        return;
    b->cmds.max += WAIT_BYTES;
    redis_begin(b, 3);
    redis_arg(b, LIT("WAIT"));
    redis_arg_u64(b, r->replicas);
    redis_arg_u64(b, r->wait_ms);
    b->waits = true;
}

bool redis__replicas_have(const struct redis *r, const struct redis_batch *b)
{
    return !b->waits || redis_reply_int(b->replies[b->count - 1]) >= (int64_t)r->replicas;
}
