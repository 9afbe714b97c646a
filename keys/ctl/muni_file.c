#include "keys/ctl/muni_file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "gateway/crypto/crypto.h"
#include "keys/ctl/say.h"

enum { EXPORT_MS = 3600 * 1000, STALL_S = 60 };

struct taking { FILE *to; struct sha256 *sum; uint64_t lines; bool good; };

static bool on_data(void *ctx, struct slice bytes)
{
    struct taking *t = ctx;
    for (size_t i = 0; i < bytes.n; i++)
        t->lines += bytes.p[i] == '\n';
    t->good = fwrite(bytes.p, 1, bytes.n, t->to) == bytes.n && err_ok(sha256_put(t->sum, bytes));
    return t->good;
}

static bool fetch(struct muni_door *d, const char *path, struct taking *t)
{
    struct web_answer a;
    struct web_call c = { .method = "GET", .port = d->port, .path = path, .timeout_ms = EXPORT_MS, .stall_s = STALL_S, .on_data = on_data, .ctx = t };
    struct err e = muni_door_try(d, &c, &a);
    bool good = err_ok(e) && a.status == 200 && t->good;
    if (!t->good)
        say_error("ファイルに書けません: %s", "the file cannot be written: %s", strerror(errno));
    else if (!good)
        muni_door_problem("書き出せません", "the export failed", e, &a);
    web_answer_done(&a);
    return good;
}

static void tell(struct taking *t, const char *path)
{
    uint8_t sum[SHA256_BYTES];
    struct buf hex;
    buf_init(&hex, 2 * SHA256_BYTES + 1);
    if (err_ok(sha256_done(t->sum, sum)))
        buf_hex(&hex, ARR(sum));
    say_ok("%llu 行: %s", "%llu lines: %s", (unsigned long long)t->lines, path);
    printf("sha256 %s\n", hex.n ? buf_cstr(&hex) : "");
    buf_done(&hex);
}

int muni_file_save(struct muni_door *d, const char *path, const char *out)
{
    char tmp[PATH_MAX];
    struct taking t = { .good = true };
    bool fits = snprintf(tmp, sizeof tmp, "%s.part", out) < PATH_MAX;
    int fd = fits ? file_new(tmp) : -1;
    t.to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (!t.to || !err_ok(sha256_new(&t.sum))) {
        say_error("ファイルを作れません: %s", "the file cannot be made: %s", strerror(errno));
        if (t.to)
            fclose(t.to);
        return 2;
    }
    bool good = fetch(d, path, &t) && fflush(t.to) == 0 && fsync(fd) == 0;
    good = fclose(t.to) == 0 && good && rename(tmp, out) == 0;
    if (good)
        tell(&t, out);
    else
        unlink(tmp);
    sha256_free(t.sum);
    return good ? 0 : 2;
}
