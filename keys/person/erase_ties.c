/* What leads to the resident: certificates with its records, which are revoked; pseudonyms, sessions and consents where no other municipality has anything of the
 * person; then the ties and the journals, in one script that raises the epoch. Withdrawals and used link keys stay until they are past their time: they are what keeps a link
 * key from working again, and they tell nothing. */

#include "gateway/vaccine/book.h"
#include "keys/change/step.h"
#include "keys/person/erasure.h"
#include "keys/person/let_go.h"

enum { OPEN_ROOM = 256 * 1024, REPLIES = 3 };

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    if (err_ok(e) && n != REPLIES)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    if (redis_reply_int(replies[0]) != 1) {
        nz_erasure_again(x);
        return;
    }
    x->rec.epoch = (uint64_t)redis_reply_int(replies[2]);
    nz_erasure_audit(x);
}

static ERR drop_key(struct nz_cas *c, struct arena *a, const struct store_name *k)
{
    NZ_CAS(c, LIT("DEL"), arena_dup(a, store_name_slice(k)));
    return arena_check(a);
}

static ERR drop_journals(struct nz_erasure *x, struct arena *a, struct nz_cas *c)
{
    struct store_name k;
    for (size_t i = 0; i < x->n_journals; i++) {
        memcpy(k.c, "ch:", 3);
        memcpy(k.c + 3, x->journal[i].p, x->journal[i].n);
        k.n = 3 + x->journal[i].n;
        TRY(drop_key(c, a, &k));
    }
    for (size_t i = 0; i < x->n_rks; i++) {
        nz_ch_of_name(x->who.muni, ARR(x->rk[i]), &k);
        TRY(drop_key(c, a, &k));
    }
    return OK;
}

static ERR drop_ties(struct nz_erasure *x, struct arena *a, struct nz_cas *c)
{
    char field[8] = "s:";
    struct store_name k;
    memcpy(field + 2, x->who.muni, 6);
    nz_cas_expect(c, store_name_slice(&x->who.subject), LIT("k"), slice_of(x->who.sealed, x->who.n_sealed));
    NZ_CAS(c, LIT("HDEL"), store_name_slice(&x->who.person), arena_dup(a, ARR(field)));
    nz_cas_expect(c, store_name_slice(&x->who.person), VACCINE_TURN_FIELD, x->turn); /* nobody has written to the person since it was seen to be empty */
    if (x->alone)
        NZ_CAS(c, LIT("HDEL"), store_name_slice(&x->who.person), VACCINE_TURN_FIELD);
    else if (x->turn.n)
        NZ_CAS(c, LIT("HINCRBY"), store_name_slice(&x->who.person), VACCINE_TURN_FIELD, LIT("1")); /* nobody writes a certificate back as it was read before */
    store_name_vaccinated(x->who.muni, &k);
    NZ_CAS(c, LIT("ZREM"), arena_dup(a, store_name_slice(&k)), slice_of(x->who.person.c + 3, sizeof(struct person)));
    for (size_t i = 0; i < x->n_own; i++) {
        store_name_subject(x->sid[i], &k);
        TRY(drop_key(c, a, &k));
    }
    for (size_t i = 0; i < x->n_rks; i++) {
        nz_ch_rk_name(x->who.muni, ARR(x->rk[i]), &k);
        TRY(drop_key(c, a, &k));
    }
    return OK;
}

static void drop_all(struct nz_erasure *x)
{
    struct arena *a = req_arena(x->r);
    struct redis_batch *b;
    struct nz_cas *c = nz_cas_new(a);
    struct err e = c ? drop_journals(x, a, c) : FAIL(E_FULL);
    if (err_ok(e) && x->who.known)
        e = drop_ties(x, a, c);
    if (err_ok(e))
        e = nz_cas_batch(c, &b);
    if (!err_ok(e)) {
        nz_erasure_end(x, e);
        return;
    }
    nz_erasure_note(x, b); /* what came while it was erased may have been linked to a subject that the vault has forgotten since */
    redis_raise(b, STORE_EPOCH);
    x->store_turn = redis_turn(x->in->redis);
    nz_erasure_send(x, b, written);
}

/* ---- nobody else has anything of the person ---- */

static bool is_others(const struct nz_erasure *x, struct slice field)
{
    enum store_kind kind;
    struct slice muni = SLICE_NONE, rest = field, head;
    if (store_field_kind(field, &kind, &muni) || store_field_is_end(field, &muni) || flags_field_is(field, &muni) || store_field_is_made(field, &muni))
        return !slice_eq(muni, slice_of(x->who.muni, 6));
    return slice_take(&rest, 2, &head) && slice_eq(head, LIT("s:")) && rest.n == 6 && !slice_eq(rest, slice_of(x->who.muni, 6));
}

static bool is_alone(const struct nz_erasure *x, const struct redis_reply *hash)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (is_others(x, redis_reply_str(redis_reply_at(hash, i))))
            return false;
    return true;
}

static ERR close_person(struct nz_erasure *x, const struct redis_reply *hash, struct redis_batch *b)
{
    const uint64_t now_ms = clock_wall(loop_clock(x->in->loop));
    size_t unreadable;
    x->alone = is_alone(x, hash);
    const struct nz_let_go go = { .person = &x->who.person, .muni = x->who.muni, .alone = x->alone, .until_ms = UINT64_MAX, .now_ms = now_ms };
    TRY(nz_let_go_add(x->in->store, &go, hash, b, &unreadable));
    if (unreadable)
        LOG(WARN, "unreadable_certificate_goes", LF("request", req_id(x->r)), LF("count", (uint64_t)unreadable));
    return x->alone ? consent_add_pruning(x->in->store, &x->who.person, hash, now_ms, (struct consent_room){ 0 }, b) : OK;
}

static void closed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    if (err_ok(e))
        drop_all(arg);
    else
        nz_erasure_end(arg, e);
}

/* A store that lost the first removals gets them again before nothing leads to the person any more. */
static bool is_back(const struct nz_erasure *x, const struct redis_reply *hash)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (nz_erasure_rank(x, redis_reply_str(redis_reply_at(hash, i))))
            return true;
    return false;
}

static void person_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_erasure *x = arg;
    struct redis_batch *b = redis_batch_new(OPEN_ROOM);
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && is_back(x, replies[0])) {
        redis_batch_free(b);
        nz_erasure_records(x);
        return;
    }
    x->alone = false;
    x->turn = err_ok(e) ? arena_dup(req_arena(x->r), hash_find(replies[0], VACCINE_TURN_FIELD)) : SLICE_NONE;
    if (err_ok(e))
        e = b ? close_person(x, replies[0], b) : FAIL(E_NOMEM);
    if (err_ok(e) && redis_batch_count(b)) {
        nz_erasure_send(x, b, closed);
        return;
    }
    redis_batch_free(b);
    if (err_ok(e))
        drop_all(x);
    else
        nz_erasure_end(x, e);
}

void nz_erasure_ties(struct nz_erasure *x)
{
    if (!x->who.known) {
        drop_all(x);
        return;
    }
    struct redis_batch *b = redis_batch_new(512);
    if (b)
        REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&x->who.person));
    nz_erasure_send(x, b, person_read);
}
