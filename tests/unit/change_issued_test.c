/* What was issued and told follows the records that it is about: which part goes, what is there already, what is false, and that the plan comes to an end. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <cmocka.h>

#include "keys/change/issued.h"

#define MUNI "331007"
#define OTHER "271403"
#define SID_A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define SID_B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define CARD "ct:11111111111111111111111111111111"
#define RECORD_1 "i:331007:01010101010101010101010101010101"
#define RECORD_2 "i:331007:02020202020202020202020202020202"

enum { MERGED_MS = 5000, MANY = 2 * VACCINE_NOTICES_MAX };

static struct cert_record record_of(const char *muni, uint8_t id)
{
    struct cert_record r = { .version = 1 };
    memcpy(r.muni, muni, sizeof r.muni);
    memset(r.id, id, sizeof r.id);
    return r;
}

static void put(struct cert_stored *c, const char *muni, uint8_t id) { c->records[c->n_records++] = record_of(muni, id); }

static struct nz_ch_cert card(uint64_t issued_ms) { return (struct nz_ch_cert){ .field = LIT(CARD), .sealed = LIT("s"), .c = { .kind = CERT_SHC, .issued_ms = issued_ms } }; }

static struct nz_ch_view view_of(enum nz_change_type type)
{
    struct nz_ch_view v = { .type = type, .muni = MUNI, .effective = 20260401, .now_ms = 9000, .row = 1 };
    v.kept = (struct nz_ch_side){ .there = true, .key = LIT("pk-a"), .subject = LIT(SID_A), .sid = SID_A };
    v.gone = (struct nz_ch_side){ .there = true, .key = LIT("pk-b"), .sid = SID_B };
    return v;
}

static struct nz_journal journal_of(enum nz_change_type type, enum nz_journal_state state)
{
    return (struct nz_journal){ .state = state, .type = type, .effective = 20260401, .ms = MERGED_MS, .row = 1 };
}

/* ---- there ---- */

static void the_part_of_the_municipality_goes(void **state)
{
    (void)state;
    struct nz_ch_view v = view_of(NZ_CH_NUMBER);
    struct nz_ch_cert c = card(1);
    struct cert_stored goes, rest;
    put(&c.c, MUNI, 1), put(&c.c, OTHER, 2);
    v.gone.cert = &c, v.gone.n_certs = 1;
    assert_true(nz_ch_cert_copy(&v, NZ_CH_THERE, &c, &goes) && nz_ch_cert_leaves(&v, NZ_CH_THERE, &c, &rest));
    assert_int_equal(goes.n_records, 1);
    assert_memory_equal(goes.records[0].muni, MUNI, 6);
    assert_int_equal(rest.n_records, 1);
    assert_memory_equal(rest.records[0].muni, OTHER, 6);
    c.c = rest; /* nothing of it is left there */
    assert_false(nz_ch_cert_copy(&v, NZ_CH_THERE, &c, &goes) || nz_ch_cert_leaves(&v, NZ_CH_THERE, &c, &rest));
}

static void parts_come_together_and_what_ended_has_ended(void **state)
{
    (void)state;
    static const struct { enum cert_state there, comes, then; bool has, news; } CASES[] = {
        { CERT_GOOD, CERT_GOOD, CERT_GOOD, false, true },             { CERT_GOOD, CERT_GOOD, CERT_GOOD, true, false },
        { CERT_GOOD, CERT_SUPERSEDED, CERT_SUPERSEDED, true, true },  { CERT_REVOKED, CERT_GOOD, CERT_REVOKED, true, false },
        { CERT_REVOKED, CERT_SUPERSEDED, CERT_REVOKED, false, true },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct nz_ch_view v = view_of(NZ_CH_NUMBER);
        struct nz_ch_cert there = card(1), comes = card(1);
        struct cert_stored got;
        put(&there.c, OTHER, 2), put(&comes.c, MUNI, 1);
        if (CASES[i].has)
            put(&there.c, MUNI, 1);
        there.c.state = CASES[i].there, comes.c.state = CASES[i].comes, comes.c.ended_ms = 77;
        v.kept.cert = &there, v.kept.n_certs = 1, v.gone.cert = &comes, v.gone.n_certs = 1;
        assert_int_equal(nz_ch_cert_copy(&v, NZ_CH_THERE, &comes, &got), CASES[i].news);
        assert_int_equal(nz_ch_issued_copies(&v, NZ_CH_THERE), CASES[i].news);
        assert_int_equal(got.state, CASES[i].then);
        assert_int_equal(got.ended_ms, CASES[i].then == CASES[i].there ? 0 : 77);
        assert_int_equal(got.n_records, 2);
    }
}

