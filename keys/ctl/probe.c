#include "keys/ctl/probe.h"

#include <arpa/inet.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/signer/signer.h"
#include "keys/ctl/web.h"
#include "keys/vault/vault_msg.h"

enum { PROBE_MS = 1500 };

static int unix_connect(const char *path)
{
    struct sockaddr_un un = { .sun_family = AF_UNIX };
    struct timeval tv = { .tv_sec = 1, .tv_usec = 500000 };
    size_t n = strlen(path);
    if (n >= sizeof un.sun_path)
        return -1;
    memcpy(un.sun_path, path, n + 1);
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &tv, sizeof tv);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &tv, sizeof tv);
    if (connect(fd, (struct sockaddr *)&un, sizeof un) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Sends one inline command and reads the first line of the answer. STORE_DOWN: the other side has closed; STORE_SILENT. */
static ERR redis_line(int fd, const struct buf *cmd, char *line, size_t cap)
{
    size_t n = 0;
    if (cmd->failed || send(fd, cmd->p, cmd->n, MSG_NOSIGNAL) != (ssize_t)cmd->n)
        return FAIL(E_STORE_DOWN);
    while (n + 1 < cap) {
        ssize_t got = recv(fd, line + n, 1, 0);
        if (got <= 0)
            return got < 0 && errno == EAGAIN ? FAIL(E_STORE_SILENT) : FAIL(E_STORE_DOWN);
        if (line[n] == '\n')
            break;
        n++;
    }
    line[n] = '\0';
    return OK;
}

/* FORBIDDEN: it does not take the user and the password, or there is none in the file. */
static ERR redis_auth(int fd, const char *user, const char *pass_file)
{
    struct buf cmd;
    char line[128] = "";
    buf_init(&cmd, 512);
    buf_puts(&cmd, "AUTH ");
    buf_puts(&cmd, user);
    buf_putc(&cmd, ' ');
    struct err e = err_ok(file_read(pass_file, &cmd)) ? OK : FAIL(E_FORBIDDEN);
    buf_puts(&cmd, "\r\n");
    if (err_ok(e))
        e = redis_line(fd, &cmd, line, sizeof line);
    buf_done(&cmd);
    return err_ok(e) && line[0] != '+' ? FAIL(E_FORBIDDEN) : e;
}

/* One command after the login. */
static ERR redis_ask(int fd, const char *user, const char *pass_file, const char *command, char *line, size_t cap)
{
    struct buf cmd;
    if (pass_file)
        TRY(redis_auth(fd, user, pass_file));
    buf_init(&cmd, 64);
    buf_puts(&cmd, command);
    buf_puts(&cmd, "\r\n");
    struct err e = redis_line(fd, &cmd, line, cap);
    buf_done(&cmd);
    return e;
}

ERR probe_redis_said(const char *socket_path, const char *user, const char *pass_file)
{
    char line[128] = "";
    int fd = unix_connect(socket_path);
    if (fd < 0)
        return FAIL(E_UPSTREAM_DOWN);
    struct err e = redis_ask(fd, user, pass_file, "PING", line, sizeof line);
    close(fd);
    TRY(e);
    if (strncmp(line, "-LOADING", 8) == 0)
        return FAIL(E_STORE_LOADING);
    return !pass_file || line[0] == '+' || strncmp(line, "-NOPERM", 7) == 0 ? OK : FAIL(E_STORE_REFUSED);
}

ERR probe_redis(const char *socket_path, const char *user, const char *pass_file)
{
    struct err e = probe_redis_said(socket_path, user, pass_file);
    return err_ok(e) || err_is(e, E_STORE_REFUSED) ? e : FAIL(E_STORE_DOWN);
}

/* It listens to nothing: it is known by what it writes, see gateway/notice/lanes.h. */
ERR probe_courier(const struct state *s)
{
    char line[128] = "";
    int fd = unix_connect(state_at(s, "run/redis-link.sock").c);
    if (fd < 0)
        return FAIL(E_STORE_DOWN);
    const bool good = err_ok(redis_ask(fd, "intake", state_at(s, "keys/redis-link-intake.pass").c, "EXISTS nb", line, sizeof line));
    close(fd);
    return !good ? FAIL(E_STORE_DOWN) : strncmp(line, ":1", 2) == 0 ? OK : FAIL(E_BUSY);
}

/* The daemon is there, and says what ails its store. */
static bool store_trouble(struct err e)
{
    static const enum err_code CODES[] = { E_STORE_DOWN, E_STORE_SILENT, E_STORE_LOADING, E_STORE_READONLY, E_STORE_MEMORY, E_STORE_DISK };
    for (size_t i = 0; i < sizeof CODES / sizeof *CODES; i++)
        if (err_is(e, CODES[i]))
            return true;
    return false;
}

static ERR ping(const struct state *s, const char *socket_name, const char *cap_name, uint8_t type, enum err_code down,
                uint8_t body[static 8], size_t *ret_n)
{
    struct secret *cap = NULL;
    TRY(secret_read_file(&cap, state_at(s, "keys/%s", cap_name).c, IPC_CAP_BYTES));
    struct err e = ipc_call_once(state_at(s, "run/%s", socket_name).c, IPC_CTL, cap, type, SLICE_NONE, PROBE_MS, body, 8, ret_n);
    secret_free(cap);
    return err_ok(e) || store_trouble(e) ? e : FAIL(down);
}

ERR probe_audit(const struct state *s, uint64_t *ret_last_seq)
{
    uint8_t b[8] = { 0 };
    size_t n = 0;
    TRY(ping(s, "audit.sock", "cap-ctl-audit", AUDIT_MSG_PING, E_AUDIT_DOWN, b, &n));
    *ret_last_seq = 0;
    for (size_t i = 0; i < 8 && n == 8; i++)
        *ret_last_seq = *ret_last_seq << 8 | b[i];
    return OK;
}

ERR probe_audit_disk(const struct state *s, struct audit_disk_status *ret_d)
{
    struct secret *cap = NULL;
    TRY(secret_read_file(&cap, state_at(s, "keys/cap-ctl-audit").c, IPC_CAP_BYTES));
    struct err e = audit_status_once(state_at(s, "run/audit.sock").c, cap, PROBE_MS, ret_d);
    secret_free(cap);
    return err_ok(e) ? OK : FAIL(E_AUDIT_DOWN);
}

ERR probe_vault(const struct state *s)
{
    uint8_t b[8];
    size_t n = 0;
    return ping(s, "vault.sock", "cap-ctl-vault", NZ_VAULT_PING, E_VAULT_DOWN, b, &n);
}

ERR probe_signer_keys(const struct state *s, struct signer_keys *ret_k)
{
    struct secret *cap = NULL;
    TRY(secret_read_file(&cap, state_at(s, "keys/cap-ctl-signer").c, IPC_CAP_BYTES));
    struct err e = signer_keys_once(state_at(s, "run/signer.sock").c, IPC_CTL, cap, PROBE_MS, ret_k);
    secret_free(cap);
    return err_ok(e) ? OK : FAIL(E_SIGNER_DOWN);
}

ERR probe_signer(const struct state *s)
{
    struct signer_keys keys;
    return probe_signer_keys(s, &keys);
}

static ERR get_status(const struct state *s, const char *cert, unsigned port, const char *path, int *ret_status, enum err_code *ret_said)
{
    struct web *w;
    struct web_answer a;
    TRY(web_new(&w, s, cert));
    struct web_call c = { .method = "GET", .port = port, .path = path, .timeout_ms = PROBE_MS };
    struct err e = web_send(w, &c, &a);
    *ret_status = a.status;
    *ret_said = web_problem_code(&a);
    web_answer_done(&a);
    web_free(w);
    return e;
}

ERR probe_door(const struct state *s, unsigned port)
{
    int status;
    enum err_code said;
    TRY(get_status(s, NULL, port, "/health", &status, &said));
    if (status == 200)
        return OK;
    return FAIL(status != 503 ? E_UPSTREAM_DOWN : said == E_INTERNAL ? E_BUSY : said);
}

ERR probe_mock(const struct state *s, unsigned port, const char *path)
{
    int status;
    enum err_code said;
    return get_status(s, "operator-local", port, path, &status, &said);
}

typedef struct err redis_fn(const char *socket_path, const char *user, const char *pass_file);

static ERR ask_store(const struct state *s, size_t part, redis_fn *ask)
{
    static const struct { const char *user, *pass; } AS[] = { [PROBE_REDIS_VAULT] = { "vault", "redis-vault" }, [PROBE_REDIS_LINK] = { "intake", "redis-link-intake" } };
    return ask(state_at(s, "run/%s.sock", probe_part(part)->name).c, AS[part].user, state_at(s, "keys/%s.pass", AS[part].pass).c);
}

static ERR ask_redis_vault(const struct state *s) { return ask_store(s, PROBE_REDIS_VAULT, probe_redis); }
static ERR ask_redis_link(const struct state *s) { return ask_store(s, PROBE_REDIS_LINK, probe_redis); }

ERR probe_store_said(const struct state *s, size_t part) { return ask_store(s, part, probe_redis_said); }

static ERR ask_audit(const struct state *s)
{
    uint64_t seq;
    return probe_audit(s, &seq);
}

static ERR ask_intake(const struct state *s) { return probe_door(s, state_base_port(s) + PORT_MUNICIPAL); }

static ERR ask_front(const struct state *s)
{
    TRY(probe_door(s, state_base_port(s) + PORT_CLINIC));
    return probe_door(s, state_base_port(s) + PORT_PORTAL);
}

static ERR ask_mocks(const struct state *s) { return probe_mock(s, state_base_port(s) + PORT_CONTROL, "/state"); }

static const struct probe_part PARTS[PROBE_PARTS] = {
    { "redis-vault", ask_redis_vault }, { "redis-link", ask_redis_link }, { "pmhgw-audit", ask_audit }, { "pmhgw-vault", probe_vault },
    { "pmhgw-signer", probe_signer },
    { "pmhgw-intake", ask_intake },     { "pmhgw-front", ask_front },     { "pmhgw-courier", probe_courier },
    { "pmhgw-mocks", ask_mocks },
};

const struct probe_part *probe_part(size_t i) { return &PARTS[i]; }

ERR probe_port_free(unsigned port)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = htons((uint16_t)port), .sin_addr = { htonl(INADDR_LOOPBACK) } };
    int on = 1, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return FAIL(E_IO);
    setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
    bool good = bind(fd, (struct sockaddr *)&in, sizeof in) == 0 && listen(fd, 1) == 0;
    int why = errno;
    close(fd);
    errno = why;
    return good ? OK : FAIL(E_IO);
}
