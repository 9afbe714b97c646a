/* Reaches index_stats_read and index_find over an index file that anybody wrote: no more than was asked for comes back, and all of it is below the bound. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/audit/index.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/file.h"
#include "gateway/base/must.h"
#include "gateway/crypto/crypto.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static int folder(void)
{
    static int dir = -1;
    char path[] = "/tmp/pmhgw-fuzz-XXXXXX";
    if (dir >= 0)
        return dir;
    MUST(mkdtemp(path));
    dir = open(path, O_RDONLY | O_DIRECTORY);
    MUST(dir >= 0 && mkdirat(dir, "index", 0700) == 0);
    return dir;
}

static void sum_put(uint8_t *out, struct slice of)
{
    uint8_t sum[SHA256_BYTES];
    MUST(err_ok(sha256(1, &of, sum)));
    memcpy(out, sum, INDEX_SUM_BYTES);
}

/* Sums that fit, so that the rest is reached. */
static void sums_put(uint8_t *file, size_t n)
{
    enum { AT_SUMS = INDEX_FIXED_BYTES + 4 * (INDEX_FAN + 1), AT_SUM = INDEX_HEAD_BYTES - INDEX_SUM_BYTES };
    size_t pairs = (n - INDEX_HEAD_BYTES) / INDEX_PAIR_BYTES;
    for (unsigned i = 0; i < INDEX_FAN; i++) {
        uint64_t from = be_get(file + INDEX_FIXED_BYTES + 4 * i, 4), to = be_get(file + INDEX_FIXED_BYTES + 4 * (i + 1), 4);
        if (from <= to && to <= pairs)
            sum_put(file + AT_SUMS + INDEX_SUM_BYTES * i, slice_of(file + INDEX_HEAD_BYTES + from * INDEX_PAIR_BYTES, (to - from) * INDEX_PAIR_BYTES));
    }
    sum_put(file + AT_SUM, slice_of(file, AT_SUM));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct audit_key key = { .kind = AK_PERSON };
    struct index_stats s;
    uint64_t found[AUDIT_FIND_MAX], first = 1, before;
    char name[INDEX_NAME_BYTES];
    size_t hits = 0;
    if (n < 32 + INDEX_HEAD_BYTES)
        return 0;
    key.kind = data[0] & 1 ? AK_PERSON : AK_MUNI;
    memcpy(key.b, data + 1, sizeof key.b);
    before = data[20] | (uint64_t)data[21] << 8;
    uint8_t *file = malloc(n - 32);
    MUST(file);
    memcpy(file, data + 32, n - 32);
    if (data[22] & 1)
        sums_put(file, n - 32);
    index_name(first, name);
    int fd = openat(folder(), name, O_WRONLY | O_CREAT | O_TRUNC, 0600);
    MUST(fd >= 0 && err_ok(fd_write_all(fd, slice_of(file, n - 32))));
    close(fd);
    free(file);
    (void)err_ok(index_stats_read(folder(), first, &s));
    if (err_ok(index_find(folder(), first, &key, before, found, 1 + data[23] % AUDIT_FIND_MAX, &hits, &s)))
        MUST(hits <= 1u + data[23] % AUDIT_FIND_MAX);
    return 0;
}
