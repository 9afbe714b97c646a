#include "gateway/vaccine/book.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

struct slice hash_find(const struct redis_reply *hash, struct slice field)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (slice_eq(redis_reply_str(redis_reply_at(hash, i)), field))
            return redis_reply_str(redis_reply_at(hash, i + 1));
    return SLICE_NONE;
}

/* What was opened stays in the arena: the record borrows from it. */
static ERR open_one(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct arena *a, struct immun_place *p)
{
    struct buf plain;
    buf_init(&plain, IMMUN_PLAIN_MAX);
    struct err e = store_open(s, ARR(p->muni), person, field, sealed, &plain);
    const struct slice kept = err_ok(e) ? arena_dup(a, buf_slice(&plain)) : SLICE_NONE;
    buf_done(&plain);
    TRY(e);
    p->rec = arena_get(a, sizeof *p->rec);
    if (!p->rec)
        return FAIL(E_FULL);
    TRY(arena_check(a));
    return immun_decode(kept, p->rec);
}

bool vaccine_tie_is(struct slice field)
{
    struct slice head;
    return slice_take(&field, 2, &head) && slice_eq(head, LIT("s:")) && field.n == sizeof((struct immun_place *)0)->muni && all_digits(field);
}

static void take_tie(struct immun_book *b, struct arena *a, struct slice field, struct slice subject)
{
    if (vaccine_tie_is(field) && b->n_ties < IMMUN_TIES_MAX)
        b->tie[b->n_ties++] = (struct vaccine_tie){ arena_dup(a, field), arena_dup(a, subject) };
}

ERR immun_book_open(struct store *s, const struct store_name *person, const struct redis_reply *hash, struct arena *a, struct immun_book *ret_b)
{
    ret_b->n = ret_b->n_ties = ret_b->bytes = 0;
    ret_b->turn = hash_find(hash, VACCINE_TURN_FIELD);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        uint8_t id[IMMUN_ID_BYTES];
        struct slice muni;
        take_tie(ret_b, a, field, redis_reply_str(redis_reply_at(hash, i + 1)));
        if (!immun_field_is(field, &muni, id))
            continue;
        ret_b->bytes += redis_reply_str(redis_reply_at(hash, i + 1)).n;
        if (ret_b->n == IMMUN_BOOK_MAX)
            return FAIL(E_FULL);
        struct immun_place *p = &ret_b->at[ret_b->n];
        memcpy(p->muni, muni.p, sizeof p->muni);
        immun_field(p->muni, id, &p->field);
        TRY(open_one(s, person, field, redis_reply_str(redis_reply_at(hash, i + 1)), a, p));
        if (!slice_eq(ARR(p->rec->id), ARR(id)))
            return FAIL(E_SEAL);
        ret_b->n++;
    }
    return arena_check(a);
}

struct immun_place *immun_book_find(struct immun_book *b, const uint8_t id[static IMMUN_ID_BYTES])
{
    for (size_t i = 0; i < b->n; i++)
        if (slice_eq(ARR(b->at[i].rec->id), slice_of(id, IMMUN_ID_BYTES)))
            return &b->at[i];
    return NULL;
}

bool immun_book_has_room(const struct immun_book *b, bool for_a_record)
{
    return b->bytes < IMMUN_PERSON_MAX && (!for_a_record || b->n < IMMUN_RECORDS_MAX);
}

ERR immun_book_add(struct immun_book *b, struct arena *a, const char muni[static 6], struct immun_place **ret_p)
{
    if (b->n == IMMUN_BOOK_MAX)
        return FAIL(E_FULL);
    struct immun_place *p = &b->at[b->n];
    p->rec = arena_get(a, sizeof *p->rec);
    if (!p->rec)
        return FAIL(E_FULL);
    rnd_bytes(p->rec->id, sizeof p->rec->id);
    memcpy(p->muni, muni, sizeof p->muni);
    immun_field(p->muni, p->rec->id, &p->field);
    b->n++;
    *ret_p = p;
    return OK;
}

void immun_swap_turn(const struct immun_book *b, const struct store_name *person, struct redis_swap *s)
{
    redis_swap_expect(s, store_name_slice(person), VACCINE_TURN_FIELD, b->turn);
    for (size_t i = 0; i < b->n_ties; i++)
        redis_swap_expect(s, store_name_slice(person), b->tie[i].field, b->tie[i].subject);
    REDIS_SWAP(s, LIT("HINCRBY"), store_name_slice(person), VACCINE_TURN_FIELD, LIT("1"));
}

ERR immun_swap_record(struct store *s, const struct store_name *person, const struct immun_place *p, struct redis_swap *swap)
{
    struct buf plain, sealed;
    buf_init(&plain, IMMUN_PLAIN_MAX);
    buf_init(&sealed, IMMUN_PLAIN_MAX + AEAD_OVERHEAD);
    struct err e = immun_encode(p->rec, &plain);
    if (err_ok(e))
        e = store_seal(s, ARR(p->muni), person, store_name_slice(&p->field), buf_slice(&plain), &sealed);
    if (err_ok(e))
        REDIS_SWAP(swap, LIT("HSET"), store_name_slice(person), store_name_slice(&p->field), buf_slice(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}
