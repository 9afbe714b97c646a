#include "keys/ctl/import.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "gateway/base/clock.h"

enum { CALL_MS = 60000, WAIT_MIN_MS = 100, WAIT_MAX_MS = 3000, FOLLOW_MS = 50 };

static const char *const RESULTS[NZ__RESULTS] = { "registered", "updated", "unchanged", "waiting", "refused", "quarantined" };

const char *nz_result_name(enum nz_result r) { return RESULTS[r]; }

static uint64_t now_ms(void)
{
    struct clock c = clock_system();
    return clock_mono(&c);
}

static uint64_t errors_of(const struct nz_import *im) { return im->done[NZ_REFUSED] + im->done[NZ_QUARANTINED]; }

static uint64_t settled(const struct nz_import *im)
{
    uint64_t n = im->rows_done;
    for (size_t i = 0; i < IMPORT_OPEN_MAX; i++)
        if (im->tasks[i].open)
            n += im->tasks[i].rows - im->tasks[i].waiting;
    return n;
}

static void draw(struct nz_import *im, bool waiting) { say_bar_at(&im->bar, settled(im), errors_of(im), waiting); }

/* Names of our own tables come back in answers; anything else is not printed. */
static void copy_name(char *out, size_t cap, const char *s)
{
    size_t n = s ? strspn(s, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.-") : 0;
    bool plain = s && s[n] == '\0' && n < cap;
    snprintf(out, cap, "%s", plain ? s : "");
}

/* ---- calls that are repeated until they are answered ---- */

static bool may_repeat(struct err e, const struct web_answer *a)
{
    return !err_ok(e) || a->status == 408 || a->status == 429 || a->status == 401 || a->status >= 500;
}

/* OK with a token; otherwise why not. *ret_final: asking again would not help. */
static ERR token_get(struct nz_import *im, bool *ret_final)
{
    struct web_answer a;
    struct web_call c = { .method = "POST", .port = im->port, .path = "/oauth2/token", .timeout_ms = CALL_MS,
                          .content_type = "application/x-www-form-urlencoded", .body = LIT("grant_type=client_credentials") };
    struct err e = web_send(im->web, &c, &a);
    *ret_final = err_ok(e) && !may_repeat(e, &a);
    json_t *v = err_ok(e) && a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    const char *t = json_string_value(json_object_get(v, "access_token"));
    if (t && strlen(t) < sizeof im->token)
        snprintf(im->token, sizeof im->token, "%s", t);
    else if (err_ok(e))
        e = FAIL(web_problem_code(&a));
    json_decref(v);
    web_answer_done(&a);
    return e;
}

/* The answer, whatever its status, once it is not one that asks for patience. */
static bool call_until(struct nz_import *im, struct web_call *c, struct web_answer *ret_a)
{
    uint64_t wait = WAIT_MIN_MS;
    unsigned tokens = 0;
    bool final = false;
    for (;;) {
        unsigned asked_s = 0;
        struct err e = im->token[0] ? OK : token_get(im, &final);
        if (err_ok(e)) {
            c->bearer = im->token;
            e = web_send(im->web, c, ret_a);
            if (!may_repeat(e, ret_a) || (ret_a->status == 401 && ++tokens > 3))
                return true;
            if (ret_a->status == 401)
                im->token[0] = '\0';
            if (err_ok(e))
                e = FAIL(web_problem_code(ret_a));
            asked_s = ret_a->retry_after_s;
            web_answer_done(ret_a);
        }
        draw(im, true);
        if (final || now_ms() - im->progress_ms > im->timeout_ms) {
            say_err("登録できません", "cannot import", e);
            return false;
        }
        uint64_t ms = asked_s ? (uint64_t)asked_s * 1000 : wait;
        usleep((useconds_t)(ms < WAIT_MAX_MS ? ms : WAIT_MAX_MS) * 1000);
        wait = wait * 2 < WAIT_MAX_MS ? wait * 2 : WAIT_MAX_MS;
    }
}

/* ---- what became of the rows ---- */

static void fault_add(struct nz_import *im, const struct nz_task *t, json_t *row, json_t *error)
{
    if (im->n_faults == IMPORT_FAULTS_MAX)
        return;
    struct nz_fault *f = &im->faults[im->n_faults++];
    uint64_t at = (uint64_t)json_integer_value(json_object_get(row, "row")) - 1;
    struct nz_row_place place = at < t->rows ? t->places[at] : (struct nz_row_place){ 0, 0 };
    *f = (struct nz_fault){ .row = place.row, .line = place.line };
    copy_name(f->code, sizeof f->code, json_string_value(json_object_get(row, "code")));
    copy_name(f->field, sizeof f->field, json_string_value(json_object_get(error, "field")));
    copy_name(f->rule, sizeof f->rule, json_string_value(json_object_get(error, "rule")));
}

static void row_note(struct nz_import *im, const struct nz_task *t, json_t *row)
{
    const char *result = json_string_value(json_object_get(row, "result"));
    json_t *errors = json_object_get(row, "errors");
    im->warnings += json_array_size(json_object_get(row, "warnings")) != 0;
    if (!result || (strcmp(result, RESULTS[NZ_REFUSED]) != 0 && strcmp(result, RESULTS[NZ_QUARANTINED]) != 0))
        return;
    if (json_array_size(errors) == 0)
        fault_add(im, t, row, NULL);
    for (size_t i = 0; i < json_array_size(errors); i++)
        fault_add(im, t, row, json_array_get(errors, i));
}

static uint64_t count_of(json_t *task, enum nz_result r)
{
    json_int_t n = json_integer_value(json_object_get(json_object_get(task, "counts"), RESULTS[r]));
    return n > 0 ? (uint64_t)n : 0;
}

static bool is_done(json_t *task)
{
    const char *state = json_string_value(json_object_get(task, "state"));
    return state && (strcmp(state, "done") == 0 || strcmp(state, "done_with_errors") == 0);
}

static void task_close(struct nz_import *im, struct nz_task *t, json_t *task)
{
    for (int r = 0; r < NZ__RESULTS; r++)
        im->done[r] += count_of(task, (enum nz_result)r);
    json_t *rows = json_object_get(task, "rows");
    for (size_t i = 0; i < json_array_size(rows); i++)
        row_note(im, t, json_array_get(rows, i));
    im->rows_done += t->rows;
    free(t->places);
    t->places = NULL;
    t->open = false;
}

void nz_import_drop(struct nz_import *im)
{
    for (size_t i = 0; i < IMPORT_OPEN_MAX; i++) {
        free(im->tasks[i].places);
        im->tasks[i] = (struct nz_task){ .open = false };
    }
}

static bool task_poll(struct nz_import *im, struct nz_task *t)
{
    struct web_answer a;
    struct web_call c = { .method = "GET", .port = im->port, .path = t->path, .timeout_ms = CALL_MS };
    if (!call_until(im, &c, &a))
        return false;
    json_t *task = a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    if (!task)
        say_err("処理状況を読めません", "the task cannot be read", FAIL(web_problem_code(&a)));
    uint64_t waiting = count_of(task, NZ_WAITING);
    bool moved = task && (is_done(task) || waiting != t->waiting);
    t->waiting = waiting < t->rows ? waiting : t->rows;
    if (task && is_done(task))
        task_close(im, t, task);
    if (moved)
        im->progress_ms = now_ms();
    bool good = task != NULL;
    json_decref(task);
    web_answer_done(&a);
    return good;
}

static size_t open_count(const struct nz_import *im)
{
    size_t n = 0;
    for (size_t i = 0; i < IMPORT_OPEN_MAX; i++)
        n += im->tasks[i].open;
    return n;
}

bool nz_import_follow(struct nz_import *im, size_t left)
{
    while (open_count(im) > left) {
        size_t before = open_count(im);
        for (size_t i = 0; i < IMPORT_OPEN_MAX; i++)
            if (im->tasks[i].open && !task_poll(im, &im->tasks[i]))
                return false;
        draw(im, false);
        if (open_count(im) < before)
            continue;
        if (now_ms() - im->progress_ms > im->timeout_ms) {
            say_error("時間切れです。受け付けた行は保存されていて、後で自動的に処理されます",
                      "gave up waiting; the accepted rows are stored and will be worked on by themselves");
            return false;
        }
        usleep(FOLLOW_MS * 1000);
    }
    return true;
}

static struct nz_task *task_slot(struct nz_import *im)
{
    for (size_t i = 0; i < IMPORT_OPEN_MAX; i++)
        if (!im->tasks[i].open)
            return &im->tasks[i];
    return NULL;
}

bool nz_import_send(struct nz_import *im, struct slice body, const struct nz_row_place *places, uint64_t n)
{
    struct web_answer a;
    struct web_call c = { .method = "POST", .port = im->port, .path = im->path, .timeout_ms = CALL_MS, .content_type = "application/json",
                          .body = body };
    if (!nz_import_follow(im, IMPORT_OPEN_MAX - 1) || !call_until(im, &c, &a))
        return false;
    json_t *task = a.status == 202 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    const char *id = json_string_value(json_object_get(task, "task_id"));
    bool good = id && strlen(id) < 64 && id[strspn(id, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-")] == '\0';
    struct nz_row_place *kept = good ? malloc(n * sizeof *kept) : NULL;
    good = good && kept;
    if (good) {
        struct nz_task *t = task_slot(im);
        memcpy(kept, places, n * sizeof *kept);
        *t = (struct nz_task){ .places = kept, .rows = n, .waiting = n, .open = true };
        snprintf(t->path, sizeof t->path, "/v1/tasks/%s", id);
        im->progress_ms = now_ms();
    } else {
        say_err("この部分は受け付けられませんでした", "this part was not accepted", FAIL(web_problem_code(&a)));
    }
    json_decref(task);
    web_answer_done(&a);
    draw(im, false);
    return good;
}
