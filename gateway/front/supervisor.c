#include "gateway/front/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/service.h"
#include "gateway/front/brood.h"

static void signal_all(struct supervisor *s, int signum)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].pid)
            kill(s->children[i].pid, signum);
    if (s->check)
        kill(s->check, SIGKILL);
}

static void stop(struct supervisor *s, int status)
{
    if (s->stopping)
        return;
    s->stopping = true;
    s->status = status;
    s->stop_by = sup_now(s);
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].pid && sup_now(s) + s->children[i].stop_ms > s->stop_by)
            s->stop_by = sup_now(s) + s->children[i].stop_ms;
    signal_all(s, SIGTERM);
}

/* Wrong settings at the first start: nobody would be served, and a loop of restarts would hide why. Later the other workers go on, and this one comes
 * back when its files do. */
static void on_exit_of(struct supervisor *s, struct child *c, int status)
{
    bool hopeless = !s->served && c->part == PART_SERVES && WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SETTINGS;
    child_ended(s, c, status);
    if (hopeless)
        stop(s, EXIT_SETTINGS);
}

static void reap(struct supervisor *s)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;) {
        if (pid == s->check)
            take_over_checked(s, status);
        for (unsigned i = 0; i < CHILDREN_MAX; i++)
            if (s->children[i].pid == pid)
                on_exit_of(s, &s->children[i], status);
    }
}

static void on_signals(struct supervisor *s)
{
    struct signalfd_siginfo info;
    while (read(s->signals, &info, sizeof info) == (ssize_t)sizeof info) {
        if (info.ssi_signo == SIGTERM || info.ssi_signo == SIGINT)
            stop(s, 0);
        s->reload |= info.ssi_signo == SIGHUP;
        s->upgrade |= info.ssi_signo == SIGUSR2;
    }
    reap(s);
}

static void on_ready(struct supervisor *s)
{
    uint8_t name;
    while (read(s->ready[0], &name, 1) == 1) {
        if (name >= CHILDREN_MAX || !s->children[name].pid)
            continue;
        if (!s->served)
            service_tell("READY=1");
        s->children[name].ready = s->served = true;
        s->children[name].stand_in = 0;
    }
    change_ready(s);
}

static void start_due(struct supervisor *s)
{
    uint64_t t = sup_now(s);
    for (unsigned i = 0; i < CHILDREN_MAX && !s->stopping && s->now.settings; i++) {
        struct child *c = &s->children[i];
        if (c->part == PART_SERVES && !c->pid && c->start_at <= t)
            child_start(s, c);
    }
}

static void end_the_late(struct supervisor *s)
{
    uint64_t t = sup_now(s);
    (void)child_kill_late(s);
    if (s->trying && t >= s->try_by) {
        LOG(ERROR, "workers_not_ready");
        change_failed(s);
    }
    if (s->check && t >= s->check_by)
        kill(s->check, SIGKILL);
    if (!s->stopping || s->killed || t < s->stop_by)
        return;
    s->killed = true;
    LOG(WARN, "workers_killed");
    signal_all(s, SIGKILL);
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
        c->again_at = sup_now(s) + NEWS_AGAIN_MS;
    }
    if (c->again && sup_now(s) >= c->again_at) {
        c->unheard |= c->again;
        c->again = 0;
    }
}

/* A worker that was started meanwhile may have read a file before it changed: it hears of it as well. */
static void look_at_files(struct supervisor *s)
{
    if (s->news.n == 0 || s->stopping || sup_now(s) < s->look_at)
        return;
    s->look_at = sup_now(s) + NEWS_LOOK_MS;
    for (size_t g = 0; g < s->news.n; g++)
        if (news_changed(&s->news, g))
            for (unsigned i = 0; i < CHILDREN_MAX; i++)
                s->children[i].unheard |= 1u << g;
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (!c->pid || c->part != PART_SERVES)
            continue;
        hear(s, c);
        if (c->unheard)
            tell(s, c);
    }
}

/* ---- the loop ---- */

static void tell_manager(struct supervisor *s)
{
    if (!s->watchdog_ms || sup_now(s) < s->watchdog_at)
        return;
    service_tell("WATCHDOG=1");
    s->watchdog_at = sup_now(s) + s->watchdog_ms / 2;
}

static bool any_child(const struct supervisor *s)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        if (s->children[i].pid)
            return true;
    return s->check != 0;
}

