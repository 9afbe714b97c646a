#include "gateway/vaccine/rules.h"

#include "gateway/check/field.h"

enum { LIVE_GAP_DAYS = 27 /* = 定期接種実施要領: between two live vaccines that are injected */, FISCAL_MONTH = 4,
       LOT_LIFE_MONTHS = 120 /* no vaccine keeps for longer: a slip of the pen */ };

typedef bool broken_fn(const struct vaccine_case *c); /* the rule is broken */

/* ---- what is known ---- */

static const struct vaccine_product *product_of(const struct vaccine_case *c) { return c->dose->gtin.n ? vaccine_product(c->table, c->dose->gtin) : NULL; }

static bool has_span(struct span s) { return s.months || s.days; }

/* The fiscal year of a day begins on 1 April. */
static unsigned fiscal_year(ymd_t d) { return d / 10000 - (unsigned)(d / 100 % 100 < FISCAL_MONTH); }

/* An earlier dose of the same program, and of the same year where doses are counted by year. */
static bool of_series(const struct vaccine_case *c, const struct immun *o)
{
    return slice_eq(o->program, c->dose->program) && (!c->program->yearly || fiscal_year(o->date) == fiscal_year(c->dose->date));
}

static bool known_dose(const struct vaccine_case *c) { return c->dose->dose >= 1 && c->dose->dose <= c->program->n_doses; }

static const struct vaccine_dose *row_of(const struct vaccine_case *c) { return known_dose(c) ? &c->program->dose[c->dose->dose - 1] : NULL; }

static const struct immun *dose_of_series(const struct vaccine_case *c, unsigned dose)
{
    for (size_t i = 0; i < c->n_others; i++)
        if (of_series(c, c->others[i]) && c->others[i]->dose == dose)
            return c->others[i];
    return NULL;
}

static enum vaccine_live live_of(const struct vaccine_case *c, const struct immun *o)
{
    const struct vaccine_program *p = vaccine_program(c->table, o->program);
    return p ? p->live : VACCINE_INACTIVATED;
}

/* ---- the product ---- */

static bool gtin_check_digit(const struct vaccine_case *c) { return c->dose->gtin.n && !check_gtin(c->dose->gtin); }
static bool gtin_unknown(const struct vaccine_case *c) { return c->dose->gtin.n && check_gtin(c->dose->gtin) && !product_of(c); }

static bool product_not_of_program(const struct vaccine_case *c)
{
    const struct vaccine_product *p = product_of(c);
    for (size_t i = 0; p && i < p->n_programs; i++)
        if (p->program[i] == c->program)
            return false;
    return p != NULL;
}

static bool lot_expired(const struct vaccine_case *c) { return c->dose->expiry && c->dose->expiry < c->dose->date; }
static bool lot_not_made_yet(const struct vaccine_case *c) { return c->made && c->dose->date < c->made; }

static bool lot_expiry_far(const struct vaccine_case *c)
{
    const ymd_t last = day_add_months(c->dose->date, LOT_LIFE_MONTHS);
    return last && c->dose->expiry > last;
}

static bool lot_expiry_missing(const struct vaccine_case *c) { return !c->dose->expiry && !c->dose->overseas; }

static bool amount_unusual(const struct vaccine_case *c)
{
    const struct vaccine_product *p = product_of(c);
    return p && p->amount_ul && c->dose->amount_ul && p->amount_ul != c->dose->amount_ul;
}

/* ---- the day ---- */

static bool date_future(const struct vaccine_case *c) { return c->dose->date > c->today; }
static bool date_before_birth(const struct vaccine_case *c) { return c->birth && c->dose->date < c->birth; }

static bool age_too_young(const struct vaccine_case *c)
{
    const struct vaccine_dose *d = row_of(c);
    return c->birth && d && has_span(d->from) && c->dose->date >= c->birth && c->dose->date < age_reached(c->birth, d->from);
}

static bool age_too_old(const struct vaccine_case *c)
{
    const struct vaccine_dose *d = row_of(c);
    return c->birth && d && has_span(d->to) && c->dose->date > age_reached(c->birth, d->to);
}

/* Of two doses of a series, the later one keeps its distance, whichever is recorded first. */
static bool too_soon_in_series(const struct vaccine_case *c)
{
    const struct immun *before = c->dose->dose > 1 ? dose_of_series(c, c->dose->dose - 1) : NULL, *behind = dose_of_series(c, c->dose->dose + 1);
    const struct vaccine_dose *d = row_of(c), *next = c->dose->dose < c->program->n_doses ? &c->program->dose[c->dose->dose] : NULL;
    if (before && d && has_span(d->after) && c->dose->date < interval_over(before->date, d->after))
        return true;
    return behind && next && has_span(next->after) && behind->date < interval_over(c->dose->date, next->after);
}

