/* What a person's hash says about consents, sessions and flags: what is written is read, what ends them ends them, and nothing grows without bound. */

#include "tests/unit/consent_world.h"

#include "gateway/consent/tell.h"

static void a_use_is_told_to_the_citizen(void **state)
{
    struct world *w = *state;
    use(w, "c1", 3, "t1", NOW);
    struct consent_book *b = book(w, NOW + 1);
    assert_int_equal(b->n_consents, 1);
    assert_int_equal(b->n_sessions, 0 + 1);
    assert_true(slice_eq(ARR(b->consents[0].name.b), ARR(name_of(w, "c1").b)));
    assert_int_equal(b->consents[0].version, 3);
    assert_int_equal(b->consents[0].given_s, NOW / 1000);
    assert_int_equal(b->consents[0].until_ms, NOW + DAY);
    assert_memory_equal(b->consents[0].clinic, "3310010012", 10);
    assert_string_equal(b->consents[0].purpose, "treatment");
    assert_int_equal(b->consents[0].withdrawn_ms, 0);
    assert_true(slice_eq(ARR(b->sessions[0].consent.name.b), ARR(b->consents[0].name.b)));
    assert_int_equal(b->sessions[0].opened_ms, NOW);
    b = book(w, NOW + DAY);
    assert_int_equal(b->n_consents + b->n_sessions, 0);
}

static void a_second_use_under_a_consent_tells_the_first(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    use(w, "c1", 1, "t2", NOW + 5000);
    assert_int_equal(book(w, NOW + 6000)->n_consents, 1);
    assert_int_equal(book(w, NOW + 6000)->consents[0].seen_ms, NOW);
    assert_int_equal(book(w, NOW + 6000)->n_sessions, 2);
    assert_int_equal(book(w, NOW + 6000)->sessions[0].opened_ms, NOW + 5000); /* newest first */
    use(w, "c1", 2, "t3", NOW + 7000);
    assert_int_equal(book(w, NOW + 8000)->consents[0].version, 2);
}

static void withdraw(struct world *w, size_t i, uint64_t now)
{
    struct consent_book *k = book(w, now);
    struct redis_batch *b = batch();
    run(w, consent_add_withdrawal(w->store, &w->person, hash(w), k, &k->consents[i], now, b), b);
}

static void a_withdrawal_ends_the_consent_up_to_its_version(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    use(w, "c2", 1, "t2", NOW + 1);
    assert_int_equal(judged(w, "c1", 1, NOW), E_OK);
    withdraw(w, 1, NOW + 10); /* the older one */
    assert_int_equal(judged(w, "c1", 1, NOW), E_CONSENT);
    assert_int_equal(judged(w, "c1", 1, NOW + 5000), E_CONSENT); /* minted later under it */
    assert_int_equal(judged(w, "c1", 2, NOW + 5000), E_OK);
    assert_int_equal(judged(w, "c2", 1, NOW + 1), E_OK);
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + 11), E_SESSION);
    assert_int_equal(open_at(w, "t2", "c2", NOW + 1, NOW + 11), E_OK);
    assert_int_equal(book(w, NOW + 11)->consents[1].withdrawn_ms, NOW + 10);
    assert_int_equal(book(w, NOW + 11)->consents[0].withdrawn_ms, 0);
}

static void withdrawing_all_ends_everything_given_or_seen_until_then(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    struct redis_batch *b = batch();
    run(w, consent_add_withdrawal_of_all(w->store, &w->person, hash(w), NOW + 2500, b), b);
    assert_int_equal(judged(w, "c1", 1, NOW), E_CONSENT);
    assert_int_equal(judged(w, "unseen", 1, NOW + 2000), E_CONSENT);
    assert_int_equal(judged(w, "unseen", 1, NOW + 2999), E_CONSENT); /* the same second */
    assert_int_equal(judged(w, "unseen", 1, NOW + 3000), E_OK);
    assert_int_equal(judged(w, "c1", 1, NOW + 20000), E_CONSENT); /* by a clock ahead: seen before */
    assert_int_equal(count(w, "sn:"), 0);
    assert_int_equal(book(w, NOW + 3000)->consents[0].withdrawn_ms, NOW + 2500);
    b = batch();
    run(w, consent_add_withdrawal_of_all(w->store, &w->person, hash(w), NOW + 1000, b), b); /* a clock behind takes nothing back */
    assert_int_equal(book(w, NOW + 3000)->all_until_ms, NOW + 2500);
}

