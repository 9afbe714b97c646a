/* pmhgw top: the numbers of the last interval: requests by route, what Redis and the audit log take, connections, and what waits. */

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/metrics/expose.h"
#include "gateway/metrics/layout.h"
#include "gateway/metrics/metrics.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/progress.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/state.h"

enum { SERIES_MAX = 8192, LINES_MAX = 24, LABEL_MAX = 64, MS = 1000, US = 1000000, INTERVAL_MAX_S = 3600, TIMES_MAX = 1000000 };

struct sample { char text[METRICS_TEXT_MAX + 1]; unsigned kind; uint64_t values[METRICS_HISTOGRAM_VALUES]; };
struct samples { struct sample *at; size_t n; uint64_t at_ms; };

static volatile sig_atomic_t stopped;
static void on_signal(int signum) { (void)signum, stopped = 1; }

/* ---- taking ---- */

static void take(void *arg, const struct metrics_series *s)
{
    struct samples *all = arg;
    if (all->n == SERIES_MAX || s->text.n > METRICS_TEXT_MAX)
        return;
    struct sample *to = &all->at[all->n++];
    memcpy(to->text, s->text.p, s->text.n);
    to->text[s->text.n] = 0;
    to->kind = s->kind;
    memcpy(to->values, s->values, (s->kind == METRIC_HISTOGRAM ? METRICS_HISTOGRAM_VALUES : 1) * sizeof *to->values);
}

static ERR sample(const struct state *s, struct samples *to)
{
    const struct clock clock = clock_system();
    to->n = 0;
    to->at_ms = clock_wall(&clock);
    return metrics_each(state_at(s, "run/metrics").c, to->at_ms, take, to);
}

/* Both are sorted by text, and none goes away while its process lives. NULL: it was not there. */
static const struct sample *before(const struct samples *old, const struct sample *now)
{
    for (size_t i = 0; i < old->n; i++)
        if (strcmp(old->at[i].text, now->text) == 0)
            return &old->at[i];
    return NULL;
}

static uint64_t grown(const struct sample *old, const struct sample *now, size_t i)
{
    const uint64_t was = old ? old->values[i] : 0;
    return now->values[i] > was ? now->values[i] - was : 0;
}

/* ---- one histogram over the interval ---- */

struct spread { uint64_t count, sum_us; double p50_ms, p99_ms; };

/* The upper bound of the bucket in which that share lies. */
static double share_ms(const uint64_t *buckets, uint64_t count, double share)
{
    static const uint32_t BOUNDS_US[METRICS_BUCKETS - 1] = METRICS_BOUNDS;
    uint64_t seen = 0;
    for (size_t i = 0; i < METRICS_BUCKETS - 1; i++) {
        seen += buckets[i];
        if ((double)seen >= share * (double)count)
            return (double)BOUNDS_US[i] / MS;
    }
    return (double)BOUNDS_US[METRICS_BUCKETS - 2] / MS;
}

static struct spread spread_of(const struct sample *old, const struct sample *now)
{
    uint64_t buckets[METRICS_BUCKETS];
    struct spread s = { .sum_us = grown(old, now, METRICS_BUCKETS) };
    for (size_t i = 0; i < METRICS_BUCKETS; i++)
        s.count += buckets[i] = grown(old, now, i);
    if (s.count) {
        s.p50_ms = share_ms(buckets, s.count, 0.5);
        s.p99_ms = share_ms(buckets, s.count, 0.99);
    }
    return s;
}

/* ---- showing ---- */

static bool family_is(const struct sample *s, const char *family)
{
    const size_t n = strlen(family);
    return strncmp(s->text, family, n) == 0 && s->text[n] == '{';
}

/* The value of a label; "" when there is none. */
static void label(const struct sample *s, const char *key, char out[static LABEL_MAX])
{
    char word[LABEL_MAX + 3];
    const int n = snprintf(word, sizeof word, "%s=\"", key);
    const char *at = strstr(s->text, word);
    const char *end = at ? strchr(at + n, '"') : NULL;
    snprintf(out, LABEL_MAX, "%.*s", end ? (int)(end - at - n) : 0, at ? at + n : "");
}

struct line { char name[2 * LABEL_MAX]; struct spread s; };

static int busiest(const void *a, const void *b)
{
    const uint64_t x = ((const struct line *)a)->s.sum_us, y = ((const struct line *)b)->s.sum_us;
    return x > y ? -1 : x < y;
}

