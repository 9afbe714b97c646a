/* Reaches sheet_decode and sheet_field_is: what is accepted is written back as it was read, and can be told. */
#include "gateway/base/must.h"
#include "gateway/questionnaire/sheet.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct slice in = slice_of(data, n), muni;
    struct sheet s;
    uint8_t id[SHEET_ID_BYTES];
    struct store_name field;
    if (sheet_field_is(in, &muni, id)) {
        sheet_field((const char *)muni.p, id, &field);
        MUST(slice_eq(store_name_slice(&field), in));
    }
    if (!err_ok(sheet_decode(in, &s)))
        return 0;
    struct buf out;
    struct jsonw w;
    buf_init(&out, 2 << 20);
    MUST(err_ok(sheet_encode(&s, &out)) && slice_eq(buf_slice(&out), in));
    buf_reset(&out);
    jsonw_init(&w, &out);
    sheet_write(&s, NULL, SHEET_VIEW_CITIZEN, &w);
    MUST(err_ok(buf_check(&out)));
    buf_done(&out);
    return 0;
}
