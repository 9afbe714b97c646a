#include "keys/ctl/archive.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MANIFEST_MAX = 512 << 20, SIZE_DIGITS = 11, AT_SIZE = 124, AT_SUM = 148, AT_KIND = 156, AT_MAGIC = 257 };

static const char ABOUT[] = "PMHGW", MANIFEST[] = "MANIFEST";

/* ---- names ---- */

static bool part_ok(struct slice part)
{
    if (!part.n || part.p[0] == '.')
        return false;
    for (size_t i = 0; i < part.n; i++) {
        uint8_t c = part.p[i];
        if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-'))
            return false;
    }
    return true;
}

bool archive_name_ok(enum archive_kind kind, struct slice name)
{
    static const struct { enum archive_kind kind; struct slice folder; } FOLDERS[] = {
        { ARCHIVE_DATA, LIT("audit") }, { ARCHIVE_DATA, LIT("redis-link") }, { ARCHIVE_DATA, LIT("redis-vault") }, { ARCHIVE_DATA, LIT("spool") },
        { ARCHIVE_DATA, LIT("conf") }, { ARCHIVE_DATA, LIT("certs") }, { ARCHIVE_KEYS, LIT("keys") }, { ARCHIVE_KEYS, LIT("certs") },
    };
    struct slice first, rest = name, part;
    bool known = false;
    if (kind == ARCHIVE_DATA && slice_eq(name, LIT("run/base-port"))) /* the rest of run/ is of processes that lived: whom a pid names later is signalled */
        return true;
    if (name.n > ARCHIVE_NAME_MAX || !slice_cut(name, '/', &first, &rest))
        return false;
    for (size_t i = 0; i < sizeof FOLDERS / sizeof *FOLDERS; i++)
        known |= FOLDERS[i].kind == kind && slice_eq(FOLDERS[i].folder, first);
    for (bool more = true; known && more;) {
        part = rest;
        more = slice_cut(rest, '/', &part, &rest);
        known = part_ok(part);
    }
    return known;
}

/* ---- writing ---- */

void archive_out_init(struct archive_out *a)
{
    a->members = 0;
    buf_init(&a->manifest, MANIFEST_MAX);
}

void archive_out_done(struct archive_out *a) { buf_done(&a->manifest); }

/* Octal; in base 256 what is too large for that. */
static void size_put(uint8_t *at, uint64_t size)
{
    if (size < 1ull << (3 * SIZE_DIGITS)) {
        char text[SIZE_DIGITS + 2];
        snprintf(text, sizeof text, "%011llo", (unsigned long long)size);
        memcpy(at, text, SIZE_DIGITS);
        return;
    }
    at[0] = 0x80;
    for (int i = 0; i < 8; i++)
        at[SIZE_DIGITS - i] = (uint8_t)(size >> 8 * i);
}

static unsigned sum_of(const uint8_t h[static ARCHIVE_BLOCK])
{
    unsigned sum = 0;
    for (size_t i = 0; i < ARCHIVE_BLOCK; i++)
        sum += i >= AT_SUM && i < AT_SUM + 8 ? ' ' : h[i];
    return sum;
}

void archive_header(const char *name, uint64_t size, uint64_t mtime_s, struct buf *out)
{
    uint8_t h[ARCHIVE_BLOCK] = { 0 };
    char text[16];
    memcpy(h, name, strnlen(name, ARCHIVE_NAME_MAX));
    memcpy(h + 100, "0000600", 7);
    memcpy(h + 108, "0000000", 7);
    memcpy(h + 116, "0000000", 7);
    size_put(h + AT_SIZE, size);
    snprintf(text, sizeof text, "%011llo", (unsigned long long)(mtime_s & 077777777777ull));
    memcpy(h + 136, text, 11);
    h[AT_KIND] = '0';
    memcpy(h + AT_MAGIC, "ustar\0" "00", 8);
    snprintf(text, sizeof text, "%06o", sum_of(h));
    memcpy(h + AT_SUM, text, 6);
    h[AT_SUM + 7] = ' ';
    buf_put(out, ARR(h));
}

void archive_pad(uint64_t size, struct buf *out)
{
    static const uint8_t ZERO[ARCHIVE_BLOCK];
    size_t over = (size_t)(size % ARCHIVE_BLOCK);
    if (over)
        buf_put(out, slice_of(ZERO, ARCHIVE_BLOCK - over));
}

static void line_put(struct buf *out, const char *name, const uint8_t sum[static SHA256_BYTES])
{
    buf_hex(out, slice_of(sum, SHA256_BYTES));
    buf_puts(out, "  ");
    buf_puts(out, name);
    buf_putc(out, '\n');
}

