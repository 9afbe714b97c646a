#include <stdlib.h>

#include "gateway/redis/redis_int.h"

enum redis_class redis__class_of(struct slice text)
{
    static const char *const NAMES[RC__MAX] = {
        "",
#define X(name) #name,
        REDIS_CLASSES(X)
#undef X
    };
    struct slice word, rest;
    if (!slice_cut(text, ' ', &word, &rest))
        word = text;
    for (int c = RC_OTHER + 1; c < RC__MAX; c++)
        if (slice_eq(word, slice_str(NAMES[c])))
            return (enum redis_class)c;
    return RC_OTHER;
}

struct lit redis__class_name(enum redis_class c)
{
    static const struct lit NAMES[RC__MAX] = {
        { "none" },
#define X(name) { #name },
        REDIS_CLASSES(X)
#undef X
    };
    return NAMES[c];
}

/* What comes by the hundred with a batch of rows is not made each time; nobody writes to a reply. */
enum { COMMON_INTS = 4, QUEUED_LINE = 9 /* +QUEUED and its end */ };
static const struct redis_reply INTS[COMMON_INTS] = { { .type = REDIS_INT, .num = 0 }, { .type = REDIS_INT, .num = 1 }, { .type = REDIS_INT, .num = 2 },
                                                      { .type = REDIS_INT, .num = 3 } };
static const struct redis_reply QUEUED = { .type = REDIS_STATUS, .bytes = (const uint8_t *)"QUEUED", .n = sizeof "QUEUED" - 1 };

static const struct redis_reply *common(struct slice raw)
{
    if (raw.n == 4 && raw.p[0] == ':' && raw.p[1] >= '0' && raw.p[1] < '0' + COMMON_INTS)
        return &INTS[raw.p[1] - '0'];
    return raw.n == QUEUED_LINE && slice_starts(raw, LIT("+QUEUED")) ? &QUEUED : NULL;
}

struct redis_reply *redis__reply_new(struct slice raw, size_t items)
{
    const struct redis_reply *r = items == 1 ? common(raw) : NULL;
    return r ? (struct redis_reply *)r : resp_build(raw, items);
}

void redis__reply_free(struct redis_reply *r)
{
    if (!r || !r->all.n)
        return;
    explicit_bzero((uint8_t *)r->all.p, r->all.n);
    free(r);
}

enum redis_class redis__reply_class(const struct redis_reply *r)
{
    if (r->type == REDIS_ERR)
        return (enum redis_class)r->num;
    enum redis_class c = RC_NONE;
    if (r->type == REDIS_ARRAY)
        for (size_t i = 0; i < r->n && c == RC_NONE; i++)
            c = redis__reply_class(r->items[i]);
    return c;
}

/* ---- accessors ---- */

enum redis_type redis_reply_type(const struct redis_reply *r) { return r->type; }
struct slice redis_reply_str(const struct redis_reply *r) { return slice_of(r->bytes, r->bytes ? r->n : 0); }
int64_t redis_reply_int(const struct redis_reply *r) { return r->type == REDIS_INT ? r->num : 0; }
size_t redis_reply_len(const struct redis_reply *r) { return r->type == REDIS_ARRAY ? r->n : 0; }

const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i)
{
    static const struct redis_reply NIL = { .type = REDIS_NIL };
    return i < redis_reply_len(r) ? r->items[i] : &NIL;
}
