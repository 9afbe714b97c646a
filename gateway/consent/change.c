#include "gateway/consent/consent_int.h"

#include <stdlib.h>

/* The longest that a key under a withdrawn consent can be alive: minted at the end of the consent's day, for a day. */
enum { WITHDRAWAL_KEPT_S = 2 * LINK_KEY_LIFE_S + CLOCK_SKEW_S + 60, SWEEP_MAX = 256 };

/* ---- ends ---- */

static ERR add_drop(const struct store_name *person, enum consent_field kind, const struct consent_name *name, struct redis_batch *b)
{
    struct store_name field;
    consent__field(kind, name, &field);
    REDIS_ADD(b, LIT("HDEL"), store_name_slice(person), store_name_slice(&field));
    return OK;
}

struct err session_add_end(const struct store_name *person, const struct consent_name *session, struct redis_batch *b)
{
    return add_drop(person, CF_SESSION, session, b);
}

struct err session_add_end_of_all(const struct store_name *person, const struct redis_reply *hash, struct redis_batch *b)
{
    enum consent_field kind;
    struct consent_name name;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (consent__field_is(redis_reply_str(redis_reply_at(hash, i)), &kind, &name) && kind == CF_SESSION)
            TRY(session_add_end(person, &name, b));
    return OK;
}

/* ---- pruning ---- */

struct kept { struct consent_name name; uint64_t at_ms; char clinic[CONSENT_CLINIC_CHARS]; };
struct sweep { size_t n; struct kept kept[SWEEP_MAX]; };

static int oldest(const void *a, const void *b)
{
    const struct kept *x = a, *y = b;
    return x->at_ms < y->at_ms ? -1 : x->at_ms > y->at_ms;
}

/* Drops what is past its time; counts, and keeps in s, the others of this kind. */
static ERR sweep(const struct store_name *person, const struct redis_reply *hash, enum consent_field want, uint64_t now_ms, struct sweep *s, struct redis_batch *b)
{
    s->n = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        enum consent_field kind;
        struct consent_name name;
        struct consent_stamp stamp;
        if (!consent__field_is(redis_reply_str(redis_reply_at(hash, i)), &kind, &name) || kind != want)
            continue;
        bool past = !consent__stamp(redis_reply_str(redis_reply_at(hash, i + 1)), &stamp) || stamp.until_ms <= now_ms;
        if (past || s->n == SWEEP_MAX)
            TRY(add_drop(person, kind, &name, b));
        else
            s->kept[s->n++] = (struct kept){ .name = name, .at_ms = stamp.at_ms };
    }
    return OK;
}

/* Whose they are; what does not open is nobody's. */
static void name_clinics(struct store *s, const struct store_name *person, const struct redis_reply *hash, enum consent_field kind, struct sweep *w)
{
    for (size_t i = 0; i < w->n; i++) {
        struct kept *k = &w->kept[i];
        struct consent_place at = consent__place(s, person, kind, &k->name);
        struct slice value = consent__find(hash, store_name_slice(&at.field));
        struct consent_entry e;
        struct session_entry n;
        if (kind == CF_GIVEN && err_ok(consent__open_given(&at, value, &e)))
            memcpy(k->clinic, e.clinic, sizeof k->clinic);
        else if (kind == CF_SESSION && err_ok(consent__open_session(&at, value, &n, NULL)))
            memcpy(k->clinic, n.clinic, sizeof k->clinic);
    }
}

/* How many a clinic has, with the one that is to come. */
static size_t of_clinic(const struct sweep *w, const char *clinic, const char *comes)
{
    size_t n = comes && slice_eq(slice_of(clinic, CONSENT_CLINIC_CHARS), slice_of(comes, CONSENT_CLINIC_CHARS));
    for (size_t i = 0; i < w->n; i++)
        n += slice_eq(slice_of(clinic, CONSENT_CLINIC_CHARS), ARR(w->kept[i].clinic));
    return n;
}

/* The oldest of the clinic that has the most: one that opens many ends its own, not those of others. */
static size_t first_to_go(const struct sweep *w, const char *comes)
{
    size_t first = 0, most = 0;
    for (size_t i = 0; i < w->n; i++) {
        size_t n = of_clinic(w, w->kept[i].clinic, comes);
        if (n > most)
            first = i, most = n;
    }
    return first;
}

/* More than one clinic may have, of the one that adds something; or more than all may have. */
static bool too_many(const struct sweep *w, size_t room, const char *comes, size_t *ret_i)
{
    if (w->n == 0)
        return false;
    if (room && comes && of_clinic(w, comes, comes) > CONSENT_CLINIC_MAX) {
        for (*ret_i = 0; !slice_eq(ARR(w->kept[*ret_i].clinic), slice_of(comes, CONSENT_CLINIC_CHARS));)
            ++*ret_i;
        return true;
    }
    *ret_i = first_to_go(w, comes);
    return w->n + room > CONSENT_KEEP_MAX;
}

