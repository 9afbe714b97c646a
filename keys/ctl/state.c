#include "keys/ctl/state.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "keys/ctl/say.h"

struct state_path state_at(const struct state *s, const char *fmt, ...)
{
    struct state_path p;
    int n = snprintf(p.c, sizeof p.c, "%s/", s->dir);
    va_list args;
    va_start(args, fmt);
    int m = n > 0 && (size_t)n < sizeof p.c ? vsnprintf(p.c + n, sizeof p.c - (size_t)n, fmt, args) : -1;
    va_end(args);
    if (m < 0 || (size_t)m >= sizeof p.c - (size_t)n) {
        say_error("状態フォルダーの名前が長すぎます", "the name of the state folder is too long");
        exit(2);
    }
    return p;
}

struct state_path state_bin(const struct state *s, const char *program)
{
    struct state_path p;
    if (snprintf(p.c, sizeof p.c, "%s/%s", s->bin, program) >= (int)sizeof p.c)
        p.c[0] = '\0';
    return p;
}

bool file_exists(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0;
}

static bool dir_of_self(char out[static PATH_MAX])
{
    ssize_t n = readlink("/proc/self/exe", out, PATH_MAX - 1);
    if (n <= 0)
        return false;
    out[n] = '\0';
    char *slash = strrchr(out, '/');
    if (!slash)
        return false;
    *slash = '\0';
    return true;
}

/* Installed: <prefix>/bin and <prefix>/share/pmhgw. In the source tree: build/<preset>/bin and config. */
static bool find_share(char out[static PATH_MAX], const char *bin, const char *given)
{
    static const char *const PLACES[] = { "%s/../share/pmhgw", "%s/../../../config", "%s/../../config" };
    struct state_path probe;
    if (!given)
        given = getenv("PMHGW_SHARE");
    if (given)
        return realpath(given, out) != NULL;
    for (size_t i = 0; i < sizeof PLACES / sizeof *PLACES; i++) {
        const char *tail = PLACES[i] + 2;
        if (snprintf(probe.c, sizeof probe.c, "%s%s/dev-ca", bin, tail) >= (int)sizeof probe.c || !file_exists(probe.c))
            continue;
        if (snprintf(probe.c, sizeof probe.c, "%s%s", bin, tail) < (int)sizeof probe.c && realpath(probe.c, out))
            return true;
    }
    return false;
}

/* bind() and connect() take at most sizeof sun_path; found late it would look like a dead daemon. */
static bool sockets_fit(const struct state *s)
{
    size_t longest = strlen(s->dir) + strlen("/run/redis-vault.sock");
    struct sockaddr_un un;
    if (longest < sizeof un.sun_path)
        return true;
    say_error("状態フォルダーのパスが %zu 文字長すぎます(UNIX ソケットの上限)。--state に短いパスを指定してください",
              "the state path is %zu characters too long for a unix socket; give a shorter --state", longest - sizeof un.sun_path + 1);
    return false;
}

bool state_open(struct state *ret_s, const struct state_dirs *d, bool create)
{
    *ret_s = (struct state){ 0 };
    const char *dir = d->state ? d->state : getenv("PMHGW_STATE");
    if (!dir || !*dir)
        dir = ".state";
    if (create && mkdir(dir, 0700) != 0 && errno != EEXIST) {
        say_error("%s を作れません: %s", "cannot make %s: %s", dir, strerror(errno));
        return false;
    }
    if (!realpath(dir, ret_s->dir)) {
        say_error("%s がありません。先に pmhgw up を実行してください", "there is no %s; run pmhgw up first", dir);
        return false;
    }
    if (!sockets_fit(ret_s))
        return false;
    bool have_bin = d->bin ? realpath(d->bin, ret_s->bin) != NULL : dir_of_self(ret_s->bin);
    if (!have_bin) {
        say_error("--bin のフォルダーがありません", "the folder given with --bin does not exist");
        return false;
    }
    if (!find_share(ret_s->share, ret_s->bin, d->share) && create) {
        say_error("dev-ca と設定の雛形が見つかりません。--share を指定してください", "dev-ca and the templates are not found; give --share");
        return false;
    }
    return true;
}

bool state_make_dirs(const struct state *s)
{
    static const char *const DIRS[] = { "certs", "keys", "conf", "run", "redis-vault", "redis-link", "audit", "log", "mocks", "data" };
    struct stat st;
    if (stat(s->dir, &st) == 0 && (st.st_mode & 077) != 0 && st.st_uid == geteuid() && chmod(s->dir, 0700) != 0)
        say_warn("%s は他の利用者にも開いています", "%s is open to other users", s->dir);
    for (size_t i = 0; i < sizeof DIRS / sizeof *DIRS; i++) {
        struct state_path p = state_at(s, "%s", DIRS[i]);
        if (mkdir(p.c, 0700) != 0 && errno != EEXIST) {
            say_error("%s を作れません: %s", "cannot make %s: %s", p.c, strerror(errno));
            return false;
        }
    }
    return true;
}

/* Whoever could read the file that is replaced can read the new one: a daemon of another user reads lists that this command writes. */
static bool keep_rights(int fd, const char *path)
{
    struct stat st;
    if (lstat(path, &st) != 0 || !S_ISREG(st.st_mode))
        return true;
    const bool same = st.st_uid == geteuid() && st.st_gid == getegid();
    return (same || fchown(fd, st.st_uid, st.st_gid) == 0) && fchmod(fd, st.st_mode & 0777) == 0;
}

ERR file_write(const char *path, struct slice content)
{
    char tmp[PATH_MAX];
    if (snprintf(tmp, sizeof tmp, "%s.new", path) >= (int)sizeof tmp)
        return FAIL(E_FULL);
    int fd = file_new(tmp);
    if (fd < 0)
        return FAIL(E_IO);
    bool good = err_ok(fd_write_all(fd, content)) && keep_rights(fd, path) && fsync(fd) == 0;
    good = close(fd) == 0 && good;
    if (good && rename(tmp, path) == 0)
        return OK;
    unlink(tmp);
    return FAIL(E_IO);
}

static uint64_t number_in_file(const char *path)
{
    struct buf b;
    uint64_t v = 0;
    buf_init(&b, 64);
    if (err_ok(file_read(path, &b))) {
        struct slice s = buf_slice(&b);
        while (s.n && (s.p[s.n - 1] == '\n' || s.p[s.n - 1] == ' '))
            s.n--;
        if (!u64_parse(s, &v))
            v = 0;
    }
    buf_done(&b);
    return v;
}

unsigned state_base_port(const struct state *s)
{
    struct state_path p = state_at(s, "run/base-port");
    uint64_t v = number_in_file(p.c);
    return v && v <= 65535 - PORT_LAST ? (unsigned)v : 0;
}

/* `up` and what it has started hold the lock while they live. Without them a number that was left behind is somebody else's. */
static bool lock_held(const struct state *s)
{
    int fd = open(state_at(s, "run/lock").c, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno != ENOENT;
    const bool held = flock(fd, LOCK_SH | LOCK_NB) != 0;
    close(fd);
    return held;
}

int state_pid(const struct state *s, const char *name)
{
    struct state_path p = state_at(s, "run/%s.pid", name);
    uint64_t v = number_in_file(p.c);
    if (v == 0 || v > INT_MAX || (kill((pid_t)v, 0) != 0 && errno != EPERM) || !lock_held(s))
        return 0;
    return (int)v;
}
