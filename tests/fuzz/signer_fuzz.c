/* Reaches signer_keys_decode, signer_keys_encode and signer_newest: what is read is written back to the same bytes. */
#include "gateway/base/must.h"
#include "gateway/signer/signer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    struct signer_keys k;
    struct buf out;
    if (!signer_keys_decode(slice_of(data, n), &k))
        return 0;
    buf_init(&out, SIGNER_KEYS_MAX * SIGNER_KEY_BYTES);
    signer_keys_encode(&k, &out);
    MUST(slice_eq(buf_slice(&out), slice_of(data, n)));
    const struct signer_key *newest = signer_newest(&k, SIGNER_SHC);
    MUST(!newest || newest->use == SIGNER_SHC);
    buf_done(&out);
    return 0;
}