static void show_spread(const char *name, const struct spread *s, double seconds)
{
    say_cell(name, 44);
    printf("%10.1f/s %9.2f ms %9.2f ms %9.2f ms\n", (double)s->count / seconds, s->count ? (double)s->sum_us / MS / (double)s->count : 0, s->p50_ms, s->p99_ms);
}

static void show_family(const struct samples *old, const struct samples *now, const char *family, const char *by, double seconds)
{
    static struct line lines[SERIES_MAX];
    size_t n = 0;
    for (size_t i = 0; i < now->n; i++) {
        char daemon[LABEL_MAX], what[LABEL_MAX] = "";
        const struct sample *s = &now->at[i];
        if (!family_is(s, family))
            continue;
        const struct spread sp = spread_of(before(old, s), s);
        if (sp.count == 0)
            continue;
        label(s, "daemon", daemon);
        if (by)
            label(s, by, what);
        snprintf(lines[n].name, sizeof lines[n].name, "%s %s", daemon, what);
        lines[n++].s = sp;
    }
    qsort(lines, n, sizeof lines[0], busiest);
    for (size_t i = 0; i < n && i < LINES_MAX; i++)
        show_spread(lines[i].name, &lines[i].s, seconds);
}

/* Every series of the family but those that are 0. */
static void show_numbers(const struct samples *old, const struct samples *now, const char *family, const char *by, double seconds)
{
    for (size_t i = 0; i < now->n; i++) {
        const struct sample *s = &now->at[i];
        char daemon[LABEL_MAX], what[LABEL_MAX] = "", name[3 * LABEL_MAX];
        const uint64_t v = s->kind == METRIC_COUNTER ? grown(before(old, s), s, 0) : s->values[0];
        if (!family_is(s, family) || v == 0)
            continue;
        label(s, "daemon", daemon);
        if (by)
            label(s, by, what);
        snprintf(name, sizeof name, "%s %s", daemon, what);
        say_cell(name, 44);
        if (s->kind == METRIC_COUNTER)
            printf("%10.1f/s\n", (double)v / seconds);
        else
            printf("%10llu\n", (unsigned long long)v);
    }
}

static const struct sample *find(const struct samples *all, const char *family, const char *key, const char *value)
{
    char have[LABEL_MAX];
    for (size_t i = 0; i < all->n; i++) {
        label(&all->at[i], key, have);
        if (family_is(&all->at[i], family) && strcmp(have, value) == 0)
            return &all->at[i];
    }
    return NULL;
}

/* What waits of each municipality, and since when; those of which nothing does are left out. */
static void show_waiting(const struct samples *now)
{
    const uint64_t now_s = now->at_ms / MS;
    for (size_t i = 0; i < now->n; i++) {
        char muni[LABEL_MAX], age[32];
        if (!family_is(&now->at[i], "pmhgw_rows_waiting"))
            continue;
        label(&now->at[i], "municipality", muni);
        const struct sample *files = find(now, "pmhgw_files_open", "municipality", muni), *since = find(now, "pmhgw_waiting_since_seconds", "municipality", muni);
        const uint64_t rows = now->at[i].values[0], open = files ? files->values[0] : 0, from = since ? since->values[0] : 0;
        if (rows == 0 && open == 0)
            continue;
        progress_duration(from && from < now_s ? now_s - from : 0, age);
        say_cell(say_form("%s %s", say_pick("自治体", "municipality"), muni).c, 44);
        printf("%10llu %s  %llu %s  %s %s\n", (unsigned long long)rows, say_pick("行", "rows"), (unsigned long long)open, say_pick("ファイル", "files"),
               say_pick("最も古いもの", "oldest"), age);
    }
}

/* One line, when it is not 0. */
static void show_count(const struct samples *now, const char *family, const char *ja, const char *en)
{
    for (size_t i = 0; i < now->n; i++)
        if (family_is(&now->at[i], family) && now->at[i].values[0]) {
            say_cell(say_pick(ja, en), 44);
            printf("%10llu\n", (unsigned long long)now->at[i].values[0]);
        }
}

static void show_backlog(const struct samples *now)
{
    say("待っているもの(自治体ごとの行と、最も古い受付からの時間)", "what waits (rows by municipality, and the age of the oldest task)");
    show_waiting(now);
    show_count(now, "pmhgw_notices_waiting", "機関への知らせ", "messages to partners");
    show_count(now, "pmhgw_notices_behind_seconds", "その遅れ(秒)", "how late they are (s)");
    show_count(now, "pmhgw_notices_dead", "届かなかった知らせ", "messages not delivered");
    show_count(now, "pmhgw_vrs_waiting", "VRSへの登録", "registrations for VRS");
    show_count(now, "pmhgw_vrs_not_taken", "VRSが受け付けなかった登録", "registrations not taken by VRS");
}

