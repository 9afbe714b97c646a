/* pmhgw up: makes what is missing, checks what is needed, starts everything, and keeps it running. */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/log.h"
#include "gateway/base/text.h"
#include "gateway/conf/conf.h"
#include "keys/ctl/certs_crl.h"
#include "keys/ctl/children.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/conf_files.h"
#include "keys/ctl/probe.h"
#include "keys/ctl/say.h"
#include "keys/ctl/setup.h"
#include "keys/ctl/sockets.h"
#include "keys/ctl/web.h"

/* STOP_GRACE_MS: more than all stages of children together can take. A daemon without a setting for it ends within OTHERS_STOP_MS. */
enum { LOCK_WAIT_MS = 10000, STOP_GRACE_MS = 3600 * 1000, OTHERS_STOP_MS = 15000, STOP_DEFAULT_MS = 10000, STOP_MORE_MS = 6000, ORDER_MAX = 4096 };

struct up {
    struct state state;
    struct setup_conf conf;
    bool mocks, only_setup;
    int lock_fd;
    struct child_spec specs[CHILDREN_MAX];
    size_t n_specs;
    struct state_path paths[32]; /* what the argv of the children point into */
    char texts[8][64];
    size_t n_paths, n_texts;
    bool failed;
    struct children *kids;
};

/* ---- checks before anything is started ---- */

struct need { const char *program, *package; };
static const struct need NEEDS[] = { { "redis-server", "redis-server" }, { "openssl", "openssl" } };

/* The program's full name, or false. */
static bool find_program(const char *program, struct state_path *ret_full)
{
    const char *path = getenv("PATH");
    struct slice rest = slice_str(path ? path : "/usr/bin:/bin"), dir;
    for (bool more = true; more;) {
        more = slice_cut(rest, ':', &dir, &rest);
        if (!more)
            dir = rest;
        int n = snprintf(ret_full->c, sizeof ret_full->c, "%.*s/%s", (int)dir.n, (const char *)dir.p, program);
        if (n > 0 && (size_t)n < sizeof ret_full->c && access(ret_full->c, X_OK) == 0)
            return true;
    }
    return false;
}

static bool needs_met(const struct state *s)
{
    struct state_path full;
    const bool no_server = conf_file_relay(s, "redis-vault") && conf_file_relay(s, "redis-link"); /* both are elsewhere */
    for (size_t i = 0; i < sizeof NEEDS / sizeof *NEEDS; i++) {
        if (find_program(NEEDS[i].program, &full) || (no_server && strcmp(NEEDS[i].program, "redis-server") == 0))
            continue;
        say_error("%s がありません。apt-get install %s を実行してください", "%s is missing; run apt-get install %s", NEEDS[i].program,
                  NEEDS[i].package);
        return false;
    }
    return true;
}

