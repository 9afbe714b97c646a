/* Every argument behind its length, u32, as it will be sent. A check is key, field and value; of a count, the command, key and the number that is too many: they come
 * behind the others, so that who has to read again does not hear of room. */
#include "gateway/redis/swap.h"

#include <stdlib.h>

#define SCRIPT                                                                                      \
    "local i=3 "                                                                                    \
    "for c=1,tonumber(ARGV[1]) do local v "                                                         \
    "if ARGV[i+1]=='' then v=redis.call('GET',ARGV[i]) else v=redis.call('HGET',ARGV[i],ARGV[i+1]) end " \
    "if (v or '')~=ARGV[i+2] then return 0 end i=i+3 end "                                          \
    "for c=1,tonumber(ARGV[2]) do "                                                                 \
    "if redis.call(ARGV[i],ARGV[i+1])>=tonumber(ARGV[i+2]) then return -1 end i=i+3 end "           \
    "while i<=#ARGV do "                                                                            \
    "local n=tonumber(ARGV[i]) redis.call(unpack(ARGV,i+1,i+n)) i=i+n+1 "                           \
    "end return 1"

enum { LENGTH_BYTES = 4, DIGITS_MAX = 20 };

struct redis_swap {
    size_t n_checks, n_rooms, n_args; /* of the commands, their counts among them */
    struct buf checks, rooms, commands;
};

struct redis_swap *redis_swap_new(size_t max)
{
    struct redis_swap *s = calloc(1, sizeof *s);
    if (!s)
        return NULL;
    buf_init(&s->checks, max);
    buf_init(&s->rooms, max);
    buf_init(&s->commands, max);
    return s;
}

void redis_swap_free(struct redis_swap *s)
{
    if (!s)
        return;
    buf_done(&s->checks);
    buf_done(&s->rooms);
    buf_done(&s->commands);
    free(s);
}

static void put(struct buf *b, struct slice arg)
{
    buf_be32(b, (uint32_t)arg.n);
    buf_put(b, arg);
}

void redis_swap_expect(struct redis_swap *s, struct slice key, struct slice field, struct slice value)
{
    put(&s->checks, key);
    put(&s->checks, field);
    put(&s->checks, value);
    s->n_checks++;
}

void redis_swap_room(struct redis_swap *s, enum redis_count count, struct slice key, uint64_t max)
{
    static const char *const COMMANDS[] = { [REDIS_COUNT_ZSET] = "ZCARD", [REDIS_COUNT_HASH] = "HLEN", [REDIS_COUNT_LIST] = "LLEN" };
    struct buf many;
    buf_init(&many, DIGITS_MAX);
    buf_u64(&many, max);
    put(&s->rooms, slice_str(COMMANDS[count]));
    put(&s->rooms, key);
    put(&s->rooms, buf_slice(&many));
    buf_done(&many);
    s->n_rooms++;
}

void redis_swap_add(struct redis_swap *s, size_t n, const struct slice *args)
{
    struct buf count;
    buf_init(&count, DIGITS_MAX);
    buf_u64(&count, n);
    put(&s->commands, buf_slice(&count));
    buf_done(&count);
    for (size_t i = 0; i < n; i++)
        put(&s->commands, args[i]);
    s->n_args += 1 + n;
}

static void send_all(struct slice in, struct redis_batch *b)
{
    struct slice head, arg;
    while (slice_take(&in, LENGTH_BYTES, &head)) {
        size_t n = (size_t)head.p[0] << 24 | (size_t)head.p[1] << 16 | (size_t)head.p[2] << 8 | head.p[3];
        if (slice_take(&in, n, &arg))
            redis_arg(b, arg);
    }
}

ERR redis_swap_put(const struct redis_swap *s, struct redis_batch *b)
{
    TRY(buf_check(&s->checks));
    TRY(buf_check(&s->rooms));
    TRY(buf_check(&s->commands));
    redis_begin(b, 5 + 3 * s->n_checks + 3 * s->n_rooms + s->n_args);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SCRIPT));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, s->n_checks);
    redis_arg_u64(b, s->n_rooms);
    send_all(buf_slice(&s->checks), b);
    send_all(buf_slice(&s->rooms), b);
    send_all(buf_slice(&s->commands), b);
    return OK;
}
