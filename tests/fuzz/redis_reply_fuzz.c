/* Bytes of a server that lies, in two pieces: what resp_scan() finds whole is built, and is the same when it comes at once. */
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

static enum resp in_pieces(struct slice in, size_t first, struct resp_scan *ret_s)
{
    *ret_s = (struct resp_scan){ 0 };
    enum resp r = first ? resp_scan(ret_s, slice_of(in.p, first)) : RESP_MORE;
    return r == RESP_MORE && in.n ? resp_scan(ret_s, in) : r;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n), raw;
    struct resp_scan whole, halves;
    while (in.n) {
        enum resp r = in_pieces(in, 0, &whole), h = in_pieces(in, in.n / 2, &halves);
        MUST(r == h && (r != RESP_WHOLE || (whole.at == halves.at && whole.items == halves.items)));
        if (r != RESP_WHOLE)
            break;
        MUST(slice_take(&in, whole.at, &raw));
        struct redis_reply *reply = redis__reply_new(raw, whole.items);
        MUST(reply && walk(reply) == whole.items && redis__reply_class(reply) < RC__MAX);
        redis__reply_free(reply);
    }
    return 0;
}
