#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/questionnaire/sheet.h"

enum { MUNI_CHARS = 6, SHEET_HEAD = 2 + MUNI_CHARS + 1, SHEET_HEX = 2 * SHEET_ID_BYTES };

static const char HEX[] = "0123456789abcdef";

bool qt_id_ok(struct slice id) { return id.n >= 1 && id.n <= QT_ID_MAX && all_url_safe(id); }

void template_key(const char muni[static MUNI_CHARS], struct store_name *ret_k)
{
    memcpy(ret_k->c, "qt:", 3);
    memcpy(ret_k->c + 3, muni, MUNI_CHARS);
    ret_k->n = 3 + MUNI_CHARS;
}

void template_field(struct slice id, unsigned version, struct store_name *ret_f)
{
    ret_f->n = (size_t)snprintf(ret_f->c, sizeof ret_f->c, "%.*s@%u", (int)id.n, (const char *)id.p, version);
}

void sheet_field(const char muni[static MUNI_CHARS], const uint8_t id[static SHEET_ID_BYTES], struct store_name *ret_f)
{
    memcpy(ret_f->c, "q:", 2);
    memcpy(ret_f->c + 2, muni, MUNI_CHARS);
    ret_f->c[SHEET_HEAD - 1] = ':';
    for (size_t i = 0; i < SHEET_ID_BYTES; i++) {
        ret_f->c[SHEET_HEAD + 2 * i] = HEX[id[i] >> 4];
        ret_f->c[SHEET_HEAD + 2 * i + 1] = HEX[id[i] & 15];
    }
    ret_f->n = SHEET_HEAD + SHEET_HEX;
}

bool sheet_id_parse(struct slice hex32, uint8_t out[static SHEET_ID_BYTES]) { return hex_decode(hex32, out, SHEET_ID_BYTES); }

bool sheet_field_is(struct slice field, struct slice *ret_muni, uint8_t ret_id[static SHEET_ID_BYTES])
{
    struct slice head, muni, colon;
    if (field.n != SHEET_HEAD + SHEET_HEX || !slice_take(&field, 2, &head) || !slice_eq(head, LIT("q:")) || !slice_take(&field, MUNI_CHARS, &muni) ||
        !all_digits(muni) || !slice_take(&field, 1, &colon) || *colon.p != ':' || !sheet_id_parse(field, ret_id))
        return false;
    *ret_muni = muni;
    return true;
}
