#include <openssl/crypto.h>
#include <strings.h>

#include "gateway/base/text.h"
#include "mocks/desk/inside.h"

static const struct slice END = { (const uint8_t *)"\r\n\r\n", 4 };

/* What holds for this connection only. */
static const char *const OF_THE_CONNECTION[] = { "connection", "keep-alive", "proxy-connection", "upgrade", "te" };

static bool named(struct slice name, const char *what) { return name.n == strlen(what) && strncasecmp((const char *)name.p, what, name.n) == 0; }

static struct slice trimmed(struct slice s)
{
    while (s.n > 0 && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = slice_of(s.p + 1, s.n - 1);
    while (s.n > 0 && (s.p[s.n - 1] == ' ' || s.p[s.n - 1] == '\t'))
        s.n--;
    return s;
}

/* <name>.<key>.localhost:<port> */
static bool way_of(const struct desk_names *names, struct slice host, size_t *ret_way)
{
    char rest[DESK_KEY_CHARS + 32];
    const uint8_t *dot = host.n ? memchr(host.p, '.', host.n) : NULL;
    int n = snprintf(rest, sizeof rest, ".%s.localhost:%u", names->key, names->port);
    if (!dot || (size_t)(host.p + host.n - dot) != (size_t)n || CRYPTO_memcmp(dot, rest, (size_t)n) != 0)
        return false;
    struct slice name = slice_of(host.p, (size_t)(dot - host.p));
    for (size_t i = 0; i < names->n; i++)
        if (names->of[i] && slice_eq(name, slice_str(names->of[i]))) {
            *ret_way = i;
            return true;
        }
    return false;
}

/* "GET /path HTTP/1.1" */
static bool line_good(struct slice line)
{
    size_t blanks = 0, first = 0;
    for (size_t i = 0; i < line.n; i++)
        if (line.p[i] == ' ' && ++blanks == 1)
            first = i;
    return blanks == 2 && first > 0 && first + 1 < line.n && line.p[first + 1] == '/' && line.n > 9 && slice_eq(slice_of(line.p + line.n - 9, 9), LIT(" HTTP/1.1"));
}

struct reading {
    const struct desk_names *names;
    struct buf *out;
    size_t hosts, way;
    bool ours;
};

static bool header_take(struct reading *g, struct slice line)
{
    const uint8_t *colon = memchr(line.p, ':', line.n);
    struct slice name = slice_of(line.p, colon ? (size_t)(colon - line.p) : 0);
    if (name.n == 0 || memchr(name.p, ' ', name.n) || memchr(name.p, '\t', name.n))
        return false;
    for (size_t i = 0; i < sizeof OF_THE_CONNECTION / sizeof *OF_THE_CONNECTION; i++)
        if (named(name, OF_THE_CONNECTION[i]))
            return true;
    if (named(name, "host")) {
        g->hosts++;
        g->ours = way_of(g->names, trimmed(slice_of(colon + 1, line.n - name.n - 1)), &g->way);
    }
    buf_put(g->out, line);
    buf_puts(g->out, "\r\n");
    return true;
}

static bool bytes_good(struct slice head)
{
    for (size_t i = 0; i < head.n; i++) {
        uint8_t b = head.p[i];
        bool end = b == '\r' && i + 1 < head.n && head.p[i + 1] == '\n';
        bool of_end = b == '\n' && i > 0 && head.p[i - 1] == '\r';
        if ((b < 0x20 && b != '\t' && !end && !of_end) || b == 0x7f)
            return false;
    }
    return true;
}

enum desk_verdict desk__head(const struct desk_names *names, struct slice in, struct buf *out, size_t *ret_way, size_t *ret_taken)
{
    const uint8_t *end = in.n ? memmem(in.p, in.n, END.p, END.n) : NULL;
    struct reading g = { .names = names, .out = out };
    if (!end)
        return in.n >= DESK_HEAD_MAX ? DESK_BAD : DESK_NEED;
    struct slice head = slice_of(in.p, (size_t)(end - in.p) + 2);
    if (head.n > DESK_HEAD_MAX || !bytes_good(head))
        return DESK_BAD;
    for (bool first = true; head.n > 0; first = false) {
        const uint8_t *eol = memmem(head.p, head.n, "\r\n", 2);
        struct slice line = slice_of(head.p, (size_t)(eol - head.p));
        head = slice_of(eol + 2, head.n - line.n - 2);
        if (first ? !line_good(line) : line.n == 0 || !header_take(&g, line))
            return DESK_BAD;
        if (first) {
            buf_put(out, line);
            buf_puts(out, "\r\n");
        }
    }
    if (g.hosts != 1)
        return DESK_BAD;
    if (!g.ours)
        return DESK_STRANGER;
    buf_puts(out, "Connection: close\r\n\r\n");
    *ret_way = g.way;
    *ret_taken = (size_t)(end - in.p) + END.n;
    return DESK_GO;
}
