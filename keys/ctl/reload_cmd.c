/* pmhgw reload, pmhgw upgrade: other certificates, settings and programs while everything works.
 *
 * First every settings file is read by the daemon that it is for (--check): nothing is told to anybody while one of them is wrong. Then each daemon takes over what
 * it can by itself; who cannot is started again by `up`, which keeps his socket open meanwhile. Only a relay to a Redis is not: who asks it would hear refusals until it has
 * found the master, so that is the operator's to order (`pmhgw upgrade redis-link`). */

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/conf/conf.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/verdict.h"

enum { FRONT_MS = 30000, OTHERS_MS = 5000, ORDER_MS = 120000, ORDER_LOOK_MS = 50, NAMES_MAX = 4096, OWN_SET_MAX = 6 };

/* In the order in which they are started again: who is asked before who asks. */
static const struct unit {
    const char *name, *conf;
    bool relay;                       /* in the place of the Redis of this name, when there is the file */
    bool asks;                        /* takes things over at a SIGHUP */
    bool self;                        /* exchanges its program by itself (SIGUSR2) */
    const char *taken[OWN_SET_MAX];   /* files that it takes up by itself, or at a SIGHUP */
} UNITS[] = {
    { .name = "redis-vault", .conf = "relay-vault.yaml", .relay = true },
    { .name = "redis-link", .conf = "relay-link.yaml", .relay = true },
    { .name = "pmhgw-audit", .conf = "audit.yaml", .asks = true },
    { .name = "pmhgw-signer", .conf = "signer.yaml" },
    { .name = "pmhgw-vault", .conf = "vault.yaml" },
    { .name = "pmhgw-intake", .conf = "intake.yaml", .asks = true, .taken = { "certs/doors.pem", "certs/doors.key", "certs/crl.pem", "keys/link.ring", "keys/link.master" } },
    { .name = "pmhgw-courier", .conf = "courier.yaml", .asks = true },
    { .name = "pmhgw-front", .conf = "front.yaml", .asks = true, .self = true },
};
enum { UNITS_N = sizeof UNITS / sizeof *UNITS };

struct job {
    struct state state;
    int lock;
    bool start[UNITS_N]; /* again, by `up` */
    bool bad;
    json_t *verdicts;
};

/* ---- is everything in order? ---- */

static const char *program_of(const struct unit *u) { return u->relay ? "pmhgw-relay" : u->name; }

/* Without a file of settings it is no relay, but a Redis of this machine. */
static bool is_ours(const struct state *s, const struct unit *u) { return !u->relay || conf_file_relay(s, u->name); }

