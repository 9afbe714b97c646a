#ifndef GW_ZONE_NUMBER
#error "vault.h belongs to the number zone"
#endif
#ifndef KEYS_VAULT_VAULT_H
#define KEYS_VAULT_VAULT_H

/* The vault on a loop: answers the messages of vault_msg.h over redis-vault and pmhgw-audit. Every answer comes within
 * NZ_VAULT_STEP_MS; a number leaves only after its audit record is on disk. */

#include "gateway/base/secret.h"
#include "gateway/crypto/keyring.h"
#include "gateway/loop/loop.h"

enum { NZ_VAULT_STEP_MS = 2000, NZ_VAULT_CONNS_MAX = 16, NZ_VAULT_QUEUE_MAX = 65536 /* batches at redis-vault */ };

struct nz_vaultd;

struct nz_vaultd_conf {
    const char *socket;                    /* ours; copied, as all paths */
    struct secret *cap_intake, *cap_ctl;   /* what callers show; moved in, as all secrets */
    const char *redis_socket, *redis_user;
    struct secret *redis_pass;
    unsigned redis_conns, redis_replicas, redis_wait_ms;
    const char *audit_socket;
    struct secret *audit_cap;
    const struct keyring *ring;            /* borrowed for the call */
};

/* Binds the socket and starts connecting. It closes by itself when the loop stops. CONFIG, IO, NOMEM. */
ERR nz_vaultd_new(struct nz_vaultd **ret_v, struct loop *l, struct nz_vaultd_conf conf);
/* After loop_run(). NULL is fine. */
void nz_vaultd_free(struct nz_vaultd *v);

#endif
