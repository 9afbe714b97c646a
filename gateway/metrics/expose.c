#include "gateway/metrics/expose.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/metrics/families.h"

enum { FILES_MAX = 8 * METRICS_SLOTS, US = 1000000 };

static const char *const DAEMONS[] = { "vault", "audit", "signer", "intake", "front", "courier", "supervisor" };

struct series { struct slice text; unsigned kind; uint64_t values[METRICS_HISTOGRAM_VALUES]; };

struct reading {
    struct metrics_file *files[FILES_MAX]; /* copies: theirs change under way, and may be cut */
    size_t n_files;
    uint64_t now_ms;
    struct series *all; /* sorted by text; equal ones folded */
    size_t n, cap;
};

/* ---- the files ---- */

/* Other daemons may put things there: nobody waits for them. */
static bool read_whole(int fd, struct metrics_file *f)
{
    struct stat st;
    size_t n = 0;
    if (fstat(fd, &st) != 0 || !S_ISREG(st.st_mode))
        return false;
    ssize_t k = 1;
    while (k > 0 && n < sizeof *f) {
        k = pread(fd, (char *)f + n, sizeof *f - n, (off_t)n);
        n += k > 0 ? (size_t)k : 0;
    }
    return n == sizeof *f;
}

/* *ret_f NULL: there is none, or none that can be believed. */
static ERR read_file(const char *path, bool *ret_there, struct metrics_file **ret_f)
{
    const int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    *ret_there = fd >= 0;
    *ret_f = NULL;
    if (fd < 0)
        return OK;
    struct metrics_file *f = malloc(sizeof *f);
    if (f && read_whole(fd, f) && metrics_sane(f))
        *ret_f = f;
    else
        free(f);
    close(fd);
    return f ? OK : FAIL(E_NOMEM);
}

static ERR read_files(struct reading *r, const char *dir)
{
    char path[METRICS_PATH_MAX];
    for (size_t d = 0; d < sizeof DAEMONS / sizeof DAEMONS[0]; d++) {
        bool there = true;
        for (unsigned slot = 0; there && slot < METRICS_SLOTS && r->n_files < FILES_MAX; slot++) {
            const int n = snprintf(path, sizeof path, "%s/%s-%u.m", dir, DAEMONS[d], slot);
            if (n < 0 || (size_t)n >= sizeof path)
                return FAIL(E_IO);
            TRY(read_file(path, &there, &r->files[r->n_files]));
            r->n_files += r->files[r->n_files] != NULL;
        }
    }
    return OK;
}

static void forget(struct reading *r)
{
    for (size_t i = 0; i < r->n_files; i++)
        free(r->files[i]);
    free(r->all);
}

/* ---- their rows ---- */

static bool fresh(const struct metrics_file *f, uint64_t now_ms) { return f->beat_ms + METRICS_FRESH_MS >= now_ms; }

static size_t values_of(unsigned kind) { return kind == METRIC_HISTOGRAM ? METRICS_HISTOGRAM_VALUES : 1; }

/* name{...} without anything that would end a line. */
static bool text_good(struct slice text)
{
    bool brace = false;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] < ' ' || text.p[i] > '~')
            return false;
        brace |= text.p[i] == '{';
    }
    return brace && text.p[0] != '{' && text.p[text.n - 1] == '}';
}

static ERR take_file(struct reading *r, const struct metrics_file *f)
{
    if (r->n + f->n_rows > r->cap) {
        struct series *more = reallocarray(r->all, r->cap = r->n + f->n_rows, sizeof *more);
        if (!more)
            return FAIL(E_NOMEM);
        r->all = more;
    }
    for (uint32_t i = 0; i < f->n_rows; i++) {
        const struct metrics_row *row = &f->rows[i];
        struct series s = { .text = slice_of(f->texts + row->text, row->text_n), .kind = row->kind };
        memcpy(s.values, &f->values[row->value], values_of(row->kind) * sizeof *s.values);
        if (text_good(s.text) && (fresh(f, r->now_ms) || s.kind == METRIC_COUNTER || s.kind == METRIC_HISTOGRAM))
            r->all[r->n++] = s;
    }
    return OK;
}

static int by_text(const void *a, const void *b)
{
    const struct slice x = ((const struct series *)a)->text, y = ((const struct series *)b)->text;
    for (size_t i = 0; i < x.n && i < y.n; i++)
        if (x.p[i] != y.p[i])
            return x.p[i] < y.p[i] ? -1 : 1;
    return x.n < y.n ? -1 : x.n > y.n;
}

static uint64_t folded(unsigned kind, uint64_t a, uint64_t b)
{
    if (kind == METRIC_OLDEST)
        return a > b ? a : b;
    if (kind == METRIC_FIRST)
        return a && (a < b || !b) ? a : b;
    return a + b;
}

static void fold(struct series *into, const struct series *s)
{
    for (size_t v = 0; v < values_of(s->kind); v++)
        into->values[v] = folded(s->kind, into->values[v], s->values[v]);
}

