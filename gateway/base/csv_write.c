#include "gateway/base/csv_write.h"

bool csv_is_formula(struct slice text)
{
    static const char *const BEGINNINGS[] = { "=", "+", "-", "@", "\t", "\r", "\xef\xbc\x9d", "\xef\xbc\x8b", "\xef\xbc\x8d", "\xef\xbc\xa0", "\xe2\x88\x92" };
    for (size_t i = 0; i < sizeof BEGINNINGS / sizeof *BEGINNINGS; i++)
        if (slice_starts(text, slice_str(BEGINNINGS[i])))
            return true;
    return false;
}

void csv_text(struct buf *out, struct slice text)
{
    buf_putc(out, '"');
    if (csv_is_formula(text))
        buf_putc(out, '\'');
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == '"')
            buf_putc(out, '"');
        buf_putc(out, text.p[i]);
    }
    buf_putc(out, '"');
}
