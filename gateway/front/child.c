#include <fcntl.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/front/brood.h"

struct child *child_add(struct supervisor *s, enum part part, unsigned number)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (c->part != PART_NONE)
            continue;
        *c = (struct child){ .part = part, .number = number, .news = -1, .stop_ms = STOP_MS };
        return c;
    }
    return NULL;
}

unsigned child_count(const struct supervisor *s, enum part part)
{
    unsigned n = 0;
    for (unsigned i = 0; i < CHILDREN_MAX; i++)
        n += s->children[i].part == part;
    return n;
}

/* In the child. Never returns. */
__attribute__((noreturn)) static void run_child(struct supervisor *s, struct child *c, pid_t parent, int news)
{
    const struct reading *r = sup_reading(s, c);
    struct worker_lines lines = { .number = c->number, .life = s->life[0], .ready = s->ready[1], .name = (uint8_t)(c - s->children), .news = news };
    prctl(PR_SET_PDEATHSIG, SIGTERM);
    if (getppid() != parent)
        _exit(0);
    close(s->signals);
    close(s->life[1]);
    close(s->ready[0]);
    for (unsigned k = 0; k < CHILDREN_MAX; k++)
        if (s->children[k].part != PART_NONE && s->children[k].news >= 0)
            close(s->children[k].news);
    for (unsigned d = 0; d < s->sockets.doors; d++)
        lines.n_sockets[d] = sockets_of(&s->sockets, d, c->number, r->workers, lines.socket[d]);
    sockets_leave(&s->sockets, c->number, r->workers);
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    exit(s->what->work(r->settings, &lines));
}

void child_start(struct supervisor *s, struct child *c)
{
    int line[2] = { -1, -1 };
    bool linked = socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, line) == 0;
    pid_t parent = getpid(), pid = linked ? fork() : -1;
    if (pid == 0) {
        close(line[0]);
        run_child(s, c, parent, line[1]);
    }
    if (linked)
        close(line[1]);
    c->started = sup_now(s);
    c->stop_ms = sup_reading(s, c)->stop_ms + LATE_MS;
    c->ready = c->foreign = false;
    c->silent_at = 0;
    board_clear(s->what->board, (unsigned)(c - s->children));
    c->unheard = c->again = 0;
    if (pid > 0) {
        c->pid = pid;
        c->news = line[0];
        return;
    }
    if (linked)
        close(line[0]);
    LOG(ERROR, "fork_failed", LF("worker", c->number));
    c->start_at = c->started + WAIT_MAX_MS;
}

static void drop(struct child *c)
{
    if (c->news >= 0)
        close(c->news);
    *c = (struct child){ .news = -1 };
}

void child_leave(struct supervisor *s, struct child *c, int signum)
{
    if (!c->pid) {
        drop(c);
        return;
    }
    c->part = PART_LEAVES;
    c->end_by = sup_now(s) + c->stop_ms;
    kill(c->pid, signum);
}

uint64_t child_kill_late(struct supervisor *s)
{
    uint64_t t = sup_now(s), next = UINT64_MAX;
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (c->part != PART_LEAVES)
            continue;
        if (c->end_by <= t) {
            LOG(WARN, "worker_killed", LF("worker", c->number));
            kill(c->pid, SIGKILL);
            c->end_by = t + LATE_MS;
        }
        next = c->end_by < next ? c->end_by : next;
    }
    return next;
}

static struct child *alive(struct supervisor *s, pid_t pid)
{
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        if (c->part == PART_SERVES && c->ready && c->pid && (!pid || c->pid == pid))
            return c;
    }
    return NULL;
}

static void lend(struct supervisor *s, struct child *away, struct child *to)
{
    for (unsigned at = away->number; at < s->sockets.n; at += s->now.workers) {
        int fds[DOORS_MAX];
        for (unsigned d = 0; d < s->sockets.doors; d++)
            fds[d] = s->sockets.fd[d][at];
        if (!news_send_sockets(to->news, fds, s->sockets.doors))
            return; /* the next turn tries again */
    }
    LOG(WARN, "worker_stands_in", LF("worker", to->number), LF("for", away->number));
    away->stand_in = to->pid;
}

void child_stand_in(struct supervisor *s)
{
    for (unsigned i = 0; i < CHILDREN_MAX && !s->stopping; i++) {
        struct child *c = &s->children[i];
        if (c->part != PART_SERVES || c->ready || c->wait_ms <= WAIT_MIN_MS || (c->stand_in && alive(s, c->stand_in)))
            continue;
        struct child *other = alive(s, 0);
        if (other)
            lend(s, c, other);
    }
}

static void again_later(struct supervisor *s, struct child *c, int status)
{
    uint64_t t = sup_now(s);
    c->wait_ms = t - c->started >= STEADY_MS ? WAIT_MIN_MS : c->wait_ms ? 2 * c->wait_ms : WAIT_MIN_MS;
    c->wait_ms = c->wait_ms > WAIT_MAX_MS ? WAIT_MAX_MS : c->wait_ms;
    c->start_at = t + c->wait_ms;
    c->ready = false;
    LOG(WARN, "worker_ended", LF("worker", c->number), LF("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0),
        LF("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0), LF("again_in_ms", c->wait_ms));
}

void child_ended(struct supervisor *s, struct child *c, int status)
{
    c->pid = 0;
    if (s->stopping || c->part == PART_LEAVES) {
        drop(c);
        return;
    }
    if (c->news >= 0)
        close(c->news);
    c->news = -1;
    if (c->part == PART_TRIED) {
        drop(c);
        change_failed(s);
        return;
    }
    again_later(s, c, status);
}

_Static_assert((int)CHILDREN_MAX <= (int)BOARD_SEATS, "a child's name is its seat");

static int seat_of(const struct supervisor *s, pid_t pid)
{
    for (int i = 0; pid && i < CHILDREN_MAX; i++)
        if (s->children[i].pid == pid)
            return i;
    return -1;
}

/* Looked at twice: after a pause of the whole machine all of them look as if they had hung, until they have had a turn. */
static void end_hung(struct supervisor *s, struct child *c, unsigned seat)
{
    const uint64_t t = sup_now(s);
    if (board_silent_ms(s->what->board, seat, t) < BOARD_HUNG_MS) {
        c->silent_at = 0;
        return;
    }
    c->silent_at = c->silent_at ? c->silent_at : t;
    if (t - c->silent_at < HUNG_MORE_MS)
        return;
    LOG(ERROR, "worker_hung", LF("worker", c->number));
    c->silent_at = 0;
    kill(c->pid, SIGKILL);
}

void child_board(struct supervisor *s)
{
    board_keep(s->what->board, sup_now(s));
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        struct child *c = &s->children[i];
        const bool serves = c->part == PART_SERVES && c->pid && c->ready;
        board_seat(s->what->board, i, c->part != PART_SERVES || c->foreign ? BOARD_EMPTY : serves ? BOARD_SERVES : BOARD_AWAY, c->number, seat_of(s, c->stand_in));
        if (serves && !c->foreign)
            end_hung(s, c, i);
    }
}
