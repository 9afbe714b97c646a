/* What this machine could do at best with the rows of a file, so that the gateway's figure has something beside it.
 *
 *   bulk_ceiling plain FILE.csv ROUNDS
 *       splits every row, checks characters, dates and the check digit, HMAC of the number, AES-256-GCM of the rest: one thread, kept contexts
 *   bulk_ceiling redis LINK_SOCKET VAULT_SOCKET ROWS LINK_BYTES VAULT_BYTES
 *       writes as many bytes a row as the gateway does, in the same commands, to both stores at a time: 8 connections each, 64 rows a batch,
 *       the next batch when the last one is acknowledged. One thread; no ACL, no reading, no script.
 *
 * Prints "plain ROWS/S" or "redis ROWS/S". */

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/file.h"
#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"

enum { CELLS_MAX = 64, CONNS = 8, ROWS_A_BATCH = 64, OUT_MAX = 1 << 20, IN_BYTES = 1 << 16, NUMBER_DIGITS = 12 };

static void die(const char *what)
{
    fprintf(stderr, "bulk_ceiling: %s\n", what);
    exit(2);
}

static double now_s(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* ---- plain ---- */

struct plain {
    struct mac *mac;
    struct aead *aead;
    struct buf sealed;
    size_t bad;
};

static size_t row_split(struct slice *rest, struct slice cells[static CELLS_MAX])
{
    size_t n = 0, from = 0, i = 0;
    bool quoted = false;
    for (; i < rest->n; i++) {
        uint8_t c = rest->p[i];
        if (c == '"')
            quoted = !quoted;
        else if (!quoted && (c == ',' || c == '\n')) {
            size_t end = c == '\n' && i > from && rest->p[i - 1] == '\r' ? i - 1 : i;
            if (n < CELLS_MAX)
                cells[n++] = slice_of(rest->p + from, end - from);
            from = i + 1;
            if (c == '\n')
                break;
        }
    }
    *rest = slice_of(rest->p + from, rest->n - from);
    return n;
}

static bool check_digit_ok(struct slice d)
{
    static const unsigned WEIGHTS[] = { 6, 5, 4, 3, 2, 7, 6, 5, 4, 3, 2 };
    unsigned sum = 0;
    for (size_t i = 0; i < sizeof WEIGHTS / sizeof *WEIGHTS; i++)
        sum += WEIGHTS[i] * (unsigned)(d.p[i] - '0');
    unsigned r = sum % 11;
    return (unsigned)(d.p[NUMBER_DIGITS - 1] - '0') == (r <= 1 ? 0 : 11 - r);
}

static void row_do(struct plain *p, const struct slice *cells, size_t n)
{
    uint8_t sum[MAC_BYTES];
    for (size_t i = 0; i < n; i++) {
        ymd_t day;
        p->bad += !utf8_valid(cells[i]);
        if (cells[i].n == 10 && cells[i].p[4] == '-')
            p->bad += !ymd_parse(cells[i], &day);
        if (cells[i].n == NUMBER_DIGITS && all_digits(cells[i])) {
            p->bad += !check_digit_ok(cells[i]);
            if (!err_ok(MAC_SUM(p->mac, sum, LIT("331007"), cells[i])))
                die("HMAC failed");
        }
    }
    buf_reset(&p->sealed);
    struct slice row = slice_of(cells[0].p, (size_t)(cells[n - 1].p + cells[n - 1].n - cells[0].p));
    if (!err_ok(aead_seal(p->aead, ARR(sum), row, &p->sealed)))
        die("sealing failed");
}

static void plain_run(const char *path, uint64_t rounds)
{
    struct buf file;
    struct plain p = { 0 };
    struct secret *key;
    struct slice cells[CELLS_MAX];
    size_t rows = 0;
    buf_init(&file, (size_t)4 << 30);
    buf_init(&p.sealed, 1 << 20);
    if (!err_ok(file_read(path, &file)) || !err_ok(secret_random(&key, AEAD_KEY)) || !err_ok(mac_new(&p.mac, key)) || !err_ok(aead_new(&p.aead, key)))
        die("cannot begin");
    double from = now_s();
    for (uint64_t i = 0; i < rounds; i++) {
        struct slice rest = buf_slice(&file);
        row_split(&rest, cells);
        for (size_t n; rest.n && (n = row_split(&rest, cells)); rows++)
            row_do(&p, cells, n);
    }
    double s = now_s() - from;
    if (p.bad)
        die("the file has bad rows");
    printf("plain %.0f\n", (double)rows / s);
}

/* ---- redis ---- */

struct conn {
    int fd;
    bool vault;
    struct buf out;
    size_t sent, replies, awaited;
    bool fresh; /* nothing of the next reply was seen */
};

struct load {
    struct conn conns[2 * CONNS];
    uint64_t left[2], seed;
    size_t record, sealed; /* bytes of the big value of a row */
};

static void hex_put(struct load *l, struct buf *out)
{
    char hex[33];
    l->seed = l->seed * 6364136223846793005u + 1442695040888963407u;
    snprintf(hex, sizeof hex, "%016llx%016llx", (unsigned long long)l->seed, (unsigned long long)~l->seed);
    buf_put(out, slice_of(hex, 32));
}

static void arg_text(struct buf *out, const char *s) { buf_puts(out, s); }

static void bytes_put(struct buf *out, size_t n)
{
    char head[32];
    static uint8_t zeros[64 * 1024];
    snprintf(head, sizeof head, "$%zu\r\n", n);
    buf_puts(out, head);
    buf_put(out, slice_of(zeros, n));
    buf_puts(out, "\r\n");
}

static void row_link(struct load *l, struct buf *out)
{
    arg_text(out, "*6\r\n$4\r\nHSET\r\n$34\r\ns:");
    hex_put(l, out);
    arg_text(out, "\r\n$1\r\nk\r\n");
    bytes_put(out, 61);
    arg_text(out, "$2\r\nrk\r\n$32\r\n");
    hex_put(l, out);
    arg_text(out, "\r\n*3\r\n$3\r\nSET\r\n$42\r\nrk:331007:");
    hex_put(l, out);
    arg_text(out, "\r\n$32\r\n");
    hex_put(l, out);
    arg_text(out, "\r\n*6\r\n$4\r\nHSET\r\n$36\r\np:{");
    hex_put(l, out);
    arg_text(out, "}\r\n$25\r\nr:331007:0123456789abcdef\r\n");
    bytes_put(out, l->record);
    arg_text(out, "$8\r\ns:331007\r\n$32\r\n");
    hex_put(l, out);
    arg_text(out, "\r\n");
}

static void row_vault(struct load *l, struct buf *out)
{
    arg_text(out, "*3\r\n$3\r\nSET\r\n$68\r\ni:1:");
    hex_put(l, out);
    hex_put(l, out);
    arg_text(out, "\r\n");
    bytes_put(out, 32);
    arg_text(out, "*3\r\n$3\r\nSET\r\n$34\r\nn:");
    hex_put(l, out);
    arg_text(out, "\r\n");
    bytes_put(out, l->sealed);
}

static void batch_fill(struct load *l, struct conn *c)
{
    uint64_t *left = &l->left[c->vault];
    size_t n = *left < ROWS_A_BATCH ? (size_t)*left : ROWS_A_BATCH;
    buf_reset(&c->out);
    for (size_t i = 0; i < n; i++)
        (c->vault ? row_vault : row_link)(l, &c->out);
    *left -= n;
    c->sent = c->replies = 0;
    c->awaited = n * (c->vault ? 2 : 3);
}

static int conn_open(const char *path)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    if (fd < 0 || connect(fd, (struct sockaddr *)&a, sizeof a) != 0)
        die("cannot connect to Redis");
    return fd;
}

