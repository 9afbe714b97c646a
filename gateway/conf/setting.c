#include "gateway/conf/setting.h"

#include <stdio.h>

#include "gateway/base/must.h"

enum { V = CONF_V, A = CONF_A, I = CONF_I, F = CONF_F, S = CONF_S, C = CONF_C };

static const struct setting SETTINGS[SETTINGS_N] = {
#define X_TEXT(n, def, w, h) { .name = #n, .kind = SETTING_TEXT, .offset = offsetof(struct conf, n), .who = (w), .help = h, .text_def = def },
#define X_NUM(n, u, lo, hi, def, w, h) \
    { .name = #n, .kind = SETTING_NUM, .offset = offsetof(struct conf, n), .who = (w), .help = h, .unit = u, .min = lo, .max = hi, .num_def = def },
#include "gateway/conf/params.def"
#undef X_TEXT
#undef X_NUM
};

const struct setting *settings_at(size_t i)
{
    MUST(i < SETTINGS_N);
    return &SETTINGS[i];
}

const struct setting *settings_find(struct slice name)
{
    for (size_t i = 0; i < SETTINGS_N; i++)
        if (slice_eq(name, slice_str(SETTINGS[i].name)))
            return &SETTINGS[i];
    return NULL;
}

bool setting_required(const struct setting *s)
{
    return s->kind == SETTING_TEXT && !*s->text_def && !strstr(s->help, "optional");
}

char **setting_text(struct conf *c, const struct setting *s)
{
    MUST(s->kind == SETTING_TEXT);
    return (char **)((char *)c + s->offset);
}

uint64_t *setting_num(struct conf *c, const struct setting *s)
{
    MUST(s->kind == SETTING_NUM);
    return (uint64_t *)((char *)c + s->offset);
}

static void print_default(const struct setting *s)
{
    if (s->kind == SETTING_NUM)
        printf("      %s, %llu to %llu; default %llu\n", s->unit, (unsigned long long)s->min, (unsigned long long)s->max,
               (unsigned long long)s->num_def);
    else if (setting_required(s))
        printf("      text, required\n");
    else
        printf("      text; default \"%s\"\n", s->text_def);
}

void conf_print_help(enum conf_daemon who, const char *program)
{
    printf("%s --config FILE\n\nFILE is YAML, one \"setting: value\" a line. 設定ファイルは YAML で、一行に一項目です。\n\n", program);
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = &SETTINGS[i];
        if (!(s->who & (unsigned)who))
            continue;
        printf("  %s\n      %s\n", s->name, s->help);
        print_default(s);
    }
}