static void a_session_needs_its_field_its_consent_and_its_time(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + DAY - 1), E_OK);
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + DAY), E_SESSION);
    assert_int_equal(open_at(w, "t2", "c1", NOW, NOW + 1), E_SESSION);
    assert_int_equal(open_at(w, "t1", "c2", NOW, NOW + 1), E_SESSION);
    assert_int_equal(open_at(w, "t1", "c1", NOW + 1000, NOW + 1), E_SESSION);
    struct redis_batch *b = batch();
    struct consent_name s = session_of(w, "t1");
    run(w, session_add_end(&w->person, &s, b), b);
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + 1), E_SESSION);
}

#define CLINIC "3310010012"

static enum err_code open_for(struct world *w, const char *token, const char *clinic, uint64_t now_ms)
{
    const struct consent_name s = session_of(w, token);
    return consent_clinic_has_open(w->store, &w->person, hash(w), &s, slice_str(clinic), now_ms).code;
}

static void a_clinic_is_told_in_its_own_session_while_it_is_open(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    assert_int_equal(open_for(w, "t1", CLINIC, NOW + DAY - 1), E_OK);
    assert_int_equal(open_for(w, "t1", CLINIC, NOW + DAY), E_SESSION); /* past its time, though its field is there */
    assert_int_equal(open_for(w, "t2", CLINIC, NOW + 1), E_SESSION);
    assert_int_equal(open_for(w, "t1", "2719900017", NOW + 1), E_SESSION);
    use(w, "c1", 1, "t2", NOW + 1000);
    assert_int_equal(open_for(w, "t1", CLINIC, NOW + 1001), E_OK); /* also when it has a newer one */
    struct redis_batch *b = batch();
    run(w, consent_add_withdrawal_of_all(w->store, &w->person, hash(w), NOW + 2000, b), b);
    assert_int_equal(open_for(w, "t1", CLINIC, NOW + 2001), E_SESSION);
}

static void a_session_gives_way_to_as_many_newer_ones_of_its_own_clinic(void **state)
{
    struct world *w = *state;
    char token[16];
    bool gave;
    const struct session_entry n = { .name = session_of(w, "mine"), .opened_ms = NOW, .clinic = CLINIC };
    use_at(w, "2719900017", "c1", 1, "elsewhere", NOW + 1);
    for (int i = 0; i < CONSENT_CLINIC_MAX; i++) {
        assert_int_equal(consent_gave_way(w->store, &w->person, hash(w), &n, NOW + 2, &gave).code, E_OK);
        assert_false(gave);
        snprintf(token, sizeof token, "t%d", i);
        use(w, "c1", 1, token, NOW + (uint64_t)i);
    }
    assert_int_equal(consent_gave_way(w->store, &w->person, hash(w), &n, NOW + 2, &gave).code, E_OK);
    assert_true(gave);
    assert_int_equal(consent_gave_way(w->store, &w->person, hash(w), &(struct session_entry){ .opened_ms = NOW + 1, .clinic = CLINIC }, NOW + 2, &gave).code, E_OK);
    assert_false(gave); /* one of them is older */
}

static void nothing_grows_without_bound(void **state)
{
    struct world *w = *state;
    char id[16], token[16], clinic[32];
    for (int i = 0; i < 10 * CONSENT_CLINIC_MAX; i++) {
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i), snprintf(clinic, sizeof clinic, "271990000%d", i / CONSENT_CLINIC_MAX);
        use_at(w, clinic, id, 1, token, NOW + (uint64_t)i);
    }
    assert_int_equal(count(w, "co:"), CONSENT_KEEP_MAX);
    assert_int_equal(count(w, "sn:"), CONSENT_KEEP_MAX);
    assert_int_equal(open_at(w, "t0", "c0", NOW, NOW + 100), E_SESSION);
    assert_int_equal(open_at(w, "t7", "c7", NOW + 7, NOW + 100), E_OK);
    assert_int_equal(open_at(w, "t79", "c79", NOW + 79, NOW + 100), E_OK);
    use(w, "late", 1, "late", NOW + 2 * DAY); /* everything else is past its time */
    assert_int_equal(w->n, 2);
}