static bool checks_out(const struct state *s, const struct unit *u)
{
    const struct state_path program = state_bin(s, program_of(u)), conf = state_at(s, "conf/%s", u->conf);
    int status = -1;
    pid_t pid = fork();
    if (pid == 0) {
        char *const argv[] = { (char *)(uintptr_t)program_of(u), (char *)(uintptr_t)"--config", (char *)(uintptr_t)conf.c, (char *)(uintptr_t)"--check", NULL };
        execv(program.c, argv);
        perror(program.c);
        _exit(127);
    }
    return pid > 0 && waitpid(pid, &status, 0) == pid && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

static bool all_check_out(const struct state *s, const bool *which)
{
    bool all = true;
    for (size_t i = 0; i < UNITS_N; i++)
        if (which[i] && !checks_out(s, &UNITS[i])) {
            say_error("%s は、この設定(%s)またはこのプログラムでは動きません", "%s does not run with these settings (%s), or from this program", program_of(&UNITS[i]), UNITS[i].conf);
            all = false;
        }
    if (!all)
        say_hint("何も変えていません", "nothing was changed");
    return all;
}

/* ---- who has to be started again ---- */

static bool newer(const struct stat *file, const struct stat *start)
{
    return file->st_ctim.tv_sec > start->st_mtim.tv_sec || (file->st_ctim.tv_sec == start->st_mtim.tv_sec && file->st_ctim.tv_nsec > start->st_mtim.tv_nsec);
}

static bool taken_up(const struct state *s, const struct unit *u, const char *path)
{
    for (size_t i = 0; i < OWN_SET_MAX && u->taken[i]; i++)
        if (strcmp(state_at(s, "%s", u->taken[i]).c, path) == 0)
            return true;
    return false;
}

/* A file that the settings name is newer than the process. A value that is a path stands behind "name: ", maybe in quotes. */
static bool files_newer(const struct state *s, const struct unit *u, const struct stat *start)
{
    struct buf text;
    struct slice line, rest, name, value;
    bool any = false;
    buf_init(&text, CONF_FILE_MAX);
    (void)!err_ok(file_read(state_at(s, "conf/%s", u->conf).c, &text));
    for (rest = buf_slice(&text); !any && slice_cut(rest, '\n', &line, &rest);) {
        char path[PATH_MAX];
        struct stat st;
        if (!slice_cut(line, ':', &name, &value))
            continue;
        while (value.n && (value.p[0] == ' ' || value.p[0] == '"' || value.p[0] == '\''))
            value = slice_of(value.p + 1, value.n - 1);
        while (value.n && (value.p[value.n - 1] == '"' || value.p[value.n - 1] == '\''))
            value.n--;
        if (!value.n || value.p[0] != '/' || value.n >= sizeof path)
            continue;
        memcpy(path, value.p, value.n);
        path[value.n] = 0;
        any = stat(path, &st) == 0 && S_ISREG(st.st_mode) && !taken_up(s, u, path) && newer(&st, start);
    }
    buf_done(&text);
    return any;
}

static bool start_needed(const struct state *s, const struct unit *u)
{
    struct stat start, conf;
    if (stat(state_at(s, "run/%s.pid", u->name).c, &start) != 0)
        return false; /* it does not run: it will read what is there */
    if (!u->asks && stat(state_at(s, "conf/%s", u->conf).c, &conf) == 0 && newer(&conf, &start))
        return true;
    return files_newer(s, u, &start);
}

/* ---- orders to daemons ---- */

static void put_verdict(struct job *j, const char *daemon, const char *word)
{
    if (!j->verdicts)
        j->verdicts = json_object();
    json_object_set_new(j->verdicts, daemon, json_string(word));
    out_put("daemons", json_incref(j->verdicts));
}

static void tell(struct job *j, size_t i, int signum)
{
    static const struct { const char *ja, *en; } TEXTS[VERDICT__MAX] = {
        [VERDICT_TAKEN] = { "入れ替えました", "taken over" },
        [VERDICT_NEEDS_START] = { "起動し直します", "has to be started again" },
        [VERDICT_REFUSED] = { "断りました。前のまま動いています", "refused; it goes on as before" },
        [VERDICT_AWAY] = { "動いていません", "does not run" },
        [VERDICT_LATE] = { "返事がありません", "does not say what came of it" },
    };
    enum verdict v = verdict_of(&j->state, UNITS[i].name, signum, UNITS[i].self ? FRONT_MS : OTHERS_MS);
    put_verdict(j, UNITS[i].name, v == VERDICT_TAKEN ? "taken" : v == VERDICT_NEEDS_START ? "needs_start" : v == VERDICT_REFUSED ? "refused" : v == VERDICT_AWAY ? "away" : "late");
    if (v == VERDICT_TAKEN)
        say_ok("%s: 入れ替えました", "%s: taken over", UNITS[i].name);
    else if (v == VERDICT_NEEDS_START)
        j->start[i] = true;
    else
        say_warn("%s: %s", "%s: %s", UNITS[i].name, say_text(TEXTS[v].ja, TEXTS[v].en).c);
    j->bad |= v == VERDICT_REFUSED || v == VERDICT_AWAY || v == VERDICT_LATE;
}

/* ---- relays ---- */

/* `up` was started when there was no file yet, and has a server of its own under that name. */
static bool server_runs(const struct state *s, const struct unit *u)
{
    char path[64];
    struct buf name;
    const int pid = state_pid(s, u->name);
    buf_init(&name, sizeof path);
    snprintf(path, sizeof path, "/proc/%d/comm", pid);
    const bool is = pid && err_ok(file_read(path, &name)) && !slice_starts(buf_slice(&name), slice_str(program_of(u)));
    buf_done(&name);
    return is;
}

/* It opens no file any more. */
static void tell_relay(struct job *j, const struct unit *u)
{
    put_verdict(j, u->name, "needs_start");
    if (!server_runs(&j->state, u))
        say_warn("%s への中継: 起動し直すと有効になります(pmhgw upgrade %s。その間、問い合わせは断られます)", "the relay to %s: in force when it is started again (pmhgw upgrade %s; requests are refused meanwhile)", u->name, u->name);
    else
        say_warn("%s への中継: pmhgw up を起動し直すと、この機械の %s に代わります", "the relay to %s: takes the place of the %s of this machine when pmhgw up is started again", u->name, u->name);
    j->bad = true;
}

/* ---- orders to `up` ---- */

static bool done_read(const struct state *s, struct buf *out)
{
    struct clock clock = clock_system();
    uint64_t until = clock_mono(&clock) + ORDER_MS;
    while (clock_mono(&clock) < until) {
        buf_reset(out);
        if (err_ok(file_read(state_at(s, "run/order.done").c, out)))
            return true;
        if (!state_pid(s, "up"))
            break;
        nanosleep(&(struct timespec){ 0, ORDER_LOOK_MS * 1000000 }, NULL);
    }
    return false;
}

static void show_outcome(struct job *j, struct slice line)
{
    struct slice name, word;
    if (!slice_cut(line, ' ', &name, &word))
        return;
    char text[64];
    snprintf(text, sizeof text, "%.*s", (int)(name.n < sizeof text ? name.n : sizeof text - 1), (const char *)name.p);
    put_verdict(j, text, slice_eq(word, LIT("renewed")) ? "started_again" : slice_eq(word, LIT("kept")) ? "kept" : "failed");
    if (slice_eq(word, LIT("renewed"))) {
        say_ok("%s: 起動し直しました", "%s: started again", text);
        return;
    }
    j->bad = true;
    if (slice_eq(word, LIT("kept")))
        say_warn("%s: 新しいプログラムは起動しません。前のもので動いています(log/%s.log)", "%s: the new program does not come up; the one before runs (log/%s.log)", text, text);
    else
        say_warn("%s: 起動しません(log/%s.log)", "%s: does not come up (log/%s.log)", text, text);
}

static void start_again(struct job *j)
{
    struct buf names, done;
    int up = state_pid(&j->state, "up");
    buf_init(&names, NAMES_MAX);
    buf_init(&done, NAMES_MAX);
    for (size_t i = 0; i < UNITS_N; i++)
        if (j->start[i]) {
            buf_puts(&names, UNITS[i].name);
            buf_putc(&names, '\n');
        }
    unlink(state_at(&j->state, "run/order.done").c);
    if (!up) {
        say_warn("pmhgw up が動いていません。次のものを起動し直してください:\n%s", "pmhgw up does not run; start these again yourself:\n%s", buf_cstr(&names) ? buf_cstr(&names) : "");
        j->bad = true;
    } else if (!err_ok(file_write(state_at(&j->state, "run/order").c, buf_slice(&names))) || kill(up, SIGHUP) != 0 || !done_read(&j->state, &done)) {
        say_warn("pmhgw up から返事がありません", "pmhgw up does not say what came of it");
        j->bad = true;
    } else {
        struct slice rest = buf_slice(&done), line;
        while (slice_cut(rest, '\n', &line, &rest))
            show_outcome(j, line);
    }
    unlink(state_at(&j->state, "run/order.done").c);
    buf_done(&names);
    buf_done(&done);
}

static bool any_start(const struct job *j)
{
    for (size_t i = 0; i < UNITS_N; i++)
        if (j->start[i])
            return true;
    return false;
}

/* ---- the commands ---- */

/* One order at a time, so that each verdict is that of its own order. */
static bool begin(struct job *j, const struct state_dirs *dirs)
{
    if (!state_open(&j->state, dirs, false))
        return false;
    const struct state_path p = state_at(&j->state, "run/order.lock");
    j->lock = open(p.c, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (j->lock >= 0 && flock(j->lock, LOCK_EX | LOCK_NB) == 0)
        return true;
    say_error("別の reload か upgrade が動いています", "another reload or upgrade is running");
    return false;
}

int cmd_reload(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list operands;
    enum opts_end end = CLI_PARSE(argc, argv, "reload", &operands, { "--state", &dirs.state }, { "--bin", &dirs.bin });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    struct job j = { .lock = -1 };
    bool all[UNITS_N];
    if (!begin(&j, &dirs))
        return 2;
    for (size_t i = 0; i < UNITS_N; i++)
        all[i] = is_ours(&j.state, &UNITS[i]);
    if (!all_check_out(&j.state, all))
        return 1;
    for (size_t i = 0; i < UNITS_N; i++)
        if (!all[i] || UNITS[i].self || !start_needed(&j.state, &UNITS[i]))
            continue;
        else if (UNITS[i].relay)
            tell_relay(&j, &UNITS[i]);
        else
            j.start[i] = true;
    for (size_t i = 0; i < UNITS_N; i++)
        if (UNITS[i].asks && !j.start[i])
            tell(&j, i, SIGHUP);
    if (any_start(&j))
        start_again(&j);
    close(j.lock);
    json_decref(j.verdicts);
    return j.bad ? 1 : 0;
}

/* A relay only by its name. */
static bool named(const struct opt_list *names, const struct unit *u)
{
    bool is = names->n == 0 && !u->relay;
    for (size_t i = 0; i < names->n; i++)
        is |= strcmp(names->v[i], u->name) == 0;
    return is;
}

int cmd_upgrade(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct opt_list names;
    enum opts_end end = CLI_PARSE(argc, argv, "upgrade", &names, { "--state", &dirs.state }, { "--bin", &dirs.bin });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    struct job j = { .lock = -1 };
    bool which[UNITS_N];
    size_t n = 0;
    if (!begin(&j, &dirs))
        return 2;
    for (size_t i = 0; i < UNITS_N; i++)
        n += which[i] = named(&names, &UNITS[i]) && is_ours(&j.state, &UNITS[i]) && !(UNITS[i].relay && server_runs(&j.state, &UNITS[i]));
    if (n < names.n) {
        say_error("その名前のデーモンはありません", "there is no daemon of that name");
        return 2;
    }
    if (!all_check_out(&j.state, which))
        return 1;
    for (size_t i = 0; i < UNITS_N; i++)
        j.start[i] = which[i] && !UNITS[i].self;
    if (any_start(&j))
        start_again(&j);
    for (size_t i = 0; i < UNITS_N; i++)
        if (which[i] && UNITS[i].self)
            tell(&j, i, SIGUSR2);
    close(j.lock);
    json_decref(j.verdicts);
    return j.bad ? 1 : 0;
}
