#include "keys/ctl/children_int.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "keys/ctl/say.h"

static void stop_stage(struct children *all);

static void pid_file(const struct child *c, int pid)
{
    struct state_path p = state_at(c->all->conf.state, "run/%s.pid", c->spec->name);
    struct buf b;
    if (!pid) {
        unlink(p.c);
        return;
    }
    buf_init(&b, 32);
    buf_u64(&b, (uint64_t)pid);
    buf_putc(&b, '\n');
    if (!err_ok(file_write(p.c, buf_slice(&b))))
        say_warn("%s に書けません", "cannot write %s", p.c);
    buf_done(&b);
}

/* Our own logs hold no value of a request, so their last line may be shown. */
static void show_log_tail(const struct child *c)
{
    struct state_path p = state_at(c->all->conf.state, "log/%s.log", c->spec->name);
    char tail[600];
    int fd = open(p.c, O_RDONLY | O_CLOEXEC);
    off_t size = fd >= 0 ? lseek(fd, 0, SEEK_END) : 0;
    off_t from = size > (off_t)sizeof tail - 1 ? size - (off_t)sizeof tail + 1 : 0;
    ssize_t n = fd >= 0 ? pread(fd, tail, sizeof tail - 1, from) : 0;
    if (fd >= 0)
        close(fd);
    tail[n > 0 ? n : 0] = '\0';
    fprintf(stderr, "    %s:\n    %s", p.c, n > 0 ? tail : "-\n");
}

static void give_up(struct child *c)
{
    struct children *all = c->all;
    if (all->failed)
        return;
    all->failed = true;
    say_error("%s が起動しません。ログの最後:", "%s does not start; the end of its log:", c->spec->name);
    show_log_tail(c);
    all->conf.on_failed(all->conf.arg);
    loop_stop(all->loop);
}

/* ---- stages ---- */

static bool stage_answers(const struct children *all, unsigned stage)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].spec->stage == stage && !all->list[i].answered)
            return false;
    return true;
}

static void stage_start(struct children *all)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].spec->stage == all->stage)
            child__start(&all->list[i]);
}

static void stage_next(struct children *all)
{
    if (all->ready || all->stopping || !stage_answers(all, all->stage))
        return;
    if (all->stage < all->last_stage) {
        all->stage++;
        stage_start(all);
        return;
    }
    all->ready = true;
    all->conf.on_ready(all->conf.arg);
}

/* ---- asking ---- */

static void ask_on_thread(uv_work_t *w)
{
    struct child *c = w->data;
    c->answer = c->spec->ready(c->all->conf.state);
}

/* It runs, and serves as soon as the operator has run the command: no reason to give up, however long that takes. */
static void await_operator(struct child *c)
{
    c->deadline = loop_now(c->all->loop) + CHILD_START_MS;
    if (c->told_older)
        return;
    c->told_older = true;
    say_warn("%s は待っています: 保存先(redis-link)が監査記録より古い状態です。pmhgw reconcile を実行してください(docs/operations.md)",
             "%s waits: the store (redis-link) is older than the audit log; run pmhgw reconcile (docs/operations.md)", c->spec->name);
}

static void ask_done(uv_work_t *w, int status)
{
    struct child *c = w->data;
    struct children *all = c->all;
    c->asking = false;
    if (all->stopping || !c->running || status != 0)
        return;
    if (err_is(c->answer, E_STORE_OLDER))
        await_operator(c);
    if (!err_ok(c->answer)) {
        if (c->renew != RENEW_NO && loop_now(all->loop) > c->deadline)
            (void)renew__failed(c);
        else if (!c->ever_ready && loop_now(all->loop) > c->deadline)
            give_up(c);
        else
            timer_start(c->ask, ASK_MS);
        return;
    }
    c->answered = true;
    c->told_older = false;
    renew__answers(c);
    if (c->ever_ready)
        say_ok("%s が戻りました", "%s is back", c->spec->name);
    else
        say_ok("%s 起動(pid %d)", "%s is up (pid %d)", c->spec->name, uv_process_get_pid(&c->process));
    c->ever_ready = true;
    stage_next(all);
}

