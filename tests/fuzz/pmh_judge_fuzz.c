/* Reaches nz_pmh_judge: a key is given only when it and the unchanged number stand in the reply, and never to two numbers. */
#include "connectors/number/pmh.h"
#include "gateway/base/must.h"
#include "gateway/check/json_in.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct nz_pool *pool;
    struct nz_mynum *a, *b;
    MUST(err_ok(nz_pool_new(&pool, 2)));
    MUST(err_ok(nz_mynum_new(&a, pool, LIT("123456789018"))));
    MUST(err_ok(nz_mynum_new(&b, pool, LIT("983205673214"))));
    struct nz_pmh_row rows[2] = { { .number = a }, { .number = b } };
    struct err e = nz_pmh_judge(slice_of(p, n), rows, 2);
    for (int i = 0; i < 2; i++) {
        MUST(err_ok(e) || rows[i].outcome == NZ_PMH_RETRY);
        MUST((rows[i].outcome == NZ_PMH_KEY) == (rows[i].pmh_key[0] != 0));
    }
    MUST(rows[0].outcome != NZ_PMH_KEY || rows[1].outcome != NZ_PMH_KEY || strcmp(rows[0].pmh_key, rows[1].pmh_key) != 0);
    nz_mynum_free(a);
    nz_mynum_free(b);
    nz_pool_free(pool);
    return 0;
}
