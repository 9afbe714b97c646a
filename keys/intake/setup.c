#include "keys/intake/setup.h"

#include <openssl/crypto.h>
#include <stdlib.h>

#include "gateway/base/wipe.h"
#include "gateway/jose/jws.h"
#include "gateway/vaccine/table.h"
#include "keys/spool/spool.h"
#include "keys/vaccination/fees.h"

enum { REDIS_QUEUE = 4096, UPSTREAM_CONNS = 8, UPSTREAM_QUEUE = 64, PASSWORD_ANY = 0 };

/* ---- memory ---- */

static void *ossl_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return wipe_malloc(n);
}

static void *ossl_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    if (n == 0) {
        wipe_free(p);
        return NULL;
    }
    return wipe_realloc(p, n);
}

static void ossl_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    wipe_free(p);
}

ERR nz_setup_memory(void)
{
    if (!CRYPTO_set_mem_functions(ossl_malloc, ossl_realloc, ossl_free))
        return FAIL(E_CRYPTO);
    return client_setup();
}

/* ---- settings ---- */

static ERR level_of(const char *text, enum check_level *ret)
{
    static const char *const NAMES[] = { [CHECK_OFF] = "off", [CHECK_WARN] = "warn", [CHECK_REJECT] = "reject" };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        if (strcmp(text, NAMES[i]) == 0) {
            *ret = (enum check_level)i;
            return OK;
        }
    }
    return FAIL(E_CONFIG);
}

static bool kid_after(struct slice a, struct slice b)
{
    if (a.n != b.n)
        return a.n > b.n;
    size_t i = 0;
    while (i < a.n && a.p[i] == b.p[i])
        i++;
    return i < a.n && a.p[i] > b.p[i];
}

/* The newest key is the one with the greatest kid: kids are made in ascending order, a longer one after all shorter ones (k9, k10). */
static ERR newest_kid(struct nz_intake *in, const struct keyring *ring)
{
    size_t at = 0;
    struct slice id, best = SLICE_NONE;
    const struct secret *key;
    while (keyring_each(ring, KEY_TOKEN, &at, &id, &key)) {
        if (kid_after(id, best))
            best = id;
    }
    if (!best.n || best.n >= sizeof in->token_kid)
        return FAIL(E_CONFIG);
    memcpy(in->token_kid, best.p, best.n);
    in->token_kid[best.n] = 0;
    return OK;
}

/* ---- parts ---- */

static ERR open_keys(struct nz_intake *in)
{
    TRY(keyring_load(&in->ring, RING_LINK, in->conf.link_ring, in->conf.link_master));
    TRY(store_new(&in->store, in->ring));
    TRY(jwe_keys_new(&in->tokens, in->ring, KEY_TOKEN));
    return newest_kid(in, in->ring);
}

/* All of it or nothing. */
struct err nz_intake_renew_keys(struct nz_intake *in, struct keyring *ring)
{
    struct jwe_keys *fresh = NULL;
    struct err e = jwe_keys_new(&fresh, ring, KEY_TOKEN);
    if (err_ok(e))
        e = store_renew(in->store, ring);
    if (err_ok(e)) {
        jwe_keys_exchange(in->tokens, fresh);
        e = newest_kid(in, ring); /* there is a key of its kind, else there were none to exchange */
    }
    jwe_keys_free(fresh);
    if (!err_ok(e)) {
        keyring_free(ring);
        return e;
    }
    keyring_free(in->ring);
    in->ring = ring;
    return OK;
}

static ERR open_redis(struct nz_intake *in)
{
    struct redis_conf c = {
        .path = in->conf.redis_link_socket,
        .user = in->conf.redis_link_user,
        .conns = (unsigned)in->conf.redis_conns,
        .queue_max = REDIS_QUEUE,
        .replicas = (unsigned)in->conf.redis_wait_replicas,
        .wait_ms = (unsigned)in->conf.redis_wait_ms,
    };
    TRY(secret_read_file(&c.password, in->conf.redis_link_pass_file, PASSWORD_ANY));
    return redis_new(&in->redis, in->loop, c);
}

