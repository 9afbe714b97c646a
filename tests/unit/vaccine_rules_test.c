/* The rules of a dose: each one broken alone, at its last good day and the day after; levels by program. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>

#include "gateway/vaccine/rules.h"

#define TODAY 20261121
#define BIT(rule) (1u << (rule))
enum { OTHERS_MAX = 8 };

static int set_up(void **state)
{
    struct vaccine_table *t;
    assert_int_equal(vaccine_table_load(&t, SHIPPED).code, E_OK);
    *state = t;
    return 0;
}

static int tear_down(void **state)
{
    vaccine_table_free(*state);
    return 0;
}

struct given { const char *program; unsigned dose; ymd_t date; };

struct situation {
    struct given now;
    ymd_t birth, ended, expiry, made;
    const char *gtin;          /* NULL: none */
    uint32_t amount_ul;
    bool refused, unfit, overseas;
    struct given others[OTHERS_MAX];
    uint32_t rejected, warned;
};

static struct immun dose_of(const struct given *g)
{
    return (struct immun){ .status = IMMUN_COMPLETED, .muni = "33100", .program = slice_str(g->program), .dose = g->dose, .date = g->date, .consented = true };
}

static void check(const struct vaccine_table *t, const char *name, const struct situation *s)
{
    struct immun dose = dose_of(&s->now), other[OTHERS_MAX];
    const struct immun *others[OTHERS_MAX];
    size_t n = 0;
    for (; n < OTHERS_MAX && s->others[n].program; n++) {
        other[n] = dose_of(&s->others[n]);
        others[n] = &other[n];
    }
    dose.gtin = slice_str(s->gtin);
    dose.expiry = s->expiry ? s->expiry : s->now.date + 10000;
    dose.amount_ul = s->amount_ul;
    dose.consented = !s->refused;
    dose.overseas = s->overseas;
    const struct vaccine_case c = { .table = t, .program = vaccine_program(t, dose.program), .dose = &dose, .others = others, .n_others = n,
                                    .today = TODAY, .birth = s->birth, .ended = s->ended, .unfit = s->unfit, .made = s->made };
    assert_non_null(c.program);
    const struct vaccine_verdict v = vaccine_judge(&c);
    if (v.rejected != s->rejected || v.warned != s->warned)
        fail_msg("%s: rejected %x, not %x; warned %x, not %x", name, v.rejected, s->rejected, v.warned, s->warned);
}

#define CHECK(name, ...) check(*state, name, &(struct situation){ __VA_ARGS__ })
#define MR_GTIN "14599990000075"
#define BCG_GTIN "14599990000068"

static void test_a_good_dose_breaks_nothing(void **state)
{
    CHECK("first", .now = { "mr-1", 1, TODAY }, .birth = 20250601, .gtin = MR_GTIN, .amount_ul = 500, .expiry = TODAY);
    CHECK("birth not known", .now = { "mr-1", 1, TODAY });
    CHECK("a product of two periods", .now = { "mr-2", 1, TODAY }, .birth = 20210401, .gtin = MR_GTIN);
}

static void test_products(void **state)
{
    CHECK("check digit", .now = { "mr-1", 1, TODAY }, .gtin = "14599990000076", .rejected = BIT(VR_GTIN_CHECK_DIGIT));
    CHECK("unknown", .now = { "mr-1", 1, TODAY }, .gtin = "04987035184614", .warned = BIT(VR_GTIN_UNKNOWN));
    CHECK("of another program", .now = { "mr-1", 1, TODAY }, .gtin = BCG_GTIN, .rejected = BIT(VR_PRODUCT_NOT_OF_PROGRAM));
    CHECK("made that day", .now = { "mr-1", 1, TODAY }, .made = TODAY);
    CHECK("made later", .now = { "mr-1", 1, TODAY - 1 }, .made = TODAY, .rejected = BIT(VR_LOT_NOT_MADE_YET));
    CHECK("expiry in ten years", .now = { "mr-1", 1, TODAY }, .expiry = TODAY + 100000);
    CHECK("expiry behind that", .now = { "mr-1", 1, TODAY }, .expiry = TODAY + 100001, .warned = BIT(VR_LOT_EXPIRY_FAR));
    CHECK("amount", .now = { "mr-1", 1, TODAY }, .gtin = MR_GTIN, .amount_ul = 250, .warned = BIT(VR_AMOUNT_UNUSUAL));
    CHECK("amount without a usual one", .now = { "bcg", 1, TODAY }, .gtin = BCG_GTIN, .amount_ul = 1);
    CHECK("expired the day before", .now = { "mr-1", 1, TODAY }, .expiry = 20261120, .rejected = BIT(VR_LOT_EXPIRED));
}

