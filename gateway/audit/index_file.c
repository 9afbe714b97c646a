#include <errno.h>
#include <fcntl.h>
#include <stdio.h> /* renameat */
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/index_int.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/file.h"
#include "gateway/crypto/crypto.h"

enum {
    AT_FIRST = 8, AT_PAIRS = 16, AT_ACTS = 20, AT_PLAIN = 24, AT_GAP = 28, AT_EPOCH = 32, AT_MIN = 40, AT_MAX = 48, AT_FAN = INDEX_FIXED_BYTES,
    AT_SUM = INDEX_HEAD_BYTES - INDEX_SUM_BYTES,
    KEY_BYTES = 1 + AUDIT_HANDLE_BYTES, /* of a pair */
    BLOCK = 256,                        /* pairs that are read at once */
    BUCKET_MUNI = INDEX_FAN - 1
};
_Static_assert((int)BLOCK >= (int)AUDIT_FIND_MAX, "one block holds a page");

static const uint8_t MAGIC[8] = { 'P', 'M', 'H', 'G', 'W', 'A', 'X', '1' };
static const char TMP[] = "index/next.tmp";

void index_name(uint64_t first, char out[static INDEX_NAME_BYTES])
{
    static const char HEX[] = "0123456789abcdef";
    memcpy(out, "index/", 6);
    for (int i = 15; i >= 0; i--, first >>= 4)
        out[6 + i] = HEX[first & 15];
    out[6 + 16] = 0;
}

/* ---- writing ---- */

static int by_bytes(const void *a, const void *b) { return memcmp(a, b, INDEX_PAIR_BYTES); }

static unsigned bucket_of(const uint8_t *pair) { return pair[0] == AK_PERSON ? pair[1] : BUCKET_MUNI; }

static ERR index_head_put(uint8_t *out, const struct index_stats *s, const uint8_t *pairs, uint32_t n)
{
    uint8_t sum[SHA256_BYTES];
    struct slice all = slice_of(out, AT_SUM);
    uint32_t at = 0;
    memset(out, 0, INDEX_HEAD_BYTES);
    memcpy(out, MAGIC, sizeof MAGIC);
    be_put(out + AT_FIRST, s->first, 8);
    be_put(out + AT_PAIRS, n, 4);
    be_put(out + AT_ACTS, s->acts, 4);
    be_put(out + AT_PLAIN, s->plain_acts, 4);
    be_put(out + AT_EPOCH, s->epoch, 8);
    be_put(out + AT_MIN, s->wall_min, 8);
    be_put(out + AT_MAX, s->wall_max, 8);
    for (unsigned i = 0; i <= INDEX_FAN; i++) {
        while (at < n && bucket_of(pairs + (size_t)at * INDEX_PAIR_BYTES) < i)
            at++;
        be_put(out + AT_FAN + 4 * i, at, 4);
    }
    TRY(sha256(1, &all, sum));
    memcpy(out + AT_SUM, sum, INDEX_SUM_BYTES);
    return OK;
}

