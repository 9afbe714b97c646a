#include "gateway/front/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"

/* A worker that lived STEADY_MS is started again at once; one that dies earlier after a wait that doubles. */
enum { WAIT_MIN_MS = 100, WAIT_MAX_MS = 5000, STEADY_MS = 10000, STOP_MS = 12000, NOBODY = -1 };

struct child {
    pid_t pid;          /* 0: not running */
    uint64_t started;   /* monotonic milliseconds */
    uint64_t wait_ms, start_at;
    bool told;          /* to end, for its renewal */
    int news;           /* our end of its line of news; below 0: none */
    unsigned unheard;   /* a bit for each group of files that it has not heard of yet */
    unsigned again;     /* the same, of those that it could not take up */
    uint64_t again_at;
};

struct supervisor {
    int (*work)(void *arg, struct worker_lines lines);
    void *arg;
    struct child children[WORKERS_MAX];
    unsigned n;
    int signals;        /* signalfd */
    int life[2], ready[2];
    sigset_t before;    /* signal mask of the children */
    int renewing;       /* child that is being renewed, or NOBODY */
    bool renew_again;   /* asked for meanwhile: those that were renewed may have read what was there before */
    bool served;        /* a worker has been ready: the settings are good, or were */
    bool stopping, killed;
    uint64_t stop_by;
    int status;
    struct clock clock;
    struct news news;
    uint64_t look_at;
};

static uint64_t now(const struct supervisor *s) { return clock_mono(&s->clock); }

/* In the child. Never returns. */
__attribute__((noreturn)) static void run_child(struct supervisor *s, unsigned i, pid_t parent, int news)
{
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    close(s->signals);
    close(s->life[1]);
    close(s->ready[0]);
    for (unsigned k = 0; k < s->n; k++)
        if (s->children[k].news >= 0)
            close(s->children[k].news);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    exit(s->work(s->arg, (struct worker_lines){ .number = i, .life = s->life[0], .ready = s->ready[1], .news = news }));
}

static void start_child(struct supervisor *s, unsigned i)
{
    struct child *c = &s->children[i];
    int line[2] = { -1, -1 };
    bool linked = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, line) == 0;
    pid_t parent = getpid(), pid = linked ? fork() : -1;
    if (pid == 0) {
        close(line[0]);
        run_child(s, i, parent, line[1]);
    }
    if (linked)
        close(line[1]);
    c->started = now(s);
    c->told = false;
    c->unheard = c->again = 0;
    if (pid > 0) {
        c->pid = pid;
        c->news = line[0];
        return;
    }
    if (linked)
        close(line[0]);
    LOG(ERROR, "fork_failed", LF("worker", i));
    c->start_at = c->started + WAIT_MAX_MS;
}

static void signal_all(struct supervisor *s, int signum)
{
    for (unsigned i = 0; i < s->n; i++)
        if (s->children[i].pid)
            kill(s->children[i].pid, signum);
}

static void stop(struct supervisor *s, int status)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->status = status;
    s->stop_by = now(s) + STOP_MS;
    signal_all(s, SIGTERM);
}

static void renew(struct supervisor *s, int i)
{
    if (i == (int)s->n && s->renew_again) {
        s->renew_again = false;
        i = 0;
    }
    s->renewing = i < (int)s->n ? i : NOBODY;
    if (s->renewing == NOBODY)
        LOG(INFO, "workers_renewed");
    else if (s->children[i].pid) {
        s->children[i].told = true;
        kill(s->children[i].pid, SIGTERM);
    }
}

static void on_exit_of(struct supervisor *s, unsigned i, int status)
{
    struct child *c = &s->children[i];
    bool meant = s->stopping || c->told;
    c->pid = 0;
    close(c->news);
    c->news = -1;
    if (meant) {
        c->wait_ms = 0;
    } else {
        c->wait_ms = now(s) - c->started >= STEADY_MS ? WAIT_MIN_MS : c->wait_ms ? 2 * c->wait_ms : WAIT_MIN_MS;
        c->wait_ms = c->wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : c->wait_ms;
        LOG(WARN, "worker_ended", LF("worker", i), LF("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
            LF("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0), LF("again_in_ms", c->wait_ms));
    }
    c->start_at = now(s) + c->wait_ms;
    /* Wrong settings at the first start: nobody would be served, and a loop of restarts would hide why. Later the other workers
     * go on, and this one comes back when its files do. */
    if (!meant && !s->served && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SETTINGS)
        stop(s, EXIT_SETTINGS);
}

static void reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (unsigned i = 0; i < s->n; i++)
            if (s->children[i].pid == pid)
                on_exit_of(s, i, status);
}

static void on_hangup(struct supervisor *s)
{
    if (s->renewing == NOBODY)
        renew(s, 0);
    else
        s->renew_again = true;
}

static void on_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            stop(s, 0);
        else if (info.ssi_signo == SIGHUP && !s->stopping)
            on_hangup(s);
    }
    reap(s);
}