/* A process that holds the lock and is `up` itself, or children of an earlier one that are still stopping. */
static bool lock_take(struct up *u)
{
    struct state_path p = state_at(&u->state, "run/lock");
    u->lock_fd = open(p.c, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    for (int waited = 0; u->lock_fd >= 0; waited += 100) {
        if (flock(u->lock_fd, LOCK_EX | LOCK_NB) == 0)
            return true;
        int pid = state_pid(&u->state, "up");
        if (pid) {
            say_error("この状態フォルダーでは既に動いています(pid %d)。kill %d で止まります", "already running on this state (pid %d); kill %d stops it",
                      pid, pid);
            return false;
        }
        if (waited >= LOCK_WAIT_MS)
            break;
        if (waited == 0)
            say("前回のプロセスの終了を待っています", "waiting for processes of an earlier run to end");
        usleep(100 * 1000);
    }
    say_error("%s を確保できません。前回のプロセスが残っています(fuser %s)", "cannot lock %s; processes of an earlier run are left (fuser %s)",
              p.c, p.c);
    return false;
}

static bool ports_free(const struct up *u)
{
    static const unsigned DOORS[] = { PORT_MUNICIPAL, PORT_CLINIC, PORT_PORTAL };
    unsigned ports[16];
    size_t n = 0;
    for (size_t i = 0; i < sizeof DOORS / sizeof *DOORS; i++)
        ports[n++] = u->conf.base_port + DOORS[i];
    for (unsigned p = PORT_CONTROL; u->mocks && p <= PORT_LAST; p++)
        ports[n++] = u->conf.base_port + p;
    for (size_t i = 0; i < n; i++) {
        if (err_ok(probe_port_free(ports[i])))
            continue;
        say_error("ポート %u は使えません(%s)。使っているプログラム(ss -ltnp 'sport = :%u')を止めるか、--base-port を変えてください",
                  "port %u cannot be used (%s); stop the program that uses it (ss -ltnp 'sport = :%u') or give another --base-port",
                  ports[i], strerror(errno), ports[i]);
        return false;
    }
    return true;
}

static bool programs_there(const struct up *u)
{
    for (size_t i = 0; i < u->n_specs; i++) {
        const char *p = u->specs[i].argv[0];
        if (access(p, X_OK) == 0)
            continue;
        say_error("%s がありません。先に cmake --build を実行するか --bin を指定してください", "%s is missing; build it first or give --bin", p);
        return false;
    }
    return true;
}

/* ---- the children ---- */

static const char *path_keep(struct up *u, struct state_path p)
{
    u->paths[u->n_paths] = p;
    return u->paths[u->n_paths++].c;
}

__attribute__((format(printf, 2, 3))) static const char *text_keep(struct up *u, const char *fmt, ...)
{
    va_list args;
    va_start(args, fmt);
    vsnprintf(u->texts[u->n_texts], sizeof u->texts[0], fmt, args);
    va_end(args);
    return u->texts[u->n_texts++];
}

static uint64_t stop_of(const struct state *s, enum conf_daemon who, const char *file)
{
    struct conf c = { 0 };
    if (!err_ok(conf_load(&c, who, state_at(s, "conf/%s", file).c)))
        return STOP_DEFAULT_MS + STOP_MORE_MS;
    const uint64_t ms = c.stop_ms + STOP_MORE_MS;
    conf_free(&c);
    return ms;
}

static uint64_t stop_of_front(const struct state *s) { return stop_of(s, CONF_F, "front.yaml"); }
static uint64_t stop_of_intake(const struct state *s) { return stop_of(s, CONF_I, "intake.yaml"); }
static uint64_t stop_of_others(const struct state *s) { return (void)s, OTHERS_STOP_MS; }

static struct child_spec *spec_add(struct up *u, int part, unsigned stage, const char *program)
{
    struct child_spec *c = &u->specs[u->n_specs++];
    *c = (struct child_spec){ .name = probe_part((size_t)part)->name, .stage = stage, .ready = probe_part((size_t)part)->ask,
                               .stop_ms = part == PROBE_FRONT ? stop_of_front : part == PROBE_INTAKE ? stop_of_intake : stop_of_others };
    c->argv[0] = program;
    return c;
}

static void daemon_add(struct up *u, int part, unsigned stage, const char *conf)
{
    struct child_spec *c = spec_add(u, part, stage, path_keep(u, state_bin(&u->state, probe_part((size_t)part)->name)));
    c->argv[1] = "--config";
    c->argv[2] = path_keep(u, state_at(&u->state, "conf/%s", conf));
}

/* Our own, or a relay to one that is elsewhere, where there are settings of one. */
static void server_add(struct up *u, int part, const char *server)
{
    const struct conf_file *relay = conf_file_relay(&u->state, probe_part((size_t)part)->name);
    struct child_spec *c = spec_add(u, part, 0, relay ? path_keep(u, state_bin(&u->state, "pmhgw-relay")) : server);
    if (relay) {
        c->argv[1] = "--config";
        c->argv[2] = path_keep(u, conf_file_path(&u->state, relay));
    } else {
        c->argv[1] = path_keep(u, state_at(&u->state, "conf/%s.conf", c->name));
    }
}

static void mocks_add(struct up *u)
{
    const struct state *s = &u->state;
    struct child_spec *c = spec_add(u, PROBE_MOCKS, 2, path_keep(u, state_bin(s, "pmhgw-mocks")));
    const char *const args[] = {
        "--state", path_keep(u, state_at(s, "mocks")), "--certs", path_keep(u, state_at(s, "certs")), "--host", "127.0.0.1",
        "--base-port", text_keep(u, "%u", u->conf.base_port), "--portal-door",
        text_keep(u, "https://127.0.0.1:%u", u->conf.base_port + PORT_PORTAL), "--link-key",
        path_keep(u, state_at(s, "keys/link-jwe.key")), "--kid", "k1", "--data", path_keep(u, state_at(s, "data")), "--desk",
        "--clinic-door", text_keep(u, "https://127.0.0.1:%u", u->conf.base_port + PORT_CLINIC), "--audit-pub", path_keep(u, state_at(s, "keys/audit.pub")),
    };
    for (size_t i = 0; i < sizeof args / sizeof *args; i++)
        c->argv[i + 1] = args[i];
}

static void specs_make(struct up *u)
{
    struct state_path found;
    const char *server = find_program("redis-server", &found) ? path_keep(u, found) : "redis-server";
    server_add(u, PROBE_REDIS_VAULT, server);
    server_add(u, PROBE_REDIS_LINK, server);
    daemon_add(u, PROBE_AUDIT, 0, "audit.yaml");
    daemon_add(u, PROBE_VAULT, 1, "vault.yaml");
    daemon_add(u, PROBE_SIGNER, 1, "signer.yaml");
    if (u->mocks)
        mocks_add(u);
    daemon_add(u, PROBE_INTAKE, 2, "intake.yaml");
    daemon_add(u, PROBE_FRONT, 2, "front.yaml");
    daemon_add(u, PROBE_COURIER, 2, "courier.yaml");
}

/* ---- sockets ---- */

static bool sockets_open(struct up *u)
{
    static const struct { int part; const char *file; } BY_FILE[] = { { PROBE_AUDIT, "audit" }, { PROBE_VAULT, "vault" }, { PROBE_SIGNER, "signer" }, { PROBE_INTAKE, NULL } };
    for (size_t i = 0; i < u->n_specs; i++) {
        struct child_spec *c = &u->specs[i];
        for (size_t k = 0; k < sizeof BY_FILE / sizeof *BY_FILE; k++) {
            if (strcmp(c->name, probe_part((size_t)BY_FILE[k].part)->name) != 0)
                continue;
            struct err e = BY_FILE[k].file ? sockets_unix(state_at(&u->state, "run/%s.sock", BY_FILE[k].file).c, &c->socket)
                                           : sockets_tcp(u->conf.base_port + PORT_MUNICIPAL, &c->socket);
            if (err_ok(e))
                continue;
            say_error("%s のソケットを開けません(%s)", "cannot open the socket of %s (%s)", c->name, strerror(errno));
            return false;
        }
    }
    return true;
}

/* ---- */

static bool write_number(const struct state *s, const char *name, uint64_t v)
{
    struct buf b;
    buf_init(&b, 32);
    buf_u64(&b, v);
    buf_putc(&b, '\n');
    struct err e = file_write(state_at(s, "run/%s", name).c, buf_slice(&b));
    buf_done(&b);
    if (!err_ok(e))
        say_err("状態フォルダーに書けません", "cannot write into the state folder", e);
    return err_ok(e);
}

struct step { const char *ja, *en; struct err (*fn)(const struct state *s, const struct setup_conf *c); };
static const struct step STEPS[] = {
    { "証明書(開発用)", "development certificates", setup_certs },
    { "失効リスト", "list of revoked certificates", setup_crl },
    { "鍵と合言葉", "keys and passwords", setup_keys },
    { "設定", "configuration", setup_conf_files },
};

static bool setup_all(struct up *u)
{
    for (size_t i = 0; i < sizeof STEPS / sizeof *STEPS; i++) {
        struct err e = STEPS[i].fn(&u->state, &u->conf);
        if (!err_ok(e)) {
            say_err(STEPS[i].ja, STEPS[i].en, e);
            return false;
        }
        say_done(STEPS[i].ja, STEPS[i].en);
    }
    return write_number(&u->state, "base-port", u->conf.base_port);
}

static void on_ready(void *arg)
{
    struct up *u = arg;
    write_number(&u->state, "ready", (uint64_t)getpid());
    say("準備完了。自治体 https://127.0.0.1:%u  医療機関 :%u  ポータル :%u  状態 %s  (Ctrl-C で停止)",
        "ready: municipal door https://127.0.0.1:%u, clinic :%u, portal :%u, state %s (Ctrl-C stops)", u->conf.base_port + PORT_MUNICIPAL,
        u->conf.base_port + PORT_CLINIC, u->conf.base_port + PORT_PORTAL, u->state.dir);
}

static void on_failed(void *arg)
{
    struct up *u = arg;
    u->failed = true;
}

/* ---- orders of `pmhgw reload` and `pmhgw upgrade` ---- */

static void on_order_done(void *arg, struct slice lines)
{
    struct up *u = arg;
    struct err e = file_write(state_at(&u->state, "run/order.done").c, lines);
    if (!err_ok(e))
        say_err("状態フォルダーに書けません", "cannot write into the state folder", e);
}

/* SIGHUP: run/order names who is to be started again; without it, everybody reads his settings anew. */
static void on_hup(void *arg)
{
    static const char *const DAEMONS[] = { "pmhgw-audit", "pmhgw-vault", "pmhgw-signer", "pmhgw-intake", "pmhgw-front", "pmhgw-courier" };
    struct up *u = arg;
    struct buf names;
    buf_init(&names, ORDER_MAX);
    if (!err_ok(file_read(state_at(&u->state, "run/order").c, &names))) {
        children_signal(u->kids, DAEMONS, sizeof DAEMONS / sizeof *DAEMONS, SIGHUP);
    } else {
        unlink(state_at(&u->state, "run/order").c);
        if (!children_renew(u->kids, buf_slice(&names), on_order_done, u))
            say_warn("前の指示を実行中です", "an earlier order is under way");
    }
    buf_done(&names);
}

static int run(struct up *u)
{
    struct loop *l;
    struct children_conf conf = { &u->state, u->specs, u->n_specs, u->lock_fd, on_ready, on_failed, u };
    struct err e = loop_new(&l, clock_system());
    if (!err_ok(e)) {
        say_err("開始できません", "cannot start", e);
        return 2;
    }
    e = children_new(&u->kids, l, &conf);
    loop_on_hup(l, on_hup, u);
    if (err_ok(e))
        loop_run(l, STOP_GRACE_MS);
    else
        say_err("開始できません", "cannot start", e);
    unlink(state_at(&u->state, "run/ready").c);
    unlink(state_at(&u->state, "run/up.pid").c);
    loop_free(l);
    children_free(u->kids);
    say("停止しました", "stopped");
    return err_ok(e) && !u->failed ? 0 : 2;
}

static bool munis_good(const struct opt_list *munis)
{
    for (size_t i = 0; i < munis->n; i++)
        if (strlen(munis->v[i]) != 6 || !all_digits(slice_str(munis->v[i]))) {
            say_error("--muni は 6 桁の自治体コードです", "--muni takes a municipality code of 6 digits");
            return false;
        }
    return true;
}

static int up_go(struct up *u, const struct state_dirs *dirs)
{
    umask(077); /* the children inherit it: Redis makes its folders open to all otherwise */
    if (!state_open(&u->state, dirs, true) || !needs_met(&u->state) || !state_make_dirs(&u->state) || !lock_take(u) ||
        !write_number(&u->state, "up.pid", (uint64_t)getpid()))
        return 2;
    unlink(state_at(&u->state, "run/ready").c);
    if (u->only_setup) {
        bool made = setup_all(u);
        unlink(state_at(&u->state, "run/up.pid").c);
        return made ? 0 : 2;
    }
    specs_make(u);
    if (!programs_there(u) || !ports_free(u) || !setup_all(u) || !sockets_open(u)) {
        unlink(state_at(&u->state, "run/up.pid").c);
        return 2;
    }
    return run(u);
}

int cmd_up(int argc, char **argv)
{
    bool mocks = false, only_setup = false;
    struct state_dirs dirs = { 0 };
    struct opt_list munis = { { "331007", "271403", "222127" }, 3 }, operands;
    uint64_t port = BASE_PORT_DEFAULT, workers = 2;
    enum opts_end end = CLI_PARSE(argc, argv, "up", &operands, { "--state", &dirs.state }, { "--base-port", &port }, { "--workers", &workers }, { "--muni", &munis }, { "--mocks", &mocks }, { "--only-setup", &only_setup }, { "--bin", &dirs.bin }, { "--share", &dirs.share });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!munis_good(&munis))
        return 2;
    struct err e = web_setup();
    struct up *u = err_ok(e) ? calloc(1, sizeof *u) : NULL; /* many paths: too large for the stack */
    if (!u) {
        say_err("開始できません", "cannot start", e);
        return 2;
    }
    log_open(LITERAL("pmhgw"), LOG_WARN);
    u->mocks = mocks;
    u->only_setup = only_setup;
    u->conf = (struct setup_conf){ (unsigned)port, (unsigned)workers, munis.v, munis.n };
    int status = up_go(u, &dirs);
    free(u);
    return status;
}
