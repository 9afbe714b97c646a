#ifndef GW_CONF_CONF_H
#define GW_CONF_CONF_H

/* One YAML file a daemon: a flat mapping of the settings in params.def. Read once, before anything else. */

#include <stdint.h>

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

enum conf_daemon { CONF_V = 1, CONF_A = 2, CONF_I = 4, CONF_F = 8, CONF_S = 16, CONF_C = 32, CONF_R = 64, CONF__END = 128 };

enum { CONF_FILE_MAX = 64 * 1024, CONF_LINE_MAX = 8192, CONF_TEXT_MAX = 1024 /* bytes of one text setting */ };

struct conf {
#define X_TEXT(name, def, who, live, help, ja) char *name;
#define X_SECRET X_TEXT
#define X_NUM(name, unit, min, max, def, who, live, help, ja) uint64_t name;
#include "gateway/conf/params.def"
#undef X_TEXT
#undef X_SECRET
#undef X_NUM
};

/* On CONFIG a line for people is written to stderr: file, line, column, setting, what is wrong. Texts are owned by the conf; an optional
 * one that the file does not name is "". A text "credential:NAME" becomes the path of what systemd handed over under that name
 * (CREDENTIALS_DIRECTORY). A file with a secret that everybody may read is refused. */
ERR conf_load(struct conf *ret_c, enum conf_daemon who, const char *path);
/* The same for who tells it himself: on CONFIG the line, without its newline, is appended to *bad_line. */
ERR conf_read(struct conf *ret_c, enum conf_daemon who, const char *path, struct buf *bad_line);
/* The same from memory, without I/O: on CONFIG the line, without its newline, is appended to *bad_line. file: its name, for that
 * line only. NOMEM. */
ERR conf_parse(struct conf *ret_c, enum conf_daemon who, const char *file, struct slice yaml, struct buf *bad_line);
/* For a daemon that takes a new file as a whole or not at all: CONFIG, and a line on stderr for each setting that differs and cannot become another while it
 * runs (`live` of params.def). file: for those lines. */
ERR conf_fixed(const struct conf *old, const struct conf *now, enum conf_daemon who, const char *file);
/* The names of the settings that differ and are in force only when the daemon is started again, with a space before each, are appended to *out. */
void conf_differ(const struct conf *old, const struct conf *now, enum conf_daemon who, struct buf *out);
void conf_free(struct conf *c);

/* One setting as it is in force, and where it comes from. Secrets are files: their paths are all that is known here. */
struct conf_row {
    const char *name, *text; /* text: NULL of a number */
    uint64_t num;
    const char *unit;        /* of a number */
    unsigned line, column;   /* of the file; line 0: the default */
    bool secret, live;
};
typedef void conf_row_fn(void *arg, const struct conf_row *row);
/* All settings of the daemon with this file, in the order of params.def; on CONFIG as conf_load, and fn is not called. */
ERR conf_each(enum conf_daemon who, const char *path, conf_row_fn *fn, void *arg);
/* The same on stdout: a file that would say it, with the source of each in a comment. */
ERR conf_show(enum conf_daemon who, const char *path);
/* Where the file names the setting; 1:1, as in the lines of conf_load, when it does not. */
struct conf_spot { unsigned line, column; };
struct conf_spot conf_find(enum conf_daemon who, const char *path, const char *setting);

/* `--help` of a daemon: its settings with unit, range and default; `--help --markdown`: its table of docs/settings.md. */
void conf_print_help(enum conf_daemon who, const char *program);
void conf_print_markdown(enum conf_daemon who, const char *program);

#endif