static ERR open_daemons(struct nz_intake *in)
{
    struct secret *cap;
    TRY(secret_read_file(&cap, in->conf.audit_cap_file, IPC_CAP_BYTES));
    TRY(audit_new(&in->audit, in->loop, in->conf.audit_socket, IPC_INTAKE, cap));
    TRY(epoch_new(&in->epoch, &(struct epoch_conf){ .loop = in->loop, .redis = in->redis, .audit = in->audit, .actor = LITERAL("intake"), .marks = true }));
    TRY(secret_read_file(&cap, in->conf.vault_cap_file, IPC_CAP_BYTES));
    return nz_vault_new(&in->vault, in->loop, in->conf.vault_socket, cap);
}

static ERR open_upstream(struct nz_intake *in)
{
    const struct client_conf c = {
        .ca_path = in->conf.upstream_ca,
        .cert_path = in->conf.upstream_cert,
        .key_path = in->conf.upstream_key,
        .conns_max = UPSTREAM_CONNS,
        .queue_max = UPSTREAM_QUEUE,
    };
    return client_new(&in->client, in->loop, &c);
}

/* What the settings name and is read once. */
static ERR read_files(struct nz_intake *in)
{
    TRY(level_of(in->conf.check_my_number, &in->levels.by_check[CK_MYNUMBER]));
    TRY(level_of(in->conf.check_payer_number, &in->levels.by_check[CK_PAYER]));
    TRY(basis_load(&in->basis, in->conf.legal_basis_file));
    if (in->conf.institutions_file[0])
        TRY(institutions_load(&in->institutions, in->conf.institutions_file));
    if (in->conf.vaccines_file[0])
        TRY(vaccine_table_load(&in->vaccines, in->conf.vaccines_file));
    if (in->conf.claims_file[0])
        TRY(nz_fees_load(&in->fees, in->conf.claims_file));
    if (in->conf.receipt_cert[0] && in->conf.receipt_key[0])
        TRY(jws_signer_new(&in->receipts, in->conf.receipt_cert, in->conf.receipt_key));
    return open_keys(in);
}

ERR nz_intake_open(struct nz_intake *in, const char *config)
{
    TRY(conf_load(&in->conf, CONF_I, config));
    log_open(LITERAL("intake"), (enum log_level)in->conf.log_level);
    TRY(read_files(in));
    TRY(loop_new(&in->loop, clock_system()));
    TRY(loop_count(in->loop, in->conf.metrics_dir, LITERAL("intake")));
    TRY(nz_pool_new(&in->pool, NZ_POOL_NUMBERS));
    TRY(nz_hot_new(&in->hot, NZ_HOT_NUMBERS));
    TRY(nz_spool_new(&in->spool, in->conf.spool_dir));
    TRY(open_redis(in));
    TRY(open_daemons(in));
    return open_upstream(in);
}

/* Not undone: the process ends. */
ERR nz_intake_check(const struct conf *c)
{
    struct tls_door *door;
    struct nz_intake *in = calloc(1, sizeof *in);
    if (!in)
        return FAIL(E_NOMEM);
    in->conf = *c;
    TRY(read_files(in));
    struct err e = tls_door_new(&door, &(struct tls_door_conf){ .cert_path = c->door_cert, .key_path = c->door_key, .ca_path = c->door_ca, .session_context = "check" });
    if (!err_ok(e))
        LOG(ERROR, "start_failed", LF("settings", LITERAL("door_cert, door_key, door_ca")), LF("error", e));
    return e;
}

void nz_intake_close(struct nz_intake *in)
{
    client_close(in->client);
    nz_vault_close(in->vault);
    in->vault = NULL; /* what ends with CANCELED now has nothing to say to it */
    epoch_close(in->epoch);
    audit_close(in->audit);
    redis_close(in->redis);
}

void nz_intake_done(struct nz_intake *in)
{
    nz_hot_free(in->hot);
    nz_pool_free(in->pool);
    jws_signer_free(in->receipts);
    nz_spool_free(in->spool);
    jwe_keys_free(in->tokens);
    store_free(in->store);
    keyring_free(in->ring);
    institutions_free(in->institutions);
    vaccine_table_free(in->vaccines);
    nz_fees_free(in->fees);
    basis_free(in->basis);
    revocations_free(in->revocations);
    loop_free(in->loop);
    budget_free(in->budget);
    conf_free(&in->conf);
}
