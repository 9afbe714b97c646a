/* Every case of tests/smuggling/cases.txt against a real door over TLS: in one piece, byte by byte (a TLS record each), and cut in two at every byte with a
 * pause between, each on a connection of its own with a good request behind it.
 *
 *   smuggling_run HOST PORT CA CERT KEY CASES SECONDS THREADS     (SECONDS 0: all of it; else what comes in that time, the whole and the dripped ones first)
 *
 * Prints what was answered otherwise than expected, and one line: cases N streams N of N wrong N. Exit 0 when none was wrong and the time sufficed for the first
 * two ways. */

#include <pthread.h>
#include <stdatomic.h>

#include "tests/bench/door_client.h"
#include "tests/smuggling/cases.h"

enum { THREADS_MAX = 64, HEARD_MAX = 1 << 18, PAUSE_US = 400, SAY_MAX = 40, FEW = 64 };

struct job { unsigned at, cut; /* 0: in one piece; 1 of dripped: every byte */ bool drip; };

struct run {
    struct door_to door;
    SSL_SESSION *session;
    struct smuggling_cases cases;
    struct job *jobs;
    size_t n_jobs, n_first;
    uint64_t end_us;
    atomic_size_t next, done;
    atomic_uint wrong;
};

/* ---- what is to be done ---- */

static size_t stride_of(const struct smuggling_case *c) { return c->bytes.n > 4096 ? c->bytes.n / FEW : 1; }

static void plan(struct run *r)
{
    size_t n = 0;
    for (size_t i = 0; i < r->cases.n; i++)
        n += 2 + r->cases.all[i].bytes.n + SMUGGLING_LAST.n;
    r->jobs = calloc(n, sizeof *r->jobs);
    if (!r->jobs)
        die("out of memory");
    for (unsigned i = 0; i < r->cases.n; i++)
        r->jobs[r->n_jobs++] = (struct job){ .at = i };
    for (unsigned i = 0; i < r->cases.n; i++)
        if (stride_of(&r->cases.all[i]) == 1)
            r->jobs[r->n_jobs++] = (struct job){ .at = i, .drip = true };
    r->n_first = r->n_jobs;
    for (unsigned i = 0; i < r->cases.n; i++)
        for (size_t k = 1; k < r->cases.all[i].bytes.n + SMUGGLING_LAST.n; k += stride_of(&r->cases.all[i]))
            r->jobs[r->n_jobs++] = (struct job){ .at = i, .cut = (unsigned)k };
    uint64_t x = 88172645463325252u; /* an order of its own, the same each time */
    for (size_t i = r->n_jobs - 1; i > r->n_first; i--) {
        x ^= x << 13, x ^= x >> 7, x ^= x << 17;
        size_t k = r->n_first + x % (i - r->n_first + 1);
        struct job j = r->jobs[i];
        r->jobs[i] = r->jobs[k];
        r->jobs[k] = j;
    }
}

/* ---- one stream ---- */

static void put(SSL *ssl, struct slice s)
{
    ERR_clear_error();
    if (s.n)
        (void)SSL_write(ssl, s.p, (int)s.n); /* the door may have hung up: what it said is looked at */
}

static void send_job(SSL *ssl, const struct job *j, struct slice stream)
{
    for (size_t i = 0; j->drip && i < stream.n; i++)
        put(ssl, slice_of(stream.p + i, 1));
    if (j->drip)
        return;
    put(ssl, slice_of(stream.p, j->cut ? j->cut : stream.n));
    if (j->cut) {
        nanosleep(&(struct timespec){ .tv_nsec = PAUSE_US * 1000 }, NULL);
        put(ssl, slice_of(stream.p + j->cut, stream.n - j->cut));
    }
}

/* Everything until the end. false: no end came. */
static bool hear_all(SSL *ssl, char *heard, size_t *ret_n)
{
    size_t n = 0;
    for (;;) {
        ERR_clear_error();
        int k = SSL_read(ssl, heard + n, (int)(HEARD_MAX - 1 - n));
        if (k <= 0) {
            heard[n] = 0;
            *ret_n = n;
            return SSL_get_error(ssl, k) == SSL_ERROR_ZERO_RETURN;
        }
        n += (size_t)k;
    }
}

