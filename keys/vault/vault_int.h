#ifndef GW_ZONE_NUMBER
#error "vault_int.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_VAULT_INT_H
#define KEYS_VAULT_VAULT_INT_H

/* Shared by the files of the daemon only. */

#include "gateway/audit/audit.h"
#include "gateway/base/log.h"
#include "keys/number/mynum.h"
#include "keys/vault/sealer.h"
#include "keys/vault/shelf.h"

enum { NZ_MANY_AT_ONCE = 256 /* LINK_MANY under way, all callers together; more are BUSY */ };

struct nz_vaultd {
    struct loop *loop;
    struct ipc_server *server;
    struct redis *redis;
    struct audit *audit;
    struct nz_sealer *sealer;
    struct nz_pool *numbers; /* digits of the LINK_MANY under way */
    unsigned many;           /* of them there are so many */
    bool closing;
};

/* A call that waits for the store or the log: the first member of what a message keeps meanwhile. Wiped at its end. */
struct nz_op {
    struct nz_vaultd *v;
    struct ipc_call *call;
    uint64_t deadline;
};

struct nz_op *nz_op__new(struct nz_vaultd *v, struct ipc_call *call, size_t size); /* NULL when out of memory */
/* Sends one batch for the op, which ends here when there is none. */
void nz_op__ask(struct nz_op *op, struct redis_batch *b, redis_done_fn *done);
void nz_op__end(struct nz_op *op, struct err e, struct slice body);
void nz_op__fail(struct nz_op *op, struct err e);
void nz_vault__reply_error(struct ipc_call *call, struct err e); /* of a call without an op */

void nz_vault__on_link(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_link_many(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_erase(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_tell(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_part(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_show(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_key_new(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);
void nz_vault__on_key_open(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body);

#endif
