/* Requests at times that do not depend on the answers: Poisson arrivals at RATE a second over C connections of mutual TLS, one thread that sleeps between them.
 *
 *   paced_load HOST PORT CA CERT KEY PATH BODIES CONNECTIONS RATE COUNT [held]
 *
 * BODIES: one body a line, taken in turn. RATE 0: a closed loop, every connection asks again as soon as it has heard. COUNT requests are made.
 * With `held` it says `connected` when the connections are open, and goes on when a line comes in.
 * A request's latency counts from when it was due, also when it found no connection free or this program came late. Prints one line
 *   requests N seconds S rate N p50_us N p90_us N p99_us N p999_us N max_us N ok N other N waited N late_p50_us N late_p99_us N cpu_us N
 * waited: how many found no free connection; late: by how much this program was behind its own times; cpu_us: its CPU time a request.
 * Exit 0 when every answer was 200. */

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>

#include "tests/bench/door_client.h"

enum { CONNS_MAX = 1024, IN_MAX = 262144, EVENTS = 256, COUNT_MAX = 4000000, PATIENCE_US = 10000000 };

struct conn { SSL *ssl; uint64_t due_us; size_t n; bool busy; char in[IN_MAX]; };

struct load {
    struct door_to door;
    char **requests;
    size_t n_requests, n_conns, n_free, count, sent, heard, ok, waited, n_late;
    struct conn *conns;
    size_t *free_conns;
    int epoll;
    double rate, next_us /* when the next one is due */, full_until_us /* no connection was free until then */;
    uint32_t *latency_us, *late_us;
};

static uint32_t clip(double us) { return us <= 0 ? 0 : us < UINT32_MAX ? (uint32_t)us : UINT32_MAX; }

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t part(const uint32_t *sorted, size_t n, unsigned permille) { return n ? sorted[n * permille / 1000] : 0; }

static char *request_of(const char *path, const char *body)
{
    size_t room = strlen(path) + strlen(body) + 160;
    char *r = malloc(room);
    if (!r)
        die("out of memory");
    snprintf(r, room, "POST %s HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n%s", path, strlen(body), body);
    return r;
}

static void requests_read(struct load *l, const char *path, const char *file)
{
    FILE *f = fopen(file, "r");
    char *line = NULL;
    size_t room = 0;
    l->requests = calloc(l->count, sizeof *l->requests);
    if (!f || !l->requests)
        die("cannot read the bodies");
    while (l->n_requests < l->count && getline(&line, &room, f) > 0) {
        line[strcspn(line, "\n")] = 0;
        l->requests[l->n_requests++] = request_of(path, line);
    }
    free(line);
    fclose(f);
    if (l->n_requests == 0)
        die("no bodies");
}

/* ---- one connection ---- */

static void open_conn(struct load *l, size_t i)
{
    static const char HEALTH[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n"; /* who has asked for nothing is not kept for long; any answer will do */
    struct conn *c = &l->conns[i];
    c->ssl = door_try(&l->door);
    if (!c->ssl || SSL_write(c->ssl, HEALTH, sizeof HEALTH - 1) <= 0 || door_hear(c->ssl) == 0)
        die("cannot connect");
    int fd = SSL_get_fd(c->ssl);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.u64 = i }) != 0)
        die("cannot watch a connection");
}

static void set_free(struct load *l, size_t i)
{
    l->conns[i].busy = false;
    l->conns[i].n = 0;
    l->free_conns[l->n_free++] = i;
}

static void send_one(struct load *l, uint64_t due_us)
{
    size_t i = l->free_conns[--l->n_free];
    struct conn *c = &l->conns[i];
    const char *request = l->requests[l->sent++ % l->n_requests];
    int n = (int)strlen(request);
    c->due_us = due_us;
    c->busy = true;
    if (SSL_write(c->ssl, request, n) != n)
        die("a request could not be sent at once");
}

static void told(struct load *l, size_t i, int status)
{
    l->latency_us[l->heard++] = clip((double)(now_us() - l->conns[i].due_us));
    l->ok += status == 200;
    set_free(l, i);
}

/* The status of a whole answer, 0: not whole yet. */
static int status_of(struct conn *c)
{
    c->in[c->n] = 0;
    char *end = strstr(c->in, "\r\n\r\n"), *length = end ? strcasestr(c->in, "content-length:") : NULL;
    return length && length < end && c->n >= (size_t)(end + 4 - c->in) + strtoul(length + 15, NULL, 10) ? (int)strtol(c->in + 9, NULL, 10) : 0;
}

