#include "keys/ctl/verdict.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "gateway/base/clock.h"

enum { LOOK_MS = 20, LINES_MAX = 1 << 20 };

static bool holds(struct slice line, struct slice what) { return line.n >= what.n && memmem(line.p, line.n, what.p, what.n); }

enum verdict verdict_line(struct slice line)
{
    static const struct { struct slice event; enum verdict v; } EVENTS[] = {
        { LIT("\"event\":\"reloaded\""), VERDICT_TAKEN }, { LIT("\"event\":\"upgraded\""), VERDICT_TAKEN }, { LIT("\"event\":\"reload_needs_start\""), VERDICT_NEEDS_START },
        { LIT("\"event\":\"reload_refused\""), VERDICT_REFUSED }, { LIT("\"event\":\"upgrade_refused\""), VERDICT_REFUSED } };
    if (!slice_starts(line, LIT("{")) || !holds(line, LIT("\"level\":\"note\"")))
        return VERDICT_NONE;
    for (size_t i = 0; i < sizeof EVENTS / sizeof *EVENTS; i++)
        if (holds(line, EVENTS[i].event))
            return EVENTS[i].v;
    return VERDICT_NONE;
}

bool verdict_tells(struct slice line)
{
    return line.n > 0 && (line.p[0] != '{' || holds(line, LIT("\"event\":\"start_failed\"")) || holds(line, LIT("\"event\":\"program_")) || holds(line, LIT("\"event\":\"workers_not_ready\"")));
}

/* What was written since `from`, as far as lines are whole. */
static enum verdict look(const char *path, off_t from, struct buf *text)
{
    enum verdict v = VERDICT_NONE;
    struct slice line, rest;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    buf_reset(text);
    if (fd < 0 || lseek(fd, from, SEEK_SET) != from || !err_ok(fd_read_all(fd, text)))
        buf_reset(text);
    if (fd >= 0)
        close(fd);
    for (rest = buf_slice(text); v == VERDICT_NONE && slice_cut(rest, '\n', &line, &rest);)
        v = verdict_line(line);
    return v;
}

static void show(struct slice text)
{
    for (struct slice line; slice_cut(text, '\n', &line, &text) && verdict_line(line) == VERDICT_NONE;)
        if (verdict_tells(line))
            fprintf(stderr, "    %.*s\n", (int)line.n, (const char *)line.p);
}

enum verdict verdict_of(const struct state *s, const char *daemon, int signum, unsigned timeout_ms)
{
    const struct state_path log = state_at(s, "log/%s.log", daemon);
    struct stat st;
    int pid = state_pid(s, daemon);
    if (!pid || stat(log.c, &st) != 0 || kill(pid, signum) != 0)
        return VERDICT_AWAY;
    struct clock clock = clock_system();
    uint64_t until = clock_mono(&clock) + timeout_ms;
    struct buf text;
    buf_init(&text, LINES_MAX);
    enum verdict v = VERDICT_NONE;
    while ((v = look(log.c, st.st_size, &text)) == VERDICT_NONE && clock_mono(&clock) < until && state_pid(s, daemon) == pid)
        nanosleep(&(struct timespec){ 0, LOOK_MS * 1000000 }, NULL);
    if (v == VERDICT_NONE)
        v = state_pid(s, daemon) == pid ? VERDICT_LATE : VERDICT_AWAY;
    show(buf_slice(&text));
    buf_done(&text);
    return v;
}
