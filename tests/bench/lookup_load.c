/* Clinic lookups as fast as they go: mints one link key a request, keeps C mutual-TLS connections busy, checks every answer.
 *
 *   lookup_load HOST PORT CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE CONNECTIONS REQUESTS
 *
 * PMH_KEYS_FILE: one PMH key a line; request i uses line i modulo their count. Prints one line
 *   requests R seconds S rate R/S p50_us N p99_us N ok N nothing N other N
 * and exits 0 when no answer was anything but 200 or 404. */

#include <arpa/inet.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/jose/claims.h"
#include "gateway/jose/jwe.h"

enum { CONNECTIONS_MAX = 1024, KEYS_MAX = 1 << 20, LINE_MAX_BYTES = 256 };

struct bodies { char **text; size_t n; };

struct worker {
    pthread_t thread;
    SSL_CTX *ctx;
    struct sockaddr_in addr;
    const struct bodies *bodies;
    size_t first, step;
    uint32_t *latency_us; /* by request */
    uint64_t ok, nothing, other;
};

static void die(const char *what)
{
    fprintf(stderr, "lookup_load: %s\n", what);
    exit(2);
}

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* ---- link keys, minted before the clock starts ---- */

static char *mint(struct jwe_keys *keys, struct slice kid, const char *institution, struct slice pmh_key)
{
    struct buf claims, body;
    uint8_t rnd[18];
    struct buf jti;
    buf_init(&claims, 4096);
    buf_init(&body, 8192);
    buf_init(&jti, 64);
    rnd_bytes(rnd, sizeof rnd);
    b64url_encode(ARR(rnd), &jti);
    uint64_t now = (uint64_t)time(NULL);
    struct link_claims c = { .iss = LIT("onshi.local"), .pmh_key = pmh_key, .aud = slice_str(institution), .purpose = LIT("treatment"),
                             .scope = LIT("eligibility"), .jti = buf_slice(&jti), .consent_id = LIT("bench-consent-0001"), .consent_version = 1,
                             .iat = now, .exp = now + 3600 };
    link_claims_write(&c, &claims);
    buf_puts(&body, "{\"link_key\":\"");
    if (!err_ok(jwe_seal(keys, kid, buf_slice(&claims), &body)))
        die("cannot make a link key");
    buf_puts(&body, "\"}");
    char *out = buf_cstr(&body) ? strdup(buf_cstr(&body)) : NULL;
    buf_done(&claims);
    buf_done(&body);
    buf_done(&jti);
    if (!out)
        die("out of memory");
    return out;
}

static struct bodies mint_all(struct jwe_keys *keys, const char *kid, const char *institution, const char *path, size_t n)
{
    char (*lines)[LINE_MAX_BYTES] = calloc(KEYS_MAX, LINE_MAX_BYTES);
    struct bodies b = { calloc(n, sizeof(char *)), n };
    size_t k = 0;
    FILE *f = fopen(path, "r");
    if (!f || !lines || !b.text)
        die("cannot read the PMH keys");
    while (k < KEYS_MAX && fgets(lines[k], LINE_MAX_BYTES, f)) {
        lines[k][strcspn(lines[k], "\n")] = 0;
        k += lines[k][0] != 0;
    }
    fclose(f);
    if (k == 0)
        die("no PMH keys");
    for (size_t i = 0; i < n; i++)
        b.text[i] = mint(keys, slice_str(kid), institution, slice_str(lines[i % k]));
    free(lines);
    return b;
}

/* ---- one connection ---- */

static SSL *open_tls(const struct worker *w)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    if (fd < 0 || connect(fd, (const struct sockaddr *)&w->addr, sizeof w->addr) != 0)
        die("cannot connect");
    SSL *ssl = SSL_new(w->ctx);
    if (!ssl || SSL_set_fd(ssl, fd) != 1 || SSL_connect(ssl) != 1)
        die("TLS handshake failed");
    return ssl;
}

