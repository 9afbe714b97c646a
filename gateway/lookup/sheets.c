#include "gateway/lookup/tickets.h"
#include "gateway/notice/notice.h"
#include "gateway/vaccine/book.h"

enum { BATCH_MAX = 1 << 20, HANDLE_AT = 3 /* p:{ */, TIE_CHARS = 8 /* s:<muni> */ };

struct keeping { const struct judge *j; struct arena *a; struct sheet_book *b; struct err failed; };

/* Its texts move into the arena. */
static ERR keep(struct keeping *k, const struct sheet *s, struct slice sealed)
{
    struct buf plain;
    struct sheet *copy = arena_get(k->a, sizeof *copy);
    if (!copy)
        return FAIL(E_NOMEM);
    buf_init(&plain, SHEET_PLAIN_MAX);
    struct err e = sheet_encode(s, &plain);
    struct slice text = err_ok(e) ? arena_dup(k->a, buf_slice(&plain)) : SLICE_NONE;
    buf_done(&plain);
    TRY(e);
    TRY(arena_check(k->a));
    TRY(sheet_decode(text, copy));
    size_t at = k->b->n++;
    for (; at && k->b->kept[at - 1].s->created_ms > copy->created_ms; at--)
        k->b->kept[at] = k->b->kept[at - 1];
    k->b->kept[at] = (struct sheet_kept){ copy, arena_dup(k->a, sealed) };
    return arena_check(k->a);
}

static bool take(void *arg, const struct sheet *s, struct slice sealed)
{
    struct keeping *k = arg;
    if (judge_has_ended(k->j, ARR(s->muni)))
        return true;
    k->failed = k->b->n < SHEET_BOOK_MAX ? keep(k, s, sealed) : FAIL(E_FULL);
    return err_ok(k->failed);
}

ERR sheets_keep(const struct judge *j, const struct redis_reply *hash, struct arena *a, struct sheet_book *ret_b)
{
    struct keeping k = { j, a, ret_b, OK };
    ret_b->n = 0;
    TRY(sheets_each(j->store, &j->person, hash, take, &k));
    return k.failed;
}

const struct sheet_kept *sheets_find(const struct sheet_book *b, const uint8_t id[static SHEET_ID_BYTES])
{
    for (size_t i = 0; i < b->n; i++)
        if (slice_eq(ARR(b->kept[i].s->id), slice_of(id, SHEET_ID_BYTES)))
            return &b->kept[i];
    return NULL;
}

/* ---- the way back ---- */

static ERR seal(struct store *store, const struct store_name *person, const struct sheet *s, const struct store_name *field, struct buf *out)
{
    struct buf plain;
    buf_init(&plain, SHEET_PLAIN_MAX);
    struct err e = sheet_encode(s, &plain);
    if (err_ok(e))
        e = store_seal(store, ARR(s->muni), person, store_name_slice(field), buf_slice(&plain), out);
    buf_done(&plain);
    return e;
}

static void name_tie(const char muni[static 6], char out[static TIE_CHARS])
{
    memcpy(out, "s:", 2);
    memcpy(out + 2, muni, TIE_CHARS - 2);
}

ERR sheet_stand_of(const struct redis_reply *hash, const char muni[static 6], struct arena *a, struct sheet_stand *ret_s)
{
    char tie[TIE_CHARS];
    name_tie(muni, tie);
    *ret_s = (struct sheet_stand){ .turn = arena_dup(a, hash_find(hash, VACCINE_TURN_FIELD)), .tie = arena_dup(a, hash_find(hash, ARR(tie))) };
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        uint8_t id[SHEET_ID_BYTES];
        struct slice unused;
        if (sheet_field_is(redis_reply_str(redis_reply_at(hash, i)), &unused, id))
            ret_s->bytes += redis_reply_str(redis_reply_at(hash, i + 1)).n;
    }
    return arena_check(a);
}

static void fill(const struct store_name *person, const struct sheet *s, const struct store_name *field, struct slice sealed, struct slice was,
                 const struct sheet_stand *stand, struct redis_swap *swap)
{
    char tie[TIE_CHARS];
    struct store_name index;
    const struct slice key = store_name_slice(person), at = store_name_slice(field);
    store_name_vaccinated(s->muni, &index);
    name_tie(s->muni, tie);
    redis_swap_expect(swap, key, VACCINE_TURN_FIELD, stand->turn);
    redis_swap_expect(swap, key, ARR(tie), stand->tie);
    redis_swap_expect(swap, key, at, was);
    REDIS_SWAP(swap, LIT("HINCRBY"), key, VACCINE_TURN_FIELD, LIT("1"));
    REDIS_SWAP(swap, LIT("HSET"), key, at, sealed);
    REDIS_SWAP(swap, LIT("ZADD"), store_name_slice(&index), LIT("0"), slice_of(key.p + HANDLE_AT, key.n - HANDLE_AT - 1));
}

static ERR tell(struct store *store, const struct store_name *person, const struct sheet *s, const struct consent_clinics *clinics, uint64_t outbox_max,
                struct redis_swap *swap)
{
    struct notice n = { .kind = NOTICE_QUESTIONNAIRE, .what = NOTICE_NEW, .version = s->version, .at_ms = s->n_history ? s->history[s->n_history - 1].at_ms : s->created_ms };
    memcpy(n.person.h, person->c + HANDLE_AT, sizeof n.person.h);
    memcpy(n.muni, s->muni, sizeof n.muni);
    memcpy(n.ref, s->id, sizeof n.ref);
    if (clinics->n)
        notice_room(swap, outbox_max);
    for (size_t i = 0; i < clinics->n; i++) {
        memcpy(n.session, clinics->at[i].session.b, sizeof n.session);
        TRY(notice_add(store, &n, ARR(clinics->at[i].clinic), swap));
    }
    return OK;
}

static ERR put(struct store *store, const struct store_name *person, const struct sheet *s, struct slice was, const struct sheet_stand *stand, struct redis_batch *b)
{
    struct store_name field;
    struct buf sealed;
    struct redis_swap *swap = redis_swap_new(BATCH_MAX);
    if (!swap)
        return FAIL(E_NOMEM);
    sheet_field(s->muni, s->id, &field);
    buf_init(&sealed, SHEET_PLAIN_MAX + AEAD_OVERHEAD);
    struct err e = seal(store, person, s, &field, &sealed);
    if (err_ok(e)) {
        fill(person, s, &field, buf_slice(&sealed), was, stand, swap);
        e = stand->tell && s->status == SHEET_SUBMITTED ? tell(store, person, s, stand->tell, stand->outbox_max, swap) : OK;
    }
    if (err_ok(e))
        e = redis_swap_put(swap, b);
    buf_done(&sealed);
    redis_swap_free(swap);
    return e;
}

ERR sheet_write_batch(struct store *store, const struct store_name *person, const struct sheet *s, struct slice was, const struct sheet_stand *stand, struct redis_batch **ret_b)
{
    if (!was.n && stand->bytes > SHEETS_BYTES_MAX)
        return FAIL(E_CONFLICT);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    struct err e = put(store, person, s, was, stand, b);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    redis_raise(b, STORE_EPOCH);
    *ret_b = b;
    return OK;
}
