#ifndef TESTS_UNIT_CLIENT_BENCH_H
#define TESTS_UNIT_CLIENT_BENCH_H

/* Between client_test and pmh_wire_test: partners that behave badly on demand (client_peer.py) and their certificates. */

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "connectors/core/client.h"

struct peer {
    pid_t pid;
    int port;
};

struct fixture {
    char dir[64];
    struct peer good, other_ca, tls12;
};

static const char MAKE_CERTS[] =
    "set -e; cd \"$0\"\n"
    "ca() { openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=$1 -keyout $1.key -out $1.pem; }\n"
    "leaf() { openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$1 -keyout $1.key -out $1.csr\n"
    "  printf 'subjectAltName=IP:127.0.0.1,DNS:pmh.test\\n' > ext\n"
    "  openssl x509 -req -in $1.csr -CA $2.pem -CAkey $2.key -CAcreateserial -days 2 -extfile ext -out $1.pem; }\n"
    "(ca ca; ca ca2; leaf server ca; leaf server2 ca2; leaf gateway ca; leaf loose ca) >log 2>&1\n"
    "chmod 600 *.key; chmod 644 loose.key\n";

static inline pid_t spawn(const char *const argv[], int *ret_out)
{
    int fd[2] = { -1, -1 };
    if (ret_out)
        assert_int_equal(pipe(fd), 0);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        if (ret_out)
            dup2(fd[1], 1);
        execvp(argv[0], (char *const *)argv);
        _exit(127);
    }
    if (ret_out) {
        close(fd[1]);
        *ret_out = fd[0];
    }
    return pid;
}

static inline struct peer peer_start(const char *dir, const char *cert, const char *version)
{
    const char *argv[] = { "python3", CLIENT_PEER, dir, cert, version, NULL };
    struct peer p = { 0, 0 };
    int out;
    p.pid = spawn(argv, &out);
    FILE *f = fdopen(out, "r");
    assert_int_equal(fscanf(f, "%d", &p.port), 1);
    fclose(f);
    return p;
}

static inline void peer_stop(struct peer p)
{
    kill(p.pid, SIGKILL);
    waitpid(p.pid, NULL, 0);
}

static inline int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    int status;
    snprintf(f->dir, sizeof f->dir, "/tmp/client_test.XXXXXX");
    assert_non_null(mkdtemp(f->dir));
    const char *argv[] = { "sh", "-c", MAKE_CERTS, f->dir, NULL };
    waitpid(spawn(argv, NULL), &status, 0);
    assert_int_equal(status, 0);
    f->good = peer_start(f->dir, "server", "TLSv1_3");
    f->other_ca = peer_start(f->dir, "server2", "TLSv1_3");
    f->tls12 = peer_start(f->dir, "server", "TLSv1_2");
    *state = f;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;
    const char *argv[] = { "rm", "-rf", f->dir, NULL };
    peer_stop(f->good);
    peer_stop(f->other_ca);
    peer_stop(f->tls12);
    waitpid(spawn(argv, NULL), NULL, 0);
    free(f);
    return 0;
}

static inline void conf_of(const struct fixture *f, char paths[3][96], struct client_conf *conf)
{
    snprintf(paths[0], 96, "%s/ca.pem", f->dir);
    snprintf(paths[1], 96, "%s/gateway.pem", f->dir);
    snprintf(paths[2], 96, "%s/gateway.key", f->dir);
    *conf = (struct client_conf){ .ca_path = paths[0], .cert_path = paths[1], .key_path = paths[2], .conns_max = 4, .queue_max = 64 };
}

static inline void url_of(char out[static 96], struct peer p, const char *path) { snprintf(out, 96, "https://127.0.0.1:%d/%s", p.port, path); }

#endif
