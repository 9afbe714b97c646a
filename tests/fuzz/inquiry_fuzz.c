/* Reaches the bodies of both routes and what an inquiry keeps: what was read can be kept and read again, and no number is lost. First byte: which. */
#include "gateway/base/must.h"
#include "keys/inquiry/entry.h"

enum { ROWS_MAX = 8 };

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    (void)argc;
    (void)argv;
    json_in_setup();
    return 0;
}

static void keep(const struct nz_inq_person *p, struct nz_pool *pool)
{
    struct buf out;
    struct nz_inq_person back = { .row = 0 };
    buf_init(&out, NZ_INQ_PERSON_MAX);
    MUST(err_ok(nz_inq_person_encode(p, &out)));
    struct slice in = buf_slice(&out);
    MUST(err_ok(nz_inq_person_decode(&in, pool, &back)) && in.n == 0 && back.refused == p->refused && slice_eq(back.key, p->key));
    nz_mynum_free(back.number);
    buf_done(&out);
}

static void asked(struct slice in, struct arena *a, struct nz_pool *pool)
{
    static const struct check_levels LEVELS;
    struct nz_inq_person *p;
    size_t n;
    if (err_ok(nz_inq_parse(in, a, pool, ROWS_MAX, "331007", &LEVELS, &p, &n)))
        for (size_t i = 0; i < n; i++) {
            MUST(p[i].refused == !p[i].number && (!p[i].refused || p[i].errors.n));
            keep(&p[i], pool);
        }
    nz_inq_persons_free(p, n);
}

static void provide(struct slice in, struct arena *a, struct nz_pool *pool)
{
    struct nz_provide_ask ask;
    struct field_report report;
    struct err e = nz_provide_parse(in, a, pool, &ask, &report);
    MUST(!err_ok(e) || (ask.n >= 1 && ask.n <= NZ_PROVIDE_MAX));
    MUST(!err_is(e, E_FIELD) || report.n_faults);
    nz_provide_free(&ask);
}

static void stored(struct slice in, struct nz_pool *pool)
{
    struct nz_inq_result r;
    struct slice rest = in;
    while (err_ok(nz_inq_result_decode(&rest, &r))) {
        struct buf out;
        struct jsonw w;
        buf_init(&out, 256 * 1024);
        jsonw_init(&w, &out);
        if (r.kind == NZ_INQ_ANSWER)
            nz_inq_result_json(&r, &w);
        buf_done(&out);
    }
    for (rest = in;;) {
        struct nz_inq_person p = { .row = 0 };
        if (!err_ok(nz_inq_person_decode(&rest, pool, &p)))
            break;
        nz_mynum_free(p.number);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *p, size_t n)
{
    struct nz_pool *pool;
    struct arena *a = n ? arena_new(1 << 20) : NULL;
    if (!a)
        return 0;
    MUST(err_ok(nz_pool_new(&pool, NZ_PROVIDE_MAX + 8)));
    struct slice in = slice_of(p + 1, n - 1);
    if (p[0] % 3 == 0)
        asked(in, a, pool);
    else if (p[0] % 3 == 1)
        provide(in, a, pool);
    else
        stored(in, pool);
    MUST(nz_pool_used(pool) == 0);
    nz_pool_free(pool);
    arena_free(a);
    return 0;
}