static bool is_listed(struct world *w, const char *id, uint64_t now)
{
    struct consent_claim c = claim(w, id, 1, now);
    const struct consent_book *b = book(w, now);
    for (size_t i = 0; i < b->n_consents; i++)
        if (memcmp(b->consents[i].name.b, c.name.b, sizeof c.name.b) == 0)
            return true;
    return false;
}

/* Ten clinics with one session each, then an eleventh with a thousand: the ten keep theirs, the newest of the flood are good, and nothing grows. */
static void a_clinic_that_opens_many_ends_its_own(void **state)
{
    struct world *w = *state;
    char id[16], token[16], clinic[32];
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i), snprintf(clinic, sizeof clinic, "271990000%d", i);
        use_at(w, clinic, id, 1, token, NOW + (uint64_t)i);
    }
    for (int i = 10; i < 1010; i++) {
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i);
        use_at(w, "3310010012", id, 1, token, NOW + (uint64_t)i);
        assert_int_equal(open_at(w, token, id, NOW + (uint64_t)i, NOW + 2000), E_OK);
    }
    assert_int_equal(count(w, "co:"), 10 + CONSENT_CLINIC_MAX);
    assert_int_equal(count(w, "sn:"), 10 + CONSENT_CLINIC_MAX);
    for (int i = 0; i < 1010; i++) {
        bool kept = i < 10 || i >= 1010 - CONSENT_CLINIC_MAX;
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i);
        assert_int_equal(open_at(w, token, id, NOW + (uint64_t)i, NOW + 2000), kept ? E_OK : E_SESSION);
        assert_int_equal(is_listed(w, id, NOW + 2000), kept);
    }
    use_at(w, "1310000001", "late", 1, "late", NOW + 3000); /* room is made by the flood, not by the ten */
    assert_int_equal(open_at(w, "late", "late", NOW + 3000, NOW + 3001), E_OK);
    for (int i = 0; i < 10; i++) {
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i);
        assert_int_equal(open_at(w, token, id, NOW + (uint64_t)i, NOW + 3001), E_OK);
    }
}

/* A consent that is used again stays in the list, although it is the oldest of a full one. */
static void a_consent_in_use_is_not_the_one_that_makes_room(void **state)
{
    struct world *w = *state;
    char id[16], token[16];
    for (int i = 0; i < CONSENT_CLINIC_MAX; i++) {
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i);
        use(w, id, 1, token, NOW + (uint64_t)i);
    }
    use(w, "c0", 1, "again", NOW + 1000);
    assert_true(is_listed(w, "c0", NOW + 1001));
    assert_int_equal(count(w, "co:"), CONSENT_CLINIC_MAX);
    assert_int_equal(count(w, "sn:"), CONSENT_CLINIC_MAX);
}

static void too_many_withdrawals_become_one_of_all(void **state)
{
    struct world *w = *state;
    char id[16], token[16];
    for (int i = 0; i <= CONSENT_KEEP_MAX; i++) {
        uint64_t now = NOW + 1000 * (uint64_t)i;
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i);
        use(w, id, 1, token, now);
        withdraw(w, 0, now + 1);
        assert_int_equal(judged(w, id, 1, now), E_CONSENT);
    }
    assert_int_equal(count(w, "cw:"), CONSENT_KEEP_MAX);
    assert_int_equal(count(w, "ce"), 1);
    struct redis_batch *b = batch();
    run(w, consent_add_pruning(w->store, &w->person, hash(w), NOW + 4 * DAY, (struct consent_room){ 0 }, b), b);
    assert_int_equal(w->n, 1);
}

/* Somebody sets the clock a year ahead, the person's hash is written to, and the clock is set right again. */
static void a_clock_that_ran_ahead_forgets_no_withdrawal(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    withdraw(w, 0, NOW + 1000);
    use(w, "c2", 1, "t2", NOW + 365 * DAY);
    assert_int_equal(count(w, "cw:"), 0); /* it was past its time */
    assert_int_equal(judged(w, "c1", 1, NOW), E_CONSENT);
    assert_int_equal(judged(w, "c3", 1, NOW + 2000), E_OK); /* given after it */
    assert_int_equal(book(w, NOW + 2000)->all_until_ms, NOW + 1000);
}