static void on_ready(struct supervisor *s)
{
    uint8_t number;
    while (read(s->ready[0], &number, 1) == 1) {
        if (number >= s->n)
            continue;
        s->served = true;
        if (s->renewing == number && !s->stopping)
            renew(s, number + 1);
    }
}

/* Starts who is due. Returns how long to wait for the next, or -1; false in *ret_any when nobody runs. */
static int start_due(struct supervisor *s, bool *ret_any)
{
    uint64_t t = now(s), next = UINT64_MAX;
    *ret_any = false;
    for (unsigned i = 0; i < s->n; i++) {
        struct child *c = &s->children[i];
        if (!s->stopping && !c->pid && c->start_at <= t)
            start_child(s, i);
        if (c->pid)
            *ret_any = true;
        else if (!s->stopping && c->start_at < next)
            next = c->start_at;
    }
    if (s->stopping && !s->killed)
        next = s->stop_by;
    if (next == UINT64_MAX)
        return -1;
    return next > t ? (int)(next - t) : 0;
}

/* ---- changed files ---- */

static void tell(struct supervisor *s, struct child *c)
{
    for (size_t g = 0; g < s->news.n; g++)
        if ((c->unheard & 1u << g) && news_send(c->news, &s->news, g))
            c->unheard &= ~(1u << g);
}

static void hear(struct supervisor *s, struct child *c)
{
    size_t g;
    while (news_asked_again(c->news, &g)) {
        c->again |= 1u << g;
        c->again_at = now(s) + NEWS_AGAIN_MS;
    }
    if (c->again && now(s) >= c->again_at) {
        c->unheard |= c->again;
        c->again = 0;
    }
}

/* A worker that was started meanwhile may have read a file before it changed: it hears of it as well. */
static void look_at_files(struct supervisor *s)
{
    if (s->news.n == 0 || s->stopping || now(s) < s->look_at)
        return;
    s->look_at = now(s) + NEWS_LOOK_MS;
    for (size_t g = 0; g < s->news.n; g++)
        if (news_changed(&s->news, g))
            for (unsigned i = 0; i < s->n; i++)
                s->children[i].unheard |= 1u << g;
    for (unsigned i = 0; i < s->n; i++) {
        struct child *c = &s->children[i];
        if (!c->pid)
            continue;
        hear(s, c);
        if (c->unheard)
            tell(s, c);
    }
}

static int sooner(const struct supervisor *s, int wait_ms)
{
    return s->news.n && !s->stopping && (wait_ms < 0 || wait_ms > NEWS_LOOK_MS) ? NEWS_LOOK_MS : wait_ms;
}

static void kill_the_late(struct supervisor *s)
{
    if (!s->stopping || s->killed || now(s) < s->stop_by)
        return;
    s->killed = true;
    LOG(WARN, "workers_killed");
    signal_all(s, SIGKILL);
}

static bool open_lines(struct supervisor *s)
{
    sigset_t watched;
    sigemptyset(&watched);
    static const int SIGNALS[] = { SIGTERM, SIGINT, SIGHUP, SIGCHLD };
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++)
        sigaddset(&watched, SIGNALS[i]);
    if (sigprocmask(SIG_BLOCK, &watched, &s->before) != 0)
        return false;
    s->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0 && pipe2(s->life, O_CLOEXEC) == 0 && pipe2(s->ready, O_CLOEXEC | O_NONBLOCK) == 0;
}

int supervise(const struct supervised *what, int (*work)(void *arg, struct worker_lines lines), void *arg)
{
    struct supervisor s = { .work = work, .arg = arg, .n = what->workers, .renewing = NOBODY, .clock = clock_system() };
    if (s.n < 1 || s.n > WORKERS_MAX || !open_lines(&s))
        return 1;
    news_begin(&s.news, what->groups, what->n_groups);
    for (unsigned i = 0; i < WORKERS_MAX; i++)
        s.children[i].news = -1;
    for (bool any = true;;) {
        int wait_ms = sooner(&s, start_due(&s, &any));
        if (s.stopping && !any)
            break;
        struct pollfd fds[] = { { .fd = s.signals, .events = POLLIN }, { .fd = s.ready[0], .events = POLLIN } };
        if (poll(fds, 2, wait_ms) < 0 && errno != EINTR)
            break;
        on_ready(&s);
        on_signals(&s);
        look_at_files(&s);
        kill_the_late(&s);
    }
    return s.status;
}
