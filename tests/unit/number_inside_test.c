#include "tests/unit/registration_bench.h"

#include "keys/registration/number_inside.h"

#define OWN "123456789018"

static uint32_t dice(uint32_t *state, uint32_t sides)
{
    *state = *state * 1664525u + 1013904223u;
    return (*state >> 8) % sides;
}

static const char *const DIGITS[3][10] = {
    { "0", "1", "2", "3", "4", "5", "6", "7", "8", "9" },
    { "０", "１", "２", "３", "４", "５", "６", "７", "８", "９" },
    { "〇", "一", "二", "三", "四", "五", "六", "七", "八", "九" },
};
static const char *const OTHERS[] = { "岡", "山", "ア", "x", "丁目", "\xC3\xA9", "𠮷", "号", "・・", "  " };
static const char *const SEPARATORS[] = { " ", "-", "－", "ー", "・", "\xE3\x80\x80", "." };

static bool inside(struct nz_pool *pool, const struct nz_mynum *own, struct slice text, enum nz_inside how)
{
    bool found = false;
    assert_true(err_ok(nz_number_inside(text, own, how, pool, &found)));
    return found;
}

/* Whatever digits it is written with and whatever stands around it. */
static void the_number_is_found_anywhere(void **state)
{
    struct bench *b = *state;
    struct nz_mynum *own;
    uint32_t seed = 7;
    assert_true(err_ok(nz_mynum_new(&own, b->pool, LIT(OWN))));
    for (int i = 0; i < 5000; i++) {
        struct buf t;
        buf_init(&t, 1000);
        for (uint32_t k = dice(&seed, 20); k > 0; k--)
            buf_puts(&t, OTHERS[dice(&seed, 10)]);
        for (size_t k = 0; k < 12; k++) {
            if (k && dice(&seed, 5) == 0)
                buf_puts(&t, SEPARATORS[dice(&seed, 7)]);
            buf_puts(&t, DIGITS[dice(&seed, 3)][OWN[k] - '0']);
        }
        size_t behind = t.n;
        for (uint32_t k = dice(&seed, 20); k > 0; k--)
            buf_puts(&t, OTHERS[dice(&seed, 10)]);
        assert_true(inside(b->pool, own, buf_slice(&t), NZ_INSIDE_OWN));
        assert_true(inside(b->pool, own, buf_slice(&t), NZ_INSIDE_ANY));
        /* and without it, nothing is */
        buf_drop(&t, behind);
        assert_false(inside(b->pool, own, buf_slice(&t), NZ_INSIDE_ANY));
        buf_done(&t);
    }
    nz_mynum_free(own);
}

/* As people write it, and as it comes out of other programs. */
static void the_number_in_disguise(void **state)
{
    static const char *const TEXTS[] = {
        "1234 - 5678 - 9018", "1234  5678  9018", "１２３４　－　５６７８　－　９０１８", "1234:5678|9018", "123456･789018", "1234\xE2\x80\x8B" "5678\xEF\xBB\xBF" "9018",
        "1\xE2\x80\x8D" "2345678901\xC2\xAD" "8", "1234\xE2\x80\x83" "56789018", "(1234) [5678] <9018>", "1234～5678～9018", "1234\xEF\xB8\x8F" "56789018",
        "{\"123456\":\"789018\"}", "[\"1234\",\"5678\",\"9018\"]", "[1,2,3,4,5,6,7,8,9,0,1,8]", "一二三四五六七八九零一八", "12345.6789018",
    };
    struct bench *b = *state;
    struct nz_mynum *own;
    assert_true(err_ok(nz_mynum_new(&own, b->pool, LIT(OWN))));
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        if (!inside(b->pool, own, slice_str(TEXTS[i]), NZ_INSIDE_OWN))
            fail_msg("%s", TEXTS[i]);
    nz_mynum_free(own);
}

/* Digits of something else are left alone: nobody could register a row with two dates in it otherwise. */
static void digits_that_are_no_number(void **state)
{
    static const char *const TEXTS[] = { "1234 - 5678 - 9018", "1234 5678  9018", "[\"1234\",\"5678\",\"9018\"]", "2024年1234号5678番9018", "1234x5678-9018", "1234567890181",
                                         "1234-5678;9018-0001", "1234;5678;9018", "1234:5678:9018", "1234(5678)9018" };
    static const char *const FOUND[] = { "1234-5678-9018", "x123456789018", ("1234\xE2\x80\x8B" "56789018"), "1234･5678･9018" };
    struct bench *b = *state;
    struct nz_mynum *other;
    assert_true(err_ok(nz_mynum_new(&other, b->pool, LIT("983205673214"))));
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++)
        if (inside(b->pool, other, slice_str(TEXTS[i]), NZ_INSIDE_ANY))
            fail_msg("%s", TEXTS[i]);
    for (size_t i = 0; i < sizeof FOUND / sizeof FOUND[0]; i++)
        if (!inside(b->pool, other, slice_str(FOUND[i]), NZ_INSIDE_ANY))
            fail_msg("%s", FOUND[i]);
    nz_mynum_free(other);
}

/* Eleven digits are no number, and a text that is cut anywhere is read to its end and no further. */
static void cut_texts(void **state)
{
    static const char TEXT[] = "一二三四５６７８901" "8";
    struct bench *b = *state;
    struct nz_mynum *own;
    assert_true(err_ok(nz_mynum_new(&own, b->pool, LIT(OWN))));
    for (size_t n = 0; n < sizeof TEXT - 1; n++) {
        uint8_t *exact = malloc(n ? n : 1); /* the sanitizer sees a byte too many */
        memcpy(exact, TEXT, n);
        assert_false(inside(b->pool, own, slice_of(exact, n), NZ_INSIDE_ANY));
        free(exact);
    }
    assert_true(inside(b->pool, own, slice_str(TEXT), NZ_INSIDE_OWN));
    nz_mynum_free(own);
}

/* What a refused row's result may say about whose it is. */
static void a_key_is_told_when_no_number_can_be_in_it(void **state)
{
    static const struct { const char *key; bool own, unread, told; } CASES[] = {
        { "jumin-0001000000", true, false, true },  { "123456789018", true, false, false }, { "1-2-3-4-5-6-7-8-9-0-1-8", true, false, false },
        { "123456789018", false, false, false },    { "123456789019", false, false, true }, /* its check digit is not that of a number */
        { "123456789019", false, true, false },     { "１２３４５６７８９０", false, true, false }, { "123456789", false, true, true },
        { "jumin-42", false, true, true },          { "", false, true, true },
    };
    struct bench *b = *state;
    struct nz_mynum *own;
    assert_true(err_ok(nz_mynum_new(&own, b->pool, LIT(OWN))));
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        bool told = !CASES[i].told;
        assert_true(err_ok(nz_key_tellable(slice_str(CASES[i].key), CASES[i].own ? own : NULL, CASES[i].unread, b->pool, &told)));
        if (told != CASES[i].told)
            fail_msg("%zu: %s", i, CASES[i].key);
    }
    nz_mynum_free(own);
}

#define T(t) cmocka_unit_test_setup_teardown(t, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = { T(the_number_is_found_anywhere), T(the_number_in_disguise), T(digits_that_are_no_number), T(cut_texts),
                                        T(a_key_is_told_when_no_number_can_be_in_it) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
