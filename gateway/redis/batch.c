#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/redis/redis_int.h"

enum { EXEC_BYTES = 4 };

struct redis_batch *redis_batch_new(size_t max)
{
    struct redis_batch *b = malloc(sizeof *b); /* calloc() does not look where a batch was freed a moment ago */
    if (!b)
        return NULL;
    *b = (struct redis_batch){ 0 };
    buf_init(&b->cmds, max);
    buf_init(&b->execs, EXEC_BYTES * REDIS_COMMANDS_MAX);
    return b;
}

void redis_batch_expect(struct redis_batch *b, size_t bytes)
{
    if (b->cmds.n < b->cmds.max)
        buf_room(&b->cmds, bytes < b->cmds.max - b->cmds.n ? bytes : b->cmds.max - b->cmds.n);
}

void redis_batch_free(struct redis_batch *b)
{
    if (!b)
        return;
    if (b->replies)
        for (size_t i = 0; i < b->got; i++)
            redis__reply_free(b->replies[i]);
    if (b->replies != b->few)
        free(b->replies);
    buf_done(&b->cmds);
    buf_done(&b->execs);
    free(b);
}

static void put_head(struct buf *b, uint8_t mark, uint64_t n)
{
    buf_putc(b, mark);
    buf_u64(b, n);
    buf_put(b, LIT("\r\n"));
}

void redis_begin(struct redis_batch *b, size_t n_args)
{
    MUST(n_args > 0 && b->args_left == 0);
    put_head(&b->cmds, '*', n_args);
    b->args_left = n_args;
    b->first_arg = true;
    b->count++;
}

static void note_command(struct redis_batch *b, struct slice name)
{
    bool exec = slice_eq(name, LIT("EXEC"));
    if (exec)
        buf_be32(&b->execs, (uint32_t)(b->count - 1));
    if (exec && b->in_multi && b->raise_in)
        b->raise_at = b->count - 1;
    if (b->in_multi)
        b->multi_n++;
    if (exec || slice_eq(name, LIT("MULTI"))) {
        b->in_multi = !exec;
        b->multi_n = 0;
    }
}

static uint8_t *put_digits(uint8_t *to, size_t v)
{
    size_t n = 1;
    for (size_t left = v; left >= 10; left /= 10)
        n++;
    for (size_t i = n; i-- > 0; v /= 10)
        to[i] = (uint8_t)('0' + v % 10);
    return to + n;
}

/* In one piece: a batch of rows has thousands of arguments. */
void redis_arg(struct redis_batch *b, struct slice arg)
{
    enum { HEAD_MAX = 1 + 20 + 2, TAIL = 2 };
    MUST(b->args_left > 0);
    uint8_t *to = buf_room(&b->cmds, HEAD_MAX + arg.n + TAIL);
    if (to) {
        uint8_t *at = to;
        *at++ = '$';
        at = put_digits(at, arg.n);
        *at++ = '\r', *at++ = '\n';
        if (arg.n)
            memcpy(at, arg.p, arg.n);
        at += arg.n;
        *at++ = '\r', *at++ = '\n';
        buf_grew(&b->cmds, (size_t)(at - to));
    }
    if (b->first_arg)
        note_command(b, arg);
    b->first_arg = false;
    b->args_left--;
}

void redis_arg_u64(struct redis_batch *b, uint64_t v)
{
    uint8_t d[20];
    size_t at = sizeof d;
    do {
        d[--at] = (uint8_t)('0' + v % 10);
        v /= 10;
    } while (v);
    redis_arg(b, slice_of(d + at, sizeof d - at));
}

void redis_add(struct redis_batch *b, size_t n, const struct slice *args)
{
    redis_begin(b, n);
    for (size_t i = 0; i < n; i++)
        redis_arg(b, args[i]);
}

void redis_raise(struct redis_batch *b, struct slice key)
{
    REDIS_ADD(b, LIT("INCR"), key);
    b->raises = true;
    b->raise_at = b->count - 1;
    b->raise_in = b->in_multi ? b->multi_n : 0;
}

void redis_may_abort(struct redis_batch *b) { b->may_abort = true; }

size_t redis_batch_count(const struct redis_batch *b) { return b->count; }

bool redis__batch_ready(struct redis_batch *b)
{
    b->replies = b->count <= REDIS_FEW ? b->few : calloc(b->count, sizeof *b->replies);
    return b->replies;
}

/* Replies come in the order of the commands. */
bool redis__batch_at_exec(struct redis_batch *b)
{
    const uint8_t *p = b->execs.n - b->execs_got < EXEC_BYTES ? NULL : b->execs.p + b->execs_got;
    if (!p || b->got != ((size_t)p[0] << 24 | (size_t)p[1] << 16 | (size_t)p[2] << 8 | p[3]))
        return false;
    b->execs_got += EXEC_BYTES;
    return true;
}