/* A certificate that is issued to the old person at any moment of the move is taken along all the same. */
static void the_plan_goes_on_until_nothing_is_left(void **state)
{
    (void)state;
    struct nz_journal j = journal_of(NZ_CH_NUMBER, NZ_JOURNAL_PENDING);
    struct nz_ch_view v = view_of(NZ_CH_NUMBER);
    struct nz_ch_cert c = card(1), copy = card(1);
    memcpy(v.new_sid, SID_A, sizeof v.new_sid);
    put(&c.c, MUNI, 1);
    v.j = &j;
    v.gone.to = LIT(SID_A);
    assert_int_equal(nz_ch_plan(&v).action, NZ_CHA_FINISH);
    v.gone.cert = &c, v.gone.n_certs = 1;
    assert_int_equal(nz_ch_plan(&v).action, NZ_CHA_COPY);
    assert_true(nz_ch_cert_copy(&v, NZ_CH_THERE, &c, &copy.c));
    v.kept.cert = &copy, v.kept.n_certs = 1;
    assert_int_equal(nz_ch_plan(&v).action, NZ_CHA_REMOVE);
    c.c.state = CERT_SUPERSEDED; /* between the two steps */
    assert_int_equal(nz_ch_plan(&v).action, NZ_CHA_COPY);
    v.same_person = true;
    assert_int_equal(nz_ch_plan(&v).action, NZ_CHA_FINISH);
    v.same_person = false, v.gone.n_certs = 0;
    assert_int_equal(nz_ch_plan(&v).action, NZ_CHA_FINISH);
}

/* ---- and back ---- */

struct undo { struct nz_ch_item kept[2], gone; struct nz_saved saved; struct nz_journal j; struct nz_ch_view v; };

/* Record 1 came with the merge, record 2 was the kept one's. */
static void undo_begin(struct undo *u)
{
    u->kept[0] = (struct nz_ch_item){ LIT(RECORD_1), LIT("one"), LIT("s1") };
    u->kept[1] = (struct nz_ch_item){ LIT(RECORD_2), LIT("two"), LIT("s2") };
    u->gone = u->kept[0];
    u->saved = (struct nz_saved){ LIT(RECORD_1), LIT("one"), false };
    u->j = journal_of(NZ_CH_MERGED, NZ_JOURNAL_UNDOING);
    u->j.saved = &u->saved, u->j.n_saved = 1;
    u->v = view_of(NZ_CH_UNMERGED);
    u->v.gone.subject = LIT(SID_B);
    u->v.j = &u->j;
    u->v.kept.item = u->kept, u->v.kept.n = 2, u->v.gone.item = &u->gone;
}

static void what_came_with_a_merge_goes_back(void **state)
{
    (void)state;
    struct undo u;
    struct nz_ch_cert hers = card(MERGED_MS - 1), his = card(MERGED_MS - 1), copy = card(MERGED_MS - 1);
    struct cert_stored rest;
    undo_begin(&u);
    put(&hers.c, MUNI, 1), put(&his.c, MUNI, 2);
    assert_false(nz_ch_cert_leaves(&u.v, NZ_CH_BACK, &his, &rest));
    u.v.kept.cert = &hers, u.v.kept.n_certs = 1;
    assert_int_equal(nz_ch_plan(&u.v).action, NZ_CHA_BACK_COPY);
    u.v.gone.n = 1;
    assert_true(nz_ch_cert_copy(&u.v, NZ_CH_BACK, &hers, &copy.c)); /* the record is back, its certificate is not */
    assert_int_equal(nz_ch_plan(&u.v).action, NZ_CHA_BACK_COPY);
    u.v.gone.cert = &copy, u.v.gone.n_certs = 1;
    u.v.kept.item = &u.kept[1], u.v.kept.n = 1;
    assert_int_equal(nz_ch_plan(&u.v).action, NZ_CHA_BACK_REMOVE);
    assert_true(nz_ch_cert_leaves(&u.v, NZ_CH_BACK, &hers, &rest) && !rest.n_records && !nz_ch_cert_is_false(&u.v, NZ_CH_BACK, &hers.c));
    u.v.kept.n_certs = 0;
    assert_int_equal(nz_ch_plan(&u.v).action, NZ_CHA_BACK_FINISH);
}

