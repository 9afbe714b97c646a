#include "gateway/conf/setting.h"

#include "gateway/base/must.h"

enum { V = CONF_V, A = CONF_A, I = CONF_I, F = CONF_F, S = CONF_S, C = CONF_C, R = CONF_R };

static const struct setting SETTINGS[SETTINGS_N] = {
#define TEXT(n, def, w, l, h, j, is_secret) \
    { .name = #n, .kind = SETTING_TEXT, .offset = offsetof(struct conf, n), .who = (w), .live = (l), .secret = is_secret, .help = h, .ja = j, .text_def = def },
#define X_TEXT(n, def, w, l, h, j) TEXT(n, def, w, l, h, j, false)
#define X_SECRET(n, def, w, l, h, j) TEXT(n, def, w, l, h, j, true)
#define X_NUM(n, u, lo, hi, def, w, l, h, j) \
    { .name = #n, .kind = SETTING_NUM, .offset = offsetof(struct conf, n), .who = (w), .live = (l), .help = h, .ja = j, .unit = u, .min = lo, .max = hi, .num_def = def },
#include "gateway/conf/params.def"
#undef TEXT
#undef X_TEXT
#undef X_SECRET
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
