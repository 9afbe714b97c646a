#include "keys/ctl/out.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* One command, one standard output. */
static struct out {
    const char *command;
    bool asked, collects, written;
    int fd;            /* the real standard output while stdout goes nowhere */
    json_t *put, *messages;
    struct err failed; /* the last error that had a code */
} out;

void out_command(const char *command) { out.command = command; }
bool out_json(void) { return out.asked; }
bool out_collects(void) { return out.collects; }
void out_written(void) { out.written = true; }

void out_own(void)
{
    out.asked = true;
    if (!out.messages)
        out.messages = json_array();
}

void out_begin(void)
{
    if (out.collects)
        return;
    out_own();
    fflush(stdout);
    int nowhere = open("/dev/null", O_WRONLY | O_CLOEXEC);
    out.fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
    out.collects = out.fd >= 0 && nowhere >= 0 && dup2(nowhere, STDOUT_FILENO) >= 0;
    if (nowhere >= 0)
        close(nowhere);
    out.put = json_object();
}

void out_put(const char *name, json_t *v)
{
    if (out.put)
        json_object_set_new(out.put, name, v);
    else
        json_decref(v);
}

void out_append(const char *name, json_t *v)
{
    json_t *list = out.put ? json_object_get(out.put, name) : NULL;
    if (out.put && !list) {
        list = json_array();
        json_object_set_new(out.put, name, list);
    }
    if (list)
        json_array_append_new(list, v);
    else
        json_decref(v);
}

void out_put_u64(const char *name, uint64_t v) { out_put(name, json_integer((json_int_t)v)); }
void out_put_text(const char *name, const char *v) { out_put(name, json_string(v)); }
void out_put_bool(const char *name, bool v) { out_put(name, json_boolean(v)); }

bool out_message(enum out_level level, const char *ja, const char *en, struct err e)
{
    static const char *const LEVELS[] = { [OUT_INFO] = "info", [OUT_DONE] = "done", [OUT_WARNING] = "warning", [OUT_ERROR] = "error" };
    enum { MESSAGES_MAX = 1000 };
    if (!out.asked)
        return true;
    while (*ja == ' ')
        ja++;
    while (*en == ' ')
        en++;
    if (!err_ok(e))
        out.failed = e;
    if (json_array_size(out.messages) < MESSAGES_MAX)
        json_array_append_new(out.messages, json_pack("{s:s, s:s, s:s}", "level", LEVELS[level], "ja", ja, "en", en));
    return false;
}

/* The first thing that was said to be wrong is what it is about. */
static json_t *problem(int status)
{
    size_t i;
    json_t *m, *v = json_object();
    const char *ja = "", *en = "";
    json_array_foreach(out.messages, i, m)
        if (!*en && strcmp(json_string_value(json_object_get(m, "level")), "error") == 0) {
            ja = json_string_value(json_object_get(m, "ja"));
            en = json_string_value(json_object_get(m, "en"));
        }
    const char *code = err_ok(out.failed) ? "not_done" : err_slug(out.failed.code);
    json_object_set_new(v, "type", json_sprintf("urn:pmhgw:problem:%s", code)); /* as the doors write them */
    json_object_set_new(v, "title", json_string(*ja ? ja : "実行できませんでした"));
    json_object_set_new(v, "title_en", json_string(*en ? en : "it could not be done"));
    json_object_set_new(v, "code", json_string(code));
    json_object_set_new(v, "command", json_string(out.command ? out.command : ""));
    json_object_set_new(v, "exit", json_integer(status));
    return v;
}

void out_failed(enum err_code code) { out.failed = (struct err){ code, NULL }; }

static void print(json_t *v)
{
    char *text = json_dumps(v, JSON_COMPACT | JSON_REAL_PRECISION(8));
    fflush(stdout);
    if (text)
        dprintf(out.collects ? out.fd : STDOUT_FILENO, "%s\n", text);
    free(text);
}

int out_finish(int status)
{
    if (out.asked && status == 2 && !out.written) {
        json_t *v = problem(status);
        json_object_set(v, "messages", out.messages);
        print(v);
        json_decref(v);
    } else if (out.collects && !out.written) {
        json_t *v = json_pack("{s:s, s:i}", "command", out.command ? out.command : "", "exit", status);
        json_object_update(v, out.put);
        json_object_set(v, "messages", out.messages);
        print(v);
        json_decref(v);
    }
    json_decref(out.put);
    json_decref(out.messages);
    out.put = out.messages = NULL;
    return status;
}
