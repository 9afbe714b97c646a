/* What the audit log tells a redis-link that came back older: only what it must, nothing newer is undone, and twice is as good as once. */

#include "tests/unit/replay_world.h"

static void what_is_over_or_no_act_is_not_told(void **state)
{
    struct world *w = *state;
    static const struct { enum audit_event event; enum replay_kind kind; } KINDS[] = {
        { AU_CLINIC_LOOKUP, REPLAY_NONE }, { AU_CONSENT_WITHDRAWN, REPLAY_WITHDRAWAL }, { AU_SESSION_ENDED, REPLAY_SESSION }, { AU_FLAGS_SET, REPLAY_FLAGS },
        { AU_CERTIFICATE_ENDED, REPLAY_CERTIFICATE }, { AU_PERSON_ERASED, REPLAY_ERASURE }, { AU_STORE_MARK, REPLAY_STORED }, { AU_SESSION_READ, REPLAY_NONE }, { AU_RECONCILED, REPLAY_NONE } };
    for (size_t i = 0; i < sizeof KINDS / sizeof KINDS[0]; i++) {
        struct audit_rec rec = act(w, KINDS[i].event);
        assert_int_equal(replay_kind_of(&rec, NOW), KINDS[i].kind);
        rec.until_s = (uint32_t)(NOW / 1000);
        bool stays = KINDS[i].kind == REPLAY_STORED || KINDS[i].kind == REPLAY_WITHDRAWAL;
        assert_int_equal(replay_kind_of(&rec, NOW), stays ? KINDS[i].kind : REPLAY_NONE);
        rec = act(w, KINDS[i].event);
        memset(rec.subject, 0, sizeof rec.subject);
        assert_int_equal(replay_kind_of(&rec, NOW), KINDS[i].kind == REPLAY_STORED ? REPLAY_STORED : REPLAY_NONE);
    }
    struct audit_rec failed = act(w, AU_FLAGS_SET), nobody = act(w, AU_CONSENT_WITHDRAWN), vault = act(w, AU_PERSON_ERASED);
    failed.result = AR_REFUSED;
    assert_int_equal(replay_kind_of(&failed, NOW), REPLAY_NONE);
    nobody.until_s = 0; /* there was none of that name: it must not become a withdrawal of all */
    memset(nobody.ref, 0, sizeof nobody.ref);
    assert_int_equal(replay_kind_of(&nobody, NOW), REPLAY_NONE);
    audit_set_actor(&vault, LIT("vault"));
    assert_int_equal(replay_kind_of(&vault, NOW), REPLAY_NUMBER);
    vault.result = AR_NOTHING;
    assert_int_equal(replay_kind_of(&vault, NOW), REPLAY_NONE);
}

static void an_ended_session_is_removed(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_SESSION_ENDED);
    const char *said = say(w, &rec);
    assert_non_null(strstr(said, " sn:abababababababababababababababab\n"));
}

static void flags_are_as_they_were_set_last(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_FLAGS_SET);
    rec.until_s = 0;
    rec.count = FLAG_VIEWING_STOPPED;
    struct store_name field;
    flags_field(MUNI, &field);
    assert_true(says(say(w, &rec), "HSET", &w->person));
    rec.count = 0;
    assert_string_equal(say(w, &rec), ""); /* none, and none there */
    put_flags(w, MUNI, FLAG_NOT_DISCLOSED, NOW - 5000);
    assert_true(drops(w, say(w, &rec), &field));
    rec.count = FLAG_VIEWING_STOPPED;
    assert_true(says(say(w, &rec), "HSET", &w->person));
    rec.count = FLAG_NOT_DISCLOSED;
    assert_string_equal(say(w, &rec), ""); /* as they are: with the reason that they have */
    rec.count = 0;
    rec.wall_ms = NOW - 6000;
    assert_string_equal(say(w, &rec), ""); /* set again after that */
}

/* What was said last; values have NULs in them. */
static bool has(const struct world *w, struct slice text) { return memmem(w->said.p, w->said.n, text.p, text.n) != NULL; }

