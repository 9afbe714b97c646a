#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "gateway/base/text.h"
#include "mocks/synth/digits.h"
#include "mocks/synth/prng.h"
#include "mocks/synth/program.h"
#include "mocks/synth/table.h"

enum { MANY = 20000, DAY = 20260401, OUT_MAX = 64 * 1024 * 1024 };

static struct synth *make(const char *muni, uint64_t count, uint64_t seed)
{
    struct synth *s = NULL;
    struct synth_conf conf = { .muni = slice_str(muni), .count = count, .seed = seed, .on = DAY };
    assert_int_equal(synth_new(&s, &conf).code, E_OK);
    return s;
}

static void write_all(const char *muni, uint64_t count, uint64_t seed, struct buf *rows, struct buf *cards)
{
    struct synth *s = make(muni, count, seed);
    struct synth_resident r;
    buf_init(rows, OUT_MAX);
    buf_init(cards, OUT_MAX);
    while (synth_next(s, &r)) {
        for (unsigned i = 0; i < synth_form_rows(SYNTH_SUBSIDY, &r); i++)
            synth_row_json(SYNTH_SUBSIDY, &r, i, DAY, rows);
        synth_write_card(&r, cards);
    }
    synth_free(s);
    assert_int_equal(buf_check(rows).code, E_OK);
    assert_int_equal(buf_check(cards).code, E_OK);
}

/* ---- the same seed, the same residents ---- */

static void test_same_seed_same_bytes(void **state)
{
    (void)state;
    struct buf rows[3], cards[3];
    static const uint64_t SEEDS[3] = { 7, 7, 8 };
    for (int i = 0; i < 3; i++)
        write_all("331007", 500, SEEDS[i], &rows[i], &cards[i]);
    assert_true(slice_eq(buf_slice(&rows[0]), buf_slice(&rows[1])));
    assert_true(slice_eq(buf_slice(&cards[0]), buf_slice(&cards[1])));
    assert_false(slice_eq(buf_slice(&rows[0]), buf_slice(&rows[2])));
    for (int i = 0; i < 3; i++) {
        assert_true(utf8_valid(buf_slice(&rows[i])));
        assert_true(utf8_valid(buf_slice(&cards[i])));
        buf_done(&rows[i]);
        buf_done(&cards[i]);
    }
}

/* ---- check digits, written a second time in another way ---- */

static bool mynumber_ok(const char *n)
{
    unsigned sum = 0;
    for (unsigned k = 1; k <= 11; k++)
        sum += (unsigned)(n[11 - k] - '0') * (k <= 6 ? k + 1 : k - 5);
    unsigned want = sum % 11 <= 1 ? 0 : 11 - sum % 11;
    return (unsigned)(n[11] - '0') == want;
}

static bool mod10_ok(const char *d)
{
    static const unsigned TWICE[10] = { 0, 2, 4, 6, 8, 1, 3, 5, 7, 9 };
    unsigned sum = 0, n = (unsigned)strlen(d);
    for (unsigned i = 0; i < n; i++) /* from the right, the check digit itself once */
        sum += i % 2 ? TWICE[d[n - 1 - i] - '0'] : (unsigned)(d[n - 1 - i] - '0');
    return sum % 10 == 0;
}

static void test_known_check_digits(void **state)
{
    (void)state;
    assert_int_equal(digits_check_mynumber("98320567321"), '4');
    assert_int_equal(digits_check_mynumber("12345678901"), '8');
    assert_int_equal(digits_check_mynumber("21098765432"), '0');
    assert_int_equal(digits_check_mod10("3312001", 7), '5');
    assert_int_equal(digits_check_mod10("8113624", 7), '4');
    assert_int_equal(digits_check_mod10("011011371", 9), '9');
    assert_true(mynumber_ok("983205673214") && !mynumber_ok("983205673215"));
    assert_true(mod10_ok("88138243") && !mod10_ok("87654321"));
}