static void ask(void *arg)
{
    struct child *c = arg;
    if (c->asking || !c->running || c->all->stopping)
        return;
    c->asking = true;
    c->work.data = c;
    if (uv_queue_work(loop_uv(c->all->loop), &c->work, ask_on_thread, ask_done) != 0)
        c->asking = false;
}

/* ---- start and death ---- */

static void child_again_later(struct child *c)
{
    uint64_t now = loop_now(c->all->loop);
    if (now - c->started > STEADY_MS)
        c->backoff = BACKOFF_MIN_MS;
    if (!c->ever_ready && ++c->deaths >= 5) {
        give_up(c);
        return;
    }
    timer_start(c->restart, c->backoff);
    c->backoff = c->backoff * 2 < BACKOFF_MAX_MS ? c->backoff * 2 : BACKOFF_MAX_MS;
}

static void on_closed(uv_handle_t *h)
{
    struct child *c = h->data;
    if (c->all->stopping)
        stop_stage(c->all);
    else if (!renew__ended(c))
        child_again_later(c);
}

static void on_exit_of_child(uv_process_t *p, int64_t status, int sig)
{
    struct child *c = p->data;
    c->running = c->answered = false;
    if (!c->all->stopping)
        timer_stop(c->ask);
    pid_file(c, 0);
    if (!c->all->stopping && c->renew == RENEW_NO)
        say_warn("%s が終了しました(状態 %d、シグナル %d)。再起動します", "%s ended (status %d, signal %d); starting it again",
                 c->spec->name, (int)status, sig);
    uv_close((uv_handle_t *)p, on_closed);
}

static int log_open_for(const struct child *c)
{
    struct state_path p = state_at(c->all->conf.state, "log/%s.log", c->spec->name);
    return open(p.c, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
}

/* What was started, should something else lie there later. */
static void program_open(struct child *c)
{
    if (c->exe >= 0)
        close(c->exe);
    c->exe = open(c->spec->argv[0], O_PATH | O_CLOEXEC);
}

void child__start(struct child *c)
{
    struct children *all = c->all;
    char parent[24], path[64];
    const char *argv[CHILD_ARGS_MAX + 6];
    size_t n = 0;
    int log = log_open_for(c);
    snprintf(parent, sizeof parent, "%d", (int)getpid());
    argv[n++] = "pmhgw";
    argv[n++] = "launch";
    argv[n++] = parent;
    argv[n++] = c->spec->socket > 0 ? "1" : "0";
    if (c->old)
        snprintf(path, sizeof path, "/proc/%d/fd/%d", (int)getpid(), c->exe);
    else
        program_open(c);
    argv[n++] = c->old ? path : c->spec->argv[0];
    for (size_t i = 0; i < CHILD_ARGS_MAX && c->spec->argv[i]; i++)
        argv[n++] = c->spec->argv[i];
    argv[n] = NULL;
    uv_stdio_container_t io[5] = {
        { .flags = UV_IGNORE },
        { .flags = UV_INHERIT_FD, .data.fd = log },
        { .flags = UV_INHERIT_FD, .data.fd = log },
        { .flags = UV_INHERIT_FD, .data.fd = c->spec->socket > 0 ? c->spec->socket : all->conf.lock_fd },
        { .flags = UV_INHERIT_FD, .data.fd = all->conf.lock_fd },
    };
    /* In a session of its own: Ctrl-C reaches us alone, and the children stop in our order. */
    uv_process_options_t o = { .exit_cb = on_exit_of_child, .file = "/proc/self/exe", .flags = UV_PROCESS_DETACHED,
                               .args = (char **)(uintptr_t)argv, .stdio_count = c->spec->socket > 0 ? 5 : 4, .stdio = io };
    c->started = loop_now(all->loop);
    c->deadline = c->started + CHILD_START_MS;
    c->process.data = c;
    int rc = log < 0 ? UV_EIO : uv_spawn(loop_uv(all->loop), &c->process, &o);
    if (log >= 0)
        close(log);
    if (rc != 0) {
        say_warn("%s を起動できません: %s", "cannot start %s: %s", c->spec->name, uv_strerror(rc));
        if (log >= 0)
            uv_close((uv_handle_t *)&c->process, on_closed);
        else
            child_again_later(c);
        return;
    }
    c->running = true;
    pid_file(c, uv_process_get_pid(&c->process));
    timer_start(c->ask, ASK_MS);
}

static void restart(void *arg)
{
    struct child *c = arg;
    if (!c->all->stopping)
        child__start(c);
}

/* ---- stop: the last stage first ---- */

static bool stage_runs(const struct children *all, unsigned stage)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].spec->stage == stage && all->list[i].running)
            return true;
    return false;
}