static void a_certificate_is_revoked_as_it_was_read(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_CERTIFICATE_ENDED);
    struct redis_batch *b = redis_batch_new(4096);
    struct store_name mine = put_cert(w, 'a', MUNI, NULL, NOW - 2000), other = put_cert(w, 'b', MUNI, NULL, NOW - 2000);
    assert_true(err_is(replay_add(w->store, &rec, hash(w), NOW, b), E_NOTHING)); /* it is not there */
    assert_int_equal(redis_batch_count(b), 0);
    redis_batch_free(b);
    memset(rec.ref, 0, sizeof rec.ref);
    rec.ref[0] = 'a';
    assert_true(slice_starts(slice_str(say(w, &rec)), LIT("EVAL")));
    assert_true(has(w, store_name_slice(&mine)) && has(w, LIT(" ZADD cr:kkk")) && has(w, LIT(" GT 2 ra ")));
    assert_true(has(w, buf_slice(&w->value[0]))); /* only while it is that */
    assert_false(has(w, store_name_slice(&other)));
    end_cert(w, 0);
    assert_string_equal(say(w, &rec), "");
    w->value[1].p[20] ^= 1;
    rec.ref[0] = 'b';
    b = redis_batch_new(4096);
    assert_true(err_is(replay_add(w->store, &rec, hash(w), NOW, b), E_SEAL));
    redis_batch_free(b);
}

static void what_was_issued_is_told_only_when_it_says_what_it_raised(void **state)
{
    struct audit_rec rec = act(*state, AU_CERTIFICATE_ISSUED);
    rec.until_s = 0;
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE);
    rec.epoch = 5;
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_ISSUED);
    rec.result = AR_REFUSED;
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE);
    rec = act(*state, AU_CERTIFICATE_ENDED);
    memset(rec.ref, 0, sizeof rec.ref);
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE);
}

static void a_withdrawal_past_its_time_withdraws_everything_until_then(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_CONSENT_WITHDRAWN);
    rec.count = 1;
    const char *said = say(w, &rec);
    assert_true(strstr(said, " cw:abab") && !strstr(said, " ce"));
    rec.until_s = (uint32_t)(NOW / 1000);
    said = say(w, &rec);
    assert_true(strstr(said, " ce") && !strstr(said, " cw:"));
}

static void a_member_of_staff_of_whom_a_change_is_lost_is_withdrawn(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = { .event = AU_STAFF_CHANGED, .result = AR_OK, .epoch = 9, .count = 5, .wall_ms = NOW };
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE); /* of nobody */
    memset(rec.ref, 7, sizeof rec.ref);
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_STAFF);
    (void)w;
    struct nz_user older = { .version = 4, .made_ms = NOW - 1 };
    assert_true(replay_staff(&rec, &older) && older.withdrawn && older.version == 6);
    assert_false(replay_staff(&rec, &older)); /* again */
    struct nz_user has_it = { .version = 5, .made_ms = NOW - 1 }, newer = { .version = 7, .made_ms = NOW - 1 }, made_later = { .version = 1, .made_ms = NOW + 1 };
    assert_false(replay_staff(&rec, &has_it) || has_it.withdrawn);
    assert_false(replay_staff(&rec, &newer) || newer.withdrawn);
    assert_false(replay_staff(&rec, &made_later) || made_later.withdrawn);
    rec.epoch = 0; /* of a log from before changes told what they raised */
    assert_int_equal(replay_kind_of(&rec, NOW), REPLAY_NONE);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(what_is_over_or_no_act_is_not_told),
        T(a_withdrawal_past_its_time_withdraws_everything_until_then),
        T(an_ended_session_is_removed),
        T(a_certificate_is_revoked_as_it_was_read),
        T(what_was_issued_is_told_only_when_it_says_what_it_raised),
        T(flags_are_as_they_were_set_last),
        T(a_member_of_staff_of_whom_a_change_is_lost_is_withdrawn),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
