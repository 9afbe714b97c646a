/* pmhgw-vault: keeps the individual numbers. It parses messages of fixed size and nothing else. */

#include <string.h>

#include "gateway/base/service.h"
#include "gateway/box/box.h"
#include "gateway/conf/daemon.h"
#include "gateway/ipc/ipc.h"
#include "keys/vault/vault.h"

enum { STOP_GRACE_MS = 5000 };

struct secrets {
    struct secret *cap_intake, *cap_ctl, *redis_pass, *audit_cap;
};

static struct err secrets_read(struct secrets *s, const struct conf *c)
{
    TRY(secret_read_file(&s->cap_intake, c->vault_cap_intake_file, IPC_CAP_BYTES));
    TRY(secret_read_file(&s->cap_ctl, c->vault_cap_ctl_file, IPC_CAP_BYTES));
    TRY(secret_read_file(&s->redis_pass, c->redis_vault_pass_file, 0));
    return secret_read_file(&s->audit_cap, c->audit_cap_file, IPC_CAP_BYTES);
}

static void secrets_free(struct secrets *s)
{
    secret_free(s->cap_intake);
    secret_free(s->cap_ctl);
    secret_free(s->redis_pass);
    secret_free(s->audit_cap);
}

/* Everything that opens a file or a socket by its name. */
static struct err open_all(struct nz_vaultd **ret_v, struct loop *l, const struct conf *c)
{
    struct secrets s = { 0 };
    struct keyring *ring = NULL;
    struct err e = keyring_load(&ring, RING_VAULT, c->vault_ring, c->vault_master);
    if (err_ok(e))
        e = secrets_read(&s, c);
    if (err_ok(e)) {
        e = nz_vaultd_new(ret_v, l, (struct nz_vaultd_conf){
            .socket = c->vault_socket, .cap_intake = s.cap_intake, .cap_ctl = s.cap_ctl,
            .redis_socket = c->redis_vault_socket, .redis_user = c->redis_vault_user, .redis_pass = s.redis_pass,
            .redis_conns = (unsigned)c->redis_conns, .redis_replicas = (unsigned)c->redis_wait_replicas, .redis_wait_ms = (unsigned)c->redis_wait_ms, .audit_socket = c->audit_socket, .audit_cap = s.audit_cap, .ring = ring });
        s = (struct secrets){ 0 }; /* given to the vault, also when it failed */
    }
    secrets_free(&s);
    keyring_free(ring);
    return e;
}

/* It opens no file any more. */
static void on_hup(void *arg)
{
    (void)arg;
    LOG(NOTE, "reload_needs_start");
}

static struct err check(const struct conf *c, const char *config)
{
    (void)config;
    struct secrets s = { 0 };
    struct keyring *ring = NULL;
    struct err e = keyring_load(&ring, RING_VAULT, c->vault_ring, c->vault_master);
    if (err_ok(e))
        e = secrets_read(&s, c);
    secrets_free(&s);
    keyring_free(ring);
    return e;
}

static struct err run(const char *conf_path)
{
    struct conf c;
    struct loop *l = NULL;
    struct nz_vaultd *v = NULL;
    TRY(box_early());
    TRY(conf_load(&c, CONF_V, conf_path));
    log_open(LITERAL("vault"), (enum log_level)c.log_level);
    uint32_t uid = (uint32_t)c.uid;
    struct err e = loop_new(&l, clock_system());
    if (err_ok(e))
        e = loop_count(l, c.metrics_dir, LITERAL("vault"));
    if (err_ok(e))
        e = open_all(&v, l, &c);
    conf_free(&c);
    if (err_ok(e))
        loop_on_hup(l, on_hup, NULL);
    if (err_ok(e))
        e = box_enter(BOX_VAULT, uid);
    if (err_ok(e)) {
        LOG(INFO, "ready");
        service_tell("READY=1");
    } else if (l) {
        loop_stop(l); /* what was opened closes in the run */
    }
    if (l)
        loop_run(l, STOP_GRACE_MS);
    loop_free(l); /* first: its last callbacks still look at the daemon */
    nz_vaultd_free(v);
    return e;
}

int main(int argc, char **argv)
{
    return conf_main(argc, argv, &(struct conf_program){ .who = CONF_V, .daemon = LITERAL("vault"), .program = "pmhgw-vault", .run = run, .check = check });
}
