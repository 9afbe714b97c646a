/* Clinic lookups as fast as they go: one link key a request, C mutual-TLS connections kept busy, every answer checked.
 *
 *   lookup_load HOST PORT CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE CONNECTIONS REQUESTS [pairs|held]
 *
 * PMH_KEYS_FILE: one PMH key a line; request i uses line i modulo their count. The link keys are minted before the clock starts; with `pairs`
 * each is minted by the connection that redeems it, while the clock runs; with `held` every connection makes its first lookup, `connected` is printed, and the rest
 * follows when a line comes in (what a connection costs is not what is measured then). Prints one line
 *   requests R seconds S rate R/S p50_us N p99_us N ok N nothing N other N
 * and exits 0 when no answer was anything but 200 or 404. */

#include <pthread.h>

#include "tests/bench/door_client.h"

enum { CONNECTIONS_MAX = 1024 };

struct bodies { char **text; /* NULL: minted when it is sent */ size_t n; };

struct worker {
    pthread_t thread;
    pthread_barrier_t *hold; /* NULL: goes on at once */
    const struct door_to *door;
    const struct bodies *bodies;
    const struct pmh_keys *persons;
    struct mint mint;
    size_t first, step;
    uint32_t *latency_us; /* by request */
    uint64_t ok, nothing, other;
};

static struct slice person(const struct pmh_keys *k, size_t i) { return slice_str(k->lines[i % k->n]); }

static struct bodies mint_all(const struct mint *m, const struct pmh_keys *persons, size_t n)
{
    struct bodies b = { calloc(n, sizeof(char *)), n };
    if (!b.text)
        die("out of memory");
    for (size_t i = 0; i < n; i++)
        b.text[i] = mint_body(m, person(persons, i));
    return b;
}

/* ---- one connection ---- */

static SSL *open_tls(const struct worker *w)
{
    SSL *ssl = door_try(w->door);
    if (!ssl)
        die("cannot connect");
    return ssl;
}

static void *work(void *arg)
{
    struct worker *w = arg;
    SSL *ssl = open_tls(w);
    for (size_t i = w->first; i < w->bodies->n; i += w->step) {
        uint64_t t = now_us();
        char *body = w->bodies->text ? w->bodies->text[i] : mint_body(&w->mint, person(w->persons, i));
        int status = door_ask(ssl, body) ? door_hear(ssl) : 0;
        w->latency_us[i] = (uint32_t)(now_us() - t);
        *(status == 200 ? &w->ok : status == 404 ? &w->nothing : &w->other) += 1;
        if (!w->bodies->text)
            free(body);
        if (status == 0) {
            door_drop(ssl);
            ssl = open_tls(w);
        }
        if (w->hold && i == w->first) {
            pthread_barrier_wait(w->hold);
            pthread_barrier_wait(w->hold);
        }
    }
    SSL_shutdown(ssl);
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

static int run(struct worker *workers, size_t conns, const struct bodies *b, uint32_t *latency)
{
    uint64_t ok = 0, nothing = 0, other = 0, start = now_us();
    for (size_t i = 0; i < conns; i++)
        if (pthread_create(&workers[i].thread, NULL, work, &workers[i]) != 0)
            die("cannot start a thread");
    if (workers->hold) {
        pthread_barrier_wait(workers->hold);
        puts("connected");
        fflush(stdout);
        if (getchar() == EOF)
            die("nobody says go on");
        start = now_us();
        pthread_barrier_wait(workers->hold);
    }
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
    bool pairs = ac == 13 && strcmp(av[12], "pairs") == 0, held = ac == 13 && strcmp(av[12], "held") == 0;
    pthread_barrier_t hold;
    if (ac != 12 && !pairs && !held)
        die("usage: HOST PORT CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE CONNECTIONS REQUESTS [pairs|held]");
    size_t conns = strtoul(av[10], NULL, 10), n = strtoul(av[11], NULL, 10);
    if (conns == 0 || conns > CONNECTIONS_MAX || n < conns || n > 10000000)
        die("bad counts");
    struct mint mint = mint_open(av[6], av[7], av[8]);
    struct pmh_keys persons = pmh_keys_read(av[9]);
    struct bodies bodies = pairs ? (struct bodies){ NULL, n } : mint_all(&mint, &persons, n);
    uint32_t *latency = calloc(n, sizeof *latency);
    struct worker *workers = calloc(conns, sizeof *workers);
    if (!latency || !workers)
        die("out of memory");
    struct door_to door = door_to(av[1], av[2], &av[3]);
    if (held && pthread_barrier_init(&hold, NULL, (unsigned)conns + 1) != 0)
        die("no barrier");
    for (size_t i = 0; i < conns; i++)
        workers[i] = (struct worker){ .door = &door, .hold = held ? &hold : NULL, .bodies = &bodies, .persons = &persons, .first = i, .step = conns, .latency_us = latency,
                                      .mint = pairs ? mint_open(av[6], av[7], av[8]) : mint };
    return run(workers, conns, &bodies, latency);
}