/* comes: the clinic of what is to be added, NULL: nothing is. */
static ERR sweep_to(struct store *s, const struct store_name *person, const struct redis_reply *hash, enum consent_field kind, uint64_t now_ms, size_t room,
                    const char *comes, struct redis_batch *b)
{
    struct sweep w;
    TRY(sweep(person, hash, kind, now_ms, &w, b));
    if (w.n + room <= (room ? CONSENT_CLINIC_MAX : CONSENT_KEEP_MAX))
        return OK;
    name_clinics(s, person, hash, kind, &w);
    qsort(w.kept, w.n, sizeof w.kept[0], oldest);
    for (size_t i; too_many(&w, room, comes, &i);) {
        TRY(add_drop(person, kind, &w.kept[i].name, b));
        memmove(&w.kept[i], &w.kept[i + 1], (--w.n - i) * sizeof w.kept[0]);
    }
    return OK;
}

/* The newest of the withdrawals that are past their time; 0: none. What does not open says nothing. */
static uint64_t newest_past(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms)
{
    uint64_t newest = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        enum consent_field kind;
        struct consent_name name;
        struct consent_withdrawn w;
        struct slice value = redis_reply_str(redis_reply_at(hash, i + 1));
        if (!consent__field_is(redis_reply_str(redis_reply_at(hash, i)), &kind, &name) || kind != CF_WITHDRAWN)
            continue;
        struct consent_place at = consent__place(s, person, CF_WITHDRAWN, &name);
        if (err_ok(consent__open_withdrawn(&at, value, &w)) && w.stamp.until_ms <= now_ms && w.stamp.at_ms > newest)
            newest = w.stamp.at_ms;
    }
    return newest;
}

/* Before a withdrawal is forgotten, everything given until it was made is withdrawn: of that nothing can be alive any more, unless our clock had run ahead. Then
 * nothing comes back to life when it is set right. */
static ERR forget_withdrawals(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct redis_batch *b)
{
    struct sweep left;
    uint64_t all_ms, newest = newest_past(s, person, hash, now_ms);
    if (newest) {
        TRY(consent__all_until(s, person, hash, &all_ms));
        if (newest > all_ms)
            TRY(consent__put_all(s, person, newest, b));
    }
    return sweep(person, hash, CF_WITHDRAWN, now_ms, &left, b);
}

struct err consent_add_pruning(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct consent_room room,
                               struct redis_batch *b)
{
    TRY(forget_withdrawals(s, person, hash, now_ms, b));
    TRY(sweep_to(s, person, hash, CF_GIVEN, now_ms, room.consents, room.clinic, b));
    return sweep_to(s, person, hash, CF_SESSION, now_ms, room.sessions, room.clinic, b);
}

/* ---- withdrawals ---- */

uint64_t consent_withdrawal_until_ms(uint64_t now_ms) { return now_ms + WITHDRAWAL_KEPT_S * UINT64_C(1000); }

static size_t live(const struct redis_reply *hash, enum consent_field want, uint64_t now_ms)
{
    size_t count = 0;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        enum consent_field kind;
        struct consent_name name;
        struct consent_stamp stamp;
        count += consent__field_is(redis_reply_str(redis_reply_at(hash, i)), &kind, &name) && kind == want &&
                 consent__stamp(redis_reply_str(redis_reply_at(hash, i + 1)), &stamp) && stamp.until_ms > now_ms;
    }
    return count;
}

struct err consent_add_withdrawal(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_book *book,
                                  const struct consent_entry *e, uint64_t now_ms, struct redis_batch *b)
{
    struct consent_place at = consent__place(s, person, CF_WITHDRAWN, &e->name);
    struct consent_withdrawn w = { { consent_withdrawal_until_ms(now_ms), now_ms }, e->version };
    TRY(consent_add_pruning(s, person, hash, now_ms, (struct consent_room){ 0 }, b));
    if (live(hash, CF_WITHDRAWN, now_ms) >= CONSENT_KEEP_MAX && !consent__find(hash, store_name_slice(&at.field)).n)
        return consent_add_withdrawal_of_all(s, person, hash, now_ms, b);
    for (size_t i = 0; i < book->n_sessions; i++)
        if (slice_eq(ARR(book->sessions[i].consent.name.b), ARR(e->name.b)))
            TRY(session_add_end(person, &book->sessions[i].name, b));
    return consent__put_withdrawn(&at, &w, b);
}

struct err consent_add_withdrawal_of_all(struct store *s, const struct store_name *person, const struct redis_reply *hash, uint64_t now_ms, struct redis_batch *b)
{
    uint64_t before_ms;
    TRY(consent__all_until(s, person, hash, &before_ms));
    TRY(session_add_end_of_all(person, hash, b));
    return consent__put_all(s, person, before_ms > now_ms ? before_ms : now_ms, b);
}

struct err consent_add_replayed_withdrawal(struct store *s, const struct store_name *person, const struct redis_reply *hash, const struct consent_replay *w,
                                           struct redis_batch *b)
{
    static const struct consent_name NONE;
    uint64_t all_ms;
    struct consent_place at = consent__place(s, person, CF_WITHDRAWN, &w->ref);
    struct slice value = consent__find(hash, store_name_slice(&at.field));
    struct consent_withdrawn there = { .version = 0 };
    TRY(consent__all_until(s, person, hash, &all_ms));
    if (slice_eq(ARR(w->ref.b), ARR(NONE.b)))
        return all_ms >= w->wall_ms ? OK : consent__put_all(s, person, w->wall_ms, b);
    if (value.n)
        TRY(consent__open_withdrawn(&at, value, &there));
    if (there.version >= w->version)
        return OK;
    return consent__put_withdrawn(&at, &(struct consent_withdrawn){ { w->until_ms, w->wall_ms }, w->version }, b);
}