static void what_was_changed_since_stays_and_so_does_its_certificate(void **state)
{
    (void)state;
    struct undo u;
    struct nz_ch_cert hers = card(MERGED_MS - 1);
    struct cert_stored c;
    undo_begin(&u);
    put(&hers.c, MUNI, 1);
    u.v.kept.cert = &hers, u.v.kept.n_certs = 1;
    u.kept[0].plain = LIT("mended");
    assert_false(nz_ch_cert_copy(&u.v, NZ_CH_BACK, &hers, &c) || nz_ch_cert_leaves(&u.v, NZ_CH_BACK, &hers, &c));
    assert_int_equal(nz_ch_plan(&u.v).action, NZ_CHA_BACK_FINISH);
}

static void what_was_issued_while_both_were_one_is_false(void **state)
{
    (void)state;
    struct undo u;
    struct nz_ch_cert both = card(MERGED_MS), own = card(MERGED_MS);
    struct cert_stored c;
    undo_begin(&u);
    put(&both.c, MUNI, 1), put(&both.c, MUNI, 2), put(&own.c, MUNI, 2);
    u.v.kept.cert = &both, u.v.kept.n_certs = 1;
    u.v.gone.n = 1, u.v.kept.item = &u.kept[1], u.v.kept.n = 1;
    assert_false(nz_ch_cert_copy(&u.v, NZ_CH_BACK, &both, &c));
    assert_true(nz_ch_cert_leaves(&u.v, NZ_CH_BACK, &both, &c) && nz_ch_cert_is_false(&u.v, NZ_CH_BACK, &both.c));
    assert_true(c.n_records == 1 && c.records[0].id[0] == 2);
    assert_int_equal(nz_ch_plan(&u.v).action, NZ_CHA_BACK_REMOVE);
    assert_false(nz_ch_cert_leaves(&u.v, NZ_CH_BACK, &own, &c)); /* of his own records only: it is true */
    assert_false(nz_ch_cert_is_false(&u.v, NZ_CH_THERE, &both.c));
}

