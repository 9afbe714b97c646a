/* Reaches nz_flags_ask_read, nz_resident_ask_read, nz_erase_ask_read and nz_erase_note_decode: what is accepted is within its bounds and is written back as it was read. */
#include "gateway/base/must.h"
#include "keys/person/form.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

static void forms(struct slice body)
{
    struct field_report report = { 0 };
    struct nz_flags_ask f;
    struct slice key;
    struct nz_erase_ask x;
    struct buf out;
    struct arena *a = arena_new(1 << 20);
    MUST(a);
    buf_init(&out, 512);
    if (err_ok(nz_flags_ask_read(body, a, &f, &report))) {
        MUST(f.resident_key.n && !(f.flags.bits & ~FLAGS_ALL) && err_ok(flags_encode(&f.flags, &out)));
        nz_flags_json(&f.flags, &out);
        MUST(err_ok(buf_check(&out)));
    }
    if (err_ok(nz_resident_ask_read(body, a, &key, &report)))
        MUST(key.n);
    if (err_ok(nz_erase_ask_read(body, a, &x, &report)))
        MUST(x.resident_key.n && x.reason.n && x.reason.n <= CONSENT_REASON_MAX);
    buf_done(&out);
    arena_free(a);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct nz_erase_note note;
    struct buf out;
    forms(slice_of(data, n));
    if (!nz_erase_note_decode(slice_of(data, n), &note))
        return 0;
    buf_init(&out, NZ_ERASE_NOTE_BYTES);
    nz_erase_note_encode(&note, &out);
    MUST(slice_eq(buf_slice(&out), slice_of(data, n)));
    buf_done(&out);
    return 0;
}
