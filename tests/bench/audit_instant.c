/* An audit daemon that keeps nothing and says at once that it has: what the log costs is the difference. For measurements only.
 *
 *   audit_instant SOCKET CAPABILITY_OF_THE_FRONT */

#include <stdio.h>

#include "gateway/audit/audit.h"

static void on_any(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    static const uint8_t ZERO[8];
    (void)ctx, (void)from, (void)body;
    ipc_reply(call, OK, ARR(ZERO));
}

/* Every use is the first. */
static void on_use(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    static const uint8_t FIRST[16] = { [7] = 1, [15] = 1 };
    (void)ctx, (void)from, (void)body;
    ipc_reply(call, OK, ARR(FIRST));
}

#define FRONT IPC_BIT(IPC_FRONT)

static const struct ipc_rule RULES[] = {
    { AUDIT_MSG_APPEND, FRONT, AUDIT_REC_BYTES, AUDIT_REC_BYTES, on_any },
    { AUDIT_MSG_PING, FRONT, 0, 0, on_any },
    { AUDIT_MSG_EPOCH, FRONT, 0, 0, on_any },
    { AUDIT_MSG_USE, FRONT, AUDIT_REC_BYTES, AUDIT_REC_BYTES, on_use },
};

static void on_stop(void *arg) { ipc_server_close(arg); }

static ERR run(char **argv)
{
    struct loop *l = NULL;
    struct ipc_server *server = NULL;
    struct ipc_server_conf c = { .path = argv[1], .rules = RULES, .n_rules = sizeof RULES / sizeof *RULES, .conns_max = 64 };
    TRY(secret_read_file(&c.caps[IPC_FRONT], argv[2], IPC_CAP_BYTES));
    TRY(loop_new(&l, clock_system()));
    TRY(ipc_server_new(&server, l, c));
    loop_on_stop(l, on_stop, server);
    loop_run(l, 1000);
    loop_free(l);
    return OK;
}

int main(int argc, char **argv)
{
    struct err e = argc == 3 ? run(argv) : FAIL(E_CONFIG);
    if (!err_ok(e))
        fprintf(stderr, "audit_instant: %s at %s\n", err_slug(e.code), e.site);
    return err_ok(e) ? 0 : 1;
}