/* The status of the answer; the whole body is read. 0 on a broken connection. */
static int read_answer(SSL *ssl)
{
    char in[65536];
    size_t n = 0;
    for (;;) {
        int k = SSL_read(ssl, in + n, (int)(sizeof in - 1 - n));
        if (k <= 0)
            return 0;
        n += (size_t)k;
        in[n] = 0;
        char *end = strstr(in, "\r\n\r\n");
        char *length = end ? strcasestr(in, "content-length:") : NULL;
        if (!length)
            continue;
        if (n >= (size_t)(end + 4 - in) + strtoul(length + 15, NULL, 10))
            return (int)strtol(in + 9, NULL, 10);
    }
}

static void *work(void *arg)
{
    struct worker *w = arg;
    SSL *ssl = open_tls(w);
    for (size_t i = w->first; i < w->bodies->n; i += w->step) {
        char req[9000];
        const char *body = w->bodies->text[i];
        int n = snprintf(req, sizeof req, "POST /v1/clinic/eligibility HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                         strlen(body), body);
        uint64_t t = now_us();
        int status = SSL_write(ssl, req, n) == n ? read_answer(ssl) : 0;
        w->latency_us[i] = (uint32_t)(now_us() - t);
        *(status == 200 ? &w->ok : status == 404 ? &w->nothing : &w->other) += 1;
        if (status == 0)
            ssl = open_tls(w);
    }
    SSL_shutdown(ssl);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static SSL_CTX *client_context(char **av)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_load_verify_locations(ctx, av[3], NULL) != 1 || SSL_CTX_use_certificate_chain_file(ctx, av[4]) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, av[5], SSL_FILETYPE_PEM) != 1)
        die("cannot read the certificates");
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    return ctx;
}

static int run(struct worker *workers, size_t conns, const struct bodies *b, uint32_t *latency)
{
    uint64_t ok = 0, nothing = 0, other = 0, start = now_us();
    for (size_t i = 0; i < conns; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("cannot start a thread");
    for (size_t i = 0; i < conns; i++) {
        pthread_join(workers[i].thread, NULL);
        ok += workers[i].ok;
        nothing += workers[i].nothing;
        other += workers[i].other;
    }
    double seconds = (double)(now_us() - start) / 1e6;
    qsort(latency, b->n, sizeof *latency, by_value);
    printf("requests %zu seconds %.2f rate %.0f p50_us %u p99_us %u ok %lu nothing %lu other %lu\n", b->n, seconds, (double)b->n / seconds,
           latency[b->n / 2], latency[b->n * 99 / 100], (unsigned long)ok, (unsigned long)nothing, (unsigned long)other);
    return other == 0 ? 0 : 1;
}

int main(int ac, char **av)
{
    if (ac != 12)
        die("usage: HOST PORT CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE CONNECTIONS REQUESTS");
    size_t conns = strtoul(av[10], NULL, 10), n = strtoul(av[11], NULL, 10);
    if (conns == 0 || conns > CONNECTIONS_MAX || n < conns || n > 10000000)
        die("bad counts");
    struct secret *key = NULL;
    struct jwe_keys *keys = NULL;
    if (!err_ok(secret_read_file(&key, av[6], 32)) || !err_ok(jwe_keys_one(&keys, slice_str(av[7]), key)))
        die("cannot read the link-key key");
    struct bodies bodies = mint_all(keys, av[7], av[8], av[9], n);
    uint32_t *latency = calloc(n, sizeof *latency);
    struct worker *workers = calloc(conns, sizeof *workers);
    if (!latency || !workers)
        die("out of memory");
    struct worker w = { .ctx = client_context(av), .bodies = &bodies, .step = conns, .latency_us = latency };
    w.addr.sin_family = AF_INET;
    w.addr.sin_port = htons((uint16_t)strtoul(av[2], NULL, 10));
    if (inet_pton(AF_INET, av[1], &w.addr.sin_addr) != 1)
        die("bad address");
    for (size_t i = 0; i < conns; i++) {
        workers[i] = w;
        workers[i].first = i;
    }
    return run(workers, conns, &bodies, latency);
}
