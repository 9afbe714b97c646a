#ifndef TESTS_BENCH_DOOR_CLIENT_H
#define TESTS_BENCH_DOOR_CLIENT_H

/* For load generators: mutual-TLS connections to a door, and link keys of our own minting. */

#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/jose/claims.h"
#include "gateway/jose/jwe.h"

__attribute__((noreturn)) static inline void die(const char *what)
{
    fprintf(stderr, "load: %s\n", what);
    exit(2);
}

static inline uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000u + (uint64_t)t.tv_nsec / 1000u;
}

/* ---- link keys ---- */

struct mint { struct jwe_keys *keys; struct slice kid; const char *institution; };

static inline struct mint mint_open(const char *key_file, const char *kid, const char *institution)
{
    struct secret *key = NULL;
    struct mint m = { .kid = slice_str(kid), .institution = institution };
    if (!err_ok(secret_read_file(&key, key_file, 32)) || !err_ok(jwe_keys_one(&m.keys, m.kid, key)))
        die("cannot read the link-key key");
    secret_free(key);
    return m;
}

/* The body of a lookup with a fresh link key; to be freed. */
static inline char *mint_body(const struct mint *m, struct slice pmh_key)
{
    struct buf claims, body, jti;
    uint8_t rnd[18];
    buf_init(&claims, 4096);
    buf_init(&body, 8192);
    buf_init(&jti, 64);
    rnd_bytes(rnd, sizeof rnd);
    b64url_encode(ARR(rnd), &jti);
    uint64_t now = (uint64_t)time(NULL);
    struct link_claims c = { .iss = LIT("onshi.local"), .pmh_key = pmh_key, .aud = slice_str(m->institution), .purpose = LIT("treatment"),
                             .scope = LIT("eligibility"), .jti = buf_slice(&jti), .consent_id = buf_slice(&jti), .consent_version = 1,
                             .iat = now, .exp = now + 3600 };
    link_claims_write(&c, &claims);
    buf_puts(&body, "{\"link_key\":\"");
    if (!err_ok(jwe_seal(m->keys, m->kid, buf_slice(&claims), &body)))
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

/* ---- PMH keys, one a line ---- */

enum { PMH_KEYS_MAX = 1 << 20, PMH_LINE_MAX = 256 };
struct pmh_keys { char (*lines)[PMH_LINE_MAX]; size_t n; };

static inline struct pmh_keys pmh_keys_read(const char *path)
{
    struct pmh_keys k = { calloc(PMH_KEYS_MAX, PMH_LINE_MAX), 0 };
    FILE *f = fopen(path, "r");
    if (!f || !k.lines)
        die("cannot read the PMH keys");
    while (k.n < PMH_KEYS_MAX && fgets(k.lines[k.n], PMH_LINE_MAX, f)) {
        k.lines[k.n][strcspn(k.lines[k.n], "\n")] = 0;
        k.n += k.lines[k.n][0] != 0;
    }
    fclose(f);
    if (k.n == 0)
        die("no PMH keys");
    return k;
}

/* ---- connections ---- */

struct door_to { SSL_CTX *ctx; struct sockaddr_in addr; };

static inline struct door_to door_to(const char *host, const char *port, char *const files[static 3] /* CA, certificate, key */)
{
    struct door_to d = { .ctx = SSL_CTX_new(TLS_client_method()), .addr = { .sin_family = AF_INET } };
    if (!d.ctx || SSL_CTX_load_verify_locations(d.ctx, files[0], NULL) != 1 || SSL_CTX_use_certificate_chain_file(d.ctx, files[1]) != 1 ||
        SSL_CTX_use_PrivateKey_file(d.ctx, files[2], SSL_FILETYPE_PEM) != 1)
        die("cannot read the certificates");
    SSL_CTX_set_verify(d.ctx, SSL_VERIFY_PEER, NULL);
    d.addr.sin_port = htons((uint16_t)strtoul(port, NULL, 10));
    if (inet_pton(AF_INET, host, &d.addr.sin_addr) != 1)
        die("bad address");
    return d;
}

/* NULL when there is nobody. session: to be resumed, may be NULL. */
static inline SSL *door_try_again(const struct door_to *d, SSL_SESSION *session)
{
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    SSL *ssl = NULL;
    int on = 1;
    if (fd >= 0 && setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0 && connect(fd, (const struct sockaddr *)&d->addr, sizeof d->addr) == 0 && (ssl = SSL_new(d->ctx)) != NULL && SSL_set_fd(ssl, fd) == 1 &&
        (!session || SSL_set_session(ssl, session) == 1) && SSL_connect(ssl) == 1)
        return ssl;
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
    return NULL;
}

static inline SSL *door_try(const struct door_to *d) { return door_try_again(d, NULL); }

static inline void door_drop(SSL *ssl)
{
    int fd = ssl ? SSL_get_fd(ssl) : -1;
    SSL_free(ssl);
    if (fd >= 0)
        close(fd);
}

/* false: it could not be sent. */
static inline bool door_ask(SSL *ssl, const char *body)
{
    char req[9000];
    int n = snprintf(req, sizeof req, "POST /v1/clinic/eligibility HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s",
                     strlen(body), body);
    return SSL_write(ssl, req, n) == n;
}

/* The status of the answer; the whole body is read. 0 on a broken connection. */
static inline int door_hear(SSL *ssl)
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

/* For connections that follow: of one that has asked for something and waited for its ticket. NULL when there is none. */
static inline SSL_SESSION *door_session(const struct door_to *d)
{
    static const char HEALTH[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    SSL *ssl = door_try(d);
    struct timeval limit = { .tv_usec = 200000 };
    char none;
    SSL_SESSION *session = NULL;
    if (ssl && SSL_write(ssl, HEALTH, sizeof HEALTH - 1) > 0 && door_hear(ssl) != 0) {
        setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
        (void)SSL_read(ssl, &none, 1);
        session = SSL_get1_session(ssl);
    }
    if (session && !SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(session);
        session = NULL;
    }
    if (ssl)
        SSL_shutdown(ssl);
    door_drop(ssl);
    return session;
}

#endif
