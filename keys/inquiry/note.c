/* 回収台帳: which municipality was given which version of a record. */

#include "keys/inquiry/silence.h"

#include <stdlib.h>

#include "gateway/vaccine/book.h"

enum { ARENA_MAX = 32 << 20 };

static ERR note_all(struct store *s, const struct store_name *person, const struct nz_given_to *to, struct immun_book *book, struct redis_batch *b, bool *ret_changed)
{
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    struct err e = swap ? OK : FAIL(E_NOMEM);
    *ret_changed = false;
    if (err_ok(e))
        immun_swap_turn(book, person, swap);
    for (size_t i = 0; err_ok(e) && i < book->n; i++) {
        const struct immun_place *p = &book->at[i];
        if (!slice_eq(ARR(p->muni), slice_of(to->provider, 6)) || immun_now(p->rec)->status != IMMUN_COMPLETED ||
            !immun_note_recipient(p->rec, IMMUN_TO_MUNICIPALITY, slice_of(to->inquirer, 6), to->now_ms))
            continue;
        e = immun_swap_record(s, person, p, swap);
        *ret_changed = true;
    }
    if (err_ok(e) && *ret_changed)
        e = redis_swap_put(swap, b);
    redis_swap_free(swap);
    return e;
}

ERR nz_note_given(struct store *s, const struct store_name *person, const struct nz_given_to *to, const struct redis_reply *hash, struct redis_batch *b,
                  bool *ret_changed)
{
    struct immun_book *book = calloc(1, sizeof *book);
    struct arena *a = arena_new(ARENA_MAX);
    struct err e = book && a ? immun_book_open(s, person, hash, a, book) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = note_all(s, person, to, book, b, ret_changed);
    arena_free(a);
    free(book);
    return e;
}
