#include "gateway/metrics/metrics.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/base/must.h"
#include "gateway/metrics/families.h"
#include "gateway/metrics/layout.h"

struct metrics {
    int fd;                  /* holds the lock on the slot; -1: nothing is kept */
    struct metrics_file *file;
    struct lit daemon;
    uint32_t next;           /* row where the next one probably is: processes ask in the same order each time */
    bool full;
};

/* Where is counted what nobody reads; each thread has its own. */
static _Thread_local uint64_t nowhere[METRICS_HISTOGRAM_VALUES];

static const char *const NAMES[MF__MAX] = {
#define X(sym, name, kind, help) [MF_##sym] = name,
#include "gateway/metrics/families.def"
#undef X
};
static const char *const HELPS[MF__MAX] = {
#define X(sym, name, kind, help) [MF_##sym] = help,
#include "gateway/metrics/families.def"
#undef X
};
static const enum metric_kind KINDS[MF__MAX] = {
#define X(sym, name, kind, help) [MF_##sym] = METRIC_##kind,
#include "gateway/metrics/families.def"
#undef X
};

struct metric_family_info metric_family_info(enum metric_family f) { return (struct metric_family_info){ NAMES[f], HELPS[f], KINDS[f] }; }

static size_t values_of(enum metric_kind kind) { return kind == METRIC_HISTOGRAM ? METRICS_HISTOGRAM_VALUES : 1; }

/* ---- the file ---- */

/* In a folder whose group is that of all files in it, the daemons are of several users: the group may read. */
static void share(const char *dir, int fd)
{
    struct stat st;
    if (stat(dir, &st) == 0 && (st.st_mode & S_ISGID))
        (void)fchmod(fd, 0640);
}

/* Where daemons of several users share the folder, one of them may have put something there in our name: a file that its owner can cut would end us. */
static bool is_ours(int fd)
{
    struct stat st;
    return fstat(fd, &st) == 0 && S_ISREG(st.st_mode) && st.st_uid == geteuid();
}

/* A slot that nobody holds; the lock goes with the process. */
static ERR take_slot(const char *dir, struct lit daemon, int *ret_fd)
{
    char path[METRICS_PATH_MAX];
    for (unsigned slot = 0; slot < METRICS_SLOTS; slot++) {
        const int n = snprintf(path, sizeof path, "%s/%s-%u.m", dir, daemon.s, slot);
        if (n < 0 || (size_t)n >= sizeof path)
            return FAIL(E_IO);
        const int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
        if (fd < 0 && errno != EACCES && errno != ELOOP)
            return FAIL(E_IO);
        if (fd < 0)
            continue;
        if (is_ours(fd) && flock(fd, LOCK_EX | LOCK_NB) == 0) {
            share(dir, fd);
            *ret_fd = fd;
            return OK;
        }
        close(fd);
    }
    return FAIL(E_FULL);
}

bool metrics_sane(const struct metrics_file *f)
{
    if (f->magic != METRICS_MAGIC || f->n_rows > METRICS_ROWS || f->n_values > METRICS_VALUES || f->n_texts > METRICS_TEXTS)
        return false;
    for (uint32_t i = 0; i < f->n_rows; i++) {
        const struct metrics_row *r = &f->rows[i];
        if (r->kind > METRIC_FIRST || r->text_n > METRICS_TEXT_MAX || r->text > f->n_texts || r->text_n > f->n_texts - r->text || r->value > f->n_values ||
            values_of((enum metric_kind)r->kind) > f->n_values - r->value)
            return false;
    }
    return true;
}

/* What is left of the process before: its counters. Where it was killed, it has not said that it is gone. */
static void take_up(struct metrics_file *f)
{
    __atomic_store_n(&f->beat_ms, 0, __ATOMIC_RELAXED);
    f->started_ms = 0;
    if (!metrics_sane(f)) {
        memset(f, 0, sizeof *f);
        f->magic = METRICS_MAGIC;
        return;
    }
    for (uint32_t i = 0; i < f->n_rows; i++)
        if (f->rows[i].kind != METRIC_COUNTER && f->rows[i].kind != METRIC_HISTOGRAM)
            f->values[f->rows[i].value] = 0;
}

