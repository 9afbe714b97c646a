/* A crowd at a door: IDLE connections that have sent one request and no more, and SLOW ones of six kinds that are opened again whenever the door ends them.
 *
 *   crowd HOST PORT CA IDLE SLOW SECONDS CERT KEY [CERT KEY...]     (the certificates in turn; source addresses 127.0.0.2 .. 127.0.0.9 in turn)
 *
 * Prints "ready" when the idle ones are open and the slow ones have begun; after SECONDS, for each kind of slow ones, "kind NAME ended N longest_ms N", and
 * "idle N alive N". */

#include <errno.h>
#include <poll.h>
#include <sys/resource.h>

#include "tests/bench/door_client.h"

enum { CERTS_MAX = 8, SOURCES = 8, STEP_MS = 1000, PARTS = 50, PIPELINED = 400, SMALL_BUFFER = 4096 };

enum kind { SILENT, HALF_HELLO, HEADER, BODY, NO_READING, HALF_CLOSED, KINDS };
static const char *const NAMES[KINDS] = { "silent", "half_hello", "slow_header", "slow_body", "no_reading", "half_closed" };

struct one { int fd; SSL *ssl; enum kind kind; uint64_t since_us; };
struct kind_count { unsigned long ended; uint64_t longest_us; };

struct crowd {
    struct door_to doors[CERTS_MAX];
    SSL_SESSION *sessions[CERTS_MAX];
    size_t n_doors, n_idle, n_slow, opened;
    struct one *idle, *slow;
    struct kind_count counts[KINDS];
};

static int socket_to(struct crowd *c)
{
    struct sockaddr_in from = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK + 1 + (uint32_t)(c->opened % SOURCES)) };
    const struct sockaddr_in *to = &c->doors[0].addr;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        die("no descriptors: raise the limit");
    struct timeval limit = { .tv_sec = 20 };
    int on = 1;
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (ntohl(to->sin_addr.s_addr) >> 24 == 127 && bind(fd, (struct sockaddr *)&from, sizeof from) != 0)
        die("cannot bind");
    if (connect(fd, (const struct sockaddr *)to, sizeof *to) != 0)
        die("cannot connect");
    return fd;
}

static bool shake(struct crowd *c, struct one *o)
{
    size_t who = c->opened % c->n_doors;
    o->ssl = SSL_new(c->doors[who].ctx);
    if (!o->ssl || SSL_set_fd(o->ssl, o->fd) != 1 || (c->sessions[who] && SSL_set_session(o->ssl, c->sessions[who]) != 1))
        die("out of memory");
    if (SSL_connect(o->ssl) != 1)
        return false;
    return true;
}

static bool say(struct one *o, const char *text)
{
    ERR_clear_error();
    return SSL_write(o->ssl, text, (int)strlen(text)) > 0;
}

static void open_idle(struct crowd *c, struct one *o)
{
    o->fd = socket_to(c);
    if (!shake(c, o) || !say(o, "GET /health HTTP/1.1\r\nHost: door\r\n\r\n") || door_hear(o->ssl) != 200)
        die("an idle connection was refused");
    c->opened++;
}

/* ---- slow ones ---- */

static void begin(struct one *o)
{
    static const char *const FIRST[KINDS] = {
        [HEADER] = "GET /health HTTP/1.1\r\nHost: door\r\nX: ",
        [BODY] = "POST /v1/clinic/eligibility HTTP/1.1\r\nHost: door\r\nContent-Type: application/json\r\nContent-Length: 8000\r\n\r\n{",
        [HALF_CLOSED] = "GET /health HTTP/1.1\r\nHo",
    };
    if (o->kind == HALF_HELLO)
        (void)!write(o->fd, "\x16\x03\x01\x02\x00\x01", 6);
    if (FIRST[o->kind])
        say(o, FIRST[o->kind]);
    if (o->kind == HALF_CLOSED)
        shutdown(o->fd, SHUT_WR);
    for (int i = 0; o->kind == NO_READING && i < PIPELINED; i++)
        if (!say(o, "GET /fhir/metadata HTTP/1.1\r\nHost: door\r\n\r\n"))
            break;
}

