#include "keys/ctl/say.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

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

__attribute__((format(printf, 3, 0), format(printf, 4, 0))) static void say__line(FILE *to, const char *mark, const char *ja, const char *en, va_list args)
{
    enum say_lang lang = say__lang();
    va_list again;
    va_copy(again, args);
    fputs(mark, to);
    if (lang != SAY_EN)
        vfprintf(to, ja, args);
    if (lang == SAY_BOTH) {
        fputs(" / ", to);
        while (*en == ' ') /* the indent was written */
            en++;
    }
    if (lang != SAY_JA)
        vfprintf(to, en, again);
    fputc('\n', to);
    fflush(to);
    va_end(again);
}

#define SAY_BODY(to, mark)                 \
    do {                                   \
        va_list args;                      \
        va_start(args, en);                \
        say__line(to, mark, ja, en, args); \
        va_end(args);                      \
    } while (0)

void say(const char *ja, const char *en, ...) { SAY_BODY(stdout, ""); }
void say_ok(const char *ja, const char *en, ...) { SAY_BODY(stdout, "  ✓ "); }
void say_warn(const char *ja, const char *en, ...) { SAY_BODY(stderr, "  ! "); }
void say_error(const char *ja, const char *en, ...) { SAY_BODY(stderr, "pmhgw: "); }

static void say__two(FILE *to, const char *mark, const char *ja, const char *en)
{
    enum say_lang lang = say__lang();
    fprintf(to, "%s%s%s%s\n", mark, lang == SAY_EN ? "" : ja, lang == SAY_BOTH ? " / " : "", lang == SAY_JA ? "" : en);
    fflush(to);
}

void say_done(const char *ja, const char *en) { say__two(stdout, "  ✓ ", ja, en); }
void say_plain(const char *ja, const char *en) { say__two(stdout, "  ", ja, en); }
void say_wrong(const char *ja, const char *en) { say__two(stderr, "pmhgw: ", ja, en); }
void say_hint(const char *ja, const char *en) { say__two(stderr, "       ", ja, en); }

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
    say_plain(say_form("%s:", ja).c, say_form("%s:", en).c);
    printf("      %s %s\n", program_invocation_name, command.c);
    fflush(stdout);
}

void say_err(const char *what_ja, const char *what_en, struct err e)
{
    const struct err_info *i = err_info(e.code);
    fprintf(stderr, "pmhgw: %s: %s %s [%s %s]\n", say_text(what_ja, what_en).c, say_text(i->title_ja, i->title_en).c,
            say_text(i->todo_ja, i->todo_en).c, err_slug(e.code), e.site ? e.site : "-");
}

unsigned say_width(const char *utf8)
{
    mbstate_t st = { 0 };
    unsigned sum = 0;
    size_t left = strlen(utf8);
    while (left) {
        wchar_t c;
        size_t n = mbrtowc(&c, utf8, left, &st);
        if (n == 0 || n > left) /* not text of this locale: count the bytes */
            return sum + (unsigned)left;
        int w = wcwidth(c);
        sum += w > 0 ? (unsigned)w : 0;
        utf8 += n;
        left -= n;
    }
    return sum;
}

void say_cell(const char *utf8, unsigned columns)
{
    fputs(utf8, stdout);
    for (unsigned w = say_width(utf8); w < columns; w++)
        fputc(' ', stdout);
}
