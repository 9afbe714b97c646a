#include "gateway/check/field.h"

#include "gateway/base/text.h"

static bool is_control(uint8_t c) { return c < 0x20 || c == 0x7f; }

/* C0, DEL and C1 (U+0080..U+009F, which is C2 80..C2 9F). s: well-formed UTF-8. */
bool field_text_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (is_control(s.p[i]) || (s.p[i] == 0xC2 && i + 1 < s.n && s.p[i + 1] < 0xA0))
            return false;
    return true;
}

static bool alnum_class(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        uint8_t c = s.p[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && c != '-' && c != '_')
            return false;
    }
    return true;
}

static bool code_known(struct slice s, const char *words)
{
    struct slice rest = slice_str(words), word;
    while (slice_cut(rest, '|', &word, &rest))
        if (slice_eq(word, s))
            return true;
    return slice_eq(rest, s);
}

typedef enum field_rule read_fn(json_t *v, const struct field *f, struct field_value *out);

static enum field_rule take_text(json_t *v, const struct field *f, struct field_value *out)
{
    if (!json_is_string(v))
        return FR_TYPE;
    struct slice s = slice_of(json_string_value(v), json_string_length(v));
    size_t n = utf8_count(s);
    if (n < f->min || n > f->max)
        return FR_LENGTH;
    out->text = s;
    return FR_NONE;
}

static enum field_rule read_text(json_t *v, const struct field *f, struct field_value *out)
{
    enum field_rule r = take_text(v, f, out);
    return r != FR_NONE || field_text_ok(out->text) ? r : FR_CLASS;
}

static enum field_rule read_alnum(json_t *v, const struct field *f, struct field_value *out)
{
    enum field_rule r = take_text(v, f, out);
    return r != FR_NONE || alnum_class(out->text) ? r : FR_CLASS;
}

static enum field_rule read_digits(json_t *v, const struct field *f, struct field_value *out)
{
    enum field_rule r = take_text(v, f, out);
    return r != FR_NONE || all_digits(out->text) ? r : FR_CLASS;
}

static enum field_rule read_date(json_t *v, const struct field *f, struct field_value *out)
{
    (void)f;
    if (!json_is_string(v))
        return FR_TYPE;
    out->text = slice_of(json_string_value(v), json_string_length(v));
    return ymd_parse(out->text, &out->date) ? FR_NONE : FR_DATE;
}

static enum field_rule read_code(json_t *v, const struct field *f, struct field_value *out)
{
    if (!json_is_string(v))
        return FR_TYPE;
    out->text = slice_of(json_string_value(v), json_string_length(v));
    return code_known(out->text, f->words) ? FR_NONE : FR_CODE;
}

static enum field_rule read_bool(json_t *v, const struct field *f, struct field_value *out)
{
    (void)f;
    if (!json_is_boolean(v))
        return FR_TYPE;
    out->flag = json_is_true(v);
    return FR_NONE;
}

static enum field_rule read_array(json_t *v, const struct field *f, struct field_value *out)
{
    if (!json_is_array(v))
        return FR_TYPE;
    size_t n = json_array_size(v);
    if (n < f->min || n > f->max)
        return FR_LENGTH;
    for (size_t i = 0; i < n; i++)
        if (!json_is_object(json_array_get(v, i)))
            return FR_TYPE;
    out->json = v;
    return FR_NONE;
}

static enum field_rule read_any_object(json_t *v, const struct field *f, struct field_value *out)
{
    if (!json_is_object(v))
        return FR_TYPE;
    size_t n = json_object_size(v);
    if (n < f->min || n > f->max)
        return FR_LENGTH;
    out->json = v;
    return FR_NONE;
}

static read_fn *const READERS[] = {
    [FC_TEXT] = read_text, [FC_ALNUM] = read_alnum, [FC_DIGITS] = read_digits, [FC_DATE] = read_date,
    [FC_CODE] = read_code, [FC_BOOL] = read_bool,   [FC_ARRAY] = read_array,   [FC_ANY_OBJECT] = read_any_object,
};

/* CK_MYNUMBER is judged in the number zone. */
static bool (*const CHECKS[])(struct slice) = {
    [CK_NONE] = NULL, [CK_MYNUMBER] = NULL, [CK_PAYER] = check_payer, [CK_GTIN] = check_gtin, [CK_MUNI] = check_muni, [CK_INSTITUTION] = check_payer,
};

struct reader {
    const struct check_levels *levels;
    uint8_t *target;
    struct field_report *report;
};

static struct field_value *value_at(const struct reader *r, const struct field *f)
{
    return (struct field_value *)(r->target + f->offset);
}

static void clear_all(const struct reader *r, const struct field *table, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (table[i].cls == FC_OBJECT)
            clear_all(r, table[i].sub, table[i].n_sub);
        else
            *value_at(r, &table[i]) = (struct field_value){ 0 };
    }
}

static void read_one(const struct reader *r, const struct field *f, json_t *v)
{
    struct field_value got = { 0 };
    enum field_rule rule = READERS[f->cls](v, f, &got);
    if (rule != FR_NONE) {
        field_fault_add(r->report, f->name, rule);
        return;
    }
    if (CHECKS[f->check])
        field_check_judge(r->report, f->name, f->check, r->levels, CHECKS[f->check](got.text));
    got.present = true;
    *value_at(r, f) = got;
}

/* The nesting is the table's, not the sender's. */
static void read_members(const struct reader *r, json_t *obj, const struct field *table, size_t n, const char *name)
{
    if (!json_is_object(obj)) {
        field_fault_add(r->report, name, FR_TYPE);
        return;
    }
    size_t known = 0;
    for (size_t i = 0; i < n; i++) {
        json_t *v = json_object_get(obj, table[i].name);
        known += v != NULL;
        if (!v && table[i].required)
            field_fault_add(r->report, table[i].name, FR_MISSING);
        else if (v && table[i].cls == FC_OBJECT)
            read_members(r, v, table[i].sub, table[i].n_sub, table[i].name);
        else if (v)
            read_one(r, &table[i], v);
    }
    if (json_object_size(obj) > known)
        field_fault_add(r->report, "", FR_UNKNOWN);
}

bool fields_read(json_t *obj, const struct field *table, size_t n, const struct check_levels *levels, void *target,
                 struct field_report *ret_report)
{
    struct reader r = { levels, target, ret_report };
    *ret_report = (struct field_report){ 0 };
    clear_all(&r, table, n);
    read_members(&r, obj, table, n, "");
    return ret_report->n_faults == 0;
}
