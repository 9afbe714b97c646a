#include "gateway/audit/segment.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "gateway/base/text.h"
#include "gateway/crypto/crypto.h"

enum {
    AT_SEQ = AUDIT_REC_BYTES,
    AT_ROLE = AT_SEQ + 8,
    AT_ZERO = AT_ROLE + 1,
    AT_CHAIN = AUDIT_ENTRY_BYTES - CHAIN_BYTES,
    HEX_AT = 6,
    CHUNK = 64,      /* entries read at once */
    TORN_ZEROS = 8   /* a true chain hash ends with so many zero bytes once in 2^64 */
};

static const char MAGIC[8] = { 'P', 'M', 'H', 'G', 'W', 'A', 'U', '1' };
static const uint8_t ZEROS[AUDIT_ENTRY_BYTES];

static void put64(uint8_t *p, uint64_t v)
{
    for (int i = 7; i >= 0; i--, v >>= 8)
        p[i] = (uint8_t)v;
}

static uint64_t get64(const uint8_t *p)
{
    uint64_t v = 0;
    for (int i = 0; i < 8; i++)
        v = v << 8 | p[i];
    return v;
}

static bool same(const void *a, const void *b, size_t n) { return slice_eq(slice_of(a, n), slice_of(b, n)); }
static bool zero(const uint8_t *p, size_t n) { return same(p, ZEROS, n); }

void seg_name(uint64_t first, char out[static SEG_NAME_BYTES])
{
    static const char HEX[] = "0123456789abcdef";
    memcpy(out, "audit-", HEX_AT);
    for (int i = 15; i >= 0; i--, first >>= 4)
        out[HEX_AT + i] = HEX[first & 15];
    memcpy(out + HEX_AT + 16, ".log", 5);
}

void seg_head_put(uint8_t out[static SEG_HEAD_BYTES], const struct log_point *before)
{
    memset(out, 0, SEG_HEAD_BYTES);
    memcpy(out, MAGIC, sizeof MAGIC);
    put64(out + 8, before->seq + 1);
    memcpy(out + 16, before->chain, CHAIN_BYTES);
}

bool seg_head_good(const uint8_t in[static SEG_HEAD_BYTES], const struct log_point *before)
{
    uint8_t want[SEG_HEAD_BYTES];
    seg_head_put(want, before);
    return same(in, want, SEG_HEAD_BYTES);
}

bool seg_head_read(const uint8_t in[static SEG_HEAD_BYTES], struct log_point *ret_before)
{
    struct log_point p = { .seq = get64(in + 8) - 1 };
    memcpy(p.chain, in + 16, CHAIN_BYTES);
    if (!seg_head_good(in, &p))
        return false;
    *ret_before = p;
    return true;
}

static ERR chain_next(const uint8_t *entry, const uint8_t *prev, uint8_t out[static CHAIN_BYTES])
{
    struct slice parts[] = { slice_of(prev, CHAIN_BYTES), slice_of(entry, AT_CHAIN) };
    return sha256(2, parts, out);
}

struct err entry_put(uint8_t out[static AUDIT_ENTRY_BYTES], const uint8_t rec[static AUDIT_REC_BYTES], enum ipc_role from, struct log_point *p)
{
    memset(out, 0, AUDIT_ENTRY_BYTES);
    memcpy(out, rec, AUDIT_REC_BYTES);
    put64(out + AT_SEQ, p->seq + 1);
    out[AT_ROLE] = (uint8_t)from;
    TRY(chain_next(out, p->chain, out + AT_CHAIN));
    memcpy(p->chain, out + AT_CHAIN, CHAIN_BYTES);
    p->seq++;
    return OK;
}

const char *entry_check(const uint8_t in[static AUDIT_ENTRY_BYTES], struct log_point *p, struct audit_entry *ret_e)
{
    struct audit_entry e;
    if (get64(in + AT_SEQ) != p->seq + 1)
        return "sequence";
    if (!err_ok(chain_next(in, p->chain, e.chain)) || !same(e.chain, in + AT_CHAIN, CHAIN_BYTES))
        return "chain";
    if (!audit_decode(in, &e.rec) || in[AT_ROLE] >= IPC__ROLES || !zero(in + AT_ZERO, AT_CHAIN - AT_ZERO))
        return "record";
    e.seq = p->seq + 1;
    e.from = (enum ipc_role)in[AT_ROLE];
    e.stored = in;
    p->seq = e.seq;
    memcpy(p->chain, e.chain, CHAIN_BYTES);
    *ret_e = e;
    return NULL;
}

void head_put(uint8_t out[static HEAD_BYTES], const struct log_point *p)
{
    put64(out, p->seq);
    memcpy(out + 8, p->chain, CHAIN_BYTES);
}