/* The statuses in their order, without 100. */
static unsigned statuses(const char *p, int out[static CASE_ANSWERS_MAX])
{
    unsigned n = 0;
    while (n < CASE_ANSWERS_MAX && strncmp(p, "HTTP/1.1 ", 9) == 0) {
        int status = (int)strtol(p + 9, NULL, 10);
        const char *end = strstr(p, "\r\n\r\n"), *length = end ? strcasestr(p, "\r\ncontent-length: ") : NULL;
        if (!end)
            break;
        size_t body = length && length < end ? strtoul(length + 18, NULL, 10) : 0;
        p = strlen(end + 4) < body ? end + 4 + strlen(end + 4) : end + 4 + body;
        if (status != 100)
            out[n++] = status;
    }
    return *p && n < CASE_ANSWERS_MAX ? CASE_ANSWERS_MAX + 1 : n; /* something else behind them */
}

static void say(struct run *r, const struct smuggling_case *c, const struct job *j, const int *got, unsigned n, bool ended)
{
    if (atomic_fetch_add(&r->wrong, 1) >= SAY_MAX)
        return;
    char text[128] = "";
    for (unsigned i = 0; i < n && i < CASE_ANSWERS_MAX; i++)
        snprintf(text + strlen(text), sizeof text - strlen(text), " %d", got[i]);
    printf("wrong: %s (%s %u): heard%s%s%s\n", c->name, j->drip ? "dripped" : "cut at", j->cut, text, n > CASE_ANSWERS_MAX ? " and more" : "", ended ? "" : ", no end");
}

static void run_job(struct run *r, const struct job *j, char *heard)
{
    const struct smuggling_case *c = &r->cases.all[j->at];
    struct buf stream;
    int got[CASE_ANSWERS_MAX];
    size_t n_heard = 0;
    buf_init(&stream, 2 * CASE_LINE_MAX);
    buf_put(&stream, buf_slice(&c->bytes));
    buf_put(&stream, SMUGGLING_LAST);
    SSL *ssl = door_try_again(&r->door, r->session);
    if (!ssl)
        die("cannot connect");
    setsockopt(SSL_get_fd(ssl), SOL_SOCKET, SO_RCVTIMEO, &(struct timeval){ .tv_sec = 15 }, sizeof(struct timeval));
    send_job(ssl, j, buf_slice(&stream));
    bool ended = hear_all(ssl, heard, &n_heard);
    unsigned n = statuses(heard, got);
    bool same = ended && n == c->n_answers && memcmp(got, c->answers, n * sizeof *got) == 0;
    if (!same)
        say(r, c, j, got, n, ended);
    SSL_set_shutdown(ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
    door_drop(ssl);
    buf_done(&stream);
    atomic_fetch_add(&r->done, 1);
}

static void *work(void *arg)
{
    struct run *r = arg;
    char *heard = malloc(HEARD_MAX);
    if (!heard)
        die("out of memory");
    for (size_t i; (i = atomic_fetch_add(&r->next, 1)) < r->n_jobs && (r->end_us == 0 || now_us() < r->end_us);)
        run_job(r, &r->jobs[i], heard);
    free(heard);
    return NULL;
}

int main(int ac, char **av)
{
    static struct run r;
    if (ac != 9)
        die("usage: HOST PORT CA CERT KEY CASES SECONDS THREADS");
    unsigned seconds = (unsigned)strtoul(av[7], NULL, 10), threads = (unsigned)strtoul(av[8], NULL, 10);
    if (threads == 0 || threads > THREADS_MAX)
        die("bad counts");
    pthread_t all[THREADS_MAX];
    r.cases = cases_read(av[6]);
    r.door = door_to(av[1], av[2], &av[3]);
    r.session = door_session(&r.door);
    plan(&r);
    r.end_us = seconds ? now_us() + seconds * UINT64_C(1000000) : 0;
    for (unsigned i = 0; i < threads; i++)
        if (pthread_create(&all[i], NULL, work, &r) != 0)
            die("cannot start a thread");
    for (unsigned i = 0; i < threads; i++)
        pthread_join(all[i], NULL);
    size_t done = atomic_load(&r.done);
    unsigned wrong = atomic_load(&r.wrong);
    printf("cases %zu streams %zu of %zu wrong %u\n", r.cases.n, done, r.n_jobs, wrong);
    return wrong == 0 && done >= r.n_first ? 0 : 1;
}