static ERR map_file(struct metrics *m)
{
    struct stat st;
    bool fresh = fstat(m->fd, &st) == 0 && st.st_size == 0;
    if (ftruncate(m->fd, sizeof *m->file) != 0)
        return FAIL(E_IO);
    void *at = mmap(NULL, sizeof *m->file, PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
    if (at == MAP_FAILED)
        return FAIL(E_NOMEM);
    m->file = at;
    if (fresh)
        m->file->magic = METRICS_MAGIC; /* no page of it that is not used is touched */
    else
        take_up(m->file);
    return OK;
}

struct err metrics_open(struct metrics **ret_m, const char *dir, struct lit daemon)
{
    struct metrics *m = calloc(1, sizeof *m);
    if (!m)
        return FAIL(E_NOMEM);
    *m = (struct metrics){ .fd = -1, .daemon = daemon };
    struct err e = OK;
    if (dir && *dir && mkdir(dir, 0700) != 0 && errno != EEXIST)
        e = FAIL(E_IO);
    if (err_ok(e) && dir && *dir)
        e = take_slot(dir, daemon, &m->fd);
    if (err_ok(e) && m->fd >= 0)
        e = map_file(m);
    if (!err_ok(e)) {
        metrics_close(m);
        return e;
    }
    *ret_m = m;
    return OK;
}

void metrics_close(struct metrics *m)
{
    if (!m)
        return;
    if (m->file) {
        __atomic_store_n(&m->file->beat_ms, 0, __ATOMIC_RELAXED);
        munmap(m->file, sizeof *m->file);
    }
    if (m->fd >= 0)
        close(m->fd);
    free(m);
}

void metrics_beat(struct metrics *m, uint64_t wall_ms)
{
    if (!m || !m->file)
        return;
    if (!m->file->started_ms || !m->file->beat_ms) {
        m->file->started_ms = wall_ms;
        metric_set(metrics_of(m, MF_STARTED, 0, NULL), wall_ms / 1000);
        metric_set(metrics_of(m, MF_UP, 0, NULL), 1);
    }
    __atomic_store_n(&m->file->beat_ms, wall_ms, __ATOMIC_RELAXED);
}

/* ---- its rows ---- */

static size_t put_word(char *to, size_t at, const char *word, size_t n)
{
    MUST(at + n <= METRICS_TEXT_MAX); /* names and labels are our own text */
    memcpy(to + at, word, n);
    return at + n;
}

static size_t put_label(char *to, size_t at, const char *sep, const char *key, const char *value, size_t value_n)
{
    at = put_word(to, at, sep, strlen(sep));
    at = put_word(to, at, key, strlen(key));
    at = put_word(to, at, "=\"", 2);
    at = put_word(to, at, value, value_n);
    return put_word(to, at, "\"", 1);
}

/* name{daemon="front",key="value"} */
static size_t text_of(const struct metrics *m, enum metric_family f, size_t n, const struct metric_label *labels, char to[static METRICS_TEXT_MAX])
{
    size_t at = put_word(to, 0, NAMES[f], strlen(NAMES[f]));
    at = put_label(to, at, "{", "daemon", m->daemon.s, strlen(m->daemon.s));
    for (size_t i = 0; i < n; i++) {
        const struct metric_label *l = &labels[i];
        if (l->kind == MV_LIT)
            at = put_label(to, at, ",", l->key, l->v.lit.s, strlen(l->v.lit.s));
        else
            at = put_label(to, at, ",", l->key, l->v.muni, sizeof l->v.muni);
    }
    return put_word(to, at, "}", 1);
}

static bool row_is(const struct metrics_file *f, uint32_t i, const char *text, size_t n, enum metric_kind kind)
{
    const struct metrics_row *r = &f->rows[i];
    return r->kind == kind && slice_eq(slice_of(f->texts + r->text, r->text_n), slice_of(text, n));
}

static const struct metrics_row *find_row(struct metrics *m, const char *text, size_t n, enum metric_kind kind)
{
    struct metrics_file *f = m->file;
    for (uint32_t k = 0; k < f->n_rows; k++) {
        const uint32_t i = (m->next + k) % f->n_rows;
        if (!row_is(f, i, text, n, kind))
            continue;
        m->next = i + 1;
        return &f->rows[i];
    }
    return NULL;
}

static const struct metrics_row *add_row(struct metrics *m, const char *text, size_t n, enum metric_kind kind)
{
    struct metrics_file *f = m->file;
    if (f->n_rows == METRICS_ROWS || n > METRICS_TEXTS - f->n_texts || values_of(kind) > METRICS_VALUES - f->n_values) {
        if (!m->full)
            LOG(WARN, "metrics_full", LF("rows", f->n_rows));
        m->full = true;
        return NULL;
    }
    struct metrics_row *r = &f->rows[f->n_rows];
    *r = (struct metrics_row){ f->n_texts, (uint32_t)n, f->n_values, kind };
    memcpy(f->texts + f->n_texts, text, n);
    f->n_texts += (uint32_t)n;
    f->n_values += (uint32_t)values_of(kind);
    __atomic_store_n(&f->n_rows, f->n_rows + 1, __ATOMIC_RELEASE); /* a reader sees whole rows */
    return r;
}

metric *metrics_of(struct metrics *m, enum metric_family f, size_t n_labels, const struct metric_label *labels)
{
    char text[METRICS_TEXT_MAX];
    if (!m || !m->file)
        return nowhere;
    const size_t n = text_of(m, f, n_labels, labels, text);
    const struct metrics_row *r = find_row(m, text, n, KINDS[f]);
    if (!r)
        r = add_row(m, text, n, KINDS[f]);
    return r ? &m->file->values[r->value] : nowhere;
}

void metric_took(metric *at, uint64_t ns)
{
    static const uint32_t BOUNDS_US[METRICS_BUCKETS - 1] = METRICS_BOUNDS;
    const uint64_t us = ns / 1000;
    size_t i = 0;
    while (i < METRICS_BUCKETS - 1 && us > BOUNDS_US[i])
        i++;
    metric_add(&at[i], 1);
    metric_add(&at[METRICS_BUCKETS], us);
}
