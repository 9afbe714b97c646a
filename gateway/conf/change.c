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

static bool named(const struct setting *s, const char *const *names, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (slice_eq(slice_str(s->name), slice_str(names[i])))
            return true;
    return false;
}

struct err conf_fixed(const struct conf *old, const struct conf *now, const char *file, const char *const *names, size_t n)
{
    struct err e = OK;
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!named(s, names, n) || !differs(old, now, s))
            continue;
        fprintf(stderr, "%s: %s: 動いている間は変えられません。止めてから起動し直してください / this cannot change while it runs; stop it and start it again\n", file, s->name);
        e = FAIL(E_CONFIG);
    }
    return e;
}

void conf_differ(const struct conf *old, const struct conf *now, enum conf_daemon who, const char *const *names, size_t n, struct buf *out)
{
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        if (!(s->who & (unsigned)who) || named(s, names, n) || !differs(old, now, s))
            continue;
        buf_putc(out, ' ');
        buf_puts(out, s->name);
    }
}
