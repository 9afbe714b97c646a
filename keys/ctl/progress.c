#include "keys/ctl/progress.h"

#include <stdio.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "gateway/base/clock.h"
#include "keys/ctl/out.h"
#include "keys/ctl/say.h"
#include "keys/ctl/screen.h"

enum { REDRAW_MS = 100, LINE_MS = 3000, CELLS_MAX = 28, TEXT_COLUMNS = 84 };

/* ---- arithmetic ---- */

/* a * b / c, without a product that would not fit. */
static uint64_t scaled(uint64_t a, uint64_t b, uint64_t c) { return c ? (uint64_t)((unsigned __int128)a * b / c) : 0; }

uint64_t progress_rate(uint64_t done, uint64_t ms) { return scaled(done, 1000, ms); }

uint64_t progress_left_s(uint64_t done, uint64_t total, uint64_t rate)
{
    if (done >= total)
        return 0;
    return rate ? (total - done) / rate + ((total - done) % rate != 0) : UINT64_MAX;
}

unsigned progress_cells(uint64_t done, uint64_t total, unsigned cells)
{
    return done >= total && total ? cells : (unsigned)scaled(done, cells, total);
}

void progress_bytes(uint64_t n, char out[static 16])
{
    static const char *const UNITS[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
    double v = (double)n / 1024;
    size_t u = 0;
    if (n < 1024) {
        snprintf(out, 16, "%llu B", (unsigned long long)n);
        return;
    }
    for (; v >= 1023.95 && u + 1 < sizeof UNITS / sizeof *UNITS; u++)
        v /= 1024;
    snprintf(out, 16, "%.1f %s", v, UNITS[u]);
}

void progress_duration(uint64_t s, char out[static 32])
{
    unsigned long long h = s / 3600, m = s / 60 % 60, rest = s % 60;
    if (s == UINT64_MAX)
        snprintf(out, 32, "?");
    else if (h)
        snprintf(out, 32, "%llu h %02llu min", h, m);
    else if (m)
        snprintf(out, 32, "%llu min %02llu s", m, rest);
    else
        snprintf(out, 32, "%llu s", rest);
}

/* ---- drawing ---- */

static uint64_t now_ms(void)
{
    struct clock c = clock_system();
    return clock_mono(&c);
}

void progress_start(struct progress *p, const char *ja, const char *en, enum progress_unit unit, uint64_t began_at)
{
    *p = (struct progress){ .ja = ja, .en = en, .unit = unit, .began_at = began_at, .started_ms = now_ms(), .terminal = isatty(STDOUT_FILENO) == 1 };
    p->drawn_ms = p->started_ms; /* something that is over at once needs no line */
}

struct amounts { char done[32], total[32], rate[32], left[32]; };

static void amounts_of(const struct progress *p, const struct progress_at *at, struct amounts *ret_a)
{
    uint64_t since = at->done > p->began_at ? at->done - p->began_at : 0;
    uint64_t rate = at->rate ? at->rate : progress_rate(since, now_ms() - p->started_ms);
    bool known = rate || !at->done; /* else it was all there when we came */
    progress_duration(at->left_s ? at->left_s : progress_left_s(at->done, at->total, rate), ret_a->left);
    if (p->unit == PROGRESS_BYTES) {
        progress_bytes(at->done, ret_a->done);
        progress_bytes(at->total, ret_a->total);
        progress_bytes(rate, ret_a->rate);
    } else {
        snprintf(ret_a->done, sizeof ret_a->done, "%llu", (unsigned long long)at->done);
        snprintf(ret_a->total, sizeof ret_a->total, "%llu", (unsigned long long)at->total);
        snprintf(ret_a->rate, sizeof ret_a->rate, "%llu", (unsigned long long)rate);
    }
    if (!known)
        snprintf(ret_a->rate, sizeof ret_a->rate, "-");
}

static struct say_text line_of(const struct progress *p, const struct progress_at *at, const struct amounts *a, bool ja)
{
    const char *note = ja ? at->note_ja : at->note_en;
    bool rows = p->unit == PROGRESS_ROWS;
    return say_form("%s/%s%s  %s%s%s  %s %s%s%s%s", a->done, a->total, !rows ? "" : ja ? " 行" : " rows", a->rate,
                    !rows ? "" : ja ? " 行" : " rows", ja ? "/秒" : "/s", ja ? "残り" : "left", a->left,
                    !rows ? "" : say_form("  %s %llu", ja ? "誤り" : "errors", (unsigned long long)at->errors).c, note ? "  " : "", note ? note : "");
}

static unsigned cells_there(void)
{
    struct winsize w;
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) != 0 || !w.ws_col || w.ws_col >= TEXT_COLUMNS + CELLS_MAX)
        return CELLS_MAX;
    return w.ws_col > TEXT_COLUMNS + 4 ? w.ws_col - TEXT_COLUMNS : 4;
}

/* One language here, whatever the reader's: a bar has one line. */
static void draw_bar(struct progress *p, const struct progress_at *at)
{
    struct amounts a;
    unsigned cells = cells_there(), full = progress_cells(at->done, at->total, cells);
    bool ja = say_pick("ja", "en")[0] == 'j';
    amounts_of(p, at, &a);
    char line[1024];
    int n = snprintf(line, sizeof line, "  %s ", ja ? p->ja : p->en);
    for (unsigned i = 0; i < cells; i++)
        n += snprintf(line + n, sizeof line - (size_t)n, "%s", i < full ? "█" : "░");
    snprintf(line + n, sizeof line - (size_t)n, " %s", line_of(p, at, &a, ja).c);
    const unsigned columns = screen_columns(stdout); /* a line that wraps could not be drawn over */
    printf("\r%.*s\033[K", (int)screen_fit(line, columns ? columns - 1 : 80), line);
    fflush(stdout);
    p->open = true;
}

static void draw_line(const struct progress *p, const struct progress_at *at)
{
    struct amounts a;
    amounts_of(p, at, &a);
    say_plain(say_form("%s %s", p->ja, line_of(p, at, &a, true).c).c, say_form("%s %s", p->en, line_of(p, at, &a, false).c).c);
}

void progress_show(struct progress *p, const struct progress_at *at)
{
    uint64_t now = now_ms();
    if (out_json())
        return;
    if (now - p->drawn_ms < (p->terminal ? REDRAW_MS : LINE_MS))
        return;
    p->drawn_ms = now;
    if (p->terminal)
        draw_bar(p, at);
    else
        draw_line(p, at);
}

void progress_break(struct progress *p)
{
    if (p->open)
        putchar('\n');
    p->open = false;
}

void progress_end(struct progress *p, const struct progress_at *at)
{
    if (out_json())
        return;
    if (p->terminal)
        draw_bar(p, at);
    else
        draw_line(p, at);
    progress_break(p);
}