static void stage_kill(struct children *all, int sig)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].spec->stage == all->stage && all->list[i].running)
            uv_process_kill(&all->list[i].process, sig);
}

static void stop_late(void *arg)
{
    struct children *all = arg;
    for (size_t i = 0; i < all->n; i++)
        if (all->list[i].spec->stage == all->stage && all->list[i].running)
            say_warn("%s が終わりません。強制終了します", "%s does not end; it is killed", all->list[i].spec->name);
    stage_kill(all, SIGKILL);
}

/* SIGTERM to who runs of the stage, SIGKILL when the slowest of them should have ended. */
static void stage_end(struct children *all)
{
    uint64_t longest = 0;
    for (size_t i = 0; i < all->n; i++) {
        const struct child *c = &all->list[i];
        const uint64_t ms = c->spec->stage == all->stage && c->running ? c->spec->stop_ms(all->conf.state) : 0;
        longest = ms > longest ? ms : longest;
    }
    stage_kill(all, SIGTERM);
    timer_start(all->stop_timer, longest);
}

static void all_done(struct children *all)
{
    if (!all->stop_timer)
        return;
    timer_free(all->stop_timer);
    all->stop_timer = NULL;
}

static void stop_stage(struct children *all)
{
    while (!stage_runs(all, all->stage)) {
        if (all->stage == 0) {
            all_done(all);
            return;
        }
        all->stage--;
        stage_end(all);
    }
}

static void on_stop(void *arg)
{
    struct children *all = arg;
    if (all->stopping)
        return;
    all->stopping = true;
    timer_free(all->order_timer);
    all->order_timer = NULL;
    for (size_t i = 0; i < all->n; i++) {
        timer_free(all->list[i].restart);
        timer_free(all->list[i].ask);
        timer_free(all->list[i].late);
        all->list[i].restart = all->list[i].ask = all->list[i].late = NULL;
    }
    all->stage = all->last_stage;
    stage_end(all);
    stop_stage(all);
}

/* ---- */

static void start_first(void *arg)
{
    struct children *all = arg;
    if (!all->stopping)
        stage_start(all);
}

ERR children_new(struct children **ret_c, struct loop *l, const struct children_conf *conf)
{
    struct children *all = calloc(1, sizeof *all);
    if (!all)
        return FAIL(E_NOMEM);
    MUST(conf->n_specs <= CHILDREN_MAX);
    all->loop = l;
    all->conf = *conf;
    *ret_c = all;
    TRY(timer_new(&all->stop_timer, l, stop_late, all));
    TRY(timer_new(&all->order_timer, l, renew__next, all));
    for (size_t i = 0; i < conf->n_specs; i++) {
        struct child *c = &all->list[i];
        *c = (struct child){ .spec = &conf->specs[i], .all = all, .backoff = BACKOFF_MIN_MS, .exe = -1, .before = -1 };
        TRY(timer_new(&c->restart, l, restart, c));
        TRY(timer_new(&c->ask, l, ask, c));
        TRY(timer_new(&c->late, l, renew__late, c));
        all->n++;
        if (c->spec->stage > all->last_stage)
            all->last_stage = c->spec->stage;
    }
    loop_on_stop(l, on_stop, all);
    return loop_defer(l, start_first, all);
}

void children_free(struct children *c) { free(c); }

int children_launch(int argc, char **argv)
{
    char self[24];
    if (argc < 5)
        return 2;
    /* The parent may have died before prctl() was in force: then its number is not our parent's any more. */
    if (prctl(PR_SET_PDEATHSIG, SIGTERM) != 0 || (long)getppid() != strtol(argv[1], NULL, 10))
        return 2;
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    snprintf(self, sizeof self, "%d", (int)getpid());
    if (argv[2][0] != '0' && (setenv("LISTEN_PID", self, 1) != 0 || setenv("LISTEN_FDS", argv[2], 1) != 0))
        return 2;
    execv(argv[3], argv + 4);
    perror(argv[3]);
    return 2;
}
