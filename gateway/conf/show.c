/* What is in force with a file. */

#include <stdio.h>
#include <string.h>

#include "gateway/conf/setting.h"

struct err conf_each(enum conf_daemon who, const char *path, conf_row_fn *fn, void *arg)
{
    struct conf c;
    struct setting_at at[SETTINGS_N];
    TRY(settings_load(&c, who, path, at));
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!(s->who & (unsigned)who))
            continue;
        struct conf_row row = { .name = s->name, .unit = s->unit, .line = at[i].line, .column = at[i].column, .secret = s->secret, .live = s->live & (unsigned)who };
        if (s->kind == SETTING_NUM)
            row.num = *setting_num(&c, s);
        else
            row.text = *setting_text(&c, s);
        fn(arg, &row);
    }
    conf_free(&c);
    return OK;
}

static void print_text(const char *text)
{
    putchar('"');
    for (; *text; text++) {
        if (*text == '"' || *text == '\\')
            putchar('\\');
        putchar(*text);
    }
    putchar('"');
}

static void print_row(void *arg, const struct conf_row *row)
{
    const char *path = arg;
    if (row->text && !*row->text) { /* a file may not say so: it is what is not named */
        printf("# %s:  # not set\n", row->name);
        return;
    }
    printf("%s: ", row->name);
    if (row->text)
        print_text(row->text);
    else
        printf("%llu", (unsigned long long)row->num);
    if (row->line)
        printf("  # %s:%u%s\n", path, row->line, row->secret ? ", a secret: only where it lies" : "");
    else
        printf("  # default\n");
}

struct err conf_show(enum conf_daemon who, const char *path)
{
    return conf_each(who, path, print_row, (void *)(uintptr_t)path);
}

struct sought { const char *setting; struct conf_spot at; };

static void find_row(void *arg, const struct conf_row *row)
{
    struct sought *s = arg;
    if (row->line && strcmp(row->name, s->setting) == 0)
        s->at = (struct conf_spot){ row->line, row->column };
}

struct conf_spot conf_find(enum conf_daemon who, const char *path, const char *setting)
{
    struct sought s = { setting, { 1, 1 } };
    (void)!err_ok(conf_each(who, path, find_row, &s));
    return s.at;
}
