#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/front/brood.h"

enum { EXEC_FAILED = 127, ARGS_MAX = 8 };

struct err take_over_open(struct supervisor *s)
{
    char path[PATH_MAX];
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 1);
    s->exe = open("/proc/self/exe", O_PATH | O_CLOEXEC);
    if (n <= 0 || s->exe < 0)
        return FAIL(E_IO);
    path[n] = 0;
    s->program = strdup(path);
    return s->program ? OK : FAIL(E_NOMEM);
}

/* argv with --check behind it. */
__attribute__((noreturn)) static void run_check(struct supervisor *s)
{
    char *argv[ARGS_MAX + 2], word[] = "--check";
    size_t n = 0;
    while (n < ARGS_MAX && s->what->argv[n]) {
        argv[n] = s->what->argv[n];
        n++;
    }
    argv[n++] = word;
    argv[n] = NULL;
    sigprocmask(SIG_SETMASK, &s->before, NULL);
    execv(s->program, argv);
    _exit(EXEC_FAILED);
}

void take_over_check(struct supervisor *s)
{
    s->check = fork();
    if (s->check == 0)
        run_check(s);
    s->check_by = sup_now(s) + CHECK_MS;
    if (s->check < 0) {
        s->check = 0;
        LOG(NOTE, "upgrade_refused");
    }
}

static struct over state_of(const struct supervisor *s, bool back)
{
    struct over o = { .back = back, .exe = back ? -1 : s->exe, .life = { s->life[0], s->life[1] }, .ready = { s->ready[0], s->ready[1] }, .sockets = s->sockets };
    for (unsigned i = 0; i < CHILDREN_MAX; i++) {
        const struct child *c = &s->children[i];
        if (c->part != PART_SERVES || !c->pid)
            continue;
        o.child[o.n].pid = c->pid;
        o.child[o.n].number = c->number;
        o.child[o.n].name = i;
        o.child[o.n++].news = c->news;
    }
    return o;
}

/* Becomes the program that fd names, or, below 0, the one at the path. Returns when that is not possible. */
static void become(struct supervisor *s, int fd, bool back)
{
    struct over *o = malloc(sizeof *o);
    struct buf text;
    buf_init(&text, OVER_TEXT_MAX);
    if (o) {
        *o = state_of(s, back);
        over_write(o, &text);
        const char *state = buf_cstr(&text);
        s->what->hand(s->what->ctx);
        if (state && setenv(OVER_ENV, state, 1) == 0 && over_keep(o, true)) {
            if (fd >= 0)
                fexecve(fd, s->what->argv, environ);
            else
                execv(s->program, s->what->argv);
        }
        LOG(ERROR, "program_not_started", LF("errno", errno));
        (void)over_keep(o, false);
        unsetenv(OVER_ENV);
        s->what->unhand(s->what->ctx);
    }
    buf_done(&text);
    free(o);
}

void take_over_checked(struct supervisor *s, int status)
{
    s->check = 0;
    if (s->stopping)
        return;
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        become(s, -1, false);
    else
        LOG(ERROR, "program_does_not_run", LF("status", WIFEXITED(status) ? WEXITSTATUS(status) : 0), LF("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    LOG(NOTE, "upgrade_refused");
}

void take_over_go_back(struct supervisor *s)
{
    if (s->exe_before < 0)
        return;
    become(s, s->exe_before, true);
}
