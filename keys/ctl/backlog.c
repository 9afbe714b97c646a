#include "keys/ctl/backlog.h"

#include <dirent.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/ctl/muni_door.h"
#include "keys/ctl/task_view.h"

enum { CALL_MS = 3000 };

/* muni-<code>.pem */
static bool code_of(const char *name, char out[static 7])
{
    struct slice s = slice_str(name);
    if (s.n != strlen("muni-331007.pem") || !slice_starts(s, LIT("muni-")) || !slice_eq(slice_of(s.p + 11, 4), LIT(".pem")) ||
        !all_digits(slice_of(s.p + 5, 6)))
        return false;
    memcpy(out, s.p + 5, 6);
    out[6] = '\0';
    return true;
}

static int by_code(const void *a, const void *b) { return strcmp(((const struct backlog *)a)->muni, ((const struct backlog *)b)->muni); }

static void stuck_of(const json_t *tasks, struct backlog *b)
{
    struct task_view t;
    for (size_t i = 0; i < json_array_size(tasks); i++) {
        if (!task_view_read(&t, json_array_get(tasks, i)) || !t.waits.code[0])
            continue;
        memcpy(b->waits_task, t.id, sizeof b->waits_task);
        memcpy(b->waits_code, t.waits.code, sizeof b->waits_code);
        memcpy(b->waits_ja, t.waits.message_ja, sizeof b->waits_ja);
        memcpy(b->waits_en, t.waits.message_en, sizeof b->waits_en);
    }
}

static void ask(const struct state *s, struct backlog *b)
{
    struct muni_door d = { 0 };
    struct web_answer a;
    struct state_dirs dirs = { .state = s->dir };
    if (!muni_door_open(&d, &dirs, b->muni, 0))
        return;
    struct web_call c = { .method = "GET", .path = "/v1/tasks", .timeout_ms = CALL_MS };
    struct err e = muni_door_try(&d, &c, &a);
    json_t *v = err_ok(e) && a.status == 200 ? json_loadb((const char *)a.body.p, a.body.n, 0, NULL) : NULL;
    const json_t *waits = json_object_get(v, "backlog");
    b->heard = v != NULL;
    b->rows = member_u64(waits, "rows");
    b->oldest_s = member_u64(waits, "oldest_s");
    b->files = member_u64(waits, "files");
    b->at_least = json_is_true(json_object_get(waits, "at_least"));
    stuck_of(json_object_get(v, "tasks"), b);
    json_decref(v);
    web_answer_done(&a);
    muni_door_close(&d);
}

size_t backlog_read(const struct state *s, struct backlog out[static BACKLOG_MUNIS_MAX])
{
    DIR *d = opendir(state_at(s, "certs").c);
    size_t n = 0;
    for (struct dirent *e; d && n < BACKLOG_MUNIS_MAX && (e = readdir(d));) {
        out[n] = (struct backlog){ .heard = false };
        n += code_of(e->d_name, out[n].muni);
    }
    if (d)
        closedir(d);
    qsort(out, n, sizeof *out, by_code);
    for (size_t i = 0; i < n; i++)
        ask(s, &out[i]);
    return n;
}