ERR archive_sum(struct archive_out *a, const char *name, const uint8_t sum[static SHA256_BYTES])
{
    line_put(&a->manifest, name, sum);
    return ++a->members < ARCHIVE_MEMBERS_MAX ? buf_check(&a->manifest) : FAIL(E_FULL);
}

ERR archive_about(struct archive_out *a, enum archive_kind kind, const char *made_at, struct buf *out)
{
    char text[128];
    uint8_t sum[SHA256_BYTES];
    int n = snprintf(text, sizeof text, "pmhgw-backup 1\nkind %s\nmade %s\n", kind == ARCHIVE_KEYS ? "keys" : "data", made_at);
    struct slice all = slice_of(text, (size_t)n);
    archive_header(ABOUT, all.n, 0, out);
    buf_put(out, all);
    archive_pad(all.n, out);
    TRY(sha256(1, &all, sum));
    return archive_sum(a, ABOUT, sum);
}

ERR archive_end(struct archive_out *a, uint64_t mtime_s, struct buf *out)
{
    static const uint8_t ZERO[2 * ARCHIVE_BLOCK];
    archive_header(MANIFEST, a->manifest.n, mtime_s, out);
    buf_put(out, buf_slice(&a->manifest));
    archive_pad(a->manifest.n, out);
    buf_put(out, ARR(ZERO));
    return buf_check(out);
}

/* ---- reading ---- */

enum place { AT_HEADER, IN_BODY, IN_PAD, AT_END, BEHIND };

struct archive_in {
    enum archive_kind kind;
    struct archive_sink sink;
    enum place place;
    uint8_t block[ARCHIVE_BLOCK];
    size_t have, pad, zeros;
    char name[ARCHIVE_NAME_MAX + 1], about[ARCHIVE_ABOUT_MAX], made[32];
    size_t n_about;
    uint64_t left, members, bytes;
    bool is_about, is_manifest, manifest_seen;
    struct sha256 *member, *expected, *told;
};

ERR archive_in_new(struct archive_in **ret_a, enum archive_kind kind, const struct archive_sink *sink)
{
    struct archive_in *a = calloc(1, sizeof *a);
    if (!a)
        return FAIL(E_NOMEM);
    a->kind = kind;
    a->sink = sink ? *sink : (struct archive_sink){ 0 };
    struct err e = sha256_new(&a->expected);
    if (err_ok(e))
        e = sha256_new(&a->told);
    if (err_ok(e))
        *ret_a = a;
    else
        archive_in_free(a);
    return e;
}

void archive_in_free(struct archive_in *a)
{
    if (!a)
        return;
    sha256_free(a->member);
    sha256_free(a->expected);
    sha256_free(a->told);
    free(a);
}

uint64_t archive_in_members(const struct archive_in *a) { return a->members; }
uint64_t archive_in_bytes(const struct archive_in *a) { return a->bytes; }
const char *archive_in_made_at(const struct archive_in *a) { return a->made; }

static bool octal(const uint8_t *p, size_t n, uint64_t *ret)
{
    uint64_t v = 0;
    size_t i = 0;
    for (; i < n && p[i] >= '0' && p[i] <= '7'; i++)
        v = v << 3 | (uint64_t)(p[i] - '0');
    for (size_t k = i; k < n; k++)
        if (p[k] != 0 && p[k] != ' ')
            return false;
    *ret = v;
    return i > 0;
}

static bool size_get(const uint8_t *at, uint64_t *ret)
{
    uint64_t v = 0;
    if (at[0] != 0x80)
        return octal(at, SIZE_DIGITS + 1, ret);
    if (at[1] || at[2] || at[3] || at[4] & 0x80)
        return false;
    for (int i = 4; i <= SIZE_DIGITS; i++)
        v = v << 8 | at[i];
    *ret = v;
    return true;
}

/* "pmhgw-backup 1", kind, made */
static bool about_ok(struct archive_in *a)
{
    const char *kind = a->kind == ARCHIVE_KEYS ? "pmhgw-backup 1\nkind keys\nmade " : "pmhgw-backup 1\nkind data\nmade ";
    size_t n = strlen(kind), m = a->n_about;
    if (m < n + 2 || !slice_eq(slice_of(a->about, n), slice_str(kind)) || a->about[m - 1] != '\n' || m - n - 1 >= sizeof a->made)
        return false;
    memcpy(a->made, a->about + n, m - n - 1);
    return a->made[strspn(a->made, "0123456789-:TZ.")] == '\0';
}

