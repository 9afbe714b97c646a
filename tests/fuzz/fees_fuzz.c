/* Reaches nz_fees_parse and nz_fee_of: whatever a table says, nobody pays more than the price, and a refused table says where. */
#include "gateway/base/must.h"
#include "keys/vaccination/fees.h"

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct nz_fees *f = NULL;
    struct buf bad;
    buf_init(&bad, 1 << 20);
    const struct err e = nz_fees_parse(&f, "f", slice_of(p, n), &bad);
    if (err_ok(e)) {
        const struct nz_fee fee = nz_fee_of(f, "331007", LIT("flu"), 20261121, LIT("a"));
        MUST(fee.share <= fee.price && fee.price <= NZ_YEN_MAX);
        MUST(fee.note != NZ_FEE_NO_PRICE || fee.price == 0);
    } else {
        MUST(err_is(e, E_NOMEM) || bad.n > 0);
    }
    nz_fees_free(f);
    buf_done(&bad);
    return 0;
}
