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
    unsigned live;         /* of those, who takes another value while it runs */
    bool secret;           /* the text is the path of one */
    const char *help, *ja;
    const char *text_def;  /* SETTING_TEXT */
    const char *unit;      /* SETTING_NUM, as min, max and num_def */
    uint64_t min, max, num_def;
};

enum {
    SETTINGS_N = 0
#define X_TEXT(...) +1
#define X_SECRET(...) +1
#define X_NUM(...) +1
#include "gateway/conf/params.def"
#undef X_TEXT
#undef X_SECRET
#undef X_NUM
};

const struct setting *settings_at(size_t i); /* i < SETTINGS_N */
/* NULL when no daemon knows the name. */
const struct setting *settings_find(struct slice name);
/* A file of a daemon that may see it has to name it. */
bool setting_required(const struct setting *s);

/* Where a file names a setting; line 0: nowhere. */
struct setting_at { unsigned line, column; };
/* As conf_parse, conf_read and conf_load; at: of each setting. */
ERR settings_parse(struct conf *ret_c, enum conf_daemon who, const char *file, struct slice yaml, struct buf *bad_line, struct setting_at at[static SETTINGS_N]);
ERR settings_read(struct conf *ret_c, enum conf_daemon who, const char *path, struct buf *bad_line, struct setting_at at[static SETTINGS_N]);
ERR settings_load(struct conf *ret_c, enum conf_daemon who, const char *path, struct setting_at at[static SETTINGS_N]);

char **setting_text(struct conf *c, const struct setting *s);
uint64_t *setting_num(struct conf *c, const struct setting *s);

#endif
