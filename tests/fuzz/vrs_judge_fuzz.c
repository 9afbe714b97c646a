/* Reaches nz_vrs_judge and nz_vrs_judge_munis: what is kept belongs to a number that was asked for, and no number stands in it. */
#include "connectors/number/vrs.h"
#include "gateway/base/must.h"
#include "gateway/check/json_in.h"

enum { N = 2 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

static bool holds(struct slice text, struct slice what)
{
    return text.n && memmem(text.p, text.n, what.p, what.n);
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    static const char *const NUMBERS[N] = { "123456789018", "983205673214" };
    struct nz_pool *pool;
    struct nz_mynum *number[N];
    struct nz_vrs_person person[N] = { 0 };
    struct nz_vrs_ask ask = { .id = "0123456789abcdef0123456789abcde", .inquirer = "33100", .provider = "27140", .basis = 90, .person = person, .n = N };
    char munis[4][6];
    size_t found;
    bool strange;
    ask.id[31] = 'f';
    memcpy(ask.inquirer, "331007", 6);
    memcpy(ask.provider, "271403", 6);
    MUST(err_ok(nz_pool_new(&pool, 6)));
    for (int i = 0; i < N; i++) {
        MUST(err_ok(nz_mynum_new(&number[i], pool, slice_str(NUMBERS[i]))));
        person[i].number = number[i];
        buf_init(&person[i].json, NZ_VRS_JSON_MAX);
    }
    struct err e = nz_vrs_judge(&ask, pool, slice_of(p, n), &strange);
    for (int i = 0; i < N; i++) {
        MUST(err_ok(e) || person[i].outcome == NZ_VRS_WAITS);
        MUST((person[i].outcome == NZ_VRS_FOUND) == (person[i].json.n > 0));
        MUST(!strange || person[i].outcome == NZ_VRS_QUARANTINE);
        for (int k = 0; k < N; k++)
            MUST(!holds(buf_slice(&person[i].json), slice_str(NUMBERS[k])) || person[i].outcome != NZ_VRS_FOUND || i != k);
    }
    if (err_ok(nz_vrs_judge_munis(slice_of(p, n), munis, 4, &found)))
        MUST(found <= 4);
    nz_vrs_persons_done(person, N);
    for (int i = 0; i < N; i++)
        nz_mynum_free(number[i]);
    MUST(nz_pool_used(pool) == 0);
    nz_pool_free(pool);
    return 0;
}
