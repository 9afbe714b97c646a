/* What is another between two readings of a file. */

#include <stdio.h>

#include "gateway/conf/setting.h"

static bool differs(const struct conf *a, const struct conf *b, const struct setting *s)
{
    const char *x = (const char *)a + s->offset, *y = (const char *)b + s->offset;
    if (s->kind == SETTING_NUM)
        return *(const uint64_t *)(const void *)x != *(const uint64_t *)(const void *)y;
    return !slice_eq(slice_str(*(char *const *)(const void *)x), slice_str(*(char *const *)(const void *)y));
}

/* It is another, and the daemon does not take it while it runs. */
static bool waits(const struct conf *old, const struct conf *now, enum conf_daemon who, const struct setting *s)
{
    return (s->who & (unsigned)who) && !(s->live & (unsigned)who) && differs(old, now, s);
}

struct err conf_fixed(const struct conf *old, const struct conf *now, enum conf_daemon who, const char *file)
{
    struct err e = OK;
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!waits(old, now, who, s))
            continue;
        fprintf(stderr, "%s: %s: 動いている間は変えられません。止めてから起動し直してください / this cannot change while it runs; stop it and start it again\n", file, s->name);
        e = FAIL(E_CONFIG);
    }
    return e;
}

void conf_differ(const struct conf *old, const struct conf *now, enum conf_daemon who, struct buf *out)
{
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!waits(old, now, who, s))
            continue;
        buf_putc(out, ' ');
        buf_puts(out, s->name);
    }
}
