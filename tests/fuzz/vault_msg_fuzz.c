/* Reaches nz_link_decode and nz_reveal_decode. What they accept has the sizes and characters of vault_msg.h. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/vault/vault_decode.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct nz_link_msg l;
    struct nz_reveal_msg r;
    struct slice body = slice_of(data, size);
    if (err_ok(nz_link_decode(body, &l)) &&
        (size != NZ_LINK_BYTES || l.digits.n != NZ_DIGITS_BYTES || !all_digits(l.digits) || !all_digits(l.muni)))
        abort();
    if (err_ok(nz_reveal_decode(body, &r)) &&
        (size != NZ_REVEAL_BYTES || r.sid.n != NZ_SID_BYTES || r.next.n != NZ_TICKET_BYTES || !all_digits(r.muni) ||
         r.purpose != NZ_PURPOSE_NUMBERING))
        abort();
    return 0;
}