static void test_an_expiry_may_be_missing_abroad_only(void **state)
{
    struct immun dose = dose_of(&(struct given){ "mr-1", 1, TODAY });
    struct vaccine_case c = { .table = *state, .program = vaccine_program(*state, dose.program), .dose = &dose, .today = TODAY };
    assert_int_equal(vaccine_judge(&c).warned, BIT(VR_LOT_EXPIRY_MISSING));
    dose.overseas = true;
    assert_int_equal(vaccine_judge(&c).warned, 0);
}

static void test_ages(void **state)
{
    CHECK("one year old today: its birthday is tomorrow", .now = { "mr-1", 1, TODAY }, .birth = 20251122);
    CHECK("a day too young", .now = { "mr-1", 1, TODAY }, .birth = 20251123, .rejected = BIT(VR_AGE_TOO_YOUNG));
    CHECK("the last day: two tomorrow", .now = { "mr-1", 1, TODAY }, .birth = 20241122);
    CHECK("the day after the last", .now = { "mr-1", 1, TODAY }, .birth = 20241121, .rejected = BIT(VR_AGE_TOO_OLD));
    CHECK("born on a leap day, four on 28 February 2028", .now = { "varicella", 1, 20270227 }, .birth = 20240229, .rejected = BIT(VR_DATE_FUTURE));
    CHECK("six weeks, by days", .now = { "rotavirus-1", 1, 20250212 }, .birth = 20250101);
    CHECK("a day before six weeks", .now = { "rotavirus-1", 1, 20250211 }, .birth = 20250101, .rejected = BIT(VR_AGE_TOO_YOUNG));
    CHECK("24 weeks are the last day", .now = { "rotavirus-1", 1, 20250618 }, .birth = 20250101);
    CHECK("24 weeks and a day", .now = { "rotavirus-1", 1, 20250619 }, .birth = 20250101, .rejected = BIT(VR_AGE_TOO_OLD));
    CHECK("a warning where the program says so", .now = { "shingles", 1, TODAY }, .birth = 19630101, .warned = BIT(VR_AGE_TOO_YOUNG));
    CHECK("tomorrow", .now = { "mr-1", 1, 20261122 }, .rejected = BIT(VR_DATE_FUTURE));
    CHECK("before birth", .now = { "mr-1", 1, TODAY }, .birth = 20261122, .rejected = BIT(VR_DATE_BEFORE_BIRTH));
}

