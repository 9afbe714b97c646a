/* What a person's hash says about consents, sessions and flags: what is written is read, what ends them ends them, and nothing grows without bound. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/consent/consent_int.h"
#include "gateway/redis/redis_int.h"

#define NOW UINT64_C(1795000000000)
#define DAY UINT64_C(86400000)
#define MUNI "331007"

/* A hash as Redis would hold it; batches are carried out on it. */
enum { FIELDS_MAX = 512 };
struct world {
    char dir[32], ring[64], master[64];
    struct store *store;
    struct person p;
    struct store_name person;
    size_t n;
    char field[FIELDS_MAX][64];
    struct buf value[FIELDS_MAX];
    struct redis_reply *hash;
    size_t deleted; /* DEL of whole keys */
};

static void add_key(struct world *w, enum key_kind kind, const char *id)
{
    assert_int_equal(keyring_add(RING_LINK, w->ring, w->master, kind, slice_str(id), NULL).code, E_OK);
}

static int set_up(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct keyring *ring;
    memcpy(w->dir, "/tmp/consent_test_XXXXXX", 25);
    assert_non_null(mkdtemp(w->dir));
    snprintf(w->ring, sizeof w->ring, "%s/ring", w->dir);
    snprintf(w->master, sizeof w->master, "%s/master", w->dir);
    assert_int_equal(keyring_create(RING_LINK, w->ring, w->master).code, E_OK);
    add_key(w, KEY_LINK_INDEX, "1"), add_key(w, KEY_LINK_COMMON, "1"), add_key(w, KEY_AUDIT_HANDLE, "1"), add_key(w, KEY_LINK_DATA, MUNI);
    assert_int_equal(keyring_load(&ring, RING_LINK, w->ring, w->master).code, E_OK);
    assert_int_equal(store_new(&w->store, ring).code, E_OK);
    keyring_free(ring);
    assert_int_equal(store_person(w->store, LIT("PMH-1"), &w->p).code, E_OK);
    store_name_person(&w->p, &w->person);
    *state = w;
    return 0;
}

static void hash_free(struct world *w)
{
    for (size_t i = 0; w->hash && i < w->hash->n; i++)
        free(w->hash->items[i]);
    if (w->hash)
        free(w->hash->items);
    free(w->hash);
    w->hash = NULL;
}

static int tear_down(void **state)
{
    struct world *w = *state;
    hash_free(w);
    for (size_t i = 0; i < w->n; i++)
        buf_done(&w->value[i]);
    store_free(w->store);
    unlink(w->ring), unlink(w->master), rmdir(w->dir);
    free(w);
    return 0;
}

static struct redis_reply *text(struct slice s)
{
    struct redis_reply *r = calloc(1, sizeof *r);
    *r = (struct redis_reply){ .type = REDIS_STR, .n = s.n, .bytes = s.p };
    return r;
}

/* The reply to HGETALL now. */
static const struct redis_reply *hash(struct world *w)
{
    hash_free(w);
    w->hash = calloc(1, sizeof *w->hash);
    *w->hash = (struct redis_reply){ .type = REDIS_ARRAY, .n = 2 * w->n, .items = calloc(2 * w->n + 1, sizeof(struct redis_reply *)) };
    for (size_t i = 0; i < w->n; i++) {
        w->hash->items[2 * i] = text(slice_str(w->field[i]));
        w->hash->items[2 * i + 1] = text(buf_slice(&w->value[i]));
    }
    return w->hash;
}

static size_t place(struct world *w, struct slice field)
{
    size_t i = 0;
    while (i < w->n && !slice_eq(slice_str(w->field[i]), field))
        i++;
    return i;
}

static void put(struct world *w, struct slice field, struct slice value)
{
    size_t i = place(w, field);
    assert_true(i < FIELDS_MAX && field.n < sizeof w->field[0]);
    if (i == w->n) {
        memcpy(w->field[w->n], field.p, field.n);
        w->field[w->n++][field.n] = 0;
        buf_init(&w->value[i], 4096);
    }
    buf_reset(&w->value[i]);
    buf_put(&w->value[i], value);
}

static void drop(struct world *w, struct slice field)
{
    size_t i = place(w, field);
    if (i == w->n)
        return;
    buf_done(&w->value[i]);
    w->n--;
    memmove(w->field[i], w->field[w->n], sizeof w->field[0]);
    w->value[i] = w->value[w->n];
}

static struct slice take_arg(struct slice *in)
{
    struct slice head = SLICE_NONE, arg = SLICE_NONE, crlf;
    assert_true(slice_cut(*in, '\n', &head, in) && head.p[0] == '$');
    assert_true(slice_take(in, strtoul((const char *)head.p + 1, NULL, 10), &arg) && slice_take(in, 2, &crlf));
    return arg;
}

/* Carries the batch out and frees it. */
static void run(struct world *w, struct err e, struct redis_batch *b)
{
    struct slice in = buf_slice(&b->cmds), head = SLICE_NONE;
    assert_int_equal(e.code, E_OK);
    assert_int_equal(buf_check(&b->cmds).code, E_OK);
    while (in.n && slice_cut(in, '\n', &head, &in)) {
        size_t n = strtoul((const char *)head.p + 1, NULL, 10);
        struct slice arg[4] = { 0 };
        assert_true(head.p[0] == '*' && n <= 4);
        for (size_t i = 0; i < n; i++)
            arg[i] = take_arg(&in);
        if (slice_eq(arg[0], LIT("HSET")))
            put(w, arg[2], arg[3]);
        else if (slice_eq(arg[0], LIT("HDEL")))
            drop(w, arg[2]);
        else if (slice_eq(arg[0], LIT("DEL")))
            w->deleted++;
        else
            fail();
    }
    redis_batch_free(b);
}

