/* The lines of "checkpoints": "<size> <root> <signature> <time>". */

#include "gateway/audit/note.h"
#include "gateway/base/text.h"

enum { TIME_BYTES = 24 };

static const char DASH[] = "\n\xE2\x80\x94 ";

static bool digits2(const uint8_t *p, unsigned *ret)
{
    *ret = (unsigned)(p[0] - '0') * 10 + (unsigned)(p[1] - '0');
    return all_digits(slice_of(p, 2));
}

/* "YYYY-MM-DDTHH:MM:SS.mmmZ" to milliseconds since 1970, seconds only. */
static bool time_read(struct slice s, uint64_t *ret_ms)
{
    ymd_t d;
    unsigned h, m, sec;
    if (s.n != TIME_BYTES || !ymd_parse(slice_of(s.p, 10), &d) || !digits2(s.p + 11, &h) || !digits2(s.p + 14, &m) || !digits2(s.p + 17, &sec))
        return false;
    int64_t y = d / 10000, mo = d / 100 % 100, day = d % 100;
    y -= mo <= 2;
    int64_t yoe = y % 400, doy = (153 * (mo + (mo > 2 ? -3 : 9)) + 2) / 5 + day - 1;
    int64_t days = y / 400 * 146097 + yoe * 365 + yoe / 4 - yoe / 100 + doy - 719468;
    *ret_ms = ((uint64_t)days * 86400 + h * 3600 + m * 60 + sec) * 1000;
    return h < 24 && m < 60 && sec < 61;
}

bool history_line_read(struct slice line, const struct note_key *k, struct tree_head *ret_h, uint64_t *ret_ms)
{
    struct slice size, root, signature, when;
    struct buf note;
    if (!slice_cut(line, ' ', &size, &line) || !slice_cut(line, ' ', &root, &line) || !slice_cut(line, ' ', &signature, &when))
        return false;
    if (!time_read(when, ret_ms))
        return false;
    buf_init(&note, NOTE_MAX);
    buf_puts(&note, k->name);
    buf_putc(&note, '\n');
    buf_put(&note, size);
    buf_putc(&note, '\n');
    buf_put(&note, root);
    buf_putc(&note, '\n');
    buf_puts(&note, DASH);
    buf_puts(&note, k->name);
    buf_putc(&note, ' ');
    buf_put(&note, signature);
    buf_putc(&note, '\n');
    bool good = !note.failed && checkpoint_open(buf_slice(&note), k, ret_h) == NOTE_GOOD;
    buf_done(&note);
    return good;
}

void history_line_write(const struct tree_head *h, struct slice note, uint64_t wall_ms, struct buf *out)
{
    char when[TIME_BYTES];
    size_t from = note.n - 1; /* our signature is the last word */
    while (from > 0 && note.p[from - 1] != ' ')
        from--;
    buf_u64(out, h->size);
    buf_putc(out, ' ');
    b64_encode(ARR(h->root), out);
    buf_putc(out, ' ');
    buf_put(out, slice_of(note.p + from, note.n - 1 - from));
    buf_putc(out, ' ');
    clock_format_utc(wall_ms, when);
    buf_put(out, ARR(when));
    buf_putc(out, '\n');
}