static ERR write_new(int dir, const char *name, struct slice head, struct slice pairs)
{
    int fd = openat(dir, TMP, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (fd < 0)
        return FAIL(E_IO);
    struct err e = fd_write_all(fd, head);
    if (err_ok(e))
        e = fd_write_all(fd, pairs);
    if (err_ok(e) && fdatasync(fd) != 0)
        e = FAIL(E_IO);
    close(fd);
    if (err_ok(e) && renameat(dir, TMP, dir, name) != 0)
        e = FAIL(E_IO);
    if (!err_ok(e))
        unlinkat(dir, TMP, 0);
    return e;
}

struct err index_write(int dir, const struct index_table *t)
{
    uint8_t head[INDEX_HEAD_BYTES];
    char name[INDEX_NAME_BYTES];
    size_t bytes = (size_t)t->n * INDEX_PAIR_BYTES;
    if (t->stats.entries != AUDIT_SEGMENT_ENTRIES)
        return FAIL(E_NOTHING);
    if (mkdirat(dir, "index", 0700) != 0 && errno != EEXIST)
        return FAIL(E_IO);
    uint8_t *pairs = malloc(bytes + 1);
    if (!pairs)
        return FAIL(E_NOMEM);
    memcpy(pairs, t->pair, bytes);
    qsort(pairs, t->n, INDEX_PAIR_BYTES, by_bytes);
    index_name(t->stats.first, name);
    struct err e = index_head_put(head, &t->stats, pairs, t->n);
    if (err_ok(e))
        e = write_new(dir, name, ARR(head), slice_of(pairs, bytes));
    free(pairs);
    return e;
}

/* ---- reading ---- */

struct head { struct index_stats stats; uint32_t pairs, fan[INDEX_FAN + 1]; };

static bool fan_good(const struct head *h)
{
    for (unsigned i = 0; i < INDEX_FAN; i++)
        if (h->fan[i] > h->fan[i + 1])
            return false;
    return h->fan[0] == 0 && h->fan[INDEX_FAN] == h->pairs;
}

static bool index_head_read(const uint8_t *in, struct head *h)
{
    uint8_t sum[SHA256_BYTES];
    struct slice all = slice_of(in, AT_SUM);
    if (!slice_eq(slice_of(in, sizeof MAGIC), ARR(MAGIC)) || !err_ok(sha256(1, &all, sum)) || !slice_eq(slice_of(sum, INDEX_SUM_BYTES), slice_of(in + AT_SUM, INDEX_SUM_BYTES)))
        return false;
    *h = (struct head){
        .stats = { be_get(in + AT_FIRST, 8), AUDIT_SEGMENT_ENTRIES, (uint32_t)be_get(in + AT_ACTS, 4), (uint32_t)be_get(in + AT_PLAIN, 4),
                   be_get(in + AT_EPOCH, 8), be_get(in + AT_MIN, 8), be_get(in + AT_MAX, 8) },
        .pairs = (uint32_t)be_get(in + AT_PAIRS, 4),
    };
    for (unsigned i = 0; i <= INDEX_FAN; i++)
        h->fan[i] = (uint32_t)be_get(in + AT_FAN + 4 * i, 4);
    return h->pairs <= INDEX_PAIRS_MAX && fan_good(h);
}

/* The descriptor, -1 when there is no such file in this form. */
static int open_index(int dir, uint64_t first, struct head *h)
{
    uint8_t b[INDEX_HEAD_BYTES];
    char name[INDEX_NAME_BYTES];
    struct stat st;
    index_name(first, name);
    int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return -1;
    if (pread(fd, b, sizeof b, 0) == INDEX_HEAD_BYTES && index_head_read(b, h) && h->stats.first == first && fstat(fd, &st) == 0 &&
        st.st_size == INDEX_HEAD_BYTES + (off_t)h->pairs * INDEX_PAIR_BYTES)
        return fd;
    close(fd);
    return -1;
}

struct err index_stats_read(int dir, uint64_t first, struct index_stats *ret_s)
{
    struct head h;
    int fd = open_index(dir, first, &h);
    if (fd < 0)
        return FAIL(E_NOTHING);
    close(fd);
    *ret_s = h.stats;
    return OK;
}

static ERR read_pairs(int fd, uint32_t from, uint32_t n, uint8_t *out)
{
    ssize_t bytes = (ssize_t)n * INDEX_PAIR_BYTES;
    return pread(fd, out, (size_t)bytes, INDEX_HEAD_BYTES + (off_t)from * INDEX_PAIR_BYTES) == bytes ? OK : FAIL(E_IO);
}

/* The first pair of lo..hi that is not below want. */
static ERR lower_bound(int fd, uint32_t lo, uint32_t hi, const uint8_t *want, uint32_t *ret_at)
{
    uint8_t block[BLOCK * INDEX_PAIR_BYTES];
    while (hi - lo > BLOCK) {
        uint32_t mid = lo + (hi - lo) / 2;
        TRY(read_pairs(fd, mid, 1, block));
        if (by_bytes(block, want) < 0)
            lo = mid + 1;
        else
            hi = mid;
    }
    TRY(read_pairs(fd, lo, hi - lo, block));
    uint32_t k = 0;
    while (k < hi - lo && by_bytes(block + (size_t)k * INDEX_PAIR_BYTES, want) < 0)
        k++;
    *ret_at = lo + k;
    return OK;
}

/* Pairs below `end` with the key of want, from the back. */
static ERR collect(int fd, uint32_t lo, uint32_t end, const uint8_t *want, uint64_t first, uint64_t *out, size_t max, size_t *ret_n)
{
    uint8_t block[BLOCK * INDEX_PAIR_BYTES];
    uint32_t n = end - lo < max ? end - lo : (uint32_t)max;
    size_t found = 0;
    n = n < BLOCK ? n : BLOCK;
    TRY(read_pairs(fd, end - n, n, block));
    while (n && slice_eq(slice_of(block + (size_t)(n - 1) * INDEX_PAIR_BYTES, KEY_BYTES), slice_of(want, KEY_BYTES)))
        out[found++] = first + be_get(block + (size_t)--n * INDEX_PAIR_BYTES + KEY_BYTES, 2);
    *ret_n = found;
    return OK;
}

static ERR find_open(int fd, const struct head *h, const struct audit_key *key, uint64_t before, uint64_t *out, size_t max, size_t *ret_n)
{
    uint8_t want[INDEX_PAIR_BYTES];
    uint64_t first = h->stats.first;
    uint32_t end;
    if (before <= first) {
        *ret_n = 0;
        return OK;
    }
    uint64_t place = before - first < AUDIT_SEGMENT_ENTRIES ? before - first : AUDIT_SEGMENT_ENTRIES;
    index_pair_put(want, key, (uint16_t)place);
    uint32_t lo = h->fan[bucket_of(want)], hi = h->fan[bucket_of(want) + 1];
    TRY(lower_bound(fd, lo, hi, want, &end));
    return collect(fd, lo, end, want, first, out, max, ret_n);
}

struct err index_find(int dir, uint64_t first, const struct audit_key *key, uint64_t before, uint64_t *out, size_t max, size_t *ret_n, struct index_stats *ret_s)
{
    struct head h;
    int fd = open_index(dir, first, &h);
    if (fd < 0)
        return FAIL(E_NOTHING);
    struct err e = find_open(fd, &h, key, before, out, max, ret_n);
    close(fd);
    if (err_ok(e))
        *ret_s = h.stats;
    return e;
}
