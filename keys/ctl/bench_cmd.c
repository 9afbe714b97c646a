/* pmhgw bench: a short load on the running gateway, with the mock nation as card reader and as PMH. What it prints is of this machine, with the load and the
 * mock nation on it, at this moment. */

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "gateway/base/json_write.h"
#include "keys/ctl/cli.h"
#include "keys/ctl/commands.h"
#include "keys/ctl/follow.h"
#include "keys/ctl/grid.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/upload.h"

enum { CALLERS_MAX = 64, SAMPLES_MAX = 400000, KEYS_MAX = 20000, CARDS_MAX = 50000, SECONDS_MAX = 600, CALL_MS = 10000, BODY_MAX = 8192, CARD_CHARS = 80, LINE_BYTES = 512, SESSIONS_READ = 4 };
#define BENCH_CLINIC "3319900019"

extern char **environ;

struct cards { char (*at)[CARD_CHARS]; size_t n; };

/* What one part of it did, of one caller or of all. */
struct tally { uint32_t *us; size_t n, failed; uint64_t took_ms; unsigned per_second[SECONDS_MAX + 2]; };

struct caller;
typedef bool ask_fn(struct caller *c, size_t i); /* false: a failure */

struct caller {
    const struct state *s;
    const struct cards *cards;
    struct web *web;
    size_t number, callers, n_keys, n_sessions;
    char **keys, **sessions;
    uint64_t seconds, began_us;
    ask_fn *ask;
    size_t most;              /* asks at most */
    struct tally t;
};

