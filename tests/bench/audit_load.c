/* usage: pmhgw-audit-load [SECONDS [IN_FLIGHT [ROUNDS]]]: appends per second through a pmhgw-audit of its own, with and without the tree, and uses of link keys with it, in
 * turns.
 * The daemon is a child of this program, made of the same parts; the log is in a folder below TMPDIR that goes at the end. */

#include <ftw.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/audit/daemon.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/must.h"

enum { PATIENCE_MS = 10000 };

static const uint8_t CAP[IPC_CAP_BYTES] = { 1 }, SEED[32] = { 2 };

struct place { char dir[256], log[300], sock[300]; };

static void on_stop(void *arg) { audit_daemon_close(arg); }

static int serve(const struct place *p, bool tree)
{
    struct loop *l;
    struct audit_daemon *d;
    struct secret *seed;
    struct audit_daemon_conf conf = { .socket_path = p->sock, .dir = p->log, .disk = &AUDIT_DISK, .origin = "pmhgw.local/bench" };
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    MUST(err_ok(loop_new(&l, clock_system())) && err_ok(secret_new(&seed, ARR(SEED))) && err_ok(secret_new(&conf.caps[IPC_FRONT], ARR(CAP))));
    conf.sign_seed = tree ? seed : NULL;
    MUST(err_ok(audit_daemon_new(&d, l, conf)));
    loop_on_stop(l, on_stop, d);
    loop_run(l, PATIENCE_MS);
    loop_free(l);
    secret_free(seed);
    return 0;
}

enum kind { PLAIN, TREE, USES };

struct load {
    enum kind kind;
    struct loop *loop;
    struct audit *audit;
    uint64_t done, failed, made, until, begun;
    unsigned open;
};

static void on_done(void *arg, struct err e);
static void on_use(void *arg, struct err e, uint64_t used_ms);

/* Another key each time, spread as a keyed hash spreads. */
static void make_use(struct load *x, struct audit_rec *r)
{
    uint64_t v = ++x->made * 0x9e3779b97f4a7c15u;
    be_put(r->ref, (v ^ v >> 31) * 0xbf58476d1ce4e5b9u, 8);
    be_put(r->ref + 8, x->made, 8);
    r->until_s = (uint32_t)(clock_wall(loop_clock(x->loop)) / 1000) + 3600;
}

static void append(struct load *x)
{
    struct audit_rec r = { .event = AU_CLINIC_LOOKUP, .result = AR_OK, .count = 1, .items = AUDIT_ITEM_ELIGIBILITY };
    audit_set_actor(&r, LIT("clinic/3310010012"));
    memcpy(r.muni, "331007", 6);
    memcpy(r.subject, &x->done, sizeof x->done);
    r.subject[15] = 1;
    x->open++;
    if (x->kind == USES) {
        make_use(x, &r);
        audit_use(x->audit, &r, loop_now(x->loop) + PATIENCE_MS, on_use, x);
    } else {
        audit_append(x->audit, &r, loop_now(x->loop) + PATIENCE_MS, on_done, x);
    }
}

static void on_use(void *arg, struct err e, uint64_t used_ms)
{
    (void)used_ms;
    on_done(arg, e);
}

static void on_done(void *arg, struct err e)
{
    struct load *x = arg;
    x->open--;
    *(err_ok(e) ? &x->done : &x->failed) += 1;
    if (loop_now(x->loop) < x->until)
        append(x);
    else if (x->open == 0)
        loop_stop(x->loop);
}

static void on_load_stop(void *arg) { audit_close(((struct load *)arg)->audit); }

static double measure(const struct place *p, enum kind kind, unsigned seconds, unsigned in_flight)
{
    struct load x = { .kind = kind };
    struct secret *cap;
    MUST(err_ok(loop_new(&x.loop, clock_system())) && err_ok(secret_new(&cap, ARR(CAP))));
    MUST(err_ok(audit_new(&x.audit, x.loop, p->sock, IPC_FRONT, cap)));
    loop_on_stop(x.loop, on_load_stop, &x);
    x.begun = loop_now(x.loop);
    x.until = x.begun + seconds * 1000;
    for (unsigned i = 0; i < in_flight; i++)
        append(&x);
    loop_run(x.loop, PATIENCE_MS);
    double s = (double)(loop_now(x.loop) - x.begun) / 1000;
    loop_free(x.loop);
    MUST(x.failed == 0);
    return (double)x.done / s;
}

static int gone(const char *path, const struct stat *st, int kind, struct FTW *f)
{
    (void)st, (void)kind, (void)f;
    return remove(path);
}

struct outcome { double rate, cpu_us; /* of the daemon, for one append */ };

static struct outcome round_of(enum kind kind, unsigned seconds, unsigned in_flight)
{
    struct rusage u;
    struct place p;
    const char *tmp = getenv("TMPDIR");
    int status;
    snprintf(p.dir, sizeof p.dir, "%s/pmhgw-audit-load-XXXXXX", tmp ? tmp : "/tmp");
    MUST(mkdtemp(p.dir));
    snprintf(p.log, sizeof p.log, "%s/log", p.dir);
    snprintf(p.sock, sizeof p.sock, "%s/s", p.dir);
    MUST(mkdir(p.log, 0700) == 0);
    pid_t pid = fork();
    if (pid == 0)
        _exit(serve(&p, kind != PLAIN));
    double rate = measure(&p, kind, seconds, in_flight);
    kill(pid, SIGTERM);
    MUST(wait4(pid, &status, 0, &u) == pid && status == 0);
    nftw(p.dir, gone, 16, FTW_DEPTH | FTW_PHYS);
    double us = (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) * 1e6 + (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
    return (struct outcome){ rate, us / rate / seconds };
}

int main(int argc, char **argv)
{
    unsigned seconds = argc > 1 ? (unsigned)atoi(argv[1]) : 4, in_flight = argc > 2 ? (unsigned)atoi(argv[2]) : 1024, rounds = argc > 3 ? (unsigned)atoi(argv[3]) : 3;
    double with = 0, without = 0, uses = 0;
    for (unsigned i = 0; i < rounds; i++) {
        struct outcome a = round_of(PLAIN, seconds, in_flight), b = round_of(TREE, seconds, in_flight), c = round_of(USES, seconds, in_flight);
        printf("round %u: %.0f appends/s without the tree (%.2f us of processor time each), %.0f with it (%.2f us), %.0f uses/s (%.2f us)\n", i + 1, a.rate, a.cpu_us, b.rate,
               b.cpu_us, c.rate, c.cpu_us);
        fflush(stdout);
        without = a.rate > without ? a.rate : without;
        with = b.rate > with ? b.rate : with;
        uses = c.rate > uses ? c.rate : uses;
    }
    printf("best of %u: %.0f appends/s without the tree, %.0f with it (%.2f), %.0f uses/s, %u in flight\n", rounds, without, with, with / without, uses, in_flight);
    return 0;
}
