#include "gateway/base/text.h"
#include "gateway/check/digit_mark.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/questionnaire/template_int.h"

enum { DIGITS_REFUSED = 12, WHOLE_MAX = 6, FRACTION_MAX = 3 };

const char *qt_type_name(enum qt_type t)
{
    static const char *const NAMES[QT_TYPE__MAX] = {
        [QT_YES_NO] = "yes_no", [QT_CHOICE] = "choice", [QT_NUMBER] = "number", [QT_DATE] = "date", [QT_TEXT] = "text" };
    return (unsigned)t < QT_TYPE__MAX ? NAMES[t] : "";
}

bool qt_twelve_digits(struct slice s)
{
    unsigned digits = 0, gaps = 0;
    while (s.n) {
        size_t digit = digit_mark(s), gap = digit ? 0 : gap_mark(s), step = digit ? digit : gap ? gap : 1;
        struct slice used;
        if (digit) {
            gaps = 0;
            if (++digits == DIGITS_REFUSED)
                return true;
        } else if (!gap || ++gaps > 1) {
            digits = gaps = 0;
        }
        if (!slice_take(&s, step, &used))
            return false;
    }
    return false;
}

bool qt__decimal(struct slice s, int64_t *ret_thousandths)
{
    struct slice whole = s, fraction = SLICE_NONE;
    bool minus = s.n && *s.p == '-', point = slice_cut(s, '.', &whole, &fraction);
    struct slice sign;
    if (minus && !slice_take(&whole, 1, &sign))
        return false;
    if (whole.n < 1 || whole.n > WHOLE_MAX || !all_digits(whole) || (whole.n > 1 && *whole.p == '0') || fraction.n > FRACTION_MAX || !all_digits(fraction) ||
        (point && fraction.n == 0))
        return false;
    int64_t v = 0;
    for (size_t i = 0; i < whole.n; i++)
        v = 10 * v + (whole.p[i] - '0');
    for (size_t i = 0; i < FRACTION_MAX; i++)
        v = 10 * v + (i < fraction.n ? fraction.p[i] - '0' : 0);
    if (minus && v == 0)
        return false;
    *ret_thousandths = minus ? -v : v;
    return true;
}

static bool is_choice(const struct qt_item *item, struct slice value)
{
    for (size_t i = 0; i < item->n_choices; i++)
        if (slice_eq(item->choices[i].id, value))
            return true;
    return false;
}

static enum field_rule text_judge(struct slice value)
{
    size_t n = utf8_count(value);
    if (n < 1 || n > SHEET_VALUE_MAX)
        return FR_LENGTH;
    if (!field_text_ok(value))
        return FR_CLASS;
    return qt_twelve_digits(value) ? FR_NUMBER_INSIDE : FR_NONE;
}

enum field_rule qt_value_judge(const struct qt_item *item, struct slice value)
{
    int64_t number;
    ymd_t day;
    switch (item->type) {
    case QT_YES_NO: return slice_eq(value, LIT("yes")) || slice_eq(value, LIT("no")) ? FR_NONE : FR_CODE;
    case QT_CHOICE: return is_choice(item, value) ? FR_NONE : FR_CODE;
    case QT_NUMBER: return qt__decimal(value, &number) ? FR_NONE : FR_CLASS;
    case QT_DATE: return ymd_parse(value, &day) ? FR_NONE : FR_DATE;
    case QT_TEXT: return text_judge(value);
    case QT_TYPE__MAX: break;
    }
    return FR_TYPE;
}

void qt_fault_add(struct qt_report *r, int item, const char *field, enum field_rule rule)
{
    if (r->n < QT_FAULTS_MAX)
        r->faults[r->n++] = (struct qt_fault){ item, field, rule };
}

void qt_report_write(struct jsonw *w, void *report)
{
    const struct qt_report *r = report;
    jsonw_array(w, "errors");
    for (unsigned i = 0; i < r->n; i++) {
        const struct qt_fault *f = &r->faults[i];
        jsonw_object(w, NULL);
        if (f->item != QT_NO_ITEM)
            jsonw_u64(w, "item", (uint64_t)f->item);
        jsonw_cstr(w, "field", f->field);
        jsonw_cstr(w, "rule", field_rule_slug(f->rule));
        jsonw_cstr(w, "message_ja", field_rule_ja(f->rule));
        jsonw_cstr(w, "message_en", field_rule_en(f->rule));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}
