#include "mocks/synth/household.h"

#include <stdio.h>

#include "mocks/synth/digits.h"

enum { YEAR_DAYS = 365, PERMILLE = 1000 };

/* Out of 1000. */
enum { VARIANT_NAME = 60, NOT_DISCLOSED = 8, SINGLE_PARENT = 160, DISABLED = 90, APARTMENT = 350 };

static ymd_t born_before(struct prng *p, ymd_t on, unsigned days_min, unsigned days_max)
{
    return ymd_from_days(ymd_to_days(on) - (int64_t)prng_between(p, days_min, days_max));
}

static const struct name *pick(struct prng *p, const struct name *table, unsigned n) { return &table[prng_below(p, n)]; }

static void add_member(struct household *h, struct prng *p, enum member_role role, ymd_t birth, bool old)
{
    char sex = prng_below(p, 2) ? '1' : '2';
    const struct name *given = old ? sex == '1' ? pick(p, NAMES_MAN, NAMES_MAN_N) : pick(p, NAMES_WOMAN, NAMES_WOMAN_N)
                             : sex == '1' ? pick(p, NAMES_BOY, NAMES_BOY_N) : pick(p, NAMES_GIRL, NAMES_GIRL_N);
    h->members[h->n++] = (struct member){ role, birth, sex, given };
}

/* One to three children up to the age of 17; brothers and sisters are at least a year and a half apart. */
static void add_children(struct household *h, struct prng *p, enum member_role role, ymd_t on)
{
    static const unsigned HOW_MANY[] = { 1, 1, 1, 2, 2, 2, 2, 3 };
    unsigned n = HOW_MANY[prng_below(p, sizeof HOW_MANY / sizeof *HOW_MANY)];
    unsigned age_max = 17 * YEAR_DAYS, age = (unsigned)prng_between(p, 20, age_max - 2 * 600);
    for (unsigned i = 0; i < n && age <= age_max; i++) {
        add_member(h, p, role, ymd_from_days(ymd_to_days(on) - age), false);
        age += (unsigned)prng_between(p, 550, 1400);
    }
}

static void address_fill(struct household *h, struct prng *p, const struct city *city)
{
    unsigned wards = 0;
    while (city->wards[wards])
        wards++;
    const char *ward = wards ? city->wards[prng_below(p, wards)] : "";
    const char *town = CITY_TOWNS[prng_below(p, CITY_TOWNS_N)];
    unsigned a = (unsigned)prng_between(p, 1, 9), b = (unsigned)prng_between(p, 1, 38), c = (unsigned)prng_between(p, 1, 24);
    if (prng_chance(p, APARTMENT))
        snprintf(h->address, sizeof h->address, "%s%s%s%u-%u-%u %s%u号室", city->prefix, ward, town, a, b, c,
                 CITY_BUILDINGS[prng_below(p, CITY_BUILDINGS_N)], (unsigned)(prng_between(p, 1, 12) * 100 + prng_between(p, 1, 9)));
    else
        snprintf(h->address, sizeof h->address, "%s%s%s%u-%u-%u", city->prefix, ward, town, a, b, c);
}

void household_fill(struct household *h, struct prng *p, const struct city *city, ymd_t on)
{
    *h = (struct household){ .n = 0 };
    h->family = prng_chance(p, VARIANT_NAME) ? pick(p, NAMES_VARIANT, NAMES_VARIANT_N) : pick(p, NAMES_FAMILY, NAMES_FAMILY_N);
    h->not_disclosed = prng_chance(p, NOT_DISCLOSED);
    address_fill(h, p, city);
    unsigned kind = (unsigned)prng_below(p, PERMILLE);
    if (kind < SINGLE_PARENT) {
        add_member(h, p, ROLE_SINGLE_PARENT, born_before(p, on, 26 * YEAR_DAYS, 52 * YEAR_DAYS), false);
        add_children(h, p, ROLE_SINGLE_CHILD, on);
    } else if (kind < SINGLE_PARENT + DISABLED) {
        add_member(h, p, ROLE_DISABLED, born_before(p, on, 21 * YEAR_DAYS, 90 * YEAR_DAYS), true);
    } else {
        add_children(h, p, ROLE_CHILD, on);
    }
}
