/* Races link keys: each is sent by R connections at once, spread over the given ports; counts who won.
 *
 *   redeem_race HOST PORT[,PORT...] CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE GROUPS R KEYS SECONDS
 *
 * A group is a thread with R connections of its own and its share of the keys. One key in four is of a person of PMH_KEYS_FILE, the others of persons
 * whom nobody knows: who wins hears 200 or "nothing" (404), all others "used" (409). What broke off, or heard 503, is asked again until it is
 * told; a key that nobody is seen to win must have lost an answer so. At the end a sample of all keys is sent once more: every one must be used.
 * Prints one line and exits 0 when no key has two winners, none has lost its only one without a cause, and none of the sample opens again. */

#include <pthread.h>
#include <signal.h>

#include "tests/bench/door_client.h"

enum { GROUPS_MAX = 64, RACERS_MAX = 16, PORTS_MAX = 8, SAMPLE_MAX = 2048, PATIENCE = 60000 /* tries of 10 ms: Redis reads a long file again after each kill */ };

struct tally { uint64_t keys, asked, won, lost, twice, nobody, repeated, other, again; };

struct group {
    pthread_t thread;
    const struct door_to *doors;
    size_t n_doors, racers, keys, number;
    struct mint mint;
    const struct pmh_keys *persons;
    uint64_t until_us;
    SSL *line[RACERS_MAX];
    char *sample[SAMPLE_MAX];
    size_t n_sample;
    struct tally t;
};

static void pause_ms(long ms) { nanosleep(&(struct timespec){ ms / 1000, ms % 1000 * 1000000 }, NULL); }

static SSL *line_of(struct group *g, size_t i)
{
    for (int k = 0; !g->line[i] && k < PATIENCE; k++)
        if (!(g->line[i] = door_try(&g->doors[(g->number + i) % g->n_doors])))
            pause_ms(10);
    if (!g->line[i])
        die("nobody answers any more");
    return g->line[i];
}

static void drop(struct group *g, size_t i)
{
    door_drop(g->line[i]);
    g->line[i] = NULL;
}

static int hear(struct group *g, size_t i)
{
    int status = g->line[i] ? door_hear(g->line[i]) : 0;
    if (status == 0)
        drop(g, i);
    return status;
}

/* Until it is told: 200, 404 or 409. *ret_broken: an answer was lost or refused on the way. */
static int insist(struct group *g, size_t i, int status, const char *body, bool *ret_broken)
{
    for (int k = 0; status != 200 && status != 404 && status != 409; k++) {
        if (status != 0 && status != 503)
            return status;
        if (k == PATIENCE)
            die("no answer any more");
        *ret_broken = true;
        g->t.repeated++;
        pause_ms(10);
        status = door_ask(line_of(g, i), body) ? hear(g, i) : (drop(g, i), 0);
    }
    return status;
}

static void race(struct group *g, const char *body)
{
    int status[RACERS_MAX];
    unsigned winners = 0;
    bool broken = false;
    for (size_t i = 0; i < g->racers; i++)
        (void)line_of(g, i);
    for (size_t i = 0; i < g->racers; i++)
        if (!door_ask(g->line[i], body))
            drop(g, i);
    for (size_t i = 0; i < g->racers; i++)
        status[i] = hear(g, i);
    for (size_t i = 0; i < g->racers; i++) {
        status[i] = insist(g, i, status[i], body, &broken);
        winners += status[i] == 200 || status[i] == 404;
        g->t.other += status[i] != 200 && status[i] != 404 && status[i] != 409;
    }
    g->t.keys++;
    g->t.asked += g->racers;
    g->t.won += winners == 1;
    g->t.twice += winners > 1;
    g->t.lost += winners == 0 && broken;
    g->t.nobody += winners == 0 && !broken;
}

static char *make(struct group *g, size_t i)
{
    char nobody[48];
    if (i % 4 == 0)
        return mint_body(&g->mint, slice_str(g->persons->lines[(i / 4 + g->number) % g->persons->n]));
    snprintf(nobody, sizeof nobody, "pk-race-%zu-%zu-%llu", g->number, i, (unsigned long long)now_us());
    return mint_body(&g->mint, slice_str(nobody));
}

