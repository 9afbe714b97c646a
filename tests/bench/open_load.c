/* Clinic lookups in an open loop: so many a second, whether they are answered or not, over C mutual-TLS connections and one thread.
 *
 *   open_load HOST PORT CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE CONNECTIONS POOL RATE:SECONDS[,RATE:SECONDS...] [polite]
 *
 * RATE 0: a closed loop, every connection sends as soon as it has heard. POOL link keys are minted beforehand; a key whose request was turned away (503, 429)
 * is sent again later, so that one that had been used up in spite of that would show as "used". A request that finds no free connection waits for one,
 * and its latency counts from when it was due. With `polite` each connection is a client of its own that waits as Retry-After says, and what is due while all
 * wait is held back. Prints a line a second,
 *   second N phase N due N held N ok N shed N other N late N ok_p50_us N ok_p99_us N shed_p50_us N shed_p99_us N
 * and "retry_after" with how often each number of seconds was heard. Exit 0 when no answer was anything but 200, 503, 429. */

#include <errno.h>
#include <fcntl.h>
#include <sys/epoll.h>

#include "tests/bench/door_client.h"

enum { CONNS_MAX = 8192, PHASES_MAX = 8, IN_MAX = 16384, SAMPLES_MAX = 1 << 20, EVENTS = 512, RETRY_MAX = 64, SLOT_MS = 5, LOOK_US = 1000, SLOTS = RETRY_MAX * 1000 / SLOT_MS + 2 };

struct phase { double rate; unsigned seconds; };
struct conn { SSL *ssl; struct conn *next; /* of those that wait as they were told */ char *body; uint64_t due_us; size_t n; char in[IN_MAX]; };
struct sample { uint32_t *us; size_t n; };

struct load {
    struct door_to door;
    SSL_SESSION *session;
    struct phase phases[PHASES_MAX];
    size_t n_phases, n_conns, n_free, n_pool;
    struct conn *conns;
    size_t *free_conns;
    char **pool;
    int epoll;
    struct sample ok, shed;
    bool polite;
    struct conn *waits[SLOTS]; /* by when they are free again */
    uint64_t slot;
    uint64_t due, held, late, other, all_other;
    uint64_t retry[RETRY_MAX];
};

