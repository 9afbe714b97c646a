#include "keys/registration/form.h"

#include "gateway/base/text.h"

/* Limits marked ours stand where the published text gives none (docs/interfaces.md). */
enum {
    NAME_MAX_OURS = 100,
    ADDRESS_MAX_OURS = 300,
    KEY_MAX_OURS = 100,
    CONDITIONS_MAX_OURS = 1000,
    INSTITUTIONS_MAX_OURS = 2000,
    DETAIL_ITEMS_MAX_OURS = 100,
    MEMBERS_MAX_OURS = 64,
    INNER_TEXT_MAX_OURS = 1000,
    INNER_DEPTH_MAX_OURS = 4,
    COPAYMENT_BYTES_MAX_OURS = 4096,
    DETAIL_BYTES_MAX_OURS = 32768,
};

#define AT(member) offsetof(struct nz_values, member)

/* Which of the five are required is not published; the published sample has all. */
static const struct field BASIC_FIVE[] = {
    { "name", AT(name), FC_TEXT, 1, NAME_MAX_OURS, true, CK_NONE, NULL, NULL, 0 },
    { "nameKana", AT(kana), FC_TEXT, 0, NAME_MAX_OURS, true, CK_NONE, NULL, NULL, 0 },
    { "address", AT(address), FC_TEXT, 0, ADDRESS_MAX_OURS, true, CK_NONE, NULL, NULL, 0 },
    { "dateOfBirth", AT(birth), FC_DATE, 10, 10, true, CK_NONE, NULL, NULL, 0 },
    { "sex", AT(sex), FC_DIGITS, 1, 1, true, CK_NONE, NULL, NULL, 0 },
};

/* in_history: required where the history form requires it. The names behind the first seven are published for that form only;
 * the other form takes them as optional. */
#define FORM_FIELDS(in_history)                                                                                       \
    { "orgSpecificCertificateTypeId", AT(type_id), FC_ALNUM, 1, 50, true, CK_NONE, NULL, NULL, 0 },                   \
    { "myNumber", AT(number), FC_DIGITS, 12, 12, true, CK_MYNUMBER, NULL, NULL, 0 },                                  \
    { "basicFiveInfo", 0, FC_OBJECT, 0, 0, true, CK_NONE, NULL, BASIC_FIVE, sizeof BASIC_FIVE / sizeof BASIC_FIVE[0] }, \
    { "isNotDisclosed", AT(not_disclosed), FC_BOOL, 0, 0, true, CK_NONE, NULL, NULL, 0 },                             \
    { "medicalSubsidyInsurerNumber", AT(insurer), FC_DIGITS, 8, 8, false, CK_PAYER, NULL, NULL, 0 },                  \
    { "certificationName", AT(certification), FC_TEXT, 0, 100, false, CK_NONE, NULL, NULL, 0 },                       \
    { "medicalSubsidyRecipientNumber", AT(recipient), FC_TEXT, 0, 30, false, CK_NONE, NULL, NULL, 0 },                \
    { "certificationSubKey", AT(sub_key), FC_TEXT, 0, KEY_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },                  \
    { "segment", AT(segment), FC_TEXT, 0, KEY_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },                              \
    { "incomeSegment", AT(income), FC_TEXT, 0, KEY_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },                         \
    { "additionalConditions", AT(conditions), FC_TEXT, 0, CONDITIONS_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },       \
    { "designatedMedicalInstitutions", AT(institutions), FC_TEXT, 0, INSTITUTIONS_MAX_OURS, false, CK_NONE, NULL, NULL, 0 }, \
    { "isAlwaysReimbursement", AT(always), FC_CODE, 0, 0, in_history, CK_NONE, "0|1", NULL, 0 },                      \
    { "maxCopaymentAmount", AT(copayment), FC_ANY_OBJECT, 0, MEMBERS_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },       \
    { "validFrom", AT(from), FC_DATE, 10, 10, in_history, CK_NONE, NULL, NULL, 0 },                                   \
    { "validTo", AT(to), FC_DATE, 10, 10, in_history, CK_NONE, NULL, NULL, 0 },                                       \
    { "historyKey", AT(history_key), FC_TEXT, 1, KEY_MAX_OURS, in_history, CK_NONE, NULL, NULL, 0 },                  \
    { "isDeleted", AT(deleted), FC_BOOL, 0, 0, in_history, CK_NONE, NULL, NULL, 0 },                                  \
    { "certificationDetail", AT(detail), FC_ARRAY, 0, DETAIL_ITEMS_MAX_OURS, in_history, CK_NONE, NULL, NULL, 0 },    \
    { "municipalityIdentityKey", AT(resident_key), FC_TEXT, 1, 100, false, CK_NONE, NULL, NULL, 0 }

