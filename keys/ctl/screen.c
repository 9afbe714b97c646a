#include "keys/ctl/screen.h"

#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

size_t screen_next(const char *utf8, unsigned *ret_columns)
{
    mbstate_t st = { 0 };
    wchar_t c;
    size_t n = mbrtowc(&c, utf8, strlen(utf8), &st);
    *ret_columns = 1;
    if (n == 0 || n > strlen(utf8))
        return 1;
    int w = wcwidth(c);
    *ret_columns = w > 0 ? (unsigned)w : 0;
    return n;
}

unsigned screen_width(const char *utf8)
{
    unsigned sum = 0, w;
    for (; *utf8; sum += w)
        utf8 += screen_next(utf8, &w);
    return sum;
}

size_t screen_fit(const char *utf8, unsigned columns)
{
    size_t n = 0;
    unsigned sum = 0, w;
    while (utf8[n]) {
        size_t bytes = screen_next(utf8 + n, &w);
        if (sum + w > columns)
            break;
        sum += w;
        n += bytes;
    }
    return n;
}

unsigned screen_columns(FILE *to)
{
    struct winsize w;
    if (isatty(fileno(to)) != 1)
        return 0;
    return ioctl(fileno(to), TIOCGWINSZ, &w) == 0 && w.ws_col ? w.ws_col : 80;
}

bool screen_colour(FILE *to)
{
    const char *no = getenv("NO_COLOR"), *term = getenv("TERM");
    return isatty(fileno(to)) == 1 && !(no && *no) && !(term && strcmp(term, "dumb") == 0);
}

/* Marks that belong to what stands before them. */
bool screen_may_begin(const char *utf8)
{
    static const char *const NEVER[] = { "、", "。", ")", "」", "・", "ー", "!", "?", "ゃ", "ゅ", "ょ", "っ", "ャ", "ュ", "ョ", "ッ", ")", ",", ".", ":" };
    for (size_t i = 0; i < sizeof NEVER / sizeof *NEVER; i++)
        if (strncmp(utf8, NEVER[i], strlen(NEVER[i])) == 0)
            return false;
    return true;
}

/* Marks that belong to what comes behind them. */
static bool may_end(const char *before, size_t n)
{
    static const char *const NEVER[] = { "(", "「", "(" };
    for (size_t i = 0; i < sizeof NEVER / sizeof *NEVER; i++) {
        size_t k = strlen(NEVER[i]);
        if (n >= k && strncmp(before + n - k, NEVER[i], k) == 0)
            return false;
    }
    return true;
}

size_t screen_line(const char *utf8, unsigned columns, const char **ret_rest)
{
    size_t n = 0, end = 0;
    unsigned sum = 0, w;
    bool wide_before = false;
    while (utf8[n] && utf8[n] != '\n') {
        size_t bytes = screen_next(utf8 + n, &w);
        if (n && (utf8[n] == ' ' || ((w == 2 || wide_before) && screen_may_begin(utf8 + n) && may_end(utf8, n))))
            end = n;
        if (sum + w > columns && utf8[n] != ' ')
            break;
        sum += w;
        wide_before = w == 2;
        n += bytes;
    }
    if (!utf8[n] || utf8[n] == '\n')
        end = n;
    else if (!end)
        end = n ? n : screen_next(utf8, &w);
    const char *rest = utf8 + end;
    while (*rest == ' ')
        rest++;
    *ret_rest = *rest == '\n' ? rest + 1 : rest;
    while (end && utf8[end - 1] == ' ')
        end--;
    return end;
}
