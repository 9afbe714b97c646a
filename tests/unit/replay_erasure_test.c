/* What an erasure that a redis-link has forgotten takes out of it once more, and what it leaves. */

#include "keys/ctl/replay_vrs.h"
#include "tests/unit/replay_world.h"

static void an_erasure_removes_what_was_there_before_it(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name before = put_record(w, MUNI, "before", NOW - 2000), flags = put_flags(w, MUNI, FLAG_RECOVERY, NOW - 2000);
    struct store_name others = put_record(w, OTHER, "others", NOW - 2000);
    struct store_name tie = put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false);
    struct store_name theirs = put(w, name_of("s:" OTHER), NULL, LIT("ff112233445566778899aabbccddeeff"), false), subject;
    struct store_name ps = put(w, name_of("ps:mynaportal"), NULL, LIT("pseudonym-1"), true), cw = put(w, name_of("ce"), NULL, LIT("x"), true);
    const char *said = say(w, &rec);
    assert_true(drops(w, said, &before) && drops(w, said, &flags) && drops(w, said, &tie));
    assert_false(drops(w, said, &others) || drops(w, said, &theirs) || drops(w, said, &ps) || drops(w, said, &cw));
    assert_true(replay_tie(w->store, &rec, hash(w), &subject) && says("x s:00112233445566778899aabbccddeeff", "x", &subject));
    rec.wall_ms = NOW - 3000; /* registered again after it */
    assert_string_equal(say(w, &rec), "");
    assert_false(replay_tie(w->store, &rec, hash(w), &subject));
}

static void the_last_one_takes_pseudonym_and_sessions_along(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name record = put_record(w, MUNI, "only", NOW - 2000), ps = put(w, name_of("ps:mynaportal"), NULL, LIT("pseudonym-1"), true), name;
    struct store_name sn = put(w, name_of("sn:abababababababababababababababab"), NULL, LIT("x"), true);
    struct store_name co = put(w, name_of("co:abababababababababababababababab"), NULL, LIT("x"), true);
    struct store_name cw = put(w, name_of("cw:abababababababababababababababab"), NULL, LIT("x"), true);
    const char *said = say(w, &rec);
    assert_true(err_ok(store_name_pseudonym(w->store, LIT("mynaportal"), LIT("pseudonym-1"), &name)));
    assert_true(drops(w, said, &record) && drops(w, said, &ps) && drops(w, said, &sn) && drops(w, said, &co) && says(said, "DEL", &name));
    assert_false(drops(w, said, &cw)); /* keeps link keys from working */
}

static void an_erasure_removes_doses_and_questionnaires_that_were_there_before_it(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name tie = put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false), subject;
    struct store_name dose = put_dose(w, MUNI, 1, NOW - 2000, 2), sheet = put_sheet(w, MUNI, 2, NOW - 2000);
    struct store_name theirs = put_dose(w, OTHER, 3, NOW - 2000, 1), ps = put(w, name_of("ps:mynaportal"), NULL, LIT("pseudonym-1"), true);
    const char *said = say(w, &rec);
    assert_true(drops(w, said, &dose) && drops(w, said, &sheet) && drops(w, said, &tie));
    assert_false(drops(w, said, &theirs) || drops(w, said, &ps));
    struct store_name later = put_dose(w, MUNI, 4, NOW, 1); /* of a resident who was registered again */
    said = say(w, &rec);
    assert_true(drops(w, said, &dose) && !drops(w, said, &later) && !drops(w, said, &tie));
    assert_false(replay_tie(w->store, &rec, hash(w), &subject));
}

static void an_erasure_revokes_certificates_with_its_records(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name mine = put_cert(w, 'a', MUNI, NULL, NOW - 2000), both = put_cert(w, 'b', MUNI, OTHER, NOW - 2000), theirs = put_cert(w, 'c', OTHER, NULL, NOW - 2000);
    struct store_name later = put_cert(w, 'd', MUNI, NULL, NOW), broken = put_cert(w, 'e', OTHER, NULL, NOW - 2000);
    w->value[4].p[20] ^= 1;
    put_dose(w, OTHER, 1, NOW - 2000, 1);
    const char *said = say(w, &rec), *listed = strstr(said, " GT 2 ra\n");
    assert_true(drops(w, said, &mine) && drops(w, said, &broken) && mentions(said, &both));
    assert_false(drops(w, said, &both) || mentions(said, &theirs) || mentions(said, &later));
    assert_true(listed && listed < strstr(said, "HDEL") && strstr(said, "ZADD cr:kkk") && strstr(said, " GT 2 rb\n")); /* revoked before nothing names it any more */
    assert_false(strstr(said, " GT 2 rc\n") || strstr(said, " GT 2 rd\n") || strstr(said, " GT 2 re\n"));
    rec.wall_ms = NOW - 3000; /* all that can be dated is of later */
    said = say(w, &rec);
    assert_true(drops(w, said, &broken) && !strstr(said, "ZADD") && !drops(w, said, &mine) && !mentions(said, &both));
}

