/* The columns are the published ones, with their lengths and alignment; what they hold for vaccines with more than two doses, and the file's options, are ours. */
#include "gateway/base/csv_write.h"
#include "gateway/base/text.h"
#include "keys/vaccination/rows.h"

#include <stdio.h>

enum { DOSES = 2, CELL_BYTES = 4 * 64, DAY_MS = 24 * 3600 * 1000, JAPAN_MS = 9 * 3600 * 1000 };

enum column_kind { COL_STAMP, COL_DAY, COL_TICKET, COL_MUNI, COL_PLACE, COL_DOCTOR, COL_MAKER, COL_LOT, COL__MAX };
/* wide: characters; digits_right: what is all digits stands right, without zeros before it. */
static const struct { const char *title; unsigned wide; bool text, digits_right; } COLUMNS[COL__MAX] = {
    [COL_STAMP] = { "接種履歴登録日時", 14, false, false }, [COL_DAY] = { "接種日", 8, false, false },
    [COL_TICKET] = { "券番号", 10, false, false },          [COL_MUNI] = { "接種自治体コード", 6, false, false },
    [COL_PLACE] = { "接種会場名", 30, true, false },        [COL_DOCTOR] = { "接種医師名", 20, true, false },
    [COL_MAKER] = { "ワクチンメーカー", 20, true, false },  [COL_LOT] = { "ワクチンロット番号", 20, true, true },
};

void nz_ledger_header(struct buf *out)
{
    buf_puts(out, "個別宛名番号(空欄)");
    for (unsigned d = 1; d <= DOSES; d++)
        for (size_t i = 0; i < COL__MAX; i++) {
            buf_putc(out, ',');
            buf_u64(out, d);
            buf_puts(out, "回目");
            buf_puts(out, COLUMNS[i].title);
        }
    buf_puts(out, "\r\n");
}

static struct slice text_of(enum column_kind k, const struct immun *d)
{
    switch (k) {
    case COL_TICKET: return d->ticket;
    case COL_MUNI: return slice_of(d->muni, sizeof d->muni);
    case COL_PLACE: return d->place;
    case COL_DOCTOR: return d->doctor;
    case COL_MAKER: return d->maker;
    case COL_LOT: return d->lot;
    case COL_STAMP:
    case COL_DAY:
    case COL__MAX: break;
    }
    return SLICE_NONE;
}

static void put_stamp(struct buf *out, uint64_t ms)
{
    char text[24];
    uint64_t of_day = (ms + JAPAN_MS) % DAY_MS / 1000;
    snprintf(text, sizeof text, "%08u%02u%02u%02u", (unsigned)clock_date_jst(ms), (unsigned)(of_day / 3600), (unsigned)(of_day / 60 % 60), (unsigned)(of_day % 60));
    buf_puts(out, text);
}

/* The first `wide` characters. */
static struct slice cut(struct slice s, unsigned wide)
{
    unsigned chars = 0;
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] & 0xC0) != 0x80 && chars++ == wide)
            return slice_of(s.p, i);
    return s;
}

static void put_blanks(struct buf *out, size_t have, unsigned wide)
{
    for (size_t i = have; i < wide; i++)
        buf_putc(out, ' ');
}

static void put_text(struct buf *out, enum column_kind k, struct slice s, bool aligned)
{
    const unsigned wide = COLUMNS[k].wide;
    s = cut(s, wide);
    if (!COLUMNS[k].text) {
        buf_put(out, s);
        return;
    }
    if (!s.n)
        return;
    if (!aligned) {
        csv_text(out, s);
        return;
    }
    struct buf cell;
    const bool right = COLUMNS[k].digits_right && all_digits(s);
    buf_init(&cell, CELL_BYTES);
    if (right)
        put_blanks(&cell, utf8_count(s), wide);
    buf_put(&cell, s);
    if (!right)
        put_blanks(&cell, utf8_count(s), wide);
    csv_text(out, buf_slice(&cell));
    buf_done(&cell);
}

static void put_cell(struct buf *out, enum column_kind k, const struct immun *d, bool aligned)
{
    if (k == COL_STAMP)
        put_stamp(out, d->recorded_ms);
    else if (k == COL_DAY)
        buf_u64(out, d->date);
    else
        put_text(out, k, text_of(k, d), aligned);
}

/* Of a dose that stands twice, the newer record. */
static const struct immun *dose_of(const struct nz_vacc_ask *ask, const struct nz_vacc_person *p, unsigned dose)
{
    const struct immun *found = NULL;
    for (size_t i = 0; i < p->n_doses; i++)
        if (p->doses[i].dose == dose && slice_eq(p->doses[i].program, slice_str(ask->program)))
            found = &p->doses[i];
    return found;
}

void nz_ledger_row(const struct nz_vacc_ask *ask, const struct nz_vacc_person *p, struct buf *out, uint64_t *rows)
{
    const struct immun *doses[DOSES];
    for (unsigned d = 0; d < DOSES; d++)
        doses[d] = dose_of(ask, p, ask->first + d);
    if (!doses[0] && !doses[1])
        return;
    for (unsigned d = 0; d < DOSES; d++)
        for (size_t k = 0; k < COL__MAX; k++) {
            buf_putc(out, ',');
            if (doses[d])
                put_cell(out, (enum column_kind)k, doses[d], ask->aligned);
        }
    buf_puts(out, "\r\n");
    ++*rows;
}