static void test_intervals(void **state)
{
    CHECK("27 days between", .now = { "hepatitis-b", 2, 20261029 }, .others = { { "hepatitis-b", 1, 20261001 } });
    CHECK("26 days between", .now = { "hepatitis-b", 2, 20261028 }, .others = { { "hepatitis-b", 1, 20261001 } }, .rejected = BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("six months", .now = { "japanese-encephalitis", 3, 20260831 },
          .others = { { "japanese-encephalitis", 1, 20260201 }, { "japanese-encephalitis", 2, 20260228 } });
    CHECK("a day less", .now = { "japanese-encephalitis", 3, 20260827 },
          .others = { { "japanese-encephalitis", 1, 20260201 }, { "japanese-encephalitis", 2, 20260228 } }, .rejected = BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("a corrected first dose comes too near to the second", .now = { "hepatitis-b", 1, 20261002 }, .others = { { "hepatitis-b", 2, 20261029 } },
          .rejected = BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("two live vaccines, 27 days between", .now = { "mr-1", 1, 20261029 }, .others = { { "bcg", 1, 20261001 } });
    CHECK("26 days", .now = { "mr-1", 1, 20261028 }, .others = { { "bcg", 1, 20261001 } }, .rejected = BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("the other one recorded later", .now = { "mr-1", 1, 20261001 }, .others = { { "bcg", 1, 20261010 } }, .rejected = BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("both on one day", .now = { "mr-1", 1, 20261001 }, .others = { { "bcg", 1, 20261001 } });
    CHECK("oral is no injection", .now = { "mr-1", 1, 20261002 }, .others = { { "rotavirus-1", 1, 20261001 } });
    CHECK("inactivated after live", .now = { "hepatitis-b", 1, 20261002 }, .others = { { "bcg", 1, 20261001 } });
}

static void test_series(void **state)
{
    CHECK("second without first", .now = { "hepatitis-b", 2, TODAY }, .rejected = BIT(VR_DOSE_ORDER));
    CHECK("more than the program has", .now = { "mr-1", 2, TODAY }, .others = { { "mr-1", 1, 20260101 } }, .rejected = BIT(VR_DOSE_ORDER));
    CHECK("before the first", .now = { "hepatitis-b", 2, 20260101 }, .others = { { "hepatitis-b", 1, 20260301 } },
          .rejected = BIT(VR_DOSE_ORDER) | BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("recorded already", .now = { "hepatitis-b", 1, TODAY }, .others = { { "hepatitis-b", 1, 20260101 } }, .rejected = BIT(VR_DOSE_DUPLICATE));
    CHECK("the same day", .now = { "hepatitis-b", 2, TODAY }, .others = { { "hepatitis-b", 1, TODAY } },
          .rejected = BIT(VR_SAME_DAY_DUPLICATE) | BIT(VR_INTERVAL_TOO_SHORT));
    CHECK("each fiscal year anew", .now = { "influenza-elderly", 1, 20260401 }, .birth = 19500101, .others = { { "influenza-elderly", 1, 20260331 } });
    CHECK("twice in one", .now = { "influenza-elderly", 1, 20261101 }, .birth = 19500101, .others = { { "influenza-elderly", 1, 20260401 } },
          .rejected = BIT(VR_DOSE_DUPLICATE));
}

static void test_the_person(void **state)
{
    CHECK("the day before the end", .now = { "mr-1", 1, 20261031 }, .ended = 20261101);
    CHECK("the day of the end", .now = { "mr-1", 1, 20261101 }, .ended = 20261101, .rejected = BIT(VR_ENDED_RESIDENT));
    CHECK("no consent", .now = { "mr-1", 1, TODAY }, .refused = true, .rejected = BIT(VR_NOT_CONSENTED));
    CHECK("unfit", .now = { "mr-1", 1, TODAY }, .unfit = true, .rejected = BIT(VR_DECLARED_UNFIT));
}

static void test_rules_are_written_with_their_fields(void **state)
{
    struct buf out;
    struct jsonw w;
    (void)state;
    buf_init(&out, 4096);
    jsonw_init(&w, &out);
    jsonw_array(&w, NULL);
    vaccine_rules_write(&w, BIT(VR_LOT_EXPIRED));
    jsonw_end_array(&w);
    assert_true(slice_starts(buf_slice(&out), LIT("[{\"rule\":\"lot_expired\",\"field\":\"expirationDate\",\"message_ja\":")));
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_good_dose_breaks_nothing),
        cmocka_unit_test(test_products),
        cmocka_unit_test(test_an_expiry_may_be_missing_abroad_only),
        cmocka_unit_test(test_ages),
        cmocka_unit_test(test_intervals),
        cmocka_unit_test(test_series),
        cmocka_unit_test(test_the_person),
        cmocka_unit_test(test_rules_are_written_with_their_fields),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
