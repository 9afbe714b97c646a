/* Memory that is missing once, anywhere between the start of a door and the end of its first handshake: there is no door, or there is a good one. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/unit/tls_link.h"

enum { PLACES = 300, FEWER = 40 /* with sanitizers a fork is dear */, LEAST = 500 /* allocations: else they are not counted */, ROUNDS = 8, EXIT_BAD = 3 };

static struct { bool counts; unsigned seen, fails; } memory; /* fails: which one; 0: none */

static bool missing(void) { return memory.counts && ++memory.seen == memory.fails; }

static void *on_malloc(size_t n, const char *file, int line)
{
    (void)file, (void)line;
    return n == 0 || missing() ? NULL : malloc(n);
}

static void *on_realloc(void *p, size_t n, const char *file, int line)
{
    (void)file, (void)line;
    if (n == 0) {
        free(p);
        return NULL;
    }
    return missing() ? NULL : realloc(p, n);
}

static void on_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    free(p);
}

/* Is the door open to a client with a certificate? Only what the door itself takes counts. */
static bool opens(struct tls_door *door, const struct pair *id, bool counts)
{
    struct buf out, plain;
    enum tls_state state = TLS_HANDSHAKE;
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    must(SSL_CTX_use_certificate(ctx, id->cert) == 1 && SSL_CTX_use_PrivateKey(ctx, id->key) == 1);
    SSL *client = SSL_new(ctx);
    SSL_set_bio(client, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
    SSL_set_connect_state(client);
    buf_init(&out, NET_ROOM);
    buf_init(&plain, PLAIN_ROOM);
    memory.counts = counts;
    struct tls_conn *server = tls_conn_new(door);
    memory.counts = false;
    for (int i = 0; server && i < ROUNDS && state == TLS_HANDSHAKE; i++) {
        char *p;
        SSL_do_handshake(client);
        long n = BIO_get_mem_data(SSL_get_wbio(client), &p);
        buf_reset(&out);
        memory.counts = counts;
        state = tls_feed(server, slice_of(p, n > 0 ? (size_t)n : 0), &out, &plain);
        memory.counts = false;
        (void)BIO_reset(SSL_get_wbio(client));
        if (out.n)
            (void)BIO_write(SSL_get_rbio(client), out.p, (int)out.n);
    }
    bool good = state == TLS_OPEN && tls_caller(server)->role == CALLER_CLINIC;
    tls_conn_free(server);
    SSL_free(client);
    SSL_CTX_free(ctx);
    buf_done(&out);
    buf_done(&plain);
    return good;
}

/* 0: no door was made, or it is a good one. */
static int try_one(const struct pki *pki, const struct pair *id, unsigned fails)
{
    struct tls_door *door;
    struct tls_door_conf conf = conf_of(pki);
    memory.fails = fails;
    memory.counts = true;
    struct err e = tls_door_new(&door, &conf);
    memory.counts = false;
    if (!err_ok(e))
        return 0;
    (void)opens(door, id, true);
    bool good = opens(door, id, false);
    tls_door_free(door);
    return good ? 0 : EXIT_BAD;
}

/* In a process of its own: what OpenSSL has left out stays left out. */
static int try_apart(const struct pki *pki, const struct pair *id, unsigned fails)
{
    int status = 0;
    pid_t pid = fork();
    if (pid == 0)
        _exit(try_one(pki, id, fails));
    assert_true(pid > 0 && waitpid(pid, &status, 0) == pid);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static unsigned allocations(const struct pki *pki, const struct pair *id)
{
    int pipes[2];
    unsigned n = 0;
    assert_int_equal(pipe(pipes), 0);
    pid_t pid = fork();
    if (pid == 0) {
        int bad = try_one(pki, id, 0);
        _exit(bad || write(pipes[1], &memory.seen, sizeof memory.seen) != sizeof memory.seen);
    }
    assert_int_equal(read(pipes[0], &n, sizeof n), sizeof n);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
    close(pipes[0]);
    close(pipes[1]);
    return n;
}

static void a_door_without_memory_is_none_or_a_good_one(void **state)
{
    struct pki pki;
    (void)state;
    pki_begin(&pki);
    struct pair id = client_new(&pki.issuer, "URI:pmhgw:clinic/3310010012");
    unsigned n = allocations(&pki, &id), bad = 0;
    assert_true(n > LEAST);
#ifdef PMHGW_SANITIZED
    unsigned places = FEWER;
#else
    unsigned places = PLACES;
#endif
    for (unsigned i = 0; i < places; i++) {
        unsigned fails = 1 + (unsigned)((uint64_t)n * i / places);
        int how = try_apart(&pki, &id, fails);
        if (how != 0)
            print_message("allocation %u of %u: %s (%d)\n", fails, n, how == EXIT_BAD ? "the door lets nobody in" : "ended badly", how);
        bad += how != 0;
    }
    assert_int_equal(bad, 0);
    pair_free(&id);
    pki_end(&pki);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(a_door_without_memory_is_none_or_a_good_one) };
    must(CRYPTO_set_mem_functions(on_malloc, on_realloc, on_free) == 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