static void open_slow(struct crowd *c, struct one *o, enum kind kind)
{
    *o = (struct one){ .fd = socket_to(c), .kind = kind, .since_us = now_us() };
    int small = SMALL_BUFFER;
    if (kind == NO_READING)
        setsockopt(o->fd, SOL_SOCKET, SO_RCVBUF, &small, sizeof small);
    if (kind > HALF_HELLO && !shake(c, o))
        die("a slow connection was refused");
    c->opened++;
    struct timeval limit = { .tv_usec = 1000 };
    setsockopt(o->fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit);
    begin(o);
}

/* The door has ended it, in whatever way. What came before is left lying. */
static bool ended(const struct one *o)
{
    struct pollfd p = { .fd = o->fd, .events = POLLRDHUP };
    return poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP | POLLERR));
}

static void drop(struct one *o)
{
    if (o->ssl)
        SSL_set_shutdown(o->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    SSL_free(o->ssl);
    close(o->fd);
}

static void count(struct crowd *c, const struct one *o)
{
    struct kind_count *k = &c->counts[o->kind];
    uint64_t us = now_us() - o->since_us;
    if (us > k->longest_us)
        k->longest_us = us;
}

static void step(struct crowd *c, struct one *o)
{
    count(c, o);
    if (ended(o)) {
        c->counts[o->kind].ended++;
        drop(o);
        open_slow(c, o, o->kind);
    } else if (o->kind == HEADER || o->kind == BODY) {
        say(o, " ");
    }
}

static void torment(struct crowd *c, unsigned seconds)
{
    uint64_t end = now_us() + seconds * UINT64_C(1000000);
    while (now_us() < end) {
        for (size_t part = 0; part < PARTS; part++) { /* each has its turn once in STEP_MS, and not all at once */
            uint64_t from = now_us();
            for (size_t i = part; i < c->n_slow; i += PARTS)
                step(c, &c->slow[i]);
            uint64_t took_ms = (now_us() - from) / 1000;
            if (took_ms < STEP_MS / PARTS)
                poll(NULL, 0, (int)(STEP_MS / PARTS - took_ms));
        }
    }
}

static void print_counts(const struct crowd *c)
{
    size_t alive = 0;
    for (size_t i = 0; i < c->n_idle; i++)
        alive += !ended(&c->idle[i]);
    for (enum kind k = 0; k < KINDS; k++)
        printf("kind %s ended %lu longest_ms %lu\n", NAMES[k], c->counts[k].ended, (unsigned long)(c->counts[k].longest_us / 1000));
    printf("idle %zu alive %zu\n", c->n_idle, alive);
}

int main(int ac, char **av)
{
    struct crowd c = { 0 };
    struct rlimit lim;
    if (ac < 9 || (ac - 7) % 2)
        die("usage: HOST PORT CA IDLE SLOW SECONDS CERT KEY [CERT KEY...]");
    c.n_idle = strtoul(av[4], NULL, 10);
    c.n_slow = strtoul(av[5], NULL, 10);
    if (getrlimit(RLIMIT_NOFILE, &lim) == 0) {
        lim.rlim_cur = lim.rlim_max;
        setrlimit(RLIMIT_NOFILE, &lim);
    }
    for (int i = 7; i + 1 < ac && c.n_doors < CERTS_MAX; i += 2)
        c.doors[c.n_doors++] = door_to(av[1], av[2], (char *const[]){ av[3], av[i], av[i + 1] });
    c.idle = calloc(c.n_idle + 1, sizeof *c.idle);
    c.slow = calloc(c.n_slow + 1, sizeof *c.slow);
    if (!c.idle || !c.slow)
        die("out of memory");
    for (size_t i = 0; i < c.n_doors; i++)
        c.sessions[i] = door_session(&c.doors[i]);
    for (size_t i = 0; i < c.n_idle; i++)
        open_idle(&c, &c.idle[i]);
    for (size_t i = 0; i < c.n_slow; i++)
        open_slow(&c, &c.slow[i], (enum kind)(i % KINDS));
    printf("ready\n");
    fflush(stdout);
    torment(&c, (unsigned)strtoul(av[6], NULL, 10));
    print_counts(&c);
    return 0;
}
