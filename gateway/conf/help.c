/* The table for people. */

#include <stdio.h>

#include "gateway/conf/setting.h"

static void print_default(const struct setting *s)
{
    if (s->kind == SETTING_NUM)
        printf("%s, %llu to %llu; default %llu", s->unit, (unsigned long long)s->min, (unsigned long long)s->max, (unsigned long long)s->num_def);
    else if (setting_required(s))
        printf(s->secret ? "file with a secret, required" : "text, required");
    else if (s->secret)
        printf("file with a secret");
    else
        printf("text; default \"%s\"", s->text_def);
}

void conf_print_help(enum conf_daemon who, const char *program)
{
    printf("%s --config FILE\n\nFILE is YAML, one \"setting: value\" a line. 設定ファイルは YAML で、一行に一項目です。\n"
           "\"credential:NAME\" stands for the file that systemd hands over under that name. credential:名前 は、systemd が渡すその名前のファイルです。\n\n", program);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!(s->who & (unsigned)who))
            continue;
        printf("  %s\n      %s\n      %s\n      ", s->name, s->help, s->ja);
        print_default(s);
        printf("%s\n", s->live & (unsigned)who ? "; can change while it runs" : "");
    }
}

/* A bar would end the cell. */
static void cell(const char *text)
{
    for (; *text; text++)
        printf(*text == '|' ? "\\|" : "%c", *text);
}

static void print_value(const struct setting *s)
{
    if (s->kind == SETTING_NUM)
        printf("%s, %llu–%llu | %llu", s->unit, (unsigned long long)s->min, (unsigned long long)s->max, (unsigned long long)s->num_def);
    else if (setting_required(s))
        printf("%s | **required**", s->secret ? "secret file" : "text");
    else
        printf(*s->text_def ? "%s | `%s`" : "%s | %s", s->secret ? "secret file" : "text", s->text_def);
}

void conf_print_markdown(enum conf_daemon who, const char *program)
{
    printf("## %s\n\n| setting | value | default | reload | |\n|---|---|---|---|---|\n", program);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!(s->who & (unsigned)who))
            continue;
        printf("| `%s` | ", s->name);
        print_value(s);
        printf(" | %s | ", s->live & (unsigned)who ? "yes" : "");
        cell(s->ja);
        printf("<br>");
        cell(s->help);
        printf(" |\n");
    }
}