static const struct field SUBJECT_FIELDS[] = { FORM_FIELDS(false) };
static const struct field HISTORY_FIELDS[] = { FORM_FIELDS(true) };

enum { N_FIELDS = sizeof SUBJECT_FIELDS / sizeof SUBJECT_FIELDS[0] };

static const struct field *const FORMS[] = { [NZ_FORM_SUBJECT] = SUBJECT_FIELDS, [NZ_FORM_HISTORY] = HISTORY_FIELDS };

/* item code "-" condition code, joined by ";" */
static bool conditions_ok(struct slice s)
{
    struct slice rest = s, part, left, right;
    bool more = s.n > 0;
    while (more) {
        more = slice_cut(rest, ';', &part, &rest);
        if (!more)
            part = rest;
        if (!slice_cut(part, '-', &left, &right) || left.n == 0 || right.n == 0)
            return false;
    }
    return true;
}

static enum field_rule inner_rule(json_t *v, unsigned depth);

static enum field_rule inner_text(struct slice s, size_t max)
{
    if (utf8_count(s) > max)
        return FR_LENGTH;
    return field_text_ok(s) ? FR_NONE : FR_CLASS;
}

static enum field_rule inner_object(json_t *v, unsigned depth)
{
    const char *key;
    json_t *member;
    if (json_object_size(v) > MEMBERS_MAX_OURS)
        return FR_LENGTH;
    json_object_foreach(v, key, member) {
        enum field_rule r = inner_text(slice_str(key), KEY_MAX_OURS);
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
    if (n > DETAIL_ITEMS_MAX_OURS)
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
        return inner_text(slice_of(json_string_value(v), json_string_length(v)), INNER_TEXT_MAX_OURS);
    if (json_is_number(v) || json_is_boolean(v))
        return FR_NONE;
    if (json_is_null(v))
        return FR_TYPE;
    if (depth > INNER_DEPTH_MAX_OURS)
        return FR_LENGTH;
    return json_is_object(v) ? inner_object(v, depth) : inner_array(v, depth);
}

static void judge_inner(struct field_report *r, const char *field, const struct field_value *v, size_t bytes_max)
{
    if (!v->present)
        return;
    enum field_rule rule = inner_rule(v->json, 0);
    if (rule == FR_NONE && json_dumpb(v->json, NULL, 0, JSON_COMPACT) > bytes_max)
        rule = FR_LENGTH;
    if (rule != FR_NONE)
        field_fault_add(r, field, rule);
}

bool nz_form_read(enum nz_form form, json_t *obj, const struct check_levels *levels, struct nz_values *ret_v,
                  struct field_report *ret_report)
{
    struct field_report *r = ret_report;
    fields_read(obj, FORMS[form], N_FIELDS, levels, ret_v, r);
    if (ret_v->from.present && ret_v->to.present && ret_v->from.date > ret_v->to.date)
        field_fault_add(r, "validTo", FR_RANGE);
    if (ret_v->conditions.present && !conditions_ok(ret_v->conditions.text))
        field_fault_add(r, "additionalConditions", FR_CODE);
    judge_inner(r, "maxCopaymentAmount", &ret_v->copayment, COPAYMENT_BYTES_MAX_OURS);
    judge_inner(r, "certificationDetail", &ret_v->detail, DETAIL_BYTES_MAX_OURS);
    return r->n_faults == 0;
}