static void what_is_altered_or_moved_does_not_open(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    use(w, "c2", 1, "t2", NOW);
    struct store_name a, b;
    struct consent_name s1 = session_of(w, "t1"), s2 = session_of(w, "t2");
    consent__field(CF_SESSION, &s1, &a);
    consent__field(CF_SESSION, &s2, &b);
    struct buf *va = &w->value[place(w, store_name_slice(&a))], *vb = &w->value[place(w, store_name_slice(&b))];
    for (size_t i = 0; i < va->n; i++) {
        va->p[i] ^= 1;
        enum err_code got = open_at(w, "t1", "c1", NOW, NOW + 1);
        assert_int_equal(got, E_SEAL);
        va->p[i] ^= 1;
    }
    struct buf kept = *va;
    *va = *vb;
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + 1), E_SEAL);
    *va = kept;
    va->n--;
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + 1), E_SEAL);
    va->n = 3;
    assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + 1), E_SEAL);
}

static void a_replay_from_the_log_takes_nothing_back(void **state)
{
    struct world *w = *state;
    struct consent_name c1 = name_of(w, "c1");
    struct redis_batch *b = batch();
    run(w, consent_add_replayed_withdrawal(w->store, &w->person, hash(w), &(struct consent_replay){ c1, 2, NOW, NOW + DAY }, b), b);
    assert_int_equal(judged(w, "c1", 2, NOW), E_CONSENT);
    b = batch();
    run(w, consent_add_replayed_withdrawal(w->store, &w->person, hash(w), &(struct consent_replay){ c1, 1, NOW - 5, NOW + DAY }, b), b);
    assert_int_equal(judged(w, "c1", 2, NOW), E_CONSENT);
    b = batch();
    run(w, consent_add_replayed_withdrawal(w->store, &w->person, hash(w), &(struct consent_replay){ { { 0 } }, 0, NOW, 0 }, b), b);
    b = batch();
    run(w, consent_add_replayed_withdrawal(w->store, &w->person, hash(w), &(struct consent_replay){ { { 0 } }, 0, NOW - DAY, 0 }, b), b);
    assert_int_equal(judged(w, "c9", 1, NOW), E_CONSENT);
}

static void flags_are_read_as_written_and_by_their_municipality(void **state)
{
    struct world *w = *state;
    struct control_flags f = { FLAG_NOT_DISCLOSED | FLAG_RECOVERY, NOW, "dv_support" }, got;
    struct store_name field;
    struct slice muni;
    struct redis_batch *b = batch();
    run(w, flags_add(w->store, &w->person, MUNI, &f, b), b);
    flags_field(MUNI, &field);
    assert_true(flags_field_is(store_name_slice(&field), &muni) && slice_eq(muni, LIT(MUNI)));
    assert_int_equal(flags_open(w->store, &w->person, store_name_slice(&field), buf_slice(&w->value[0]), &got).code, E_OK);
    assert_int_equal(got.bits, f.bits);
    assert_int_equal(got.set_ms, NOW);
    assert_memory_equal(got.reason, f.reason, sizeof f.reason);
    assert_int_equal(flags_open(w->store, &w->person, LIT("f:271403"), buf_slice(&w->value[0]), &got).code, E_FORBIDDEN);
    w->value[0].p[20] ^= 1;
    assert_int_equal(flags_open(w->store, &w->person, store_name_slice(&field), buf_slice(&w->value[0]), &got).code, E_SEAL);
    static const struct control_flags BAD[] = { { 8, NOW, "x" }, { 1, NOW, "" }, { 1, NOW, "Reason" }, { 1, NOW, "a b" }, { 1, NOW, "a\n" } };
    b = batch();
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(flags_add(w->store, &w->person, MUNI, &BAD[i], b).code, E_FIELD);
    redis_batch_free(b);
    assert_false(flags_field_is(LIT("f:33100"), &muni) || flags_field_is(LIT("f:33100a"), &muni) || flags_field_is(LIT("e:331007"), &muni));
}

static void assert_held(const struct session_held *got, const struct session_held *want)
{
    assert_memory_equal(got->cert, want->cert, sizeof got->cert);
    assert_int_equal(got->fields, want->fields);
    assert_memory_equal(got->purpose, want->purpose, sizeof got->purpose);
    assert_memory_equal(got->muni, want->muni, sizeof got->muni);
    assert_memory_equal(got->program, want->program, sizeof got->program);
}