static enum head_state point_read(int dir, const char *name, struct log_point *ret_p)
{
    uint8_t b[HEAD_BYTES + 1];
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return errno == ENOENT ? HEAD_NONE : HEAD_BAD;
    ssize_t n = pread(fd, b, sizeof b, 0);
    close(fd);
    if (n >= 0 && n < HEAD_BYTES)
        return HEAD_NONE; /* the first write of it was cut short; beside entries it is as wrong as a missing one */
    if (n != HEAD_BYTES)
        return HEAD_BAD;
    ret_p->seq = get64(b);
    memcpy(ret_p->chain, b + 8, CHAIN_BYTES);
    return ret_p->seq == 0 && !zero(ret_p->chain, CHAIN_BYTES) ? HEAD_BAD : HEAD_GOOD;
}

enum head_state head_read(int dir, struct log_point *ret_p) { return point_read(dir, "head", ret_p); }

enum head_state pruned_read(int dir, struct log_point *ret_p)
{
    struct log_point p;
    enum head_state s = point_read(dir, "pruned", &p);
    if (s == HEAD_GOOD && (p.seq == 0 || p.seq % AUDIT_SEGMENT_ENTRIES != 0))
        s = HEAD_BAD;
    if (s == HEAD_GOOD)
        *ret_p = p;
    return s;
}

/* ---- directory ---- */

static bool name_read(const char *name, uint64_t *ret_first)
{
    uint8_t b[8];
    if (strlen(name) != SEG_NAME_BYTES - 1 || !hex_decode(slice_of(name + HEX_AT, 16), b, sizeof b))
        return false;
    *ret_first = get64(b);
    return *ret_first != 0 && slice_eq(slice_str(name + HEX_AT + 16), LIT(".log"));
}

static void listed(struct seg_listing *l, uint64_t first)
{
    if (l->count++ == 0)
        l->first = l->last = first;
    if (first < l->first)
        l->first = first;
    if (first > l->last)
        l->last = first;
}

struct err seg_list(int dir, struct seg_listing *ret_l) { return seg_list_after(dir, 0, ret_l); }

struct err seg_list_after(int dir, uint64_t after, struct seg_listing *ret_l)
{
    struct seg_listing l = { 0 };
    int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *d = fd >= 0 ? fdopendir(fd) : NULL;
    if (!d) {
        if (fd >= 0)
            close(fd);
        return FAIL(E_IO);
    }
    errno = 0;
    for (struct dirent *e; (e = readdir(d));) {
        uint64_t first;
        if (!slice_starts(slice_str(e->d_name), LIT("audit-")))
            continue;
        if (!name_read(e->d_name, &first))
            l.foreign = true;
        else if (first > after)
            listed(&l, first);
    }
    bool good = errno == 0;
    closedir(d);
    if (!good)
        return FAIL(E_IO);
    *ret_l = l;
    return OK;
}

/* ---- scan ---- */

static void scan_entry(struct seg_scan *s, uint32_t i, const uint8_t *b, struct log_point *p, audit_each_fn *each, void *arg)
{
    bool empty = zero(b, AUDIT_ENTRY_BYTES);
    if (!empty)
        s->filled = i + 1;
    if (s->bad || s->good != i)
        return; /* behind the end: only looked at for being empty */
    if (empty)
        return;
    struct audit_entry e;
    s->bad = entry_check(b, p, &e);
    if (s->bad) {
        s->torn = zero(b + AUDIT_ENTRY_BYTES - TORN_ZEROS, TORN_ZEROS);
        return;
    }
    s->good = i + 1;
    if (each && !each(arg, &e))
        s->stopped = true;
}

static bool read_full(int fd, uint8_t *b, size_t n, off_t at)
{
    while (n) {
        ssize_t k = pread(fd, b, n, at);
        if (k < 0 && errno == EINTR)
            continue;
        if (k <= 0)
            return false;
        b += k;
        n -= (size_t)k;
        at += k;
    }
    return true;
}

struct err seg_scan(int fd, uint32_t from, struct log_point *p, audit_each_fn *each, void *arg, struct seg_scan *ret_s)
{
    uint8_t b[CHUNK * AUDIT_ENTRY_BYTES];
    struct seg_scan s = { .good = from, .filled = from };
    for (uint32_t i = from; i < AUDIT_SEGMENT_ENTRIES && !s.stopped;) {
        uint32_t n = AUDIT_SEGMENT_ENTRIES - i < CHUNK ? AUDIT_SEGMENT_ENTRIES - i : CHUNK;
        if (!read_full(fd, b, (size_t)n * AUDIT_ENTRY_BYTES, SEG_HEAD_BYTES + (off_t)i * AUDIT_ENTRY_BYTES))
            return FAIL(E_IO);
        for (uint32_t k = 0; k < n && !s.stopped; k++)
            scan_entry(&s, i + k, b + (size_t)k * AUDIT_ENTRY_BYTES, p, each, arg);
        i += n;
    }
    if (!s.bad && s.filled > s.good)
        s.bad = "sequence"; /* entries behind an empty one */
    s.torn = s.torn && s.filled == s.good + 1;
    *ret_s = s;
    return OK;
}
