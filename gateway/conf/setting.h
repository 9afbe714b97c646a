#ifndef GW_CONF_SETTING_H
#define GW_CONF_SETTING_H

/* params.def as a table. Private to gateway/conf. */

#include <stddef.h>

#include "gateway/base/slice.h"
#include "gateway/conf/conf.h"

struct setting {
    const char *name;
    enum { SETTING_TEXT, SETTING_NUM } kind;
    size_t offset;         /* of the member in struct conf */
    unsigned who;          /* daemons that may see it */
    const char *help;
    const char *text_def;  /* SETTING_TEXT */
    const char *unit;      /* SETTING_NUM, as min, max and num_def */
    uint64_t min, max, num_def;
};

enum {
    SETTINGS_N = 0
#define X_TEXT(...) +1
#define X_NUM(...) +1
#include "gateway/conf/params.def"
#undef X_TEXT
#undef X_NUM
};

const struct setting *settings_at(size_t i); /* i < SETTINGS_N */
/* NULL when no daemon knows the name. */
const struct setting *settings_find(struct slice name);
/* A file of a daemon that may see it has to name it. */
bool setting_required(const struct setting *s);

char **setting_text(struct conf *c, const struct setting *s);
uint64_t *setting_num(struct conf *c, const struct setting *s);

#endif
