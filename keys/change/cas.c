#include "keys/change/cas.h"

#define SCRIPT                                                                                      \
    "local i=2 "                                                                                    \
    "for c=1,tonumber(ARGV[1]) do local v "                                                         \
    "if ARGV[i+1]=='' then v=redis.call('GET',ARGV[i]) else v=redis.call('HGET',ARGV[i],ARGV[i+1]) end " \
    "if (v or '')~=ARGV[i+2] then return 0 end i=i+3 end "                                          \
    "while i<=#ARGV do local good=true "                                                            \
    "if ARGV[i]=='?' then good=(redis.call('HGET',ARGV[i+1],ARGV[i+2]) or '')==ARGV[i+3] i=i+4 end "   \
    "local n=tonumber(ARGV[i]) if good then redis.call(unpack(ARGV,i+1,i+n)) end i=i+n+1 "          \
    "end return 1"

enum { CHECK_ARGS = 3, ROOM_PER_ARG = 32, ROOM = 4096 };

struct nz_cas {
    size_t n_checks, n_cmds, args, bytes;
    bool full;
    struct slice check[NZ_CAS_CHECKS][CHECK_ARGS];
    struct {
        size_t n;
        bool asks;
        struct slice only_if[CHECK_ARGS], arg[NZ_CAS_ARGS];
    } cmd[NZ_CAS_COMMANDS];
};

struct nz_cas *nz_cas_new(struct arena *a) { return arena_get(a, sizeof(struct nz_cas)); }

static void count(struct nz_cas *c, struct slice s)
{
    c->args++;
    c->bytes += s.n + ROOM_PER_ARG;
}

void nz_cas_expect(struct nz_cas *c, struct slice key, struct slice field, struct slice value)
{
    const struct slice parts[CHECK_ARGS] = { key, field, value };
    if (c->n_checks == NZ_CAS_CHECKS) {
        c->full = true;
        return;
    }
    for (size_t i = 0; i < CHECK_ARGS; i++) {
        c->check[c->n_checks][i] = parts[i];
        count(c, parts[i]);
    }
    c->n_checks++;
}

void nz_cas_add(struct nz_cas *c, size_t n, const struct slice *args)
{
    if (c->n_cmds == NZ_CAS_COMMANDS || n > NZ_CAS_ARGS) {
        c->full = true;
        return;
    }
    count(c, SLICE_NONE);
    for (size_t i = 0; i < n; i++) {
        c->cmd[c->n_cmds].arg[i] = args[i];
        count(c, args[i]);
    }
    c->cmd[c->n_cmds++].n = n;
}

void nz_cas_only_if(struct nz_cas *c, struct slice key, struct slice field, struct slice value)
{
    const struct slice parts[CHECK_ARGS] = { key, field, value };
    if (c->full || !c->n_cmds)
        return;
    c->cmd[c->n_cmds - 1].asks = true;
    count(c, SLICE_NONE);
    for (size_t i = 0; i < CHECK_ARGS; i++) {
        c->cmd[c->n_cmds - 1].only_if[i] = parts[i];
        count(c, parts[i]);
    }
}

static void put_command(const struct nz_cas *c, size_t i, struct redis_batch *b)
{
    if (c->cmd[i].asks)
        redis_arg(b, LIT("?"));
    for (size_t k = 0; c->cmd[i].asks && k < CHECK_ARGS; k++)
        redis_arg(b, c->cmd[i].only_if[k]);
    redis_arg_u64(b, c->cmd[i].n);
    for (size_t k = 0; k < c->cmd[i].n; k++)
        redis_arg(b, c->cmd[i].arg[k]);
}

ERR nz_cas_batch(const struct nz_cas *c, struct redis_batch **ret_b)
{
    if (c->full)
        return FAIL(E_FULL);
    struct redis_batch *b = redis_batch_new(c->bytes + ROOM);
    if (!b)
        return FAIL(E_NOMEM);
    redis_begin(b, 4 + c->args);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SCRIPT));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, c->n_checks);
    for (size_t i = 0; i < c->n_checks; i++) {
        for (size_t k = 0; k < CHECK_ARGS; k++)
            redis_arg(b, c->check[i][k]);
    }
    for (size_t i = 0; i < c->n_cmds; i++)
        put_command(c, i, b);
    *ret_b = b;
    return OK;
}
