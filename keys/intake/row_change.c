#include "keys/intake/row_change.h"

#include "gateway/base/must.h"

/* The end of the row's place in the queue is among the commands, the last one: should one before it fail, the row still waits. */
#define SCRIPT                                                                 \
    "if not redis.call('ZSCORE',KEYS[1],ARGV[1]) then return 0 end "           \
    "local i=2 "                                                               \
    "while i<=#ARGV do "                                                       \
    "local n=tonumber(ARGV[i]) redis.call(unpack(ARGV,i+1,i+n)) i=i+n+1 "      \
    "end return 1"

void nz_changes_add(struct nz_changes *c, size_t n, const struct slice *args)
{
    MUST(c->n < NZ_CHANGES_MAX && n >= 1 && n <= NZ_CHANGE_ARGS);
    c->cmd[c->n].n = n;
    for (size_t i = 0; i < n; i++)
        c->cmd[c->n].arg[i] = args[i];
    c->n++;
}

void nz_changes_send(const struct nz_changes *c, enum nz_queue queue, const struct nz_member *row, struct redis_batch *b)
{
    size_t n = 5;
    for (size_t i = 0; i < c->n; i++)
        n += 1 + c->cmd[i].n;
    redis_begin(b, n);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SCRIPT));
    redis_arg_u64(b, 1);
    redis_arg(b, nz_queue_name(queue));
    redis_arg(b, nz_member_slice(row));
    for (size_t i = 0; i < c->n; i++) {
        redis_arg_u64(b, c->cmd[i].n);
        for (size_t k = 0; k < c->cmd[i].n; k++)
            redis_arg(b, c->cmd[i].arg[k]);
    }
}
