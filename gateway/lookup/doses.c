#include "gateway/lookup/doses.h"

#include <stdlib.h>

/* Newest first; of one day, the later dose. */
static int newest(const void *a, const void *b)
{
    const struct immun *x = immun_now(((const struct immun_place *)a)->rec), *y = immun_now(((const struct immun_place *)b)->rec);
    if (x->date != y->date)
        return x->date < y->date ? 1 : -1;
    return x->dose < y->dose ? 1 : x->dose > y->dose ? -1 : 0;
}

static bool told(const struct immun_place *p, const struct judge *j, const struct doses_view *v)
{
    return !judge_has_ended(j, ARR(p->muni)) && (!v->only || v->only(v->arg, immun_now(p->rec)));
}

void doses_write(struct immun_book *b, const struct judge *j, const struct doses_view *v, struct jsonw *w, size_t *ret_n)
{
    *ret_n = 0;
    qsort(b->at, b->n, sizeof b->at[0], newest);
    jsonw_array(w, "immunizations");
    for (size_t i = 0; i < b->n; i++) {
        if (!told(&b->at[i], j, v))
            continue;
        immun_write(b->at[i].rec, b->at[i].rec->n_versions, v->view, w);
        ++*ret_n;
    }
    jsonw_end_array(w);
}

size_t doses_pick(struct immun_book *b, const struct judge *j, const struct doses_view *v, struct immun_place *ret[static IMMUN_BOOK_MAX])
{
    size_t n = 0;
    qsort(b->at, b->n, sizeof b->at[0], newest);
    for (size_t i = 0; i < b->n; i++)
        if (told(&b->at[i], j, v))
            ret[n++] = &b->at[i];
    return n;
}

static ERR note_all(struct store *s, struct immun_book *b, const struct judge *j, const struct doses_view *v, const struct doses_told *t, struct redis_swap *swap,
                    size_t *ret_n)
{
    *ret_n = 0;
    for (size_t i = 0; i < b->n; i++) {
        struct immun_place *p = &b->at[i];
        if (!told(p, j, v) || !immun_note_recipient(p->rec, t->audience, t->who, t->now_ms))
            continue;
        TRY(immun_swap_record(s, &j->person, p, swap));
        ++*ret_n;
    }
    return OK;
}

ERR doses_note(struct store *s, struct immun_book *b, const struct judge *j, const struct doses_view *v, const struct doses_told *t, struct redis_batch **ret_b)
{
    size_t n;
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    if (!swap)
        return FAIL(E_NOMEM);
    *ret_b = NULL;
    immun_swap_turn(b, &j->person, swap);
    struct err e = note_all(s, b, j, v, t, swap, &n);
    if (err_ok(e) && n) {
        *ret_b = redis_batch_new(2 * IMMUN_SWAP_MAX);
        e = *ret_b ? redis_swap_put(swap, *ret_b) : FAIL(E_NOMEM);
        if (!err_ok(e)) {
            redis_batch_free(*ret_b);
            *ret_b = NULL;
        }
    }
    redis_swap_free(swap);
    return e;
}

bool doses_noted(const struct redis_reply *const *replies, size_t n) { return n == 1 && redis_reply_int(replies[0]) == 1; }