static bool too_soon_after_live(const struct vaccine_case *c)
{
    static const struct span GAP = { .days = LIVE_GAP_DAYS };
    if (c->program->live != VACCINE_LIVE_INJECTED)
        return false;
    for (size_t i = 0; i < c->n_others; i++) {
        const struct immun *o = c->others[i];
        if (live_of(c, o) != VACCINE_LIVE_INJECTED || o->date == c->dose->date) /* on one day both may be given */
            continue;
        const ymd_t first = o->date < c->dose->date ? o->date : c->dose->date, second = o->date < c->dose->date ? c->dose->date : o->date;
        if (second < interval_over(first, GAP))
            return true;
    }
    return false;
}

static bool interval_too_short(const struct vaccine_case *c) { return too_soon_in_series(c) || too_soon_after_live(c); }

/* ---- the series ---- */

static bool dose_order(const struct vaccine_case *c)
{
    if (!known_dose(c) || (c->dose->dose > 1 && !dose_of_series(c, c->dose->dose - 1)))
        return true;
    for (size_t i = 0; i < c->n_others; i++) {
        const struct immun *o = c->others[i];
        if (of_series(c, o) && ((o->dose < c->dose->dose && o->date > c->dose->date) || (o->dose > c->dose->dose && o->date < c->dose->date)))
            return true;
    }
    return false;
}

static bool dose_duplicate(const struct vaccine_case *c) { return dose_of_series(c, c->dose->dose) != NULL; }

static bool same_day_duplicate(const struct vaccine_case *c)
{
    for (size_t i = 0; i < c->n_others; i++) {
        const struct immun *o = c->others[i];
        if (o->date == c->dose->date && (slice_eq(o->program, c->dose->program) || (o->gtin.n && slice_eq(o->gtin, c->dose->gtin))))
            return true;
    }
    return false;
}

/* ---- the person ---- */

static bool ended_resident(const struct vaccine_case *c) { return c->ended && c->dose->date >= c->ended; }
static bool not_consented(const struct vaccine_case *c) { return !c->dose->consented; }
static bool declared_unfit(const struct vaccine_case *c) { return c->unfit; }

static broken_fn *const BROKEN[VR__MAX] = {
    [VR_GTIN_CHECK_DIGIT] = gtin_check_digit, [VR_GTIN_UNKNOWN] = gtin_unknown, [VR_PRODUCT_NOT_OF_PROGRAM] = product_not_of_program,
    [VR_LOT_EXPIRED] = lot_expired, [VR_LOT_EXPIRY_MISSING] = lot_expiry_missing, [VR_DATE_FUTURE] = date_future, [VR_DATE_BEFORE_BIRTH] = date_before_birth,
    [VR_AGE_TOO_YOUNG] = age_too_young, [VR_AGE_TOO_OLD] = age_too_old, [VR_INTERVAL_TOO_SHORT] = interval_too_short, [VR_DOSE_ORDER] = dose_order,
    [VR_DOSE_DUPLICATE] = dose_duplicate, [VR_SAME_DAY_DUPLICATE] = same_day_duplicate, [VR_ENDED_RESIDENT] = ended_resident,
    [VR_NOT_CONSENTED] = not_consented, [VR_DECLARED_UNFIT] = declared_unfit, [VR_AMOUNT_UNUSUAL] = amount_unusual,
    [VR_LOT_NOT_MADE_YET] = lot_not_made_yet, [VR_LOT_EXPIRY_FAR] = lot_expiry_far,
};

struct vaccine_verdict vaccine_judge(const struct vaccine_case *c)
{
    struct vaccine_verdict v = { 0 };
    for (unsigned r = 0; r < VR__MAX; r++) {
        const enum vaccine_level level = c->program->level[r];
        if (level == VL_OFF || !BROKEN[r](c))
            continue;
        if (level == VL_REJECT)
            v.rejected |= 1u << r;
        else
            v.warned |= 1u << r;
    }
    return v;
}

void vaccine_rules_write(struct jsonw *w, uint32_t bits)
{
    for (unsigned r = 0; r < VR__MAX; r++) {
        const struct vaccine_rule_info *info = vaccine_rule_info((enum vaccine_rule)r);
        if (!(bits & 1u << r))
            continue;
        jsonw_object(w, NULL);
        jsonw_cstr(w, "rule", info->slug);
        jsonw_cstr(w, "field", info->field);
        jsonw_cstr(w, "message_ja", info->ja);
        jsonw_cstr(w, "message_en", info->en);
        jsonw_end_object(w);
    }
}