static void sample_add(struct sample *s, uint64_t us)
{
    if (s->n < SAMPLES_MAX)
        s->us[s->n++] = us < UINT32_MAX ? (uint32_t)us : UINT32_MAX;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static uint32_t part(const struct sample *s, unsigned percent) { return s->n ? s->us[s->n * percent / 100] : 0; }

static void print_second(struct load *l, unsigned second, size_t phase)
{
    qsort(l->ok.us, l->ok.n, sizeof *l->ok.us, by_value);
    qsort(l->shed.us, l->shed.n, sizeof *l->shed.us, by_value);
    printf("second %u phase %zu due %lu held %lu ok %zu shed %zu other %lu late %lu ok_p50_us %u ok_p99_us %u shed_p50_us %u shed_p99_us %u\n", second, phase,
           (unsigned long)l->due, (unsigned long)l->held, l->ok.n, l->shed.n, (unsigned long)l->other, (unsigned long)l->late, part(&l->ok, 50), part(&l->ok, 99), part(&l->shed, 50),
           part(&l->shed, 99));
    l->all_other += l->other;
    l->ok.n = l->shed.n = 0;
    l->due = l->held = l->other = l->late = 0;
}

/* ---- one connection ---- */

/* With a first request: who has sent nothing yet is not kept for long. */
static void open_conn(struct load *l, size_t i)
{
    static const char HEALTH[] = "GET /health HTTP/1.1\r\nHost: localhost\r\n\r\n";
    struct conn *c = &l->conns[i];
    c->ssl = door_try_again(&l->door, l->session);
    if (!c->ssl || SSL_write(c->ssl, HEALTH, sizeof HEALTH - 1) <= 0 || door_hear(c->ssl) == 0)
        die("cannot connect");
    int fd = SSL_get_fd(c->ssl);
    if (fcntl(fd, F_SETFL, O_NONBLOCK) != 0 || epoll_ctl(l->epoll, EPOLL_CTL_ADD, fd, &(struct epoll_event){ .events = EPOLLIN, .data.u64 = i }) != 0)
        die("cannot watch a connection");
}

static void lost(struct load *l, size_t i)
{
    l->other++;
    door_drop(l->conns[i].ssl);
    open_conn(l, i);
}

static void send_one(struct load *l, uint64_t due_us)
{
    if (l->n_pool == 0)
        die("the pool of link keys is empty");
    size_t i = l->free_conns[--l->n_free];
    struct conn *c = &l->conns[i];
    c->body = l->pool[--l->n_pool];
    c->due_us = due_us;
    c->n = 0;
    if (!door_ask(c->ssl, c->body))
        lost(l, i);
}

/* The status of a whole answer, 0: not whole yet. */
static int status_of(struct load *l, struct conn *c, unsigned long *ret_retry_s)
{
    c->in[c->n] = 0;
    char *end = strstr(c->in, "\r\n\r\n"), *length = end ? strstr(c->in, "Content-Length:") : NULL, *retry = end ? strstr(c->in, "Retry-After: ") : NULL;
    if (!length || c->n < (size_t)(end + 4 - c->in) + strtoul(length + 15, NULL, 10))
        return 0;
    unsigned long s = retry && retry < end ? strtoul(retry + 13, NULL, 10) : 0;
    *ret_retry_s = s < RETRY_MAX ? s : RETRY_MAX - 1;
    l->retry[*ret_retry_s] += s > 0;
    return (int)strtol(c->in + 9, NULL, 10);
}

static void free_later(struct load *l, struct conn *c, unsigned long seconds)
{
    struct conn **at = &l->waits[(now_us() / 1000 / SLOT_MS + seconds * 1000 / SLOT_MS) % SLOTS];
    c->next = *at;
    *at = c;
}

static void free_due(struct load *l)
{
    for (uint64_t now = now_us() / 1000 / SLOT_MS; l->slot < now; l->slot++)
        while (l->waits[l->slot % SLOTS]) {
            struct conn *c = l->waits[l->slot % SLOTS];
            l->waits[l->slot % SLOTS] = c->next;
            l->free_conns[l->n_free++] = (size_t)(c - l->conns);
        }
}

static void heard(struct load *l, size_t i, int status, unsigned long retry_s)
{
    struct conn *c = &l->conns[i];
    uint64_t us = now_us() - c->due_us;
    if (l->polite && retry_s > 0)
        free_later(l, c, retry_s);
    else
        l->free_conns[l->n_free++] = i;
    if (status == 200) {
        sample_add(&l->ok, us);
        free(c->body);
    } else if (status == 503 || status == 429) {
        sample_add(&l->shed, us);
        l->pool[l->n_pool++] = c->body; /* sent again, but not at once */
        char *other = l->pool[0];
        l->pool[0] = l->pool[l->n_pool - 1];
        l->pool[l->n_pool - 1] = other;
    } else {
        l->other++;
        free(c->body);
    }
    c->body = NULL;
}

static void hear(struct load *l, size_t i)
{
    struct conn *c = &l->conns[i];
    for (;;) {
        ERR_clear_error();
        int k = SSL_read(c->ssl, c->in + c->n, (int)(IN_MAX - 1 - c->n));
        if (k <= 0) {
            int why = SSL_get_error(c->ssl, k);
            if (why == SSL_ERROR_WANT_READ)
                return;
            if (c->body)
                heard(l, i, 0, 0); /* counts as other */
            door_drop(c->ssl);
            open_conn(l, i);
            return;
        }
        c->n += (size_t)k;
        unsigned long retry_s = 0;
        int status = c->body ? status_of(l, c, &retry_s) : 0;
        if (status) {
            heard(l, i, status, retry_s);
            return;
        }
    }
}

/* ---- the loop ---- */

static void wait_for_answers(struct load *l, uint64_t us)
{
    struct epoll_event ev[EVENTS];
    const struct timespec most = { .tv_nsec = (long)us * 1000 };
    int n = epoll_pwait2(l->epoll, ev, EVENTS, &most, NULL);
    for (int i = 0; i < n; i++)
        hear(l, ev[i].data.u64);
}

static void send_due(struct load *l, double rate, uint64_t start_us, uint64_t *sent)
{
    uint64_t now = now_us(), due = rate > 0 ? 1 + (uint64_t)((double)(now - start_us) * rate / 1e6) : UINT64_MAX; /* the first one at once */
    while (l->n_free > 0 && *sent < due && l->n_pool > 0) {
        uint64_t at = rate > 0 ? start_us + (uint64_t)((double)*sent * 1e6 / rate) : now_us();
        l->late += rate > 0 && now - at > 2000;
        l->due++;
        ++*sent;
        send_one(l, at);
    }
    if (l->polite && *sent < due && rate > 0) {
        l->held += due - *sent;
        *sent = due;
    }
}

/* Not in a circle: several generators may have to share a CPU, and who uses his time up is left out for a while. */
static uint64_t idle_us(const struct load *l, double rate, uint64_t start_us, uint64_t sent)
{
    if (rate <= 0 || l->n_free == 0)
        return LOOK_US;
    uint64_t now = now_us(), next = start_us + (uint64_t)((double)sent * 1e6 / rate);
    return next <= now ? 0 : next - now < LOOK_US ? next - now : LOOK_US;
}

static void run(struct load *l)
{
    unsigned second = 0;
    for (size_t p = 0; p < l->n_phases; p++) {
        uint64_t start = now_us(), sent = 0, next = start + 1000000, end = start + l->phases[p].seconds * UINT64_C(1000000);
        for (uint64_t now = start; now < end; now = now_us()) {
            free_due(l);
            send_due(l, l->phases[p].rate, start, &sent);
            wait_for_answers(l, idle_us(l, l->phases[p].rate, start, sent));
            if (now >= next) {
                print_second(l, second++, p);
                next += 1000000;
            }
        }
        print_second(l, second++, p);
    }
    for (int i = 0; i < 300; i++)
        wait_for_answers(l, LOOK_US);
}

static void phases_read(struct load *l, const char *text)
{
    for (const char *p = text; *p && l->n_phases < PHASES_MAX;) {
        char *end;
        struct phase *ph = &l->phases[l->n_phases++];
        ph->rate = strtod(p, &end);
        ph->seconds = *end == ':' ? (unsigned)strtoul(end + 1, &end, 10) : 0;
        if (ph->seconds == 0 || (*end && *end != ','))
            die("bad phases");
        p = *end ? end + 1 : end;
    }
}

int main(int ac, char **av)
{
    struct load l = { 0 };
    l.polite = ac == 14 && strcmp(av[13], "polite") == 0;
    if (ac != 13 && !l.polite)
        die("usage: HOST PORT CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE CONNECTIONS POOL RATE:SECONDS[,...] [polite]");
    l.slot = now_us() / 1000 / SLOT_MS;
    l.n_conns = strtoul(av[10], NULL, 10);
    l.n_pool = strtoul(av[11], NULL, 10);
    setvbuf(stdout, NULL, _IOLBF, 0);
    phases_read(&l, av[12]);
    if (l.n_conns == 0 || l.n_conns > CONNS_MAX || l.n_pool < l.n_conns || l.n_pool > 2000000)
        die("bad counts");
    struct mint mint = mint_open(av[6], av[7], av[8]);
    struct pmh_keys persons = pmh_keys_read(av[9]);
    l.conns = calloc(l.n_conns, sizeof *l.conns);
    l.free_conns = calloc(l.n_conns, sizeof *l.free_conns);
    l.pool = calloc(l.n_pool + 1, sizeof *l.pool);
    l.ok.us = calloc(SAMPLES_MAX, sizeof *l.ok.us);
    l.shed.us = calloc(SAMPLES_MAX, sizeof *l.shed.us);
    l.epoll = epoll_create1(EPOLL_CLOEXEC);
    if (!l.conns || !l.free_conns || !l.pool || !l.ok.us || !l.shed.us || l.epoll < 0)
        die("out of memory");
    for (size_t i = 0; i < l.n_pool; i++)
        l.pool[i] = mint_body(&mint, slice_str(persons.lines[i % persons.n]));
    l.door = door_to(av[1], av[2], &av[3]);
    l.session = door_session(&l.door);
    for (size_t i = 0; i < l.n_conns; i++) {
        open_conn(&l, i);
        l.free_conns[l.n_free++] = i;
    }
    run(&l);
    printf("retry_after");
    for (size_t i = 0; i < RETRY_MAX; i++)
        if (l.retry[i])
            printf(" %zu:%lu", i, (unsigned long)l.retry[i]);
    size_t unanswered = 0;
    for (size_t i = 0; i < l.n_conns; i++)
        unanswered += l.conns[i].body != NULL;
    printf("\nunanswered %zu\n", unanswered);
    return l.all_other + l.other == 0 ? 0 : 1;
}
