/* Reaches proof_doc_check: what nobody signed is never good, and nothing is read past the end. */
#include "gateway/base/must.h"
#include "gateway/check/json_in.h"
#include "keys/ctl/proof_doc.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t n)
{
    static const char KEY[] = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k";
    static bool set;
    struct note_key k;
    if (!set)
        json_in_setup();
    set = true;
    MUST(note_key_read(slice_str(KEY), &k));
    struct proof_result r = proof_doc_check(slice_of(data, n), &k, NULL, NULL);
    MUST(r.fault != PROOF_OK && r.entries == 0 && r.fault < PROOF__MAX);
    return 0;
}
