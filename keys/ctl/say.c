#include "keys/ctl/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/ctl/out.h"
#include "keys/ctl/screen.h"

enum say_lang { SAY_BOTH, SAY_JA, SAY_EN };

static enum say_lang say__lang(void)
{
    static const char *const NAMES[] = { "LC_ALL", "LC_MESSAGES", "LANG" };
    for (size_t i = 0; i < sizeof NAMES / sizeof *NAMES; i++) {
        const char *v = getenv(NAMES[i]);
        if (!v || !*v)
            continue;
        return strncmp(v, "ja", 2) == 0 ? SAY_JA : strncmp(v, "en", 2) == 0 ? SAY_EN : SAY_BOTH;
    }
    return SAY_BOTH;
}

/* Standard output carries nothing for people while --json is given. */
static void say__print(FILE *to, enum out_level level, const char *mark, const char *ja, const char *en)
{
    static const char *const COLOURS[] = { [OUT_INFO] = "", [OUT_DONE] = "32", [OUT_WARNING] = "33", [OUT_ERROR] = "31" };
    enum say_lang lang = say__lang();
    if (!out_message(level, ja, en, OK) && to == stdout)
        return;
    bool colour = *COLOURS[level] && *mark == ' ' && screen_colour(to);
    fprintf(to, "%s%s%s%s%s%s", colour ? "\033[" : "", colour ? COLOURS[level] : "", colour ? "m" : "", mark, colour ? "\033[0m" : "", lang == SAY_EN ? "" : ja);
    if (lang == SAY_BOTH) {
        fputs(" / ", to);
        while (*en == ' ') /* the indent was written */
            en++;
    }
    fprintf(to, "%s\n", lang == SAY_JA ? "" : en);
    fflush(to);
}

enum { LINE_MAX_BYTES = 4096 };

__attribute__((format(printf, 4, 0), format(printf, 5, 0))) static void say__line(FILE *to, enum out_level level, const char *mark, const char *ja, const char *en, va_list args)
{
    char text_ja[LINE_MAX_BYTES], text_en[LINE_MAX_BYTES];
    va_list again;
    va_copy(again, args);
    vsnprintf(text_ja, sizeof text_ja, ja, args);
    vsnprintf(text_en, sizeof text_en, en, again);
    va_end(again);
    say__print(to, level, mark, text_ja, text_en);
}

#define SAY_BODY(to, level, mark)                 \
    do {                                          \
        va_list args;                             \
        va_start(args, en);                       \
        say__line(to, level, mark, ja, en, args); \
        va_end(args);                             \
    } while (0)

void say(const char *ja, const char *en, ...) { SAY_BODY(stdout, OUT_INFO, ""); }
void say_ok(const char *ja, const char *en, ...) { SAY_BODY(stdout, OUT_DONE, "  ✓ "); }
void say_warn(const char *ja, const char *en, ...) { SAY_BODY(stderr, OUT_WARNING, "  ! "); }
void say_error(const char *ja, const char *en, ...) { SAY_BODY(stderr, OUT_ERROR, "pmhgw: "); }

void say_done(const char *ja, const char *en) { say__print(stdout, OUT_DONE, "  ✓ ", ja, en); }
void say_cross(const char *ja, const char *en) { say__print(stderr, OUT_ERROR, "  ✗ ", ja, en); }
void say_plain(const char *ja, const char *en) { say__print(stdout, OUT_INFO, "  ", ja, en); }
void say_wrong(const char *ja, const char *en) { say__print(stderr, OUT_ERROR, "pmhgw: ", ja, en); }
void say_hint(const char *ja, const char *en) { say__print(stderr, OUT_INFO, "       ", ja, en); }

bool say_is_both(void) { return say__lang() == SAY_BOTH; }
const char *say_pick(const char *ja, const char *en) { return say__lang() == SAY_EN ? en : ja; }

struct say_text say_text(const char *ja, const char *en)
{
    struct say_text t;
    if (say__lang() == SAY_BOTH)
        snprintf(t.c, sizeof t.c, "%s / %s", ja, en);
    else
        snprintf(t.c, sizeof t.c, "%s", say_pick(ja, en));
    return t;
}

struct say_text say_form(const char *fmt, ...)
{
    struct say_text t;
    va_list args;
    va_start(args, fmt);
    vsnprintf(t.c, sizeof t.c, fmt, args);
    va_end(args);
    return t;
}

void say_command(const char *ja, const char *en, struct say_text command)
{
    if (out_json()) {
        out_message(OUT_INFO, say_form("%.120s: pmhgw %.380s", ja, command.c).c, say_form("%.120s: pmhgw %.380s", en, command.c).c, OK);
        return;
    }
    say_plain(say_form("%s:", ja).c, say_form("%s:", en).c);
    printf("      %s %s\n", program_invocation_name, command.c);
    fflush(stdout);
}

void say_err(const char *what_ja, const char *what_en, struct err e)
{
    const struct err_info *i = err_info(e.code);
    out_message(OUT_ERROR, say_form("%s: %s %s", what_ja, i->title_ja, i->todo_ja).c, say_form("%s: %s %s", what_en, i->title_en, i->todo_en).c, e);
    fprintf(stderr, "pmhgw: %s: %s %s [%s %s]\n", say_text(what_ja, what_en).c, say_text(i->title_ja, i->title_en).c,
            say_text(i->todo_ja, i->todo_en).c, err_slug(e.code), e.site ? e.site : "-");
}

unsigned say_width(const char *utf8) { return screen_width(utf8); }

void say_cell(const char *utf8, unsigned columns)
{
    fputs(utf8, stdout);
    for (unsigned w = screen_width(utf8); w < columns; w++)
        fputc(' ', stdout);
}