static ERR member_begin(struct archive_in *a)
{
    uint64_t sum;
    const uint8_t *h = a->block;
    if (!octal(h + AT_SUM, 8, &sum) || sum != sum_of(h) || !slice_eq(slice_of(h + AT_MAGIC, 6), slice_of("ustar", 6)) || h[AT_KIND] != '0' || !size_get(h + AT_SIZE, &a->left) || h[345] ||
        a->left > INT64_MAX / 2)
        return FAIL(E_PROTOCOL);
    memcpy(a->name, h, ARCHIVE_NAME_MAX);
    a->name[ARCHIVE_NAME_MAX] = '\0';
    a->is_about = strcmp(a->name, ABOUT) == 0;
    a->is_manifest = strcmp(a->name, MANIFEST) == 0;
    bool first = a->members == 0;
    if (h[ARCHIVE_NAME_MAX] || a->manifest_seen || first != a->is_about || (a->is_about && a->left > ARCHIVE_ABOUT_MAX) || a->members >= ARCHIVE_MEMBERS_MAX ||
        (!a->is_about && !a->is_manifest && !archive_name_ok(a->kind, slice_str(a->name))))
        return FAIL(E_PROTOCOL);
    a->pad = (size_t)((ARCHIVE_BLOCK - a->left % ARCHIVE_BLOCK) % ARCHIVE_BLOCK);
    a->place = IN_BODY;
    sha256_free(a->member);
    a->member = NULL;
    TRY(sha256_new(&a->member));
    return a->sink.begin && !a->is_about && !a->is_manifest ? a->sink.begin(a->sink.arg, a->name, a->left) : OK;
}

static ERR member_end(struct archive_in *a)
{
    uint8_t sum[SHA256_BYTES];
    struct buf line;
    a->place = a->pad ? IN_PAD : AT_HEADER;
    if (a->is_manifest) {
        a->manifest_seen = true;
        return OK;
    }
    if (a->is_about && !about_ok(a))
        return FAIL(E_PROTOCOL);
    TRY(sha256_done(a->member, sum));
    buf_init(&line, 256);
    line_put(&line, a->name, sum);
    struct err e = buf_check(&line);
    if (err_ok(e))
        e = sha256_put(a->expected, buf_slice(&line));
    buf_done(&line);
    a->members++;
    return err_ok(e) && a->sink.end && !a->is_about ? a->sink.end(a->sink.arg) : e;
}

static ERR body_take(struct archive_in *a, struct slice *in)
{
    struct slice part;
    size_t n = a->left < in->n ? (size_t)a->left : in->n;
    if (!slice_take(in, n, &part))
        return FAIL(E_PROTOCOL);
    a->left -= n;
    a->bytes += n;
    if (a->is_about) {
        memcpy(a->about + a->n_about, part.p, part.n); /* not longer: looked at in member_begin() */
        a->n_about += part.n;
    }
    TRY(sha256_put(a->is_manifest ? a->told : a->member, part));
    if (a->sink.data && !a->is_about && !a->is_manifest)
        TRY(a->sink.data(a->sink.arg, part));
    return a->left ? OK : member_end(a);
}

static ERR block_take(struct archive_in *a)
{
    static const uint8_t ZERO[ARCHIVE_BLOCK];
    a->have = 0;
    if (slice_eq(ARR(a->block), ARR(ZERO))) {
        if (!a->manifest_seen)
            return FAIL(E_PROTOCOL);
        a->place = ++a->zeros == 2 ? BEHIND : AT_END;
        return OK;
    }
    if (a->place == AT_END)
        return FAIL(E_PROTOCOL);
    TRY(member_begin(a));
    return a->left ? OK : member_end(a);
}

ERR archive_in_feed(struct archive_in *a, struct slice in)
{
    while (in.n) {
        struct slice part;
        if (a->place == BEHIND)
            return FAIL(E_PROTOCOL);
        if (a->place == IN_BODY) {
            TRY(body_take(a, &in));
            continue;
        }
        size_t want = a->place == IN_PAD ? a->pad : ARCHIVE_BLOCK - a->have;
        if (!slice_take(&in, want < in.n ? want : in.n, &part))
            return FAIL(E_PROTOCOL);
        if (a->place == IN_PAD) {
            for (size_t i = 0; i < part.n; i++)
                if (part.p[i])
                    return FAIL(E_PROTOCOL);
            a->pad -= part.n;
            a->place = a->pad ? IN_PAD : AT_HEADER;
            continue;
        }
        memcpy(a->block + a->have, part.p, part.n);
        a->have += part.n;
        if (a->have == ARCHIVE_BLOCK)
            TRY(block_take(a));
    }
    return OK;
}

ERR archive_in_end(struct archive_in *a)
{
    uint8_t expected[SHA256_BYTES], told[SHA256_BYTES];
    if (a->place != BEHIND)
        return FAIL(E_SEAL);
    TRY(sha256_done(a->expected, expected));
    TRY(sha256_done(a->told, told));
    return slice_eq(ARR(expected), ARR(told)) ? OK : FAIL(E_SEAL);
}
