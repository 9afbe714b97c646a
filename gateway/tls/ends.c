#include "gateway/tls/ends.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <time.h>

#include "gateway/base/file.h"
#include "gateway/metrics/metrics.h"

enum { DAY_S = 24 * 3600, LOOK_MS = 3600 * 1000, FILE_MAX = 1 << 20 };

static const unsigned DAYS[ENDS__MAX] = { [ENDS_IN_30] = 30, [ENDS_IN_14] = 14, [ENDS_IN_7] = 7, [ENDS_IN_1] = 1 };

unsigned ends_stage_days(enum ends_stage s) { return s < ENDS__MAX ? DAYS[s] : 0; }

enum ends_stage ends_stage(int64_t left_s)
{
    if (left_s < 0)
        return ENDS_OVER;
    for (int s = ENDS_IN_1; s >= ENDS_IN_30; s--)
        if (left_s < (int64_t)DAYS[s] * DAY_S)
            return (enum ends_stage)s;
    return ENDS_LATER;
}

static int no_password(char *to, int size, int writing, void *arg)
{
    (void)to, (void)size, (void)writing, (void)arg;
    return -1;
}

static bool first_end(struct slice pem, int64_t *ret_end)
{
    BIO *b = pem.n > 0 ? BIO_new_mem_buf(pem.p, (int)pem.n) : NULL;
    X509 *x;
    struct tm tm;
    *ret_end = INT64_MAX;
    while (b && (x = PEM_read_bio_X509(b, NULL, no_password, NULL))) {
        if (ASN1_TIME_to_tm(X509_get0_notAfter(x), &tm) == 1 && timegm(&tm) < *ret_end)
            *ret_end = timegm(&tm);
        X509_free(x);
    }
    BIO_free(b);
    ERR_clear_error();
    return *ret_end != INT64_MAX;
}

struct err ends_read(const char *path, int64_t *ret_end)
{
    struct buf text;
    int64_t end = 0;
    buf_init(&text, FILE_MAX);
    struct err e = file_read(path, &text);
    if (err_ok(e) && !first_end(buf_slice(&text), &end))
        e = FAIL(E_CONFIG);
    buf_done(&text);
    if (err_ok(e))
        *ret_end = end;
    return e;
}

struct ends {
    struct loop *loop;
    struct timer *tick;
    size_t n;
    struct { struct lit setting; int64_t end, said; } files[ENDS_FILES_MAX];
};

static void say(struct lit setting, int64_t left_s)
{
    enum ends_stage s = ends_stage(left_s);
    uint64_t days = left_s > 0 ? (uint64_t)left_s / DAY_S : 0;
    if (s == ENDS_OVER)
        LOG(ERROR, "certificate_ended", LF("setting", setting));
    else if (s >= ENDS_IN_7)
        LOG(ERROR, "certificate_ends_soon", LF("setting", setting), LF("days", days), LF("within", (uint64_t)ends_stage_days(s)));
    else
        LOG(WARN, "certificate_ends_soon", LF("setting", setting), LF("days", days), LF("within", (uint64_t)ends_stage_days(s)));
}

static void on_tick(void *arg)
{
    struct ends *e = arg;
    int64_t now = (int64_t)(clock_wall(loop_clock(e->loop)) / 1000);
    for (size_t i = 0; i < e->n; i++)
        if (ends_stage(e->files[i].end - now) != ENDS_LATER && (now - e->files[i].said >= DAY_S || now < e->files[i].said)) {
            e->files[i].said = now;
            say(e->files[i].setting, e->files[i].end - now);
        }
    timer_start(e->tick, LOOK_MS);
}

static void on_stop(void *arg)
{
    struct ends *e = arg;
    timer_free(e->tick);
    free(e);
}

struct err ends_watch(struct loop *l, const struct ends_file *files, size_t n)
{
    struct ends *e = calloc(1, sizeof *e);
    if (!e)
        return FAIL(E_NOMEM);
    e->loop = l;
    struct err r = timer_new(&e->tick, l, on_tick, e);
    if (!err_ok(r)) {
        free(e);
        return r;
    }
    for (size_t i = 0; i < n && e->n < ENDS_FILES_MAX; i++) {
        e->files[e->n].setting = files[i].setting;
        if (!files[i].path[0] || !err_ok(ends_read(files[i].path, &e->files[e->n].end)))
            continue;
        const int64_t end = e->files[e->n++].end;
        metric_set(metrics_of(loop_metrics(l), MF_CERT_END, 1, &(struct metric_label){ .key = "setting", .kind = MV_LIT, .v.lit = files[i].setting }), end > 0 ? (uint64_t)end : 0);
    }
    loop_on_stop(l, on_stop, e);
    on_tick(e);
    return OK;
}