static void notices_about_its_records_go_and_those_of_others_stay(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    put_dose(w, OTHER, 1, NOW - 2000, 1);
    struct store_name mine = put_notice(w, "nt:0000000000000001", MUNI, NOW - 2000), theirs = put_notice(w, "nt:0000000000000002", OTHER, NOW - 2000), later = put_notice(w, "nt:0000000000000003", MUNI, NOW);
    struct store_name broken = put(w, name_of("nt:0000000000000004"), NULL, LIT("x"), false), turn = put(w, name_of("iv"), NULL, LIT("7"), false);
    const char *said = say(w, &rec);
    assert_true(drops(w, said, &mine) && drops(w, said, &broken));
    assert_false(drops(w, said, &theirs) || drops(w, said, &later) || drops(w, said, &turn));
    memcpy(rec.muni, OTHER, 6); /* who alone has it: nothing is left */
    said = say(w, &rec);
    assert_true(drops(w, said, &theirs) && drops(w, said, &turn));
}

/* The script that marks, as text; the counts of replay_vrs_marks() are added up in *ret_n. */
static const char *let_go(struct world *w, const struct audit_rec *rec, bool to_vrs, size_t *ret_n)
{
    struct arena *a = arena_new(8 << 20);
    struct redis_batch *b = NULL;
    size_t at = 0, n;
    buf_reset(&w->said);
    *ret_n = 0;
    do {
        struct nz_cas *c = nz_cas_new(a);
        assert_true(err_ok(replay_vrs_marks(w->store, rec, hash(w), to_vrs, &at, a, c, &n)));
        assert_true(err_ok(nz_cas_batch(c, &b)));
        buf_put(&w->said, buf_slice(&b->cmds));
        redis_batch_free(b);
        arena_reset(a);
        *ret_n += n;
    } while (n);
    arena_free(a);
    buf_putc(&w->said, 0);
    return (const char *)w->said.p;
}

static const char *marks(struct world *w, const struct audit_rec *rec, size_t *ret_n) { return let_go(w, rec, true, ret_n); }

static bool is_marked(struct world *w, const char *said, const struct store_name *field, uint64_t version)
{
    char mark[256];
    snprintf(mark, sizeof mark, "\n-00112233445566778899aabbccddeeff:%.32s:%.*s:%llu\r", w->p.h, (int)field->n, field->c, (unsigned long long)version);
    return strstr(said, mark) != NULL;
}

static void what_vrs_has_of_an_erased_one_is_marked(void **state)
{
    struct world *w = *state;
    size_t n;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name ticket = put_ticket(w, "0123456789", NOW - 2000), dose = put_dose(w, MUNI, 1, NOW - 2000, 3), tk;
    struct store_name later = put_ticket(w, "1123456789", NOW), theirs = put_dose(w, OTHER, 2, NOW - 2000, 1), record = put_record(w, MUNI, "r", NOW - 2000);
    assert_null(strstr(marks(w, &rec, &n), "ZADD")); /* no tie: nobody knows the number */
    assert_int_equal(n, 0);
    put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false);
    const char *said = marks(w, &rec, &n);
    assert_int_equal(n, 2);
    assert_true(is_marked(w, said, &ticket, rec.wall_ms) && is_marked(w, said, &dose, 3));
    assert_true(mentions(said, &ticket));
    assert_false(mentions(said, &later) || mentions(said, &theirs) || mentions(said, &record));
    assert_true(err_ok(store_name_ticket(w->store, LIT(MUNI), LIT("0123456789"), &tk)));
    assert_true(mentions(said, &tk)); /* unless an officer gave it to somebody else */
    said = let_go(w, &rec, false, &n);
    assert_true(mentions(said, &tk) && !strstr(said, "ZADD")); /* VRS was never told: its index goes all the same */
    rec.wall_ms = NOW - 3000; /* what was stored after it */
    assert_null(strstr(marks(w, &rec, &n), "ZADD"));
    assert_false(mentions(let_go(w, &rec, false, &n), &tk));
}

static void more_than_a_script_holds_is_marked_by_several(void **state)
{
    struct world *w = *state;
    size_t n;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    put(w, name_of("s:" MUNI), NULL, LIT("00112233445566778899aabbccddeeff"), false);
    for (unsigned i = 0; i < 700; i++) {
        char number[16];
        snprintf(number, sizeof number, "%010u", i);
        put_ticket(w, number, NOW - 2000);
    }
    marks(w, &rec, &n);
    assert_int_equal(n, 700);
}

static void a_value_of_a_destroyed_key_goes_with_an_erasure(void **state)
{
    struct world *w = *state;
    struct audit_rec rec = act(w, AU_PERSON_ERASED);
    struct store_name broken = put_record(w, MUNI, "broken", NOW);
    w->value[0].p[20] ^= 1;
    assert_true(drops(w, say(w, &rec), &broken));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_erasure_removes_what_was_there_before_it),
        T(the_last_one_takes_pseudonym_and_sessions_along),
        T(an_erasure_removes_doses_and_questionnaires_that_were_there_before_it),
        T(an_erasure_revokes_certificates_with_its_records),
        T(notices_about_its_records_go_and_those_of_others_stay),
        T(what_vrs_has_of_an_erased_one_is_marked),
        T(more_than_a_script_holds_is_marked_by_several),
        T(a_value_of_a_destroyed_key_goes_with_an_erasure),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
