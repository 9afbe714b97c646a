#ifndef KEYS_CTL_SAY_H
#define KEYS_CTL_SAY_H

/* What the command tells people: Japanese or English by LC_ALL/LC_MESSAGES/LANG, both when that names neither.
 * With --json they are collected (keys/ctl/out.h), and those for standard output are not printed. The two texts of a call take the same values in the same order. No value of a request or of a resident is passed in. */

#include <stdbool.h>
#include <stdint.h>

#include "gateway/base/err.h"

#define SAY_TEXTS __attribute__((format(printf, 1, 3), format(printf, 2, 3)))

SAY_TEXTS void say(const char *ja, const char *en, ...);       /* a line on standard output */
SAY_TEXTS void say_ok(const char *ja, const char *en, ...);    /* the same with a tick */
SAY_TEXTS void say_warn(const char *ja, const char *en, ...);  /* standard error, "!" */
SAY_TEXTS void say_error(const char *ja, const char *en, ...); /* standard error, "pmhgw: " */
/* The same with two plain texts, which may hold different values. */
void say_done(const char *ja, const char *en);  /* ticked */
void say_cross(const char *ja, const char *en); /* standard error, crossed */
void say_plain(const char *ja, const char *en); /* standard output */
void say_wrong(const char *ja, const char *en); /* standard error, "pmhgw: " */
void say_hint(const char *ja, const char *en);  /* standard error, a further line of the same error */
/* The user's language is not known: both are meant. */
bool say_is_both(void);
/* One of two texts in the language of the user; Japanese where both are meant. */
const char *say_pick(const char *ja, const char *en);
/* Both texts in one where both are meant: for a piece inside a line. */
struct say_text { char c[512]; };
struct say_text say_text(const char *ja, const char *en);
/* A text with values, cut when too long. */
__attribute__((format(printf, 1, 2))) struct say_text say_form(const char *fmt, ...);
/* What can be done next: a line of words, and below it a command of this program as it was started, to be copied. */
void say_command(const char *ja, const char *en, struct say_text command);
/* Title and what to do of an error code, with the file and line that found it. */
void say_err(const char *what_ja, const char *what_en, struct err e);

/* Columns that a UTF-8 text takes on a terminal (wide characters 2). */
unsigned say_width(const char *utf8);
/* Writes text and pads it with blanks to `columns`. */
void say_cell(const char *utf8, unsigned columns);

#endif