static struct redis_batch *batch(void) { return redis_batch_new(1 << 20); }

static struct consent_name name_of(struct world *w, const char *id)
{
    struct consent_name n;
    assert_int_equal(consent_name_of(w->store, &w->p, slice_str(id), &n).code, E_OK);
    return n;
}

static struct consent_claim claim(struct world *w, const char *id, uint32_t version, uint64_t given_ms)
{
    return (struct consent_claim){ name_of(w, id), version, given_ms / 1000 };
}

static struct consent_name session_of(struct world *w, const char *token)
{
    struct consent_name n;
    assert_int_equal(session_name_of(w->store, slice_str(token), &n).code, E_OK);
    return n;
}

/* The first use of a key under this consent, which opens this session. */
static void use(struct world *w, const char *id, uint32_t version, const char *session, uint64_t now)
{
    struct consent_claim c = claim(w, id, version, now);
    struct consent_entry e = { .name = c.name, .version = version, .given_s = c.given_s, .until_ms = now + DAY, .seen_ms = now, .kinds = 1,
                               .clinic = "3310010012", .purpose = "treatment" };
    struct session_entry n = { .name = session_of(w, session), .consent = c, .opened_ms = now, .until_ms = now + DAY, .kinds = 1, .clinic = "3310010012" };
    struct redis_batch *b = batch();
    run(w, consent_add_use(w->store, &w->person, hash(w), &e, &n, now, b), b);
}

static enum err_code judged(struct world *w, const char *id, uint32_t version, uint64_t given_ms)
{
    struct consent_claim c = claim(w, id, version, given_ms);
    return consent_judge(w->store, &w->person, hash(w), &c).code;
}

static enum err_code open_at(struct world *w, const char *session, const char *id, uint64_t given_ms, uint64_t now)
{
    struct consent_claim c = claim(w, id, 1, given_ms);
    struct consent_name s = session_of(w, session);
    return session_judge(w->store, &w->person, hash(w), &s, &c, now).code;
}

static struct consent_book *book(struct world *w, uint64_t now)
{
    static struct consent_book b;
    assert_int_equal(consent_read(w->store, &w->person, hash(w), now, &b).code, E_OK);
    return &b;
}

static size_t count(const struct world *w, const char *head)
{
    size_t n = 0;
    for (size_t i = 0; i < w->n; i++)
        n += strncmp(w->field[i], head, strlen(head)) == 0;
    return n;
}

/* ---- */

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
    assert_int_equal(w->deleted, 1);
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
    assert_int_equal(w->deleted, 1);
}

static void nothing_grows_without_bound(void **state)
{
    struct world *w = *state;
    char id[16], token[16];
    for (int i = 0; i < 80; i++) {
        snprintf(id, sizeof id, "c%d", i), snprintf(token, sizeof token, "t%d", i);
        use(w, id, 1, token, NOW + (uint64_t)i);
    }
    assert_int_equal(count(w, "co:"), CONSENT_KEEP_MAX);
    assert_int_equal(count(w, "sn:"), CONSENT_KEEP_MAX);
    assert_int_equal(open_at(w, "t15", "c15", NOW + 15, NOW + 100), E_SESSION);
    assert_int_equal(open_at(w, "t16", "c16", NOW + 16, NOW + 100), E_OK);
    use(w, "late", 1, "late", NOW + 2 * DAY); /* everything else is past its time */
    assert_int_equal(w->n, 2);
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
    run(w, consent_add_pruning(w->store, &w->person, hash(w), NOW + 4 * DAY, 0, b), b);
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

static void names_are_hex_both_ways(void **state)
{
    struct world *w = *state;
    struct consent_name n = name_of(w, "c1"), back;
    char hex[32];
    struct store_name key;
    consent_name_hex(&n, hex);
    assert_true(consent_name_parse(ARR(hex), &back) && slice_eq(ARR(n.b), ARR(back.b)));
    assert_false(consent_name_parse(slice_of(hex, 31), &back));
    hex[0] = 'G';
    assert_false(consent_name_parse(ARR(hex), &back));
    struct consent_name s = session_of(w, "t1");
    assert_int_equal(store_name_session(w->store, LIT("t1"), &key).code, E_OK);
    consent_name_hex(&s, hex);
    assert_memory_equal(key.c + 3, hex, 32);
    struct person other;
    struct consent_name elsewhere;
    assert_int_equal(store_person(w->store, LIT("PMH-2"), &other).code, E_OK);
    assert_int_equal(consent_name_of(w->store, &other, LIT("c1"), &elsewhere).code, E_OK);
    assert_false(slice_eq(ARR(n.b), ARR(elsewhere.b)));
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_use_is_told_to_the_citizen), TEST(a_second_use_under_a_consent_tells_the_first), TEST(a_withdrawal_ends_the_consent_up_to_its_version),
        TEST(withdrawing_all_ends_everything_given_or_seen_until_then), TEST(a_session_needs_its_field_its_consent_and_its_time),
        TEST(nothing_grows_without_bound), TEST(too_many_withdrawals_become_one_of_all),
        TEST(a_clock_that_ran_ahead_forgets_no_withdrawal), TEST(what_is_altered_or_moved_does_not_open),
        TEST(a_replay_from_the_log_takes_nothing_back), TEST(flags_are_read_as_written_and_by_their_municipality), TEST(names_are_hex_both_ways),
    };
    return cmocka_run_group_tests_name("consent", tests, NULL, NULL);
}
