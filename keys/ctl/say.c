#include "keys/ctl/say.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wchar.h>

#include "gateway/base/clock.h"

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

void say_done(const char *ja, const char *en)
{
    enum say_lang lang = say__lang();
    printf("  ✓ %s%s%s\n", lang == SAY_EN ? "" : ja, lang == SAY_BOTH ? " / " : "", lang == SAY_JA ? "" : en);
    fflush(stdout);
}

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

static uint64_t say__now(void)
{
    struct clock c = clock_system();
    return clock_mono(&c);
}

void say_bar_start(struct say_bar *b, const char *ja, const char *en, uint64_t total)
{
    *b = (struct say_bar){ .ja = ja, .en = en, .total = total, .started_ms = say__now() };
}

static void say__bar_draw(const struct say_bar *b, uint64_t done, uint64_t errors, bool waiting, uint64_t now)
{
    enum { CELLS = 28 };
    char bar[CELLS * 3 + 1];
    size_t n = 0;
    uint64_t full = b->total ? done * CELLS / b->total : CELLS;
    for (uint64_t i = 0; i < CELLS; i++) {
        memcpy(bar + n, i < full ? "█" : "░", 3);
        n += 3;
    }
    bar[n] = '\0';
    uint64_t ms = now > b->started_ms ? now - b->started_ms : 1;
    uint64_t rate = done * 1000 / ms;
    uint64_t left = rate ? (b->total - done) / rate : 0;
    printf("\r  %s %s %llu/%llu  %llu %s  %s %llus  %s %llu%s\033[K", say_pick(b->ja, b->en), bar, (unsigned long long)done,
           (unsigned long long)b->total, (unsigned long long)rate, say_pick("行/秒", "rows/s"), say_pick("残り", "left"),
           (unsigned long long)left, say_pick("誤り", "errors"), (unsigned long long)errors,
           waiting ? say_pick("  (再接続中)", "  (reconnecting)") : "");
    fflush(stdout);
}

void say_bar_at(struct say_bar *b, uint64_t done, uint64_t errors, bool waiting)
{
    uint64_t now = say__now();
    if (isatty(STDOUT_FILENO)) {
        if (now - b->drawn_ms < 60 && done < b->total)
            return;
        b->drawn_ms = now;
        say__bar_draw(b, done, errors, waiting, now);
        return;
    }
    if (b->drawn_ms && now - b->drawn_ms < 2000)
        return;
    b->drawn_ms = now;
    if (done == b->drawn_at && !waiting)
        return;
    b->drawn_at = done;
    say("  %llu/%llu 行、誤り %llu%s", "%llu/%llu rows, %llu errors%s", (unsigned long long)done, (unsigned long long)b->total,
        (unsigned long long)errors, waiting ? say_pick("(再接続中)", " (reconnecting)") : "");
}

void say_bar_end(struct say_bar *b, uint64_t done, uint64_t errors)
{
    if (isatty(STDOUT_FILENO)) {
        say__bar_draw(b, done, errors, false, say__now());
        fputc('\n', stdout);
    }
}
