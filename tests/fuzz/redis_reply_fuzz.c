/* Reaches the makers of gateway/redis/reply.c through the parser of hiredis: bytes of a server that lies, in two pieces. */
#include "gateway/base/must.h"
#include "gateway/redis/redis_int.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static size_t walk(const struct redis_reply *r)
{
    size_t items = 1;
    struct slice s = redis_reply_str(r);
    MUST(redis_reply_type(r) != REDIS_ERR || (redis_reply_int(r) == 0 && s.n == 0));
    for (size_t i = 0; i < redis_reply_len(r); i++)
        items += walk(redis_reply_at(r, i));
    MUST(redis_reply_type(redis_reply_at(r, redis_reply_len(r))) == REDIS_NIL);
    return items;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    size_t left = REDIS_REPLY_ITEMS_MAX, half = n / 2;
    redisReader *reader = redis__reader_new(&left);
    if (!reader)
        return 0;
    bool good = redisReaderFeed(reader, (const char *)data, half) == 0;
    for (int piece = 0; good && piece < 2; piece++) {
        void *reply = NULL;
        while ((good = redisReaderGetReply(reader, &reply) == 0) && reply) {
            MUST(walk(reply) == REDIS_REPLY_ITEMS_MAX - left);
            MUST(redis__reply_class(reply) < RC__MAX);
            redis__reply_free(reply);
            left = REDIS_REPLY_ITEMS_MAX;
        }
        if (good && piece == 0)
            good = redisReaderFeed(reader, (const char *)data + half, n - half) == 0;
    }
    redisReaderFree(reader);
    return 0;
}
