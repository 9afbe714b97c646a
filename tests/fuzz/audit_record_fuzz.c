/* Reaches audit_decode, audit_encode and audit_set_actor: what is accepted is written back to the same bytes, but for the number of
 * its form: an older form is written as the present one. */
#include "gateway/audit/audit.h"
#include "gateway/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct audit_rec rec = { .event = AU_PROCESS_START, .muni = { '0', '0', '0', '0', '0', '0' } };
    uint8_t b[AUDIT_REC_BYTES];
    struct audit_rec back;
    audit_set_actor(&rec, slice_of(data, n));
    audit_encode(&rec, b);
    MUST(audit_decode(b, &back));
    if (n < AUDIT_REC_BYTES || !audit_decode(data, &rec))
        return 0;
    audit_encode(&rec, b);
    MUST(slice_eq(slice_of(b + 1, AUDIT_REC_BYTES - 1), slice_of(data + 1, AUDIT_REC_BYTES - 1)) && b[0] >= data[0]);
    return 0;
}