static void show(const struct samples *old, const struct samples *now)
{
    const double seconds = now->at_ms > old->at_ms ? (double)(now->at_ms - old->at_ms) / MS : 1;
    say("要求(合計時間の多い順): 毎秒・平均・p50・p99", "requests (most time first): per second, mean, p50, p99");
    show_family(old, now, "pmhgw_request_duration_seconds", "operation", seconds);
    say("応答の種類", "answers");
    show_numbers(old, now, "pmhgw_requests_total", "class", seconds);
    say("Redis", "Redis");
    show_family(old, now, "pmhgw_redis_duration_seconds", NULL, seconds);
    say("監査記録", "audit log");
    show_family(old, now, "pmhgw_audit_duration_seconds", NULL, seconds);
    say("接続数", "connections");
    show_numbers(old, now, "pmhgw_connections", "door", seconds);
    show_backlog(now);
    fflush(stdout);
}

/* Everything that changed or stands, a line of JSON a look. */
static void show_json(const struct samples *old, const struct samples *now)
{
    const double seconds = now->at_ms > old->at_ms ? (double)(now->at_ms - old->at_ms) / MS : 1;
    json_t *series = json_array();
    for (size_t i = 0; i < now->n; i++) {
        const struct sample *s = &now->at[i], *was = before(old, s);
        if (s->kind == METRIC_HISTOGRAM) {
            const struct spread x = spread_of(was, s);
            if (x.count)
                json_array_append_new(series, json_pack("{s:s, s:f, s:f, s:f, s:f}", "series", s->text, "per_s", (double)x.count / seconds, "mean_ms", (double)x.sum_us / MS / (double)x.count,
                                                        "p50_ms", x.p50_ms, "p99_ms", x.p99_ms));
        } else if (s->kind == METRIC_COUNTER && grown(was, s, 0)) {
            json_array_append_new(series, json_pack("{s:s, s:f}", "series", s->text, "per_s", (double)grown(was, s, 0) / seconds));
        } else if (s->kind != METRIC_COUNTER && s->values[0]) {
            json_array_append_new(series, json_pack("{s:s, s:I}", "series", s->text, "value", (json_int_t)s->values[0]));
        }
    }
    json_t *v = json_pack("{s:I, s:f, s:o}", "at_ms", (json_int_t)now->at_ms, "interval_s", seconds, "series", series);
    out_written();
    json_dumpf(v, stdout, JSON_COMPACT);
    putchar('\n');
    fflush(stdout);
    json_decref(v);
}

static ERR watch(const struct state *s, uint64_t interval_s, uint64_t times)
{
    struct samples a = { calloc(SERIES_MAX, sizeof(struct sample)), 0, 0 }, b = { calloc(SERIES_MAX, sizeof(struct sample)), 0, 0 };
    struct err e = a.at && b.at ? sample(s, &a) : FAIL(E_NOMEM);
    const bool screen = isatty(STDOUT_FILENO) && !out_json();
    for (uint64_t i = 0; err_ok(e) && !stopped && i < times; i++) {
        sleep((unsigned)interval_s); /* cut short by a signal */
        if (stopped)
            break;
        e = sample(s, &b);
        if (!err_ok(e))
            break;
        if (screen)
            fputs("\033[H\033[2J", stdout);
        if (out_json())
            show_json(&a, &b);
        else
            show(&a, &b);
        const struct samples swap = a;
        a = b;
        b = swap;
    }
    free(a.at);
    free(b.at);
    return e;
}

int cmd_top(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct state s;
    struct opt_list none = { 0 };
    uint64_t interval = 2, times = TIMES_MAX;
    const enum opts_end end = CLI_PARSE(argc, argv, "top", &none, { "--state", &dirs.state }, { "--interval", &interval }, { "--times", &times }, { "--json", &(bool){ false } });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!state_open(&s, &dirs, false))
        return 2;
    const struct sigaction act = { .sa_handler = on_signal };
    sigaction(SIGINT, &act, NULL);
    sigaction(SIGTERM, &act, NULL);
    const struct err e = watch(&s, interval, times);
    if (!err_ok(e))
        say_err("数値を読めません", "the numbers cannot be read", e);
    return err_ok(e) ? 0 : 2;
}
