#include "gateway/conf/conf.h"
#include "gateway/serve/serve.h"

enum { MIB = 1 << 20, BURST_S = 2, REDIS_WAIT = 1024, AUDIT_WAIT = 4096 };

struct budget_conf budget_conf_default(void)
{
    return (struct budget_conf){
        .conns_max = 10000, .conns_per_source = 5000, .conns_per_caller = 5000,
        .memory_max = (size_t)512 * MIB,
        .work_max = 64, .wait_max = 1024, .wait_ms = 500,
        .queues = { [BUDGET_REDIS] = { .max = REDIS_WAIT }, [BUDGET_AUDIT] = { .max = AUDIT_WAIT } },
    };
}

struct door_limits door_limits_of(const struct conf *c)
{
    struct door_limits l = door_limits_default();
    l.conns_max = (unsigned)c->door_conns;
    l.body_rate = (unsigned)c->door_body_rate;
    return l;
}

static struct rate rate_of(uint64_t per_s, uint64_t burst) { return (struct rate){ (unsigned)per_s, (unsigned)(burst ? burst : per_s * BURST_S) }; }

struct budget_conf budget_conf_of(const struct conf *c)
{
    return (struct budget_conf){
        .conns_max = (unsigned)c->door_conns,
        .conns_per_source = (unsigned)c->door_conns_source,
        .conns_per_caller = (unsigned)c->door_conns_caller,
        .memory_max = (size_t)c->door_memory_mib * MIB,
        .work_max = (unsigned)c->work_max,
        .wait_max = (unsigned)c->work_wait_max,
        .wait_ms = (unsigned)c->work_wait_ms,
        .queues = { [BUDGET_REDIS] = { .max = (unsigned)c->redis_wait_max }, [BUDGET_AUDIT] = { .max = (unsigned)c->audit_wait_max } },
        .rate = { [BUDGET_CLINIC] = rate_of(c->caller_rate, c->caller_burst), [BUDGET_CITIZEN] = rate_of(c->portal_rate, c->portal_burst),
                  [BUDGET_BULK] = rate_of(c->caller_rate, c->caller_burst) },
    };
}