/* Being told is no change: a record that a clinic has read while both were one goes back all the same, and says who it was. */
static void who_was_told_since_goes_back_with_the_record(void **state)
{
    (void)state;
#define HEAD(versions, told) "\x02" "0123456789abcdef" "\x00" versions "\x00" told
    static const struct { struct slice now; bool back; } CASES[] = {
        { LIT(HEAD("\x01", "\x00") "v"), true }, { LIT(HEAD("\x01", "\x02") "vrr"), true }, { LIT(HEAD("\x02", "\x00") "vw"), false }, { LIT("torn"), false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct undo u;
        undo_begin(&u);
        u.saved.plain = CASES[0].now, u.kept[0].plain = CASES[i].now;
        assert_int_equal(nz_ch_copies_back(&u.v, &u.saved), CASES[i].back);
        assert_int_equal(nz_ch_plan(&u.v).action, CASES[i].back ? NZ_CHA_BACK_COPY : NZ_CHA_BACK_FINISH);
        assert_int_equal(nz_ch_plan(&u.v).verdict.code, CASES[i].back ? NZ_CODE_NONE : NZ_CODE_CHANGED_SINCE);
        u.gone.plain = CASES[0].now, u.v.gone.n = 1; /* written back before the second was told */
        assert_int_equal(nz_ch_copies_back(&u.v, &u.saved), i == 1);
        u.gone.plain = CASES[i].now;
        assert_int_equal(nz_ch_plan(&u.v).action, CASES[i].back ? NZ_CHA_BACK_REMOVE : NZ_CHA_BACK_FINISH);
    }
    struct undo u; /* of a certificate every byte counts */
    undo_begin(&u);
    u.saved = (struct nz_saved){ LIT("r:331007:1111111111111111"), CASES[0].now, false };
    u.kept[0] = (struct nz_ch_item){ u.saved.field, CASES[1].now, LIT("s") };
    assert_false(nz_ch_is_copy(&u.v, &u.saved));
}

/* ---- notices ---- */

static char names[MANY][3 + 16 + 1];

static struct nz_ch_told told(size_t at, const char *muni)
{
    struct nz_ch_told t = { .n = { .what = VACCINE_RECORDED, .at_ms = at, .version = 1 } };
    memcpy(t.n.muni, muni, sizeof t.n.muni);
    memset(t.n.id, 1, sizeof t.n.id);
    snprintf(names[at], sizeof names[at], "nt:%016zx", at);
    t.field = slice_str(names[at]);
    return t;
}

static void notices_go_with_their_records(void **state)
{
    (void)state;
    struct undo u;
    struct nz_ch_told mine = told(1, MUNI), theirs = told(2, OTHER), second = told(3, MUNI);
    undo_begin(&u);
    assert_true(nz_ch_told_leaves(&u.v, NZ_CH_THERE, &mine) && !nz_ch_told_leaves(&u.v, NZ_CH_THERE, &theirs));
    memset(second.n.id, 2, sizeof second.n.id);
    assert_true(nz_ch_told_leaves(&u.v, NZ_CH_BACK, &mine) && !nz_ch_told_leaves(&u.v, NZ_CH_BACK, &second));
    u.v.gone.told = &mine, u.v.gone.n_told = 1;
    assert_true(nz_ch_issued_copies(&u.v, NZ_CH_THERE) && nz_ch_issued_left(&u.v, NZ_CH_THERE));
    u.v.kept.told = &mine, u.v.kept.n_told = 1;
    assert_true(!nz_ch_issued_copies(&u.v, NZ_CH_THERE) && nz_ch_issued_left(&u.v, NZ_CH_THERE));
}

static void the_youngest_notices_of_two_stay(void **state)
{
    (void)state;
    static struct nz_ch_told kept[MANY / 2], gone[MANY / 2];
    struct nz_ch_view v = view_of(NZ_CH_MERGED);
    size_t copied = 0, dropped = 0;
    for (size_t i = 0; i < MANY / 2; i++)
        kept[i] = told(2 * i, OTHER), gone[i] = told(2 * i + 1, MUNI);
    v.kept.told = kept, v.kept.n_told = MANY / 2, v.gone.told = gone, v.gone.n_told = MANY / 2;
    for (size_t i = 0; i < MANY / 2; i++) {
        copied += nz_ch_told_copy(&v, NZ_CH_THERE, &gone[i]);
        dropped += nz_ch_told_is_too_old(&v, NZ_CH_THERE, &kept[i]);
        assert_int_equal(nz_ch_told_copy(&v, NZ_CH_THERE, &gone[i]), i >= MANY / 4);
    }
    assert_int_equal(copied, dropped);
    assert_int_equal(v.kept.n_told + copied - dropped, VACCINE_NOTICES_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_part_of_the_municipality_goes), cmocka_unit_test(parts_come_together_and_what_ended_has_ended),
        cmocka_unit_test(the_plan_goes_on_until_nothing_is_left), cmocka_unit_test(what_came_with_a_merge_goes_back),
        cmocka_unit_test(what_was_changed_since_stays_and_so_does_its_certificate), cmocka_unit_test(what_was_issued_while_both_were_one_is_false),
        cmocka_unit_test(who_was_told_since_goes_back_with_the_record), cmocka_unit_test(notices_go_with_their_records), cmocka_unit_test(the_youngest_notices_of_two_stay),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