static void a_session_is_read_as_it_was_opened(void **state)
{
    struct world *w = *state;
    struct session_held longest = { .fields = UINT16_MAX, .muni = { '3', '3', '1', '0', '0', '7' } }, got;
    struct session_entry n = { .consent = claim(w, "c1", 7, NOW), .opened_ms = NOW, .until_ms = NOW + DAY, .kinds = 6, .clinic = "3310010012" }, back;
    memset(longest.cert, 0xff, sizeof longest.cert);
    memset(longest.purpose, 'p', sizeof longest.purpose);
    memset(longest.program, 'x', sizeof longest.program);
    const struct session_held none = { .fields = 0 }, *const helds[] = { &HELD, &longest, &none };
    for (size_t i = 0; i < sizeof helds / sizeof helds[0]; i++) {
        struct redis_batch *b = batch();
        n.name.b[0] = (uint8_t)i;
        run(w, consent_add_use(w->store, &w->person, hash(w), NULL, &n, helds[i], NOW, b), b);
        assert_int_equal(session_find(w->store, &w->person, hash(w), &n.name, &back, &got).code, E_OK);
        assert_held(&got, helds[i]);
        assert_true(slice_eq(ARR(back.name.b), ARR(n.name.b)) && slice_eq(ARR(back.consent.name.b), ARR(n.consent.name.b)));
        assert_int_equal(back.consent.version, 7);
        assert_int_equal(back.consent.given_s, NOW / 1000);
        assert_int_equal(back.until_ms, n.until_ms);
        assert_int_equal(back.opened_ms, NOW);
        assert_int_equal(back.kinds, 6);
    }
    n.name.b[0] = 9;
    assert_int_equal(session_find(w->store, &w->person, hash(w), &n.name, &back, &got).code, E_SESSION);
}

/* Under the seal: the plain form of a session, cut, longer, and of another version. */
static void a_session_of_another_form_does_not_open(void **state)
{
    struct world *w = *state;
    struct session_entry n = { .consent = claim(w, "c1", 1, NOW), .opened_ms = NOW, .until_ms = NOW + DAY, .kinds = 1, .clinic = "3310010012" }, back;
    struct session_held got;
    const struct consent_place at = consent__place(w->store, &w->person, CF_SESSION, &n.name);
    struct buf value, plain;
    buf_init(&value, 4096);
    buf_init(&plain, 4096);
    assert_int_equal(consent__seal_session(&at, &n, &HELD, &value).code, E_OK);
    assert_int_equal(store_open(w->store, SLICE_NONE, &w->person, store_name_slice(&at.field), slice_of(value.p + 16, value.n - 16), &plain).code, E_OK);
    buf_putc(&plain, 'x'); /* too short for a municipality and a program */
    for (size_t len = 0; len <= plain.n; len++) {
        buf_reset(&value);
        buf_put(&value, slice_of(plain.p, len < 16 ? len : 16));
        assert_int_equal(store_seal(w->store, SLICE_NONE, &w->person, store_name_slice(&at.field), slice_of(plain.p, len), &value).code, E_OK);
        assert_int_equal(consent__open_session(&at, buf_slice(&value), &back, &got).code, len == plain.n - 1 ? E_OK : E_SEAL);
    }
    plain.p[16] = 1;
    buf_reset(&value);
    buf_put(&value, slice_of(plain.p, 16));
    assert_int_equal(store_seal(w->store, SLICE_NONE, &w->person, store_name_slice(&at.field), slice_of(plain.p, plain.n - 1), &value).code, E_OK);
    assert_int_equal(consent__open_session(&at, buf_slice(&value), &back, NULL).code, E_SEAL);
    buf_done(&value);
    buf_done(&plain);
}

