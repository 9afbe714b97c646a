#include "gateway/redis/reader.h"

#include <stdlib.h>

#include "gateway/redis/redis_int.h"

struct redis_reader {
    redisReader *of;
    size_t items_left;
};

struct redis_reader *redis_reader_new(void)
{
    struct redis_reader *r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->items_left = REDIS_REPLY_ITEMS_MAX;
    r->of = redis__reader_new(&r->items_left);
    if (r->of)
        return r;
    free(r);
    return NULL;
}

void redis_reader_free(struct redis_reader *r)
{
    if (!r)
        return;
    redisReaderFree(r->of);
    free(r);
}

bool redis_reader_feed(struct redis_reader *r, struct slice in, redis_reader_fn *fn, void *arg)
{
    bool good = redisReaderFeed(r->of, (const char *)in.p, in.n) == 0;
    while (good) {
        void *reply = NULL;
        if (redisReaderGetReply(r->of, &reply) != 0)
            return false;
        if (!reply)
            break;
        r->items_left = REDIS_REPLY_ITEMS_MAX;
        good = fn(arg, reply);
        redis__reply_free(reply);
    }
    return good && r->of->len - r->of->pos <= REDIS_REPLY_BYTES_MAX;
}