static void *work(void *arg)
{
    struct group *g = arg;
    size_t step = g->keys / SAMPLE_MAX + 1;
    for (size_t i = 0; i < g->keys && now_us() < g->until_us; i++) {
        char *body = make(g, i);
        race(g, body);
        if (i % step == 0 && g->n_sample < SAMPLE_MAX)
            g->sample[g->n_sample++] = body;
        else
            free(body);
    }
    return NULL;
}

/* Whatever happened to the store meanwhile: what was used stays used. */
static void *again(void *arg)
{
    struct group *g = arg;
    bool broken;
    for (size_t i = 0; i < g->n_sample; i++) {
        size_t line = i % g->racers;
        int status = door_ask(line_of(g, line), g->sample[i]) ? hear(g, line) : (drop(g, line), 0);
        g->t.again += insist(g, line, status, g->sample[i], &broken) != 409;
    }
    return NULL;
}

static void all(struct group *groups, size_t n, void *(*run)(void *))
{
    for (size_t i = 0; i < n; i++)
        if (pthread_create(&groups[i].thread, NULL, run, &groups[i]) != 0)
            die("cannot start a thread");
    for (size_t i = 0; i < n; i++)
        pthread_join(groups[i].thread, NULL);
}

static int report(const struct group *groups, size_t n, double seconds)
{
    struct tally t = { 0 };
    size_t sample = 0;
    for (size_t i = 0; i < n; i++) {
        const struct tally *u = &groups[i].t;
        t.keys += u->keys, t.asked += u->asked, t.won += u->won, t.lost += u->lost, t.twice += u->twice, t.nobody += u->nobody;
        t.repeated += u->repeated, t.other += u->other, t.again += u->again;
        sample += groups[i].n_sample;
    }
    printf("keys %llu asked %llu seconds %.1f rate %.0f winners_one %llu answer_lost %llu winners_two %llu winners_none %llu repeated %llu other %llu "
           "sample %zu opened_again %llu\n",
           (unsigned long long)t.keys, (unsigned long long)t.asked, seconds, (double)t.asked / seconds, (unsigned long long)t.won, (unsigned long long)t.lost,
           (unsigned long long)t.twice, (unsigned long long)t.nobody, (unsigned long long)t.repeated, (unsigned long long)t.other, sample,
           (unsigned long long)t.again);
    return t.keys && !t.twice && !t.nobody && !t.other && !t.again ? 0 : 1;
}

static size_t doors_read(struct door_to *doors, char **av)
{
    size_t n = 0;
    for (char *p = strtok(av[2], ","); p && n < PORTS_MAX; p = strtok(NULL, ","))
        doors[n++] = door_to(av[1], p, &av[3]);
    return n;
}

int main(int ac, char **av)
{
    if (ac != 14)
        die("usage: HOST PORT[,PORT] CA CERT KEY LINK_KEY_FILE KID INSTITUTION PMH_KEYS_FILE GROUPS R KEYS SECONDS");
    static struct group groups[GROUPS_MAX];
    struct door_to doors[PORTS_MAX];
    size_t n_doors = doors_read(doors, av), n = strtoul(av[10], NULL, 10), racers = strtoul(av[11], NULL, 10), keys = strtoul(av[12], NULL, 10);
    if (!n_doors || n < 1 || n > GROUPS_MAX || racers < 1 || racers > RACERS_MAX || keys < n)
        die("bad counts");
    signal(SIGPIPE, SIG_IGN);
    struct pmh_keys persons = pmh_keys_read(av[9]);
    uint64_t start = now_us();
    for (size_t i = 0; i < n; i++)
        groups[i] = (struct group){ .doors = doors, .n_doors = n_doors, .racers = racers, .keys = keys / n, .number = i, .persons = &persons,
                                    .mint = mint_open(av[6], av[7], av[8]), .until_us = start + strtoul(av[13], NULL, 10) * 1000000u };
    all(groups, n, work);
    double seconds = (double)(now_us() - start) / 1e6;
    all(groups, n, again);
    return report(groups, n, seconds);
}
