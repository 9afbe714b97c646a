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
    AT_SUMS = AT_FAN + 4 * (INDEX_FAN + 1), AT_SUM = INDEX_HEAD_BYTES - INDEX_SUM_BYTES,
    KEY_BYTES = 1 + AUDIT_HANDLE_BYTES, /* of a pair */
    BUCKET_MUNI = INDEX_FAN - 1
};

static const uint8_t MAGIC[8] = { 'P', 'M', 'H', 'G', 'W', 'A', 'X', '2' };
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

static ERR sum_put(uint8_t *out, struct slice of)
{
    uint8_t sum[SHA256_BYTES];
    TRY(sha256(1, &of, sum));
    memcpy(out, sum, INDEX_SUM_BYTES);
    return OK;
}

static ERR index_head_put(uint8_t *out, const struct index_stats *s, const uint8_t *pairs, uint32_t n)
{
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
    for (unsigned i = 0; i < INDEX_FAN; i++) {
        uint32_t from = at;
        be_put(out + AT_FAN + 4 * i, from, 4);
        while (at < n && bucket_of(pairs + (size_t)at * INDEX_PAIR_BYTES) == i)
            at++;
        TRY(sum_put(out + AT_SUMS + i * INDEX_SUM_BYTES, slice_of(pairs + (size_t)from * INDEX_PAIR_BYTES, (size_t)(at - from) * INDEX_PAIR_BYTES)));
    }
    be_put(out + AT_FAN + 4 * INDEX_FAN, at, 4);
    return sum_put(out + AT_SUM, slice_of(out, AT_SUM));
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

struct head { struct index_stats stats; uint32_t pairs, fan[INDEX_FAN + 1]; uint8_t sum[INDEX_FAN][INDEX_SUM_BYTES]; };

static bool fan_good(const struct head *h)
{
    for (unsigned i = 0; i < INDEX_FAN; i++)
        if (h->fan[i] > h->fan[i + 1])
            return false;
    return h->fan[0] == 0 && h->fan[INDEX_FAN] == h->pairs;
}

static bool sum_good(const uint8_t *sum, struct slice of)
{
    uint8_t own[INDEX_SUM_BYTES];
    return err_ok(sum_put(own, of)) && slice_eq(ARR(own), slice_of(sum, INDEX_SUM_BYTES));
}

static bool index_head_read(const uint8_t *in, struct head *h)
{
    if (!slice_eq(slice_of(in, sizeof MAGIC), ARR(MAGIC)) || !sum_good(in + AT_SUM, slice_of(in, AT_SUM)))
        return false;
    *h = (struct head){
        .stats = { be_get(in + AT_FIRST, 8), AUDIT_SEGMENT_ENTRIES, (uint32_t)be_get(in + AT_ACTS, 4), (uint32_t)be_get(in + AT_PLAIN, 4),
                   be_get(in + AT_EPOCH, 8), be_get(in + AT_MIN, 8), be_get(in + AT_MAX, 8) },
        .pairs = (uint32_t)be_get(in + AT_PAIRS, 4),
    };
    for (unsigned i = 0; i <= INDEX_FAN; i++)
        h->fan[i] = (uint32_t)be_get(in + AT_FAN + 4 * i, 4);
    memcpy(h->sum, in + AT_SUMS, sizeof h->sum);
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

/* All pairs of a bucket, which the caller frees. NOTHING: they are not those that were written. */
static ERR bucket_read(int fd, const struct head *h, unsigned bucket, uint8_t **ret_pairs)
{
    size_t bytes = (size_t)(h->fan[bucket + 1] - h->fan[bucket]) * INDEX_PAIR_BYTES;
    uint8_t *pairs = malloc(bytes + 1);
    if (!pairs)
        return FAIL(E_NOMEM);
    struct err e = pread(fd, pairs, bytes, INDEX_HEAD_BYTES + (off_t)h->fan[bucket] * INDEX_PAIR_BYTES) == (ssize_t)bytes ? OK : FAIL(E_IO);
    if (err_ok(e) && !sum_good(h->sum[bucket], slice_of(pairs, bytes)))
        e = FAIL(E_NOTHING);
    if (err_ok(e))
        *ret_pairs = pairs;
    else
        free(pairs);
    return e;
}

/* How many of n pairs are below want. */
static uint32_t lower_bound(const uint8_t *pairs, uint32_t n, const uint8_t *want)
{
    uint32_t lo = 0;
    while (lo < n) {
        uint32_t mid = lo + (n - lo) / 2;
        if (by_bytes(pairs + (size_t)mid * INDEX_PAIR_BYTES, want) < 0)
            lo = mid + 1;
        else
            n = mid;
    }
    return lo;
}

static ERR find_open(int fd, const struct head *h, const struct audit_key *key, uint64_t before, uint64_t *out, size_t max, size_t *ret_n)
{
    uint8_t want[INDEX_PAIR_BYTES], *pairs = NULL;
    uint64_t first = h->stats.first, place = before - first < AUDIT_SEGMENT_ENTRIES ? before - first : AUDIT_SEGMENT_ENTRIES;
    *ret_n = 0;
    if (before <= first)
        return OK;
    index_pair_put(want, key, (uint16_t)place);
    unsigned bucket = bucket_of(want);
    TRY(bucket_read(fd, h, bucket, &pairs));
    uint32_t end = lower_bound(pairs, h->fan[bucket + 1] - h->fan[bucket], want);
    while (end && *ret_n < max) { /* from the back */
        const uint8_t *pair = pairs + (size_t)--end * INDEX_PAIR_BYTES;
        if (!slice_eq(slice_of(pair, KEY_BYTES), slice_of(want, KEY_BYTES)))
            break;
        out[(*ret_n)++] = first + be_get(pair + KEY_BYTES, 2);
    }
    free(pairs);
    return OK;
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