/* Replies are one line each: +OK or :n. */
static void conn_read(struct conn *c)
{
    char in[IN_BYTES];
    ssize_t n = read(c->fd, in, sizeof in);
    if (n == 0 || (n < 0 && errno != EAGAIN))
        die("Redis has gone");
    for (ssize_t i = 0; i < n; i++) {
        if (c->fresh && in[i] == '-')
            die("Redis refused a command");
        c->fresh = in[i] == '\n';
        c->replies += c->fresh;
    }
}

static void conn_write(struct conn *c)
{
    ssize_t n = write(c->fd, c->out.p + c->sent, c->out.n - c->sent);
    if (n < 0 && errno != EAGAIN)
        die("Redis has gone");
    c->sent += n > 0 ? (size_t)n : 0;
}

static bool load_step(struct load *l)
{
    struct pollfd p[2 * CONNS];
    bool busy = false;
    for (size_t i = 0; i < 2 * CONNS; i++) {
        struct conn *c = &l->conns[i];
        if (c->replies == c->awaited && l->left[c->vault])
            batch_fill(l, c);
        bool waits = c->replies < c->awaited;
        busy |= waits;
        p[i] = (struct pollfd){ .fd = waits ? c->fd : -1, .events = (short)(POLLIN | (c->sent < c->out.n ? POLLOUT : 0)) };
    }
    if (!busy)
        return false;
    if (poll(p, 2 * CONNS, 10000) <= 0)
        die("Redis does not answer");
    for (size_t i = 0; i < 2 * CONNS; i++) {
        if (p[i].revents & POLLOUT)
            conn_write(&l->conns[i]);
        if (p[i].revents & (POLLIN | POLLHUP))
            conn_read(&l->conns[i]);
    }
    return true;
}