/* Milliseconds until something falls due without a signal; -1: nothing does. */
static int until_due(struct supervisor *s)
{
    uint64_t t = sup_now(s), next = child_kill_late(s);
    for (unsigned i = 0; i < CHILDREN_MAX && !s->stopping && s->now.settings; i++) {
        const struct child *c = &s->children[i];
        if (c->part == PART_SERVES && !c->pid && c->start_at < next)
            next = c->start_at;
    }
    if (s->news.n && !s->stopping && s->look_at < next)
        next = s->look_at;
    if (s->watchdog_ms && s->watchdog_at < next)
        next = s->watchdog_at;
    if (s->trying && s->try_by < next)
        next = s->try_by;
    if (s->check && s->check_by < next)
        next = s->check_by;
    if (s->stopping && !s->killed && s->stop_by < next)
        next = s->stop_by;
    if (next == UINT64_MAX)
        return -1;
    return next > t ? (int)(next - t) : 0;
}

static bool open_signals(struct supervisor *s)
{
    sigset_t watched;
    sigemptyset(&watched);
    static const int SIGNALS[] = { SIGTERM, SIGINT, SIGHUP, SIGUSR2, SIGCHLD };
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++)
        sigaddset(&watched, SIGNALS[i]);
    if (sigprocmask(SIG_BLOCK, &watched, &s->before) != 0)
        return false;
    for (size_t i = 0; i < sizeof SIGNALS / sizeof SIGNALS[0]; i++)
        sigdelset(&s->before, SIGNALS[i]); /* whoever started us may have had them blocked: a program that this one took over */
    s->signals = signalfd(-1, &watched, SFD_CLOEXEC | SFD_NONBLOCK);
    return s->signals >= 0;
}

/* ---- starting ---- */

static bool begin(struct supervisor *s, const struct reading *first)
{
    s->now = *first;
    s->sockets.doors = DOORS_MAX;
    if (pipe2(s->life, O_CLOEXEC) != 0 || pipe2(s->ready, O_CLOEXEC | O_NONBLOCK) != 0)
        return false;
    struct err e = sockets_grow(&s->sockets, s->what->doors, first->workers);
    if (!err_ok(e)) {
        LOG(ERROR, "sockets_not_opened", LF("error", e));
        return false;
    }
    news_begin(&s->news, first->groups, first->n_groups);
    for (unsigned i = 0; i < first->workers; i++)
        if (!child_add(s, PART_SERVES, i))
            return false;
    return true;
}

/* Workers of another program serve already. They go when the new ones are there, or, back in that program, they go on. */
static bool begin_over(struct supervisor *s, const struct reading *first, const struct over *o)
{
    if (!over_keep(o, false))
        return false;
    memcpy(s->life, o->life, sizeof s->life);
    memcpy(s->ready, o->ready, sizeof s->ready);
    s->sockets = o->sockets;
    s->exe_before = o->exe;
    s->served = true;
    for (unsigned i = 0; i < o->n; i++) {
        struct child *c = &s->children[o->child[i].name];
        *c = (struct child){ .part = PART_SERVES, .pid = o->child[i].pid, .number = o->child[i].number, .news = o->child[i].news, .started = sup_now(s), .stop_ms = STOP_MS, .ready = true, .foreign = true };
        c->unheard = o->back ? (1u << NEWS_GROUPS_MAX) - 1 : 0; /* of what changed while nobody looked */
    }
    if (o->back) {
        s->now = *first;
        news_begin(&s->news, first->groups, first->n_groups);
        return true;
    }
    s->new_program = true;
    if (first->settings)
        change_try(s, first);
    else
        take_over_go_back(s);
    return true;
}

int supervise(const struct supervised *what)
{
    struct supervisor *s = calloc(1, sizeof *s);
    if (!s)
        return 1;
    *s = (struct supervisor){ .what = what, .clock = clock_system(), .exe_before = -1, .exe = -1, .watchdog_ms = service_watchdog_ms() };
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        s->children[i].news = -1;
    bool good = open_signals(s) && err_ok(take_over_open(s)) && (what->over ? begin_over(s, &what->first, what->over) : begin(s, &what->first));
    while (good) {
        start_due(s);
        int wait_ms = until_due(s);
        if (s->stopping && !any_child(s))
            break;
        struct pollfd fds[] = { { .fd = s->signals, .events = POLLIN }, { .fd = s->ready[0], .events = POLLIN } };
        if (poll(fds, 2, wait_ms) < 0 && errno != EINTR)
            break;
        on_ready(s);
        on_signals(s);
        look_at_files(s);
        child_stand_in(s);
        child_board(s);
        end_the_late(s);
        tell_manager(s);
        change_begin(s);
    }
    int status = good ? s->status : 1;
    if (s->now.settings)
        what->forget(s->now.settings);
    free(s->program);
    free(s);
    return status;
}