static uint64_t now_us(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

/* ---- one question ---- */

/* nothing: "there is nothing to tell" is an answer too, of somebody whose record is not disclosed. */
static json_t *post(struct caller *c, unsigned port, const char *path, const char *body, int want, bool nothing)
{
    struct web_answer a;
    const struct web_call call = { .method = "POST", .port = state_base_port(c->s) + port, .path = path, .content_type = "application/json", .body = slice_str(body), .timeout_ms = CALL_MS };
    struct err e = web_send(c->web, &call, &a);
    json_t *v = err_ok(e) && (a.status == want || (nothing && a.status == 404)) ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    web_answer_done(&a);
    return v;
}

/* A card at the mock online qualification: a link key, which can be used once. */
static bool ask_consent(struct caller *c, size_t i)
{
    char body[CARD_CHARS + 64];
    snprintf(body, sizeof body, "{\"card_serial\":\"%s\",\"items\":[\"eligibility\"]}", c->cards->at[(c->number + i * c->callers) % c->cards->n]);
    json_t *v = post(c, PORT_ONSHI, "/onshi/v1/consents", body, 201, false);
    const char *key = json_string_value(json_object_get(v, "link_key"));
    if (key && c->n_keys < KEYS_MAX)
        c->keys[c->n_keys++] = strdup(key);
    json_decref(v);
    return key != NULL;
}

static bool ask_lookup(struct caller *c, size_t i)
{
    char body[BODY_MAX];
    if (snprintf(body, sizeof body, "{\"link_key\":\"%s\"}", c->keys[i]) >= (int)sizeof body)
        return false;
    json_t *v = post(c, PORT_CLINIC, "/v1/clinic/eligibility", body, 200, true);
    const char *session = json_string_value(json_object_get(v, "session"));
    if (session)
        c->sessions[c->n_sessions++] = strdup(session);
    bool good = v != NULL;
    json_decref(v);
    return good;
}

static bool ask_session(struct caller *c, size_t i)
{
    char body[512];
    const size_t newest = c->n_sessions < SESSIONS_READ ? c->n_sessions : SESSIONS_READ; /* a person's older ones may have ended */
    snprintf(body, sizeof body, "{\"session\":\"%.400s\"}", c->sessions[c->n_sessions - 1 - i % newest]);
    json_t *v = post(c, PORT_CLINIC, "/v1/clinic/session", body, 200, false);
    bool good = v != NULL;
    json_decref(v);
    return good;
}

/* ---- a part: all callers at once ---- */

static void *work(void *arg)
{
    struct caller *c = arg;
    const uint64_t end = c->began_us + c->seconds * 1000000;
    for (size_t i = 0; i < c->most && !web_stop_asked(); i++) {
        uint64_t from = now_us();
        if (from >= end)
            break;
        if (!c->ask(c, i)) {
            c->t.failed++;
            continue;
        }
        uint64_t to = now_us(), second = (to - c->began_us) / 1000000;
        if (c->t.n < SAMPLES_MAX)
            c->t.us[c->t.n++] = (uint32_t)(to - from);
        if (second < SECONDS_MAX + 2)
            c->t.per_second[second]++;
    }
    c->t.took_ms = (now_us() - c->began_us) / 1000;
    return NULL;
}

static int by_value(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return x < y ? -1 : x > y;
}

/* false: no memory, no thread. *all: its samples are the caller's to free. */
static bool part_run(struct caller *c, size_t n, ask_fn *ask, uint64_t seconds, struct tally *all)
{
    pthread_t threads[CALLERS_MAX];
    size_t started = 0;
    const uint64_t began = now_us();
    *all = (struct tally){ 0 };
    for (; started < n; started++) {
        struct caller *x = &c[started];
        free(x->t.us);
        x->t = (struct tally){ .us = calloc(SAMPLES_MAX, sizeof *x->t.us) };
        x->ask = ask;
        x->seconds = seconds;
        x->began_us = began;
        x->most = ask == ask_lookup ? x->n_keys : ask == ask_consent ? KEYS_MAX : ask == ask_session && !x->n_sessions ? 0 : SIZE_MAX;
        if (!x->t.us || pthread_create(&threads[started], NULL, work, x) != 0)
            break;
    }
    for (size_t i = 0; i < started; i++)
        pthread_join(threads[i], NULL);
    size_t samples = 0;
    for (size_t i = 0; i < started; i++)
        samples += c[i].t.n;
    all->us = calloc(samples + 1, sizeof *all->us);
    for (size_t i = 0; all->us && i < started; i++) {
        memcpy(all->us + all->n, c[i].t.us, c[i].t.n * sizeof *all->us);
        all->n += c[i].t.n;
        all->failed += c[i].t.failed;
        all->took_ms = c[i].t.took_ms > all->took_ms ? c[i].t.took_ms : all->took_ms;
        for (size_t k = 0; k < SECONDS_MAX + 2; k++)
            all->per_second[k] += c[i].t.per_second[k];
    }
    if (all->us)
        qsort(all->us, all->n, sizeof *all->us, by_value);
    return started == n && all->us;
}

/* ---- what is told ---- */

static struct say_text ms_of(const struct tally *t, unsigned permille)
{
    return t->n ? say_form("%.2f", (double)t->us[t->n * permille / 1000 < t->n ? t->n * permille / 1000 : t->n - 1] / 1000) : say_form("%s", "");
}

/* Whole seconds only: the last one is cut. */
static void tell_part(struct grid *g, const char *name, const struct tally *t)
{
    unsigned least = UINT32_MAX, most = 0;
    for (size_t k = 0; k < t->took_ms / 1000 && k < SECONDS_MAX; k++) {
        least = t->per_second[k] < least ? t->per_second[k] : least;
        most = t->per_second[k] > most ? t->per_second[k] : most;
    }
    GRID_ADD(g, name, say_form("%llu", (unsigned long long)t->n).c, say_form("%.0f", t->took_ms ? (double)t->n * 1000 / (double)t->took_ms : 0.0).c,
             most ? say_form("%u", least).c : "", most ? say_form("%u", most).c : "", ms_of(t, 500).c, ms_of(t, 900).c, ms_of(t, 990).c, ms_of(t, 1000).c, say_form("%zu", t->failed).c);
}

static const struct grid_col COLS[] = {
    { "part", "測ったもの", "part", GRID_TEXT, false }, { "done", "件数", "done", GRID_NUMBER, false }, { "per_second", "毎秒", "per s", GRID_NUMBER, false },
    { "slowest_second", "遅い秒", "slowest s", GRID_NUMBER, false }, { "fastest_second", "速い秒", "fastest s", GRID_NUMBER, false }, { "p50_ms", "p50 ms", "p50 ms", GRID_NUMBER, false },
    { "p90_ms", "p90 ms", "p90 ms", GRID_NUMBER, false }, { "p99_ms", "p99 ms", "p99 ms", GRID_NUMBER, false }, { "max_ms", "最大 ms", "max ms", GRID_NUMBER, false },
    { "failed", "失敗", "failed", GRID_NUMBER, false },
};

static void tell_small_print(size_t callers)
{
    double load = 0;
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    (void)getloadavg(&load, 1);
    out_put_u64("cpus", (uint64_t)(cpus > 0 ? cpus : 0));
    out_put_u64("callers", callers);
    out_put("load_1min", json_real(load));
    say_plain(say_form("CPU %ld 個、負荷 %.1f(1 分)、同時に %zu。負荷役と模擬の全国システムも同じ CPU を使っています", cpus, load, callers).c,
              say_form("%ld CPUs, load %.1f (1 min), %zu callers; the load and the mock nation take CPU of the same machine", cpus, load, callers).c);
    say_plain("一度に一つずつ尋ねる呼び出し元の値です。短い測定で、専用の機械の値ではなく、今この機械での下限の目安です(docs/performance.md、docs/sizing.md)",
              "each caller asks one thing at a time; short, and a lower bound for this moment on this machine, not what one of its own would do (docs/performance.md, docs/sizing.md)");
}

/* ---- cards ---- */

static bool cards_read(const struct state *s, const char *muni, struct cards *ret)
{
    struct state_path p = state_at(s, "data/%s.cards.jsonl", muni);
    FILE *f = fopen(p.c, "re");
    char line[LINE_BYTES];
    ret->at = calloc(CARDS_MAX, sizeof *ret->at);
    while (f && ret->at && ret->n < CARDS_MAX && fgets(line, sizeof line, f)) {
        json_t *v = json_loads(line, 0, NULL);
        const char *serial = json_string_value(json_object_get(v, "card_serial"));
        if (serial && strlen(serial) < CARD_CHARS && serial[strspn(serial, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ-_")] == '\0')
            snprintf(ret->at[ret->n++], CARD_CHARS, "%s", serial);
        json_decref(v);
    }
    if (f)
        fclose(f);
    if (ret->n)
        return true;
    say_error("カードがありません: %s", "there are no cards: %s", p.c);
    say_hint("pmhgw-synth --muni 331007 --count 50 --seed 1 --out 状態/data を実行し、pmhgw up --mocks で起動してください", "run pmhgw-synth --muni 331007 --count 50 --seed 1 --out STATE/data and start with pmhgw up --mocks");
    return false;
}

/* ---- registration ---- */

static bool synth_run(const struct state *s, const char *muni, uint64_t rows, const char *dir)
{
    struct state_path program = state_bin(s, "pmhgw-synth");
    char count[24];
    snprintf(count, sizeof count, "%llu", (unsigned long long)rows);
    char *const argv[] = { program.c, (char[]){ "--muni" }, (char *)(uintptr_t)muni, (char[]){ "--count" }, count, (char[]){ "--seed" }, (char[]){ "77" }, (char[]){ "--out" }, (char *)(uintptr_t)dir, NULL };
    pid_t pid;
    int status = -1;
    posix_spawn_file_actions_t acts;
    posix_spawn_file_actions_init(&acts);
    posix_spawn_file_actions_addopen(&acts, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    int failed = posix_spawn(&pid, program.c, &acts, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&acts);
    if (failed != 0 || waitpid(pid, &status, 0) != pid || status != 0) {
        say_error("pmhgw-synth を実行できません", "pmhgw-synth cannot be run");
        return false;
    }
    return true;
}

/* The whole way of a file: sent, read, applied, told to PMH. */
static bool register_rows(const struct state_dirs *dirs, const char *muni, const char *path, struct grid *g)
{
    struct muni_door d = { 0 };
    struct nz_upload_file f = { .fd = -1 };
    struct task_view v = { .rows = 0 };
    const struct nz_upload_how how = { .operation = "postRegistrationTasks", .source = "json" };
    char id[64];
    const uint64_t from = now_us();
    bool good = muni_door_open(&d, dirs, muni, MUNI_PATIENCE_S) && nz_upload_open(&f, path) && nz_upload_sum(&f) && nz_upload_create(&d, &f, &how, id) &&
                nz_upload_send(&d, &f, id, NZ_PART_MAX) == NZ_UPLOAD_DONE && follow_task(&d, id, MUNI_PATIENCE_S, &v) == FOLLOW_ENDED;
    const uint64_t took = (now_us() - from) / 1000;
    nz_upload_close(&f);
    muni_door_close(&d);
    if (good)
        GRID_ADD(g, say_pick("登録の行\tregistration_rows", "registration rows\tregistration_rows"), say_form("%llu", (unsigned long long)v.rows).c,
                 say_form("%.0f", took ? (double)v.rows * 1000 / (double)took : 0.0).c, "", "", "", "", "", "", say_form("%llu", (unsigned long long)task_view_errors(&v)).c);
    if (good && task_view_errors(&v))
        say_plain("受け付けなかった行と保留の行は、合成の住民が先のものと同じ番号を引いたものです(pmhgw tasks)", "rows that were refused or are held: synthetic residents drew a number that another has (pmhgw tasks)");
    if (good && v.count[TASK_UNCHANGED] == v.rows)
        say_plain("登録の行は前の測定と同じなので、何も変わりませんでした(初めての登録より速くなります)", "the rows were there from an earlier run: nothing changed, which is faster than the first time");
    return good;
}

static bool register_part(const struct state *s, const struct state_dirs *dirs, const char *muni, uint64_t rows, struct grid *g)
{
    struct state_path dir = state_at(s, "run/bench-XXXXXX"), path;
    if (!mkdtemp(dir.c)) {
        say_error("一時フォルダーを作れません", "no temporary folder can be made");
        return false;
    }
    bool good = synth_run(s, muni, rows, dir.c) && snprintf(path.c, sizeof path.c, "%s/%s.json", dir.c, muni) < (int)sizeof path.c && register_rows(dirs, muni, path.c, g);
    static const char *const ENDS[] = { "json", "cards.jsonl" };
    for (size_t i = 0; i < sizeof ENDS / sizeof *ENDS; i++)
        if (snprintf(path.c, sizeof path.c, "%s/%s.%s", dir.c, muni, ENDS[i]) < (int)sizeof path.c)
            unlink(path.c);
    rmdir(dir.c);
    return good;
}

/* ---- the command ---- */

static void callers_done(struct caller *c, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t k = 0; c[i].keys && k < c[i].n_keys; k++)
            free(c[i].keys[k]);
        for (size_t k = 0; c[i].sessions && k < c[i].n_sessions; k++)
            free(c[i].sessions[k]);
        free(c[i].keys);
        free(c[i].sessions);
        free(c[i].t.us);
        web_free(c[i].web);
    }
    free(c);
}

static struct caller *callers_new(const struct state *s, const struct cards *cards, size_t n)
{
    struct caller *c = calloc(n, sizeof *c);
    bool good = c != NULL;
    for (size_t i = 0; good && i < n; i++) {
        c[i] = (struct caller){ .s = s, .cards = cards, .number = i, .callers = n, .keys = calloc(KEYS_MAX, sizeof(char *)), .sessions = calloc(KEYS_MAX, sizeof(char *)) };
        good = c[i].keys && c[i].sessions && err_ok(web_new(&c[i].web, s, "clinic-" BENCH_CLINIC));
    }
    if (good)
        return c;
    if (c)
        callers_done(c, n);
    say_error("開始できません。pmhgw up --mocks は動いていますか", "cannot start; is pmhgw up --mocks running?");
    return NULL;
}

/* Returns how many requests failed; SIZE_MAX: it could not be done. */
static size_t lookups(struct caller *c, size_t n, uint64_t seconds, struct grid *g)
{
    struct tally t[3] = { { 0 } };
    say_plain("連携キーを用意しています", "getting link keys");
    bool good = part_run(c, n, ask_consent, seconds, &t[0]);
    size_t keys = t[0].n;
    if (good && keys && part_run(c, n, ask_lookup, seconds, &t[1]))
        tell_part(g, say_pick("医療機関の照会\tlookups", "lookups of clinics\tlookups"), &t[1]);
    if (t[1].n && part_run(c, n, ask_session, seconds, &t[2]))
        tell_part(g, say_pick("セッションの読み直し\tsession_reads", "reads of sessions\tsession_reads"), &t[2]);
    size_t failed = t[1].failed + t[2].failed;
    good = good && t[1].n;
    for (size_t i = 0; i < 3; i++)
        free(t[i].us);
    if (good)
        return failed;
    say_error("照会できません。住民は登録されていますか(pmhgw import)、模擬の全国システムは動いていますか(pmhgw up --mocks)",
              "no lookup succeeds; are the residents registered (pmhgw import), does the mock nation run (pmhgw up --mocks)?");
    return SIZE_MAX;
}

int cmd_bench(int argc, char **argv)
{
    struct state_dirs dirs = { 0 };
    struct state s;
    struct opt_list words;
    struct cards cards = { 0 };
    const char *muni = "331007";
    uint64_t seconds = 5, n = 4, rows = 2000;
    enum opts_end end = CLI_PARSE(argc, argv, "bench", &words, { "--seconds", &seconds }, { "--callers", &n }, { "--rows", &rows }, { "--muni", &muni }, { "--state", &dirs.state }, { "--bin", &dirs.bin });
    if (end != OPTS_GO)
        return end == OPTS_HELP ? 0 : 2;
    if (!muni_code_good(muni) || !err_ok(web_setup()) || !state_open(&s, &dirs, false) || !cards_read(&s, muni, &cards)) {
        free(cards.at);
        return 2;
    }
    web_hold_stop();
    struct caller *c = callers_new(&s, &cards, (size_t)n);
    struct grid *g = c ? grid_new(COLS, sizeof COLS / sizeof *COLS) : NULL;
    size_t failed = g ? lookups(c, (size_t)n, seconds, g) : SIZE_MAX;
    if (c)
        callers_done(c, (size_t)n);
    free(cards.at);
    if (failed == SIZE_MAX || !register_part(&s, &dirs, muni, rows, g)) {
        grid_free(g);
        return 2;
    }
    if (!grid_show(g, "parts"))
        return 2;
    tell_small_print((size_t)n);
    return failed ? 1 : 0;
}
