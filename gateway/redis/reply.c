#include <stdlib.h>

#include "gateway/redis/redis_int.h"

/* ---- what the parser builds: our own objects, with limits, without the text of an error ---- */

static struct redis_reply *made(const redisReadTask *task, enum redis_type type, size_t extra)
{
    size_t *left = task->privdata;
    if (*left == 0)
        return NULL;
    struct redis_reply *r = malloc(sizeof *r + extra); /* calloc() does not look where a reply was freed a moment ago */
    if (!r)
        return NULL;
    --*left;
    *r = (struct redis_reply){ .type = type };
    if (task->parent) {
        struct redis_reply *up = task->parent->obj;
        up->items[task->idx] = r;
    }
    return r;
}

static enum redis_class class_of(struct slice text)
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
enum { COMMON_INTS = 4 };
static const struct redis_reply INTS[COMMON_INTS] = { { .type = REDIS_INT, .num = 0 }, { .type = REDIS_INT, .num = 1 }, { .type = REDIS_INT, .num = 2 },
                                                      { .type = REDIS_INT, .num = 3 } };
static const struct redis_reply QUEUED = { .type = REDIS_STATUS, .bytes = (const uint8_t *)"QUEUED", .n = sizeof "QUEUED" - 1 };

static bool is_common(const struct redis_reply *r)
{
    bool is = r == &QUEUED;
    for (size_t i = 0; i < COMMON_INTS; i++)
        is = is || r == &INTS[i];
    return is;
}

static void *common(const redisReadTask *task, const struct redis_reply *r)
{
    size_t *left = task->privdata;
    if (*left == 0)
        return NULL;
    --*left;
    if (task->parent) {
        struct redis_reply *up = task->parent->obj;
        up->items[task->idx] = (struct redis_reply *)r;
    }
    return (struct redis_reply *)r;
}

static void *make_string(const redisReadTask *task, char *text, size_t n)
{
    if (task->type == REDIS_REPLY_ERROR) {
        struct redis_reply *r = made(task, REDIS_ERR, 0);
        if (r)
            r->num = class_of(slice_of(text, n));
        return r;
    }
    if (task->type == REDIS_REPLY_STATUS && slice_eq(slice_of(text, n), redis_reply_str(&QUEUED)))
        return common(task, &QUEUED);
    struct redis_reply *r = made(task, task->type == REDIS_REPLY_STATUS ? REDIS_STATUS : REDIS_STR, n);
    if (!r)
        return NULL;
    uint8_t *at = (uint8_t *)(r + 1);
    if (n)
        memcpy(at, text, n);
    r->bytes = at;
    r->n = n;
    return r;
}

static void *make_array(const redisReadTask *task, int n)
{
    if (n < 0 || (size_t)n > *(size_t *)task->privdata)
        return NULL;
    struct redis_reply *r = made(task, REDIS_ARRAY, (size_t)n * sizeof *r->items);
    if (r) {
        r->items = (struct redis_reply **)(r + 1);
        r->n = (size_t)n;
        memset(r->items, 0, (size_t)n * sizeof *r->items); /* what has not come yet */
    }
    return r;
}

static void *make_integer(const redisReadTask *task, long long v)
{
    if (v >= 0 && v < COMMON_INTS)
        return common(task, &INTS[v]);
    struct redis_reply *r = made(task, REDIS_INT, 0);
    if (r)
        r->num = v;
    return r;
}

static void *make_nil(const redisReadTask *task) { return made(task, REDIS_NIL, 0); }

void redis__reply_free(void *reply)
{
    struct redis_reply *r = reply;
    if (!r || is_common(r))
        return;
    if (r->type == REDIS_ARRAY)
        for (size_t i = 0; i < r->n; i++)
            redis__reply_free(r->items[i]);
    if (r->bytes)
        explicit_bzero(r + 1, r->n);
    free(r);
}

redisReader *redis__reader_new(size_t *items_left)
{
    /* hiredis takes a non-const table and only reads it */
    static const redisReplyObjectFunctions MAKERS = { make_string, make_array, make_integer, make_nil, redis__reply_free };
    redisReader *reader = redisReaderCreateWithFunctions((redisReplyObjectFunctions *)&MAKERS);
    if (reader)
        reader->privdata = items_left;
    return reader;
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

struct err redis_reply_counts(const struct redis_reply *r, uint64_t *v, size_t n)
{
    if (redis_reply_len(r) != n)
        return FAIL(E_STORE_REFUSED);
    for (size_t i = 0; i < n; i++) {
        const struct redis_reply *item = r->items[i];
        if (item->type != REDIS_INT || item->num < 0)
            return FAIL(E_STORE_REFUSED);
        v[i] = (uint64_t)item->num;
    }
    return OK;
}