static void hear(struct load *l, size_t i)
{
    struct conn *c = &l->conns[i];
    for (;;) {
        ERR_clear_error();
        int k = SSL_read(c->ssl, c->in + c->n, (int)(IN_MAX - 1 - c->n));
        if (k <= 0 && SSL_get_error(c->ssl, k) == SSL_ERROR_WANT_READ)
            return;
        if (k <= 0) {
            door_drop(c->ssl);
            open_conn(l, i);
            if (c->busy)
                told(l, i, 0);
            return;
        }
        c->n += (size_t)k;
        int status = c->busy ? status_of(c) : 0;
        if (status) {
            told(l, i, status);
            return;
        }
    }
}

/* ---- the loop ---- */

static void wait_for_answers(struct load *l, double us)
{
    struct epoll_event ev[EVENTS];
    struct timespec t = { .tv_nsec = us <= 0 ? 0 : us < 10000 ? (long)(us * 1000) : 10000000 };
    int n = epoll_pwait2(l->epoll, ev, EVENTS, &t, NULL);
    for (int i = 0; i < n; i++)
        hear(l, ev[i].data.u64);
}

static void send_due(struct load *l)
{
    while (l->n_free > 0 && l->sent < l->count) {
        double now = (double)now_us();
        if (l->rate > 0 && l->next_us > now)
            return;
        send_one(l, (uint64_t)(l->rate > 0 ? l->next_us : now));
        if (l->rate > 0) {
            if (l->next_us < l->full_until_us)
                l->waited++;
            else
                l->late_us[l->n_late++] = clip(now - l->next_us);
            l->next_us += -log(1 - drand48()) * 1e6 / l->rate;
        }
    }
}

static void run(struct load *l)
{
    uint64_t heard_at = now_us();
    l->next_us = (double)heard_at;
    for (size_t heard = 0; l->heard < l->count && now_us() - heard_at < PATIENCE_US;) {
        send_due(l);
        bool full = l->n_free == 0;
        wait_for_answers(l, full || l->sent == l->count ? 10000 : l->next_us - (double)now_us());
        if (full)
            l->full_until_us = (double)now_us();
        if (l->heard > heard) {
            heard = l->heard;
            heard_at = now_us();
        }
    }
}

static double cpu_us(void)
{
    struct rusage u;
    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int measure(struct load *l, bool held)
{
    if (held) {
        puts("connected");
        fflush(stdout);
        if (getchar() == EOF)
            die("nobody says go on");
    }
    double cpu = cpu_us();
    uint64_t start = now_us();
    run(l);
    double seconds = (double)(now_us() - start) / 1e6;
    cpu = cpu_us() - cpu;
    qsort(l->latency_us, l->heard, sizeof *l->latency_us, by_value);
    qsort(l->late_us, l->n_late, sizeof *l->late_us, by_value);
    printf("requests %zu seconds %.2f rate %.0f p50_us %u p90_us %u p99_us %u p999_us %u max_us %u ok %zu other %zu waited %zu late_p50_us %u late_p99_us %u cpu_us %.1f\n", l->heard, seconds,
           (double)l->heard / seconds, part(l->latency_us, l->heard, 500), part(l->latency_us, l->heard, 900), part(l->latency_us, l->heard, 990), part(l->latency_us, l->heard, 999),
           l->heard ? l->latency_us[l->heard - 1] : 0, l->ok, l->count - l->ok, l->waited, part(l->late_us, l->n_late, 500), part(l->late_us, l->n_late, 990), cpu / (double)l->count);
    return l->ok == l->count ? 0 : 1;
}

int main(int ac, char **av)
{
    struct load l = { 0 };
    const bool held = ac == 12 && strcmp(av[11], "held") == 0;
    if (ac != 11 && !held)
        die("usage: HOST PORT CA CERT KEY PATH BODIES CONNECTIONS RATE COUNT [held]");
    l.n_conns = strtoul(av[8], NULL, 10);
    l.rate = strtod(av[9], NULL);
    l.count = strtoul(av[10], NULL, 10);
    if (l.n_conns == 0 || l.n_conns > CONNS_MAX || l.rate < 0 || l.count == 0 || l.count > COUNT_MAX)
        die("bad counts");
    requests_read(&l, av[6], av[7]);
    l.conns = calloc(l.n_conns, sizeof *l.conns);
    l.free_conns = calloc(l.n_conns, sizeof *l.free_conns);
    l.latency_us = calloc(l.count, sizeof *l.latency_us);
    l.late_us = calloc(l.count, sizeof *l.late_us);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!l.conns || !l.free_conns || !l.latency_us || !l.late_us || l.epoll < 0)
        die("out of memory");
    prctl(PR_SET_TIMERSLACK, 1000UL);
    l.door = door_to(av[1], av[2], &av[3]);
    for (size_t i = 0; i < l.n_conns; i++) {
        open_conn(&l, i);
        set_free(&l, i);
    }
    return measure(&l, held);
}
