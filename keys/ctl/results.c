#include "keys/ctl/results.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/base/csv_write.h"
#include "keys/ctl/say.h"

enum { PAGE = 1000, LINE_MAX_BYTES = 64 * 1024 };

enum results_form results_form_of(const char *path)
{
    const char *dot = strrchr(path, '.');
    return dot && (strcmp(dot, ".json") == 0 || strcmp(dot, ".jsonl") == 0) ? RESULTS_JSON_LINES : RESULTS_CSV;
}

/* ---- pages ---- */

typedef bool results_page_fn(void *ctx, const json_t *rows);

static bool cursor_good(const char *c)
{
    return strlen(c) < RESULTS_CURSOR_MAX && c[strspn(c, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_-.~")] == '\0';
}

void results_next(const json_t *page, char cursor[static RESULTS_CURSOR_MAX])
{
    const char *next = member_text(page, "next");
    const bool more = cursor_good(next) && strcmp(next, cursor) != 0;
    snprintf(cursor, RESULTS_CURSOR_MAX, "%s", more ? next : "");
}

static bool results_pages(struct muni_door *d, const char *task, bool only_failed, uint64_t limit, results_page_fn *fn, void *ctx)
{
    char cursor[RESULTS_CURSOR_MAX] = "", path[512];
    bool more = true;
    while (more) {
        int status;
        snprintf(path, sizeof path, "/v1/tasks/%s/results?limit=%llu%s%s%s", task, (unsigned long long)limit, only_failed ? "&only=failed" : "",
                 *cursor ? "&cursor=" : "", cursor);
        json_t *v = web_stop_asked() ? NULL : muni_door_json(d, "GET", path, SLICE_NONE, 200, &status);
        if (!v)
            return false;
        bool wanted = fn(ctx, json_object_get(v, "rows"));
        results_next(v, cursor);
        more = wanted && *cursor;
        json_decref(v);
    }
    return true;
}

/* ---- lines ---- */

static void csv_value(struct buf *out, const json_t *row, const char *name)
{
    const json_t *v = json_object_get(row, name);
    if (json_is_integer(v))
        buf_i64(out, json_integer_value(v));
    else if (json_is_boolean(v))
        buf_puts(out, json_is_true(v) ? "true" : "false");
    else if (member_text(row, name)[0])
        csv_text(out, slice_str(member_text(row, name)));
}

/* "name; name", or "field:rule; field:rule". */
static void csv_list(struct buf *out, const json_t *list)
{
    struct buf b;
    buf_init(&b, LINE_MAX_BYTES);
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *v = json_array_get(list, i);
        if (i)
            buf_puts(&b, "; ");
        buf_puts(&b, json_is_string(v) ? json_string_value(v) : member_text(v, "field"));
        if (json_is_object(v)) {
            if (*member_text(v, "field"))
                buf_putc(&b, ':');
            buf_puts(&b, member_text(v, "rule"));
        }
    }
    if (b.n && !b.failed)
        csv_text(out, buf_slice(&b));
    buf_done(&b);
}

static const struct { const char *name; bool list; } COLUMNS[] = {
    { "row", false }, { "line", false }, { "column", false }, { "resident_key", false }, { "result", false }, { "code", false },
    { "message_ja", false }, { "message_en", false }, { "who", false }, { "retry", false }, { "with_row", false }, { "changed", true },
    { "errors", true }, { "warnings", true },
};
enum { N_COLUMNS = sizeof COLUMNS / sizeof *COLUMNS };

void results_csv_header(struct buf *out)
{
    buf_puts(out, "\xef\xbb\xbf"); /* spreadsheets take it for the local code page otherwise */
    for (size_t i = 0; i < N_COLUMNS; i++) {
        if (i)
            buf_putc(out, ',');
        buf_puts(out, COLUMNS[i].name);
    }
    buf_puts(out, "\r\n");
}

void results_csv_row(const json_t *row, struct buf *out)
{
    for (size_t i = 0; i < N_COLUMNS; i++) {
        if (i)
            buf_putc(out, ',');
        if (COLUMNS[i].list)
            csv_list(out, json_object_get(row, COLUMNS[i].name));
        else
            csv_value(out, row, COLUMNS[i].name);
    }
    buf_puts(out, "\r\n");
}

struct writing { FILE *to; enum results_form form; uint64_t rows; bool good; };

static bool on_page(void *ctx, const json_t *rows)
{
    struct writing *w = ctx;
    struct buf line;
    buf_init(&line, LINE_MAX_BYTES);
    for (size_t i = 0; w->good && i < json_array_size(rows); i++) {
        const json_t *row = json_array_get(rows, i);
        char *text = w->form == RESULTS_JSON_LINES ? json_dumps(row, JSON_COMPACT) : NULL;
        buf_reset(&line);
        if (w->form == RESULTS_CSV)
            results_csv_row(row, &line);
        else if (text)
            buf_puts(&line, text);
        if (w->form == RESULTS_JSON_LINES)
            buf_putc(&line, '\n');
        free(text);
        w->good = line.n && !line.failed && fwrite(line.p, 1, line.n, w->to) == line.n;
        w->rows++;
    }
    buf_done(&line);
    return w->good;
}

bool results_write(struct muni_door *d, const char *task, bool only_failed, enum results_form form, FILE *to, uint64_t *ret_rows)
{
    struct writing w = { to, form, 0, true };
    struct buf head;
    buf_init(&head, 1024);
    if (form == RESULTS_CSV)
        results_csv_header(&head);
    w.good = fwrite(head.p ? head.p : (const uint8_t *)"", 1, head.n, to) == head.n;
    buf_done(&head);
    bool read = results_pages(d, task, only_failed, PAGE, on_page, &w);
    bool written = w.good && fflush(to) == 0;
    if (read && !written)
        say_error("結果を書けません: %s", "the results cannot be written: %s", strerror(errno));
    *ret_rows = w.rows;
    return read && written;
}

static FILE *part_open(const char *path, char tmp[static PATH_MAX])
{
    bool fits = snprintf(tmp, PATH_MAX, "%s.part", path) < PATH_MAX;
    int fd = fits ? file_new(tmp) : -1;
    FILE *to = fd >= 0 ? fdopen(fd, "w") : NULL;
    if (to)
        return to;
    say_error("結果のファイルを作れません: %s", "the file for the results cannot be made: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    return NULL;
}

bool results_can_be_kept(const char *path)
{
    char tmp[PATH_MAX];
    FILE *to = part_open(path, tmp);
    if (to) {
        fclose(to);
        unlink(tmp);
    }
    return to != NULL;
}

bool results_save(struct muni_door *d, const char *task, bool only_failed, enum results_form form, const char *path, uint64_t *ret_rows)
{
    char tmp[PATH_MAX];
    FILE *to = part_open(path, tmp);
    if (!to)
        return false;
    bool good = results_write(d, task, only_failed, form, to, ret_rows) && fsync(fileno(to)) == 0;
    good = fclose(to) == 0 && good && rename(tmp, path) == 0;
    if (!good)
        unlink(tmp);
    return good;
}

/* ---- for people ---- */

struct showing { uint64_t left; };

static void show_one(const json_t *row, const json_t *error)
{
    char place[64] = "";
    unsigned long long line = member_u64(row, "line"), column = member_u64(row, "column"), at = member_u64(row, "row");
    if (line && column)
        snprintf(place, sizeof place, " (%llu:%llu)", line, column);
    else if (line)
        snprintf(place, sizeof place, " (%llu)", line);
    const json_t *told = member_text(error, "message_ja")[0] ? error : row;
    const char *field = member_text(error, "field"), *rule = member_text(error, "rule"), *code = member_text(row, "code");
    struct say_text what = say_form("%s%s%s%s%s", code, *field ? "  " : "", field, *rule ? "  " : "", rule);
    struct say_text why = say_text(member_text(told, "message_ja"), member_text(told, "message_en"));
    printf("    %s %llu%s  %s  %s\n", say_text("行", "row").c, at, place, what.c, why.c);
}

static bool on_failed(void *ctx, const json_t *rows)
{
    struct showing *s = ctx;
    for (size_t i = 0; s->left && i < json_array_size(rows); i++, s->left--) {
        const json_t *row = json_array_get(rows, i), *errors = json_object_get(row, "errors");
        if (json_array_size(errors) == 0)
            show_one(row, NULL);
        for (size_t k = 0; k < json_array_size(errors); k++)
            show_one(row, json_array_get(errors, k));
    }
    return s->left != 0;
}

void results_show_failed(struct muni_door *d, const char *task, uint64_t shown, uint64_t failed)
{
    struct showing s = { shown };
    if (!shown || !failed)
        return;
    results_pages(d, task, true, shown < PAGE ? shown : PAGE, on_failed, &s);
    if (failed > shown)
        say("    … ほか %llu 行(--show で増やせます)", "    … %llu more rows (--show N)", (unsigned long long)(failed - shown));
}
