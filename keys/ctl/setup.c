#include "keys/ctl/setup.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/audit/note.h"
#include "gateway/crypto/keyring.h"
#include "gateway/base/wipe.h"
#include "keys/ctl/keys_file.h"
#include "keys/ctl/say.h"

extern char **environ;

static ERR run_program(char *const argv[])
{
    pid_t pid;
    int status;
    if (posix_spawnp(&pid, argv[0], NULL, NULL, argv, environ) != 0)
        return FAIL(E_IO);
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return FAIL(E_IO);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0 ? OK : FAIL(E_IO);
}

ERR setup_dev_ca(const struct state *s, const char *name, const char *uri)
{
    struct state_path tool, certs = state_at(s, "certs");
    if (snprintf(tool.c, sizeof tool.c, "%s/dev-ca", s->share) >= (int)sizeof tool.c)
        return FAIL(E_CONFIG);
    char *argv[] = { tool.c, certs.c, (char *)name, (char *)uri, NULL };
    return run_program(argv);
}

ERR setup_certs(const struct state *s, const struct setup_conf *c)
{
    if (file_exists(state_at(s, SETUP_OWN_MARK).c))
        return OK;
    TRY(setup_dev_ca(s, "--all", NULL));
    for (size_t i = 0; i < c->n_munis; i++) {
        char name[32], uri[64];
        snprintf(name, sizeof name, "muni-%.6s", c->munis[i]);
        snprintf(uri, sizeof uri, "pmhgw:municipality/%.6s/kodomo", c->munis[i]);
        struct state_path pem = state_at(s, "certs/%s.pem", name);
        if (!file_exists(pem.c))
            TRY(setup_dev_ca(s, name, uri));
    }
    return OK;
}

/* n random bytes, as they are or in hex. The file is new or kept; never half a file. */
static ERR random_file(const char *path, size_t n, bool hex)
{
    uint8_t raw[32];
    struct buf b;
    if (file_exists(path))
        return OK;
    buf_init(&b, 2 * sizeof raw);
    rnd_bytes(raw, n);
    if (hex)
        buf_hex(&b, slice_of(raw, n));
    else
        buf_put(&b, slice_of(raw, n));
    explicit_bzero(raw, sizeof raw);
    struct err e = buf_check(&b);
    if (err_ok(e))
        e = file_write(path, buf_slice(&b));
    buf_done(&b);
    return e;
}

struct ring_files { enum keyring_zone zone; struct state_path ring, master; };

static ERR ring_add(const struct ring_files *r, enum key_kind kind, const char *id, const struct secret *key)
{
    return keyring_add(r->zone, r->ring.c, r->master.c, kind, slice_str(id), key);
}

static ERR vault_ring(const struct state *s, const struct setup_conf *c)
{
    struct ring_files r = { RING_VAULT, state_at(s, "keys/vault.ring"), state_at(s, "keys/vault.master") };
    TRY(keyring_create(r.zone, r.ring.c, r.master.c));
    TRY(ring_add(&r, KEY_NUM_INDEX, "1", NULL));
    for (size_t i = 0; i < c->n_munis; i++)
        TRY(ring_add(&r, KEY_NUM_DATA, c->munis[i], NULL));
    return OK;
}

static ERR link_ring(const struct state *s, const struct setup_conf *c)
{
    static const struct { enum key_kind kind; const char *id; } SINGLE[] = {
        { KEY_LINK_INDEX, "1" }, { KEY_LINK_COMMON, "1" }, { KEY_TOKEN, "k1" }, { KEY_AUDIT_HANDLE, "1" },
    };
    struct ring_files r = { RING_LINK, state_at(s, "keys/link.ring"), state_at(s, "keys/link.master") };
    struct state_path jwe = state_at(s, "keys/link-jwe.key");
    struct secret *shared = NULL;
    struct kid kid;
    TRY(keyring_create(r.zone, r.ring.c, r.master.c));
    for (size_t i = 0; i < sizeof SINGLE / sizeof *SINGLE; i++)
        TRY(ring_add(&r, SINGLE[i].kind, SINGLE[i].id, NULL));
    for (size_t i = 0; i < c->n_munis; i++)
        TRY(ring_add(&r, KEY_LINK_DATA, c->munis[i], NULL));
    TRY(random_file(jwe.c, AEAD_KEY, false));
    TRY(keys_file_kid(s, &kid));
    TRY(secret_read_file(&shared, jwe.c, AEAD_KEY));
    struct err e = ring_add(&r, KEY_LINK_JWE, kid.c, shared);
    secret_free(shared);
    return e;
}

/* The key of the audit log's checkpoints, and for everybody else the line that verifies them. */
static ERR audit_key(const struct state *s)
{
    struct state_path key = state_at(s, "keys/audit-sign.key"), pub = state_at(s, "keys/audit.pub");
    struct secret *seed;
    struct note_signer *signer;
    struct buf line;
    TRY(random_file(key.c, NOTE_KEY, false));
    if (file_exists(pub.c))
        return OK;
    TRY(secret_read_file(&seed, key.c, NOTE_KEY));
    struct err e = note_signer_new(&signer, AUDIT_ORIGIN_DEFAULT, seed);
    secret_free(seed);
    TRY(e);
    buf_init(&line, NOTE_KEY_LINE_MAX);
    note_key_write(note_signer_key(signer), &line);
    note_signer_free(signer);
    e = buf_check(&line);
    if (err_ok(e))
        e = file_write(pub.c, buf_slice(&line));
    buf_done(&line);
    return e;
}

ERR setup_keys(const struct state *s, const struct setup_conf *c)
{
    static const char *const CAPS[] = { "cap-intake-vault", "cap-ctl-vault", "cap-intake-audit", "cap-front-audit", "cap-vault-audit",
                                        "cap-ctl-audit", "cap-courier-audit", "cap-front-signer", "cap-ctl-signer", "cap-courier-signer" };
    static const char *const PASSES[] = { "redis-vault.pass", "redis-link-intake.pass", "redis-link-front.pass", "redis-link-courier.pass" };
    for (size_t i = 0; i < sizeof CAPS / sizeof *CAPS; i++)
        TRY(random_file(state_at(s, "keys/%s", CAPS[i]).c, 32, false));
    for (size_t i = 0; i < sizeof PASSES / sizeof *PASSES; i++)
        TRY(random_file(state_at(s, "keys/%s", PASSES[i]).c, 32, true));
    TRY(audit_key(s));
    TRY(vault_ring(s, c));
    TRY(link_ring(s, c));
    return setup_signer(s);
}