static void fold_equal(struct reading *r)
{
    size_t n = 0;
    if (r->n)
        qsort(r->all, r->n, sizeof *r->all, by_text);
    for (size_t i = 0; i < r->n; i++) {
        if (n && slice_eq(r->all[n - 1].text, r->all[i].text) && r->all[n - 1].kind == r->all[i].kind)
            fold(&r->all[n - 1], &r->all[i]);
        else
            r->all[n++] = r->all[i];
    }
    r->n = n;
}

static ERR read_all(struct reading *r, const char *dir, uint64_t wall_ms)
{
    *r = (struct reading){ .now_ms = wall_ms };
    TRY(read_files(r, dir));
    for (size_t i = 0; i < r->n_files; i++)
        TRY(take_file(r, r->files[i]));
    fold_equal(r);
    return OK;
}

struct err metrics_each(const char *dir, uint64_t wall_ms, metrics_each_fn *fn, void *arg)
{
    struct reading r;
    struct err e = read_all(&r, dir, wall_ms);
    for (size_t i = 0; err_ok(e) && i < r.n; i++)
        fn(arg, &(struct metrics_series){ r.all[i].text, r.all[i].kind, r.all[i].values });
    forget(&r);
    return e;
}

/* ---- as text ---- */

static struct slice family_of(const struct series *s)
{
    struct slice name = s->text, labels;
    slice_cut(name, '{', &name, &labels);
    return name;
}

static struct slice labels_of(const struct series *s)
{
    const size_t n = family_of(s).n;
    return slice_of(s->text.p + n, s->text.n - n);
}

static void put_head(struct buf *out, struct slice name)
{
    static const char *const TYPES[] = { [METRIC_COUNTER] = "counter", [METRIC_GAUGE] = "gauge", [METRIC_OLDEST] = "gauge", [METRIC_HISTOGRAM] = "histogram", [METRIC_FIRST] = "gauge" };
    for (enum metric_family f = 0; f < MF__MAX; f++) {
        const struct metric_family_info info = metric_family_info(f);
        if (!slice_eq(slice_str(info.name), name))
            continue;
        buf_puts(out, "# HELP ");
        buf_put(out, name);
        buf_putc(out, ' ');
        buf_puts(out, info.help);
        buf_puts(out, "\n# TYPE ");
        buf_put(out, name);
        buf_putc(out, ' ');
        buf_puts(out, TYPES[info.kind]);
        buf_putc(out, '\n');
    }
}

/* name<suffix>{labels[,le="bound"]} value */
static void put_line(struct buf *out, const struct series *s, const char *suffix, const char *bound, uint64_t v)
{
    const struct slice labels = labels_of(s);
    buf_put(out, family_of(s));
    buf_puts(out, suffix);
    buf_put(out, slice_of(labels.p, labels.n - (bound ? 1 : 0)));
    if (bound) {
        buf_puts(out, ",le=\"");
        buf_puts(out, bound);
        buf_puts(out, "\"}");
    }
    buf_putc(out, ' ');
    buf_u64(out, v);
    buf_putc(out, '\n');
}

static void put_seconds(struct buf *out, const struct series *s, uint64_t us)
{
    char text[32];
    buf_put(out, family_of(s));
    buf_puts(out, "_sum");
    buf_put(out, labels_of(s));
    snprintf(text, sizeof text, " %llu.%06llu\n", (unsigned long long)(us / US), (unsigned long long)(us % US));
    buf_puts(out, text);
}

static void put_histogram(struct buf *out, const struct series *s)
{
    static const uint32_t BOUNDS_US[METRICS_BUCKETS - 1] = METRICS_BOUNDS;
    uint64_t count = 0;
    char bound[24];
    for (size_t i = 0; i < METRICS_BUCKETS; i++) {
        count += s->values[i];
        if (i < METRICS_BUCKETS - 1)
            snprintf(bound, sizeof bound, "%g", (double)BOUNDS_US[i] / US);
        put_line(out, s, "_bucket", i < METRICS_BUCKETS - 1 ? bound : "+Inf", count);
    }
    put_seconds(out, s, s->values[METRICS_BUCKETS]);
    put_line(out, s, "_count", NULL, count);
}

static bool nothing_yet(const struct series *s)
{
    uint64_t any = 0;
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        any |= s->values[i];
    return !any;
}

struct err metrics_expose(const char *dir, uint64_t wall_ms, struct buf *out)
{
    struct reading r;
    struct slice family = SLICE_NONE;
    struct err e = read_all(&r, dir, wall_ms);
    for (size_t i = 0; err_ok(e) && i < r.n; i++) {
        const struct series *s = &r.all[i];
        if (s->kind == METRIC_HISTOGRAM && nothing_yet(s))
            continue; /* seventeen lines of zeros a route */
        if (!slice_eq(family_of(s), family))
            put_head(out, family = family_of(s));
        if (s->kind == METRIC_HISTOGRAM)
            put_histogram(out, s);
        else
            put_line(out, s, "", NULL, s->values[0]);
    }
    forget(&r);
    return err_ok(e) ? buf_check(out) : e;
}
