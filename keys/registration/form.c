#include "keys/registration/form.h"

#include "gateway/base/text.h"

static const struct nz_form_info INFOS[NZ_FORM__MAX] = {
#define X(sym, operation, path, layout, kind) [sym] = { operation, path, layout, kind },
    NZ_FORMS(X)
#undef X
};

const struct nz_form_info *nz_form_info(enum nz_form form) { return &INFOS[(unsigned)form < NZ_FORM__MAX ? form : NZ_FORM_SUBJECT]; }

bool nz_form_by_operation(struct slice operation, enum nz_form *ret_form)
{
    for (int i = 0; i < NZ_FORM__MAX; i++) {
        if (slice_eq(operation, slice_str(INFOS[i].operation))) {
            *ret_form = (enum nz_form)i;
            return true;
        }
    }
    return false;
}

const struct nz_form_table *nz_form_table(enum nz_form form)
{
    static const struct nz_form_table ELSEWHERE = { 0 };
    static const struct nz_form_table *const TABLES[NZ_FORM__MAX] = {
        [NZ_FORM_SUBJECT] = &nz_form__subject,         [NZ_FORM_HISTORY] = &nz_form__history, [NZ_FORM_CHECKUP] = &nz_form__checkup,
        [NZ_FORM_VACCINATION] = &nz_form__vaccination, [NZ_FORM_TICKET] = &nz_form__ticket,
        [NZ_FORM_INQUIRY] = &ELSEWHERE, /* keys/inquiry/form.h: asks, and registers nothing */
        [NZ_FORM_CHANGE] = &ELSEWHERE, /* keys/change/form.h: its rows do not become records */
    };
    return (unsigned)form < NZ_FORM__MAX ? TABLES[form] : &ELSEWHERE;
}

/* ---- objects and arrays whose inner fields are not published ---- */

static enum field_rule inner_rule(json_t *v, unsigned depth);

enum field_rule nz_form_inner_text(struct slice s, size_t max)
{
    if (utf8_count(s) > max)
        return FR_LENGTH;
    return field_text_ok(s) ? FR_NONE : FR_CLASS;
}

static enum field_rule inner_object(json_t *v, unsigned depth)
{
    const char *key;
    json_t *member;
    if (json_object_size(v) > NZ_INNER_MEMBERS_MAX)
        return FR_LENGTH;
    json_object_foreach(v, key, member) {
        enum field_rule r = nz_form_inner_text(slice_str(key), NZ_INNER_NAME_MAX);
        if (r == FR_NONE)
            r = inner_rule(member, depth + 1);
        if (r != FR_NONE)
            return r;
    }
    return FR_NONE;
}

static enum field_rule inner_array(json_t *v, unsigned depth)
{
    size_t n = json_array_size(v);
    if (n > NZ_INNER_ITEMS_MAX)
        return FR_LENGTH;
    for (size_t i = 0; i < n; i++) {
        enum field_rule r = inner_rule(json_array_get(v, i), depth + 1);
        if (r != FR_NONE)
            return r;
    }
    return FR_NONE;
}

static enum field_rule inner_rule(json_t *v, unsigned depth)
{
    if (json_is_string(v))
        return nz_form_inner_text(slice_of(json_string_value(v), json_string_length(v)), NZ_INNER_TEXT_MAX);
    if (json_is_number(v) || json_is_boolean(v))
        return FR_NONE;
    if (json_is_null(v))
        return FR_TYPE;
    if (depth > NZ_INNER_DEPTH_MAX)
        return FR_LENGTH;
    return json_is_object(v) ? inner_object(v, depth) : inner_array(v, depth);
}

/* A value that is refused is like one that was not read: nobody writes it out. */
static enum field_rule inner_of(struct field_value *v, size_t bytes_max)
{
    if (!v->present)
        return FR_NONE;
    enum field_rule rule = inner_rule(v->json, 0);
    if (rule == FR_NONE && json_dumpb(v->json, NULL, 0, JSON_COMPACT) > bytes_max)
        rule = FR_LENGTH;
    v->present = rule == FR_NONE;
    return rule;
}

bool nz_form_read(enum nz_form form, json_t *obj, const struct check_levels *levels, struct nz_values *ret_v, struct field_report *ret_report)
{
    const struct nz_form_table *t = nz_form_table(form);
    *ret_v = (struct nz_values){ 0 };
    fields_read(obj, t->fields, t->n_fields, levels, ret_v, ret_report);
    ret_v->copayment_inner = inner_of(&ret_v->copayment, NZ_COPAYMENT_BYTES_MAX);
    ret_v->detail_inner = inner_of(&ret_v->detail, NZ_DETAIL_BYTES_MAX);
    t->judge(ret_v, ret_report);
    return ret_report->n_faults == 0;
}
