/* TLS handshakes with a client certificate, and idle connections, at a door of ours or of others.
 *
 *   pmhgw-shake-load full|resumed HOST PORT CERT KEY CLIENTS SECONDS   each client: connect, handshake, one GET, close, again
 *   pmhgw-shake-load idle         HOST PORT CERT KEY CLIENTS -         each one GET; then open until standard input ends
 *
 * A client that resumes has its own newest ticket, as callers have: TLS 1.3 wants a ticket used once. One line at the end (idle: when all are open). */

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/epoll.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 8192, EVENTS = 64, CLIENTS_MAX = 20000, AT_ONCE = 64 };
enum state { DIALS, SHAKES, ASKS, RESTS };

struct load {
    struct sockaddr_in to;
    SSL_CTX *ctx;
    int epoll;
    bool resumes, idle;
    unsigned long full, resumed, errors, answers;
    unsigned open;
};

struct client {
    struct load *load;
    int fd;
    enum state state;
    SSL *ssl;
    SSL_SESSION *ticket;
    size_t got;
    char answer[ROOM];
};

static double now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static int on_ticket(SSL *ssl, SSL_SESSION *s)
{
    struct client *c = SSL_get_app_data(ssl);
    SSL_SESSION_free(c->ticket);
    c->ticket = s;
    return 1;
}

static void dial(struct client *c)
{
    struct epoll_event e = { .events = EPOLLOUT, .data.ptr = c };
    int on = 1;
    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    c->state = DIALS;
    c->got = 0;
    if (c->fd < 0 || setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) != 0 ||
        (connect(c->fd, (struct sockaddr *)&c->load->to, sizeof c->load->to) != 0 && errno != EINPROGRESS) ||
        epoll_ctl(c->load->epoll, EPOLL_CTL_ADD, c->fd, &e) != 0) {
        perror("pmhgw-shake-load");
        exit(1);
    }
}

static void hang_up(struct client *c)
{
    struct linger reset = { .l_onoff = 1 }; /* nothing stays behind in TIME_WAIT */
    if (c->ssl)
        SSL_set_shutdown(c->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN); /* else its ticket is spoilt */
    SSL_free(c->ssl);
    c->ssl = NULL;
    (void)setsockopt(c->fd, SOL_SOCKET, SO_LINGER, &reset, sizeof reset);
    close(c->fd);
}

static bool shakes(struct client *c)
{
    int r = SSL_do_handshake(c->ssl);
    if (r != 1)
        return SSL_get_error(c->ssl, r) == SSL_ERROR_WANT_READ;
    static const char REQUEST[] = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    c->load->resumed += SSL_session_reused(c->ssl) ? 1 : 0;
    c->load->full += SSL_session_reused(c->ssl) ? 0 : 1;
    c->state = ASKS;
    return SSL_write(c->ssl, REQUEST, sizeof REQUEST - 1) == (int)sizeof REQUEST - 1;
}

static bool dialled(struct client *c)
{
    struct epoll_event e = { .events = EPOLLIN, .data.ptr = c };
    int why = 0;
    socklen_t n = sizeof why;
    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &why, &n) != 0 || why || epoll_ctl(c->load->epoll, EPOLL_CTL_MOD, c->fd, &e) != 0)
        return false;
    c->ssl = SSL_new(c->load->ctx);
    if (!c->ssl || SSL_set_fd(c->ssl, c->fd) != 1)
        return false;
    SSL_set_app_data(c->ssl, c);
    SSL_set_connect_state(c->ssl);
    if (c->load->resumes && c->ticket && SSL_set_session(c->ssl, c->ticket) != 1)
        return false;
    c->state = SHAKES;
    return shakes(c);
}

static bool whole(const struct client *c)
{
    const char *end = strstr(c->answer, "\r\n\r\n"), *length = strcasestr(c->answer, "\r\ncontent-length:");
    return end && c->got >= (size_t)(end + 4 - c->answer) + (length && length < end ? strtoul(length + 17, NULL, 10) : 0);
}

enum verdict { GOES_ON, ANSWERED, BROKEN };

static enum verdict asks(struct client *c)
{
    int n;
    while ((n = SSL_read(c->ssl, c->answer + c->got, (int)(ROOM - 1 - c->got))) > 0) {
        c->got += (size_t)n;
        c->answer[c->got] = '\0';
        if (whole(c))
            return ANSWERED;
    }
    return SSL_get_error(c->ssl, n) == SSL_ERROR_WANT_READ ? GOES_ON : BROKEN;
}

static enum verdict step(struct client *c)
{
    if (c->state == RESTS) /* closed by the other side */
        return BROKEN;
    if (!(c->state == DIALS ? dialled(c) : c->state != SHAKES || shakes(c)))
        return BROKEN;
    return c->state == ASKS ? asks(c) : GOES_ON;
}

static void on_event(struct client *c)
{
    struct load *l = c->load;
    bool rested = c->state == RESTS;
    enum verdict v = step(c);
    if (v == GOES_ON)
        return;
    l->answers += v == ANSWERED;
    l->errors += v == BROKEN;
    if (l->idle && v == ANSWERED) {
        c->state = RESTS;
        l->open++;
        return;
    }
    l->open -= rested;
    hang_up(c);
    if (!l->idle)
        dial(c);
}

static SSL_CTX *context(const char *cert, const char *key)
{
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    if (!ctx || SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION) != 1 || SSL_CTX_use_certificate_file(ctx, cert, SSL_FILETYPE_PEM) != 1 ||
        SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        exit(2);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
    SSL_CTX_sess_set_new_cb(ctx, on_ticket);
    return ctx;
}

static void turn(struct load *l)
{
    struct epoll_event ev[EVENTS];
    int n = epoll_wait(l->epoll, ev, EVENTS, 10);
    for (int i = 0; i < n; i++)
        on_event(ev[i].data.ptr);
}

static void run(struct load *l, struct client *clients, unsigned n, double seconds)
{
    double from = now();
    unsigned dialled_n = 0;
    while (l->idle ? l->open + l->errors < n : now() < from + seconds) {
        while (dialled_n < n && (!l->idle || dialled_n < l->open + l->errors + AT_ONCE)) {
            clients[dialled_n].load = l;
            dial(&clients[dialled_n++]);
        }
        turn(l);
    }
    printf("answers %lu full %lu resumed %lu errors %lu open %u seconds %.3f\n", l->answers, l->full, l->resumed, l->errors, l->open, now() - from);
    fflush(stdout);
}

int main(int argc, char **argv)
{
    if (argc != 8)
        return 2;
    struct load l = { .to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)atoi(argv[3])) }, .ctx = context(argv[4], argv[5]), .epoll = epoll_create1(EPOLL_CLOEXEC),
                      .resumes = strcmp(argv[1], "resumed") == 0, .idle = strcmp(argv[1], "idle") == 0 };
    unsigned n = (unsigned)atoi(argv[6]);
    struct client *clients = n > 0 && n <= CLIENTS_MAX ? calloc(n, sizeof *clients) : NULL;
    if (!clients || l.epoll < 0 || inet_pton(AF_INET, argv[2], &l.to.sin_addr) != 1 || signal(SIGPIPE, SIG_IGN) == SIG_ERR)
        return 2;
    run(&l, clients, n, atof(argv[7]));
    while (l.idle && getchar() != EOF)
        ;
    return 0;
}
