/* Reaches immun_decode() and vaccine_notice_decode(): what is decoded is encoded to the same bytes (an older form to one that is
 * decoded again), and can be written as JSON. */
#include <stdlib.h>

#include "gateway/vaccine/consequences.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static bool reads_again(struct slice plain)
{
    struct immun_record *rec = calloc(1, sizeof *rec);
    const bool good = rec && err_ok(immun_decode(plain, rec));
    free(rec);
    return good;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct vaccine_notice notice;
    struct immun_record *rec = calloc(1, sizeof *rec);
    struct buf out;
    struct jsonw w;
    if (!rec)
        return 0;
    (void)!err_ok(vaccine_notice_decode(slice_of(data, n), &notice));
    if (err_ok(immun_decode(slice_of(data, n), rec))) {
        buf_init(&out, 1 << 20);
        if (!err_ok(immun_encode(rec, &out)) || (data[0] == out.p[0] ? !slice_eq(buf_slice(&out), slice_of(data, n)) : !reads_again(buf_slice(&out))))
            __builtin_trap();
        buf_reset(&out);
        jsonw_init(&w, &out);
        for (size_t v = 1; v <= rec->n_versions; v++)
            immun_write(rec, v, IMMUN_VIEW_MUNICIPALITY, &w);
        immun_note_recipient(rec, IMMUN_TO_CLINIC, LIT("3319900019"), 1);
        for (uint16_t v = 0; v <= rec->n_versions + 1; v++)
            if (immun_perhaps_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, v, 1) && v % 2)
                immun_never_recipient(rec, IMMUN_TO_DATABASE, SLICE_NONE, v);
        buf_reset(&out);
        if (rec->n_recipients > IMMUN_RECIPIENTS_MAX || !err_ok(immun_encode(rec, &out)) || !reads_again(buf_slice(&out)))
            __builtin_trap();
        buf_done(&out);
    }
    free(rec);
    return 0;
}