/* Bytes of a row's commands without its big value. */
static size_t overhead(struct load *l, void (*row)(struct load *l, struct buf *out), size_t big)
{
    struct buf b;
    buf_init(&b, OUT_MAX);
    row(l, &b);
    size_t n = b.n - big;
    buf_done(&b);
    return n;
}

static void redis_run(const char *link, const char *vault, uint64_t rows, uint64_t link_bytes, uint64_t vault_bytes)
{
    static struct load l;
    size_t link_over = overhead(&l, row_link, 0), vault_over = overhead(&l, row_vault, 0);
    l.seed = (uint64_t)time(NULL) * 1000003u + (uint64_t)getpid();
    l.left[0] = l.left[1] = rows;
    l.record = link_bytes > link_over ? (size_t)link_bytes - link_over : 0;
    l.sealed = vault_bytes > vault_over ? (size_t)vault_bytes - vault_over : 0;
    for (size_t i = 0; i < 2 * CONNS; i++) {
        l.conns[i] = (struct conn){ .fd = conn_open(i < CONNS ? link : vault), .vault = i >= CONNS, .fresh = true };
        buf_init(&l.conns[i].out, OUT_MAX);
    }
    double from = now_s();
    while (load_step(&l))
        ;
    printf("redis %.0f\n", (double)rows / (now_s() - from));
}

int main(int argc, char **argv)
{
    uint64_t a[3] = { 0 };
    bool plain = argc == 4 && strcmp(argv[1], "plain") == 0, redis = argc == 7 && strcmp(argv[1], "redis") == 0;
    for (int i = 0; i < (plain ? 1 : redis ? 3 : 0); i++)
        if (!u64_parse(slice_str(argv[(plain ? 3 : 4) + i]), &a[i]) || a[i] > UINT32_MAX)
            plain = redis = false;
    if (plain)
        plain_run(argv[2], a[0]);
    else if (redis)
        redis_run(argv[2], argv[3], a[0], a[1], a[2]);
    else
        die("usage: bulk_ceiling plain FILE.csv ROUNDS | redis LINK_SOCKET VAULT_SOCKET ROWS LINK_BYTES VAULT_BYTES");
    return 0;
}
