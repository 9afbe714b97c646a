/* 医療費助成. Limits marked ours stand where the published text gives none (docs/interfaces.md). */
#include "keys/registration/form.h"

enum { NAME_MAX_OURS = 100, ADDRESS_MAX_OURS = 300, KEY_MAX_OURS = 100, CONDITIONS_MAX_OURS = 1000, INSTITUTIONS_MAX_OURS = 2000 };

#define AT(member) offsetof(struct nz_values, member)

/* Which of the five are required is not published; the published sample has all. */
const struct field nz_form__basic[NZ_BASIC_FIELDS] = {
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
    { "basicFiveInfo", 0, FC_OBJECT, 0, 0, true, CK_NONE, NULL, nz_form__basic, NZ_BASIC_FIELDS },                    \
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
    { "maxCopaymentAmount", AT(copayment), FC_ANY_OBJECT, 0, NZ_INNER_MEMBERS_MAX, false, CK_NONE, NULL, NULL, 0 },   \
    { "validFrom", AT(from), FC_DATE, 10, 10, in_history, CK_NONE, NULL, NULL, 0 },                                   \
    { "validTo", AT(to), FC_DATE, 10, 10, in_history, CK_NONE, NULL, NULL, 0 },                                       \
    { "historyKey", AT(history_key), FC_TEXT, 1, KEY_MAX_OURS, in_history, CK_NONE, NULL, NULL, 0 },                  \
    { "isDeleted", AT(deleted), FC_BOOL, 0, 0, in_history, CK_NONE, NULL, NULL, 0 },                                  \
    { "certificationDetail", AT(detail), FC_ARRAY, 0, NZ_INNER_ITEMS_MAX, in_history, CK_NONE, NULL, NULL, 0 },       \
    { "municipalityIdentityKey", AT(resident_key), FC_TEXT, 1, 100, false, CK_NONE, NULL, NULL, 0 }

static const struct field SUBJECT_FIELDS[] = { FORM_FIELDS(false) };
static const struct field HISTORY_FIELDS[] = { FORM_FIELDS(true) };

static const struct nz_kept KEPT[] = {
    { "orgSpecificCertificateTypeId", AT(type_id), NZ_INSIDE_OWN },
    { "name", AT(name), NZ_INSIDE_ANY },
    { "nameKana", AT(kana), NZ_INSIDE_ANY },
    { "address", AT(address), NZ_INSIDE_ANY },
    { "certificationName", AT(certification), NZ_INSIDE_ANY },
    { "medicalSubsidyRecipientNumber", AT(recipient), NZ_INSIDE_OWN },
    { "certificationSubKey", AT(sub_key), NZ_INSIDE_OWN },
    { "segment", AT(segment), NZ_INSIDE_ANY },
    { "incomeSegment", AT(income), NZ_INSIDE_ANY },
    { "additionalConditions", AT(conditions), NZ_INSIDE_ANY },
    { "designatedMedicalInstitutions", AT(institutions), NZ_INSIDE_ANY },
    { "maxCopaymentAmount", AT(copayment), NZ_INSIDE_ANY },
    { "historyKey", AT(history_key), NZ_INSIDE_OWN },
    { "certificationDetail", AT(detail), NZ_INSIDE_ANY },
    { "municipalityIdentityKey", AT(resident_key), NZ_INSIDE_OWN },
};

#define LEAD(name) LITERAL_SLICE(",\"" name "\":")
#define LITERAL_SLICE(s) { (const uint8_t *)("" s), sizeof("" s) - 1 }

static const struct nz_member MEMBERS[] = {
    { LEAD("certificationName"), AT(certification), NZ_PUT_TEXT },
    { LEAD("medicalSubsidyInsurerNumber"), AT(insurer), NZ_PUT_TEXT },
    { LEAD("medicalSubsidyRecipientNumber"), AT(recipient), NZ_PUT_TEXT },
    { LEAD("segment"), AT(segment), NZ_PUT_TEXT },
    { LEAD("incomeSegment"), AT(income), NZ_PUT_TEXT },
    { LEAD("additionalConditions"), AT(conditions), NZ_PUT_TEXT },
    { LEAD("designatedMedicalInstitutions"), AT(institutions), NZ_PUT_TEXT },
    { LEAD("isAlwaysReimbursement"), AT(always), NZ_PUT_TEXT },
    { LEAD("maxCopaymentAmount"), AT(copayment), NZ_PUT_JSON },
    { LEAD("validFrom"), AT(from), NZ_PUT_TEXT },
    { LEAD("validTo"), AT(to), NZ_PUT_TEXT },
    { LEAD("certificationSubKey"), AT(sub_key), NZ_PUT_TEXT },
    { LEAD("certificationDetail"), AT(detail), NZ_PUT_JSON },
};

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

static void judge(const struct nz_values *v, struct field_report *r)
{
    if (v->from.present && v->to.present && v->from.date > v->to.date)
        field_fault_add(r, "validTo", FR_RANGE);
    if (v->conditions.present && !conditions_ok(v->conditions.text))
        field_fault_add(r, "additionalConditions", FR_CODE);
    if (v->copayment_inner != FR_NONE)
        field_fault_add(r, "maxCopaymentAmount", v->copayment_inner);
    if (v->detail_inner != FR_NONE)
        field_fault_add(r, "certificationDetail", v->detail_inner);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TABLE(fields) { fields, COUNT(fields), KEPT, COUNT(KEPT), MEMBERS, COUNT(MEMBERS), judge }

const struct nz_form_table nz_form__subject = TABLE(SUBJECT_FIELDS), nz_form__history = TABLE(HISTORY_FIELDS);
