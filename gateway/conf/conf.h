#ifndef GW_CONF_CONF_H
#define GW_CONF_CONF_H

/* One YAML file a daemon: a flat mapping of the settings in params.def. Read once, before anything else. */

#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

enum conf_daemon { CONF_V = 1, CONF_A = 2, CONF_I = 4, CONF_F = 8, CONF_S = 16, CONF_C = 32, CONF__END = 64 };

enum { CONF_FILE_MAX = 64 * 1024, CONF_TEXT_MAX = 1024 /* bytes of one text setting */ };

struct conf {
#define X_TEXT(name, def, who, help) char *name;
#define X_NUM(name, unit, min, max, def, who, help) uint64_t name;
#include "gateway/conf/params.def"
#undef X_TEXT
#undef X_NUM
};

/* On CONFIG a line for people is written to stderr: file, line, column, setting, what is wrong. Texts are owned by the conf; an optional
 * one that the file does not name is "". */
ERR conf_load(struct conf *ret_c, enum conf_daemon who, const char *path);
/* The same from memory, without I/O: on CONFIG the line, without its newline, is appended to *bad_line. file: its name, for that
 * line only. NOMEM. */
ERR conf_parse(struct conf *ret_c, enum conf_daemon who, const char *file, struct slice yaml, struct buf *bad_line);
/* Settings that cannot become others while the daemon runs: CONFIG, and a line on stderr for each of `names` that differs. file: for those lines. */
ERR conf_fixed(const struct conf *old, const struct conf *now, const char *file, const char *const *names, size_t n);
/* The names of the settings of the daemon that differ, but for `names`, with a space before each, are appended to *out. */
void conf_differ(const struct conf *old, const struct conf *now, enum conf_daemon who, const char *const *names, size_t n, struct buf *out);
void conf_free(struct conf *c);
/* `--help` of a daemon: its settings with unit, range and default. */
void conf_print_help(enum conf_daemon who, const char *program);

#endif
