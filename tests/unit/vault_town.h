#ifndef TESTS_UNIT_VAULT_TOWN_H
#define TESTS_UNIT_VAULT_TOWN_H

/* A folder with a real redis-server, pmhgw-audit and pmhgw-vault as children, for vault_test. Include after cmocka.h. */

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "gateway/crypto/keyring.h"
#include "keys/intake/vault_client.h"

enum town_child { T_REDIS, T_AUDIT, T_VAULT, T__CHILDREN };

struct town {
    char dir[64], bin[256];
    pid_t pid[T__CHILDREN];
    struct loop *loop;
    struct nz_vault *client;
    struct nz_pool *pool;
};

struct town_path {
    char s[160];
};
static inline struct town_path town_path(const struct town *t, const char *name)
{
    struct town_path p;
    assert_true((size_t)snprintf(p.s, sizeof p.s, "%s/%s", t->dir, name) < sizeof p.s);
    return p;
}

static inline void town_file(const struct town *t, const char *name, struct slice content)
{
    int fd = open(town_path(t, name).s, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    assert_true(fd >= 0 && write(fd, content.p, content.n) == (ssize_t)content.n);
    close(fd);
}

/* $ in the template stands for the folder. */
static inline void town_conf(const struct town *t, const char *name, const char *template)
{
    struct buf b;
    buf_init(&b, 8192);
    for (; *template; template++)
        if (*template == '$')
            buf_puts(&b, t->dir);
        else
            buf_putc(&b, (uint8_t)*template);
    town_file(t, name, buf_slice(&b));
    buf_done(&b);
}

/* The user "default" is off, but allowed everything: Redis 7.0 loads its append-only file as that user, and silently drops every
 * transaction and script in it that the user may not run. */
#define TOWN_REDIS                                                                                            \
    "port 0\nunixsocket $/redis.sock\nunixsocketperm 700\ndir $/redis\nappendonly yes\nappendfsync always\n"  \
    "save \"\"\nuser default off ~* &* +@all\n"                                                                           \
    "user vault on >secretsecret ~i:* ~n:* ~t:* -@all +eval +get +set +del +mget +msetnx +ping\n"
#define TOWN_AUDIT                                                                                            \
    "audit_socket: \"$/audit.sock\"\naudit_dir: \"$/audit\"\naudit_cap_intake_file: \"$/cap-other\"\n"        \
    "audit_cap_front_file: \"$/cap-other\"\naudit_cap_vault_file: \"$/cap-audit\"\naudit_cap_ctl_file: \"$/cap-other\"\n" \
    "audit_sign_key: \"$/cap-other\"\n"
#define TOWN_VAULT                                                                                            \
    "audit_socket: \"$/audit.sock\"\naudit_cap_file: \"$/cap-audit\"\nvault_socket: \"$/vault.sock\"\n"       \
    "vault_cap_intake_file: \"$/cap-intake\"\nvault_cap_ctl_file: \"$/cap-ctl\"\nvault_ring: \"$/v.ring\"\n"  \
    "vault_master: \"$/v.master\"\nredis_vault_socket: \"$/redis.sock\"\nredis_vault_pass_file: \"$/pass\"\n"

static const char *const TOWN_PROGRAMS[T__CHILDREN] = { "redis-server", "pmhgw-audit", "pmhgw-vault" };
static const char *const TOWN_CONFS[T__CHILDREN] = { "redis.conf", "audit.yaml", "vault.yaml" };

static inline void town_exec(const struct town *t, enum town_child c)
{
    struct town_path conf = town_path(t, TOWN_CONFS[c]), log = town_path(t, "log");
    int fd = open(log.s, O_WRONLY | O_CREAT | O_APPEND, 0600);
    char program[320];
    prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that died leaves nobody behind */
    dup2(fd, STDOUT_FILENO);
    dup2(fd, STDERR_FILENO);
    if (c == T_REDIS)
        execlp("redis-server", "redis-server", conf.s, (char *)NULL);
    snprintf(program, sizeof program, "%s/%s", t->bin, TOWN_PROGRAMS[c]);
    execl(program, program, "--config", conf.s, (char *)NULL);
    _exit(127);
}

static inline void town_start(struct town *t, enum town_child c)
{
    t->pid[c] = fork();
    if (t->pid[c] == 0)
        town_exec(t, c);
    assert_true(t->pid[c] > 0);
}

static inline int town_stop(struct town *t, enum town_child c, int sig)
{
    int status = -1;
    if (t->pid[c] <= 0)
        return 0;
    kill(t->pid[c], sig);
    assert_int_equal(waitpid(t->pid[c], &status, 0), t->pid[c]);
    t->pid[c] = 0;
    return status;
}

static inline void town_bin(struct town *t)
{
    ssize_t n = readlink("/proc/self/exe", t->bin, sizeof t->bin - 1);
    assert_true(n > 0);
    t->bin[n] = 0;
    *strrchr(t->bin, '/') = 0;
}

static inline void town_keys(const struct town *t)
{
    static const char *const CAPS[] = { "cap-intake", "cap-ctl", "cap-audit", "cap-other" };
    uint8_t cap[32];
    for (size_t i = 0; i < sizeof CAPS / sizeof CAPS[0]; i++) {
        rnd_bytes(cap, sizeof cap);
        town_file(t, CAPS[i], ARR(cap));
    }
    town_file(t, "pass", LIT("secretsecret"));
    struct town_path ring = town_path(t, "v.ring"), master = town_path(t, "v.master");
    assert_true(err_ok(keyring_create(RING_VAULT, ring.s, master.s)));
    assert_true(err_ok(keyring_add(RING_VAULT, ring.s, master.s, KEY_NUM_INDEX, LIT("1"), NULL)));
    assert_true(err_ok(keyring_add(RING_VAULT, ring.s, master.s, KEY_NUM_DATA, LIT("331007"), NULL)));
    assert_true(err_ok(keyring_add(RING_VAULT, ring.s, master.s, KEY_NUM_DATA, LIT("131016"), NULL)));
}

static inline struct secret *town_cap(const struct town *t, const char *name)
{
    struct secret *s = NULL;
    assert_true(err_ok(secret_read_file(&s, town_path(t, name).s, 32)));
    return s;
}

static inline void town_open(struct town *t)
{
    *t = (struct town){ .dir = "/tmp/pmhgw-vault-XXXXXX" };
    assert_non_null(mkdtemp(t->dir));
    town_bin(t);
    assert_int_equal(mkdir(town_path(t, "redis").s, 0700), 0);
    assert_int_equal(mkdir(town_path(t, "audit").s, 0700), 0);
    town_keys(t);
    town_conf(t, TOWN_CONFS[T_REDIS], TOWN_REDIS);
    town_conf(t, TOWN_CONFS[T_AUDIT], TOWN_AUDIT);
    town_conf(t, TOWN_CONFS[T_VAULT], TOWN_VAULT);
    for (int c = 0; c < T__CHILDREN; c++)
        town_start(t, (enum town_child)c);
    assert_true(err_ok(loop_new(&t->loop, clock_system())));
    assert_true(err_ok(nz_vault_new(&t->client, t->loop, town_path(t, "vault.sock").s, town_cap(t, "cap-intake"))));
    assert_true(err_ok(nz_pool_new(&t->pool, 256)));
}

/* Turns the loop until *done has reached n; at most 10 s. */
static inline void town_wait(struct town *t, const int *done, int n)
{
    struct timespec nap = { 0, 200000 };
    uint64_t end = loop_now(t->loop) + 10000;
    while (*done < n && loop_now(t->loop) < end)
        if (uv_run(loop_uv(t->loop), UV_RUN_NOWAIT) >= 0)
            nanosleep(&nap, NULL);
    assert_int_equal(*done, n);
}

static inline void town_close(struct town *t)
{
    nz_vault_close(t->client);
    loop_stop(t->loop);
    loop_run(t->loop, 1000);
    loop_free(t->loop);
    nz_pool_free(t->pool);
    for (int c = T__CHILDREN - 1; c >= 0; c--)
        town_stop(t, (enum town_child)c, SIGTERM);
    char command[128];
    snprintf(command, sizeof command, "rm -rf '%s'", t->dir);
    assert_int_equal(system(command), 0);
}

#endif