static void names_are_hex_both_ways(void **state)
{
    struct world *w = *state;
    struct consent_name n = name_of(w, "c1"), back;
    char hex[32];
    consent_name_hex(&n, hex);
    assert_true(consent_name_parse(ARR(hex), &back) && slice_eq(ARR(n.b), ARR(back.b)));
    assert_false(consent_name_parse(slice_of(hex, 31), &back));
    hex[0] = 'G';
    assert_false(consent_name_parse(ARR(hex), &back));
    struct person other;
    struct consent_name elsewhere;
    assert_int_equal(store_person(w->store, LIT("PMH-2"), &other).code, E_OK);
    assert_int_equal(consent_name_of(w->store, &other, LIT("c1"), &elsewhere).code, E_OK);
    assert_false(slice_eq(ARR(n.b), ARR(elsewhere.b)));
}

static void what_a_use_left_is_taken_back(void **state)
{
    struct world *w = *state;
    use(w, "c1", 1, "t1", NOW);
    struct consent_name c2 = name_of(w, "c2"), t2 = session_of(w, "t2");
    for (int told = 0; told < 2; told++) { /* a consent that was there before, or that another use told, stays */
        struct redis_batch *back = batch();
        use(w, told ? "c1" : "c2", 1, "t2", NOW + 1);
        assert_int_equal(count(w, "sn:"), 2);
        run(w, consent_use_take_back(&w->person, told ? NULL : &c2, &t2, back), back);
        assert_int_equal(count(w, "sn:"), 1);
        assert_int_equal(count(w, "co:"), 1);
        assert_int_equal(open_at(w, "t1", "c1", NOW, NOW + 2), E_OK);
        assert_int_equal(open_at(w, "t2", told ? "c1" : "c2", NOW, NOW + 2), E_SESSION);
    }
}

/* Two first uses under one consent side by side: the one whose HSETNX came second writes it again, for the other may turn out to be none and take its own back. */
static void a_consent_that_another_use_noted_meanwhile_is_written_again(void **state)
{
    struct world *w = *state;
    struct consent_claim c = claim(w, "c1", 1, NOW);
    struct consent_entry e = { .name = c.name, .version = 1, .given_s = c.given_s, .until_ms = NOW + DAY, .seen_ms = NOW, .kinds = 1, .clinic = "3310010012" };
    struct session_entry n = { .name = session_of(w, "t1"), .consent = c, .opened_ms = NOW, .until_ms = NOW + DAY, .kinds = 1, .clinic = "3310010012" };
    bool matters;
    for (int noted = 0; noted < 2; noted++) {
        struct redis_batch *b = batch();
        assert_int_equal(consent_use_settle(w->store, &w->person, hash(w), &e, &n, noted, NOW, b, &matters).code, E_OK);
        assert_int_equal(matters, !noted);
        assert_int_equal(redis_batch_count(b), !noted);
        redis_batch_free(b);
    }
}

static int set_up_halves(void **state)
{
    int bad = set_up(state);
    if (!bad)
        ((struct world *)*state)->halves = true;
    return bad;
}

/* Each with uses that are written when the hash is known, and with such that are written before. */
#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down), { #f " (in halves)", f, set_up_halves, tear_down, NULL }

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_use_is_told_to_the_citizen), TEST(a_second_use_under_a_consent_tells_the_first), TEST(a_withdrawal_ends_the_consent_up_to_its_version),
        TEST(withdrawing_all_ends_everything_given_or_seen_until_then), TEST(a_session_needs_its_field_its_consent_and_its_time),
        TEST(a_clinic_is_told_in_its_own_session_while_it_is_open),
        TEST(a_session_gives_way_to_as_many_newer_ones_of_its_own_clinic),
        TEST(nothing_grows_without_bound), TEST(a_clinic_that_opens_many_ends_its_own), TEST(a_consent_in_use_is_not_the_one_that_makes_room),
        TEST(too_many_withdrawals_become_one_of_all),
        TEST(a_clock_that_ran_ahead_forgets_no_withdrawal), TEST(what_is_altered_or_moved_does_not_open),
        TEST(a_replay_from_the_log_takes_nothing_back), TEST(flags_are_read_as_written_and_by_their_municipality), TEST(a_session_is_read_as_it_was_opened), TEST(a_session_of_another_form_does_not_open), TEST(names_are_hex_both_ways), TEST(what_a_use_left_is_taken_back), cmocka_unit_test_setup_teardown(a_consent_that_another_use_noted_meanwhile_is_written_again, set_up, tear_down),
    };
    return cmocka_run_group_tests_name("consent", tests, NULL, NULL);
}