static void resident_check(const struct synth_resident *r)
{
    assert_int_equal(strlen(r->number), 12);
    assert_true(all_digits(slice_str(r->number)) && mynumber_ok(r->number));
    assert_true(slice_starts(slice_str(r->number), LIT("99")));
    assert_int_equal(strlen(r->serial), 8);
    assert_int_equal(strlen(r->key), 10);
    assert_in_range(r->n_certs, 1, SYNTH_CERTS_MAX);
    for (unsigned i = 0; i < r->n_certs; i++) {
        const struct synth_cert *c = &r->certs[i];
        assert_true(strlen(c->payer) == 8 && mod10_ok(c->payer));
        assert_true(slice_eq(slice_of(c->payer + 2, 2), LIT("33")));
        assert_true(strlen(c->recipient) == 7 && mod10_ok(c->recipient));
        assert_true(c->from <= c->to);
        assert_true(utf8_count(slice_str(c->name)) >= 1 && utf8_count(slice_str(c->name)) <= 100);
        for (unsigned k = 0; k < i; k++)
            assert_string_not_equal(c->program->type_id, r->certs[k].program->type_id);
    }
    assert_true(r->sex == '1' || r->sex == '2');
    assert_true(utf8_valid(slice_str(r->name)) && utf8_valid(slice_str(r->kana)) && utf8_valid(slice_str(r->address)));
    assert_true(r->birth < DAY && ymd_from_days(ymd_to_days(r->birth)) == r->birth);
}

/* Full-width katakana, the long vowel sign and the full-width space only. */
static bool kana_ok(struct slice s)
{
    for (size_t i = 0; i + 2 < s.n + 1; i += 3) {
        if (s.n - i < 3 || s.p[i] != 0xe3)
            return false;
        unsigned c = 0x3000u | (s.p[i + 1] & 0x3fu) << 6 | (s.p[i + 2] & 0x3fu);
        if (c != 0x3000 && (c < 0x30a1 || c > 0x30fc))
            return false;
        if (i + 3 == s.n)
            return true;
    }
    return false;
}

struct seen { unsigned four_byte, ivs, pua, silent, two_certs, ended; unsigned by_program[PROG__MAX]; };

static void seen_add(struct seen *seen, const struct synth_resident *r)
{
    struct slice n = slice_str(r->name);
    bool four = false, ivs = false, pua = false;
    for (size_t i = 0; i < n.n; i++) {
        four = four || n.p[i] == 0xf0;
        ivs = ivs || (n.p[i] == 0xf3 && n.n - i >= 2 && n.p[i + 1] == 0xa0);
        pua = pua || n.p[i] == 0xee;
    }
    seen->four_byte += four;
    seen->ivs += ivs;
    seen->pua += pua;
    seen->silent += r->not_disclosed;
    seen->two_certs += r->n_certs == 2;
    for (unsigned i = 0; i < r->n_certs; i++) {
        seen->by_program[r->certs[i].program - PROGRAMS]++;
        seen->ended += r->certs[i].to < DAY;
    }
}

static int text_compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

static void assert_unique(char **texts, size_t n)
{
    qsort(texts, n, sizeof *texts, text_compare);
    for (size_t i = 1; i < n; i++)
        assert_string_not_equal(texts[i - 1], texts[i]);
}

static void test_residents_are_plausible(void **state)
{
    (void)state;
    struct synth *s = make("331007", MANY, 3);
    struct synth_resident r;
    struct seen seen = { 0 };
    char **keys = calloc(MANY, sizeof *keys);
    size_t n = 0;
    while (synth_next(s, &r)) {
        resident_check(&r);
        assert_true(kana_ok(slice_str(r.kana)));
        seen_add(&seen, &r);
        assert_true(n < MANY);
        keys[n++] = strdup(r.key);
    }
    assert_int_equal(n, MANY);
    assert_unique(keys, n);
    for (size_t i = 0; i < n; i++)
        free(keys[i]);
    free(keys);
    synth_free(s);
    assert_true(seen.four_byte > 100 && seen.ivs > 100 && seen.pua > 50);
    assert_in_range(seen.silent, MANY / 250, MANY / 50);
    assert_true(seen.two_certs > MANY / 100 && seen.ended > 10);
    for (unsigned i = 0; i < PROG__MAX; i++)
        assert_true(seen.by_program[i] > 0);
}

