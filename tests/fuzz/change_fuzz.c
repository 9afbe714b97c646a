/* What resident changes read: a row from outside, the journal, a waiting row. The first byte chooses. */

#include "keys/change/journal.h"
#include "keys/change/waiting.h"
#include "gateway/base/must.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void row(struct slice in, struct arena *a)
{
    struct nz_pool *pool;
    struct nz_change c;
    struct field_report r = { 0 };
    const struct nz_linkage_row from = { .json = in };
    if (!in.n || !err_ok(nz_pool_new(&pool, 3)))
        return;
    if (err_ok(nz_change_read_row(NULL, &from, NULL, pool, a, &c, &r))) {
        MUST(r.n_faults == 0 || (!c.number && !c.new_number));
        nz_change_done(&c);
    }
    MUST(nz_pool_used(pool) == 0);
    nz_pool_free(pool);
}

static void journal(struct slice in, struct arena *a)
{
    struct nz_journal j;
    if (!err_ok(nz_journal_decode(in, a, &j)))
        return;
    struct buf b;
    buf_init(&b, in.n + 1);
    nz_journal_encode(&j, &b);
    MUST(slice_eq(buf_slice(&b), in));
    buf_done(&b);
}

static void waiting(struct slice in, struct arena *a)
{
    struct nz_waiting w;
    (void)a;
    if (!err_ok(nz_waiting_decode(in, &w)))
        return;
    struct buf b;
    buf_init(&b, NZ_WAITING_BYTES);
    nz_waiting_encode(&w, &b);
    MUST(nz_waiting_is(in) && nz_waiting_is(buf_slice(&b)));
    MUST(in.n != NZ_WAITING_BYTES || slice_eq(buf_slice(&b), in)); /* the first form is shorter */
    buf_done(&b);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static void (*const READERS[])(struct slice in, struct arena *a) = { row, journal, waiting };
    if (!size)
        return 0;
    struct arena *a = arena_new(1 << 22);
    READERS[data[0] % 3](slice_of(data + 1, size - 1), a);
    arena_free(a);
    return 0;
}