static void test_unique_over_the_three_cities(void **state)
{
    (void)state;
    static const char *const CITIES[] = { "331007", "271403", "222127" };
    char **numbers = calloc(3 * MANY, sizeof *numbers), **serials = calloc(3 * MANY, sizeof *serials);
    size_t n = 0;
    for (int c = 0; c < 3; c++) {
        struct synth *s = make(CITIES[c], MANY, 1);
        for (struct synth_resident r; synth_next(s, &r); n++) {
            numbers[n] = strdup(r.number);
            serials[n] = strdup(r.serial);
        }
        synth_free(s);
    }
    assert_int_equal(n, 3 * MANY);
    assert_unique(numbers, n);
    assert_unique(serials, n);
    for (size_t i = 0; i < n; i++) {
        free(numbers[i]);
        free(serials[i]);
    }
    free(numbers);
    free(serials);
}

/* Any size shows a silent resident and has valid certificates at its start. */
static void test_small_municipality_serves_the_demonstration(void **state)
{
    (void)state;
    for (uint64_t seed = 1; seed <= 20; seed++) {
        struct synth *s = make("222127", 50, seed);
        unsigned silent = 0;
        for (struct synth_resident r; synth_next(s, &r); silent += r.not_disclosed)
            for (unsigned i = 0; i < r.n_certs; i++)
                assert_true(r.certs[i].to >= DAY);
        assert_int_equal(silent, 1);
        synth_free(s);
    }
}

static void test_refusals(void **state)
{
    (void)state;
    static const struct { const char *muni; uint64_t count; enum err_code code; } CASES[] = {
        { "33100", 1, E_FIELD }, { "3310071", 1, E_FIELD }, { "33100x", 1, E_FIELD }, { "", 1, E_FIELD },
        { "331007", 0, E_CONFIG }, { "331007", (uint64_t)SYNTH_COUNT_MAX + 1, E_CONFIG },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct synth *s = NULL;
        struct synth_conf conf = { .muni = slice_str(CASES[i].muni), .count = CASES[i].count, .seed = 1, .on = DAY };
        assert_int_equal(synth_new(&s, &conf).code, CASES[i].code);
        assert_null(s);
    }
}

static void test_scatter_is_a_permutation(void **state)
{
    (void)state;
    static const uint64_t SIZES[] = { 1, 2, 3, 1000, 65537, 100000 };
    for (size_t i = 0; i < sizeof SIZES / sizeof *SIZES; i++) {
        uint8_t *hit = calloc(SIZES[i], 1);
        for (uint64_t k = 0; k < SIZES[i]; k++) {
            uint64_t to = prng_scatter(99, k, SIZES[i]);
            assert_true(to < SIZES[i]);
            assert_int_equal(hit[to]++, 0);
        }
        free(hit);
    }
}

static void test_calendar(void **state)
{
    (void)state;
    assert_int_equal(ymd_to_days(19700101), 0);
    assert_int_equal(ymd_to_days(20000229) + 1, ymd_to_days(20000301));
    for (int64_t d = ymd_to_days(19360101); d < ymd_to_days(20501231); d++)
        assert_int_equal(ymd_to_days(ymd_from_days(d)), d);
    assert_int_equal(ymd_school_year_end(20080401, 18), 20260331); /* born on 1 April: with the year before */
    assert_int_equal(ymd_school_year_end(20080402, 18), 20270331);
    assert_int_equal(ymd_school_year_end(20080101, 18), 20260331);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_same_seed_same_bytes),
        cmocka_unit_test(test_known_check_digits),
        cmocka_unit_test(test_residents_are_plausible),
        cmocka_unit_test(test_unique_over_the_three_cities),
        cmocka_unit_test(test_small_municipality_serves_the_demonstration),
        cmocka_unit_test(test_refusals),
        cmocka_unit_test(test_scatter_is_a_permutation),
        cmocka_unit_test(test_calendar),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
