/* The forms with modificationSeg: "1" registers or updates, "2" removes. One table each for both, because a file has the same columns in every
 * row; what a modification needs is judged behind it. Published: the first three fields of the checkup form. The rest is ours (docs/interfaces.md). */
#include "keys/registration/form.h"

enum { KEY_MAX_OURS = 100, NAME_MAX_OURS = 100, SEGMENT_MAX_OURS = 100, ID_MAX_OURS = 50, TICKET_MAX_OURS = 30 };

#define AT(member) offsetof(struct nz_values, member)

#define HEAD_FIELDS                                                                                                   \
    { "modificationSeg", AT(modification), FC_CODE, 0, 0, true, CK_NONE, "1|2", NULL, 0 },                            \
    { "myNumber", AT(number), FC_DIGITS, 12, 12, true, CK_MYNUMBER, NULL, NULL, 0 },                                  \
    { "municipalityIdentityKey", AT(resident_key), FC_TEXT, 1, KEY_MAX_OURS, true, CK_NONE, NULL, NULL, 0 },          \
    { "basicFiveInfo", 0, FC_OBJECT, 0, 0, false, CK_NONE, NULL, nz_form__basic, NZ_BASIC_FIELDS }
#define FLAG_FIELDS                                                                                                   \
    { "isNotDisclosed", AT(not_disclosed), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },                            \
    { "isViewingStopped", AT(stopped), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 }
#define VALIDITY_FIELDS                                                                                               \
    { "validFrom", AT(from), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },                                        \
    { "validTo", AT(to), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 }
#define REMOVAL_FIELD { "removalDate", AT(removed), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 }

static const struct field CHECKUP_FIELDS[] = {
    HEAD_FIELDS,
    FLAG_FIELDS,
    { "checkupTypeId", AT(type_id), FC_ALNUM, 1, ID_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "fiscalYear", AT(history_key), FC_DIGITS, 4, 4, false, CK_NONE, NULL, NULL, 0 },
    { "checkupName", AT(label), FC_TEXT, 0, NAME_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "checkupTicketNumber", AT(ticket), FC_TEXT, 0, TICKET_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "burdenSegment", AT(burden), FC_TEXT, 0, SEGMENT_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "checkupDate", AT(day), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    VALIDITY_FIELDS,
    REMOVAL_FIELD,
};

static const struct field VACCINATION_FIELDS[] = {
    HEAD_FIELDS,
    { "guardianName", AT(guardian), FC_TEXT, 0, NAME_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "isRecovery", AT(recovery), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
    FLAG_FIELDS,
    { "vaccinationSubjectNumber", AT(subject_number), FC_ALNUM, 1, ID_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "subjectSegment", AT(subject_segment), FC_TEXT, 0, SEGMENT_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "reductionSegment", AT(reduction), FC_TEXT, 0, SEGMENT_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    REMOVAL_FIELD,
};

static const struct field TICKET_FIELDS[] = {
    HEAD_FIELDS,
    { "vaccinationProgramId", AT(type_id), FC_ALNUM, 1, ID_MAX_OURS, true, CK_NONE, NULL, NULL, 0 },
    { "ticketNumber", AT(history_key), FC_DIGITS, 10, 10, true, CK_NONE, NULL, NULL, 0 },
    { "vaccineName", AT(label), FC_TEXT, 0, NAME_MAX_OURS, false, CK_NONE, NULL, NULL, 0 },
    { "doseNumber", AT(dose), FC_DIGITS, 1, 2, false, CK_NONE, NULL, NULL, 0 },
    VALIDITY_FIELDS,
    { "forcedExpiryDate", AT(forced), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    REMOVAL_FIELD,
};

#define HEAD_KEPT                                                                                                     \
    { "municipalityIdentityKey", AT(resident_key), NZ_INSIDE_OWN }, { "name", AT(name), NZ_INSIDE_ANY },              \
    { "nameKana", AT(kana), NZ_INSIDE_ANY }, { "address", AT(address), NZ_INSIDE_ANY }

static const struct nz_kept CHECKUP_KEPT[] = {
    HEAD_KEPT,
    { "checkupTypeId", AT(type_id), NZ_INSIDE_OWN },
    { "checkupName", AT(label), NZ_INSIDE_ANY },
    { "checkupTicketNumber", AT(ticket), NZ_INSIDE_OWN },
    { "burdenSegment", AT(burden), NZ_INSIDE_ANY },
};

static const struct nz_kept VACCINATION_KEPT[] = {
    HEAD_KEPT,
    { "guardianName", AT(guardian), NZ_INSIDE_ANY },
    { "vaccinationSubjectNumber", AT(subject_number), NZ_INSIDE_OWN },
    { "subjectSegment", AT(subject_segment), NZ_INSIDE_ANY },
    { "reductionSegment", AT(reduction), NZ_INSIDE_ANY },
};

/* Ten digits of a ticket are fewer than a number has. */
static const struct nz_kept TICKET_KEPT[] = {
    HEAD_KEPT,
    { "vaccinationProgramId", AT(type_id), NZ_INSIDE_OWN },
    { "vaccineName", AT(label), NZ_INSIDE_ANY },
};

#define LITERAL_SLICE(s) { (const uint8_t *)("" s), sizeof("" s) - 1 }
#define PUT(name, member, put) { LITERAL_SLICE(",\"" name "\":"), AT(member), put }

static const struct nz_member CHECKUP_MEMBERS[] = {
    PUT("checkupTypeId", type_id, NZ_PUT_TEXT), PUT("fiscalYear", history_key, NZ_PUT_TEXT), PUT("checkupName", label, NZ_PUT_TEXT),
    PUT("checkupTicketNumber", ticket, NZ_PUT_TEXT), PUT("burdenSegment", burden, NZ_PUT_TEXT), PUT("checkupDate", day, NZ_PUT_TEXT),
    PUT("validFrom", from, NZ_PUT_TEXT), PUT("validTo", to, NZ_PUT_TEXT),
};

static const struct nz_member VACCINATION_MEMBERS[] = {
    PUT("guardianName", guardian, NZ_PUT_TEXT), PUT("isRecovery", recovery, NZ_PUT_FLAG),
    PUT("vaccinationSubjectNumber", subject_number, NZ_PUT_TEXT), PUT("subjectSegment", subject_segment, NZ_PUT_TEXT),
    PUT("reductionSegment", reduction, NZ_PUT_TEXT),
};

static const struct nz_member TICKET_MEMBERS[] = {
    PUT("vaccinationProgramId", type_id, NZ_PUT_TEXT), PUT("ticketNumber", history_key, NZ_PUT_TEXT), PUT("vaccineName", label, NZ_PUT_TEXT),
    PUT("doseNumber", dose, NZ_PUT_TEXT), PUT("validFrom", from, NZ_PUT_TEXT), PUT("validTo", to, NZ_PUT_TEXT),
    PUT("forcedExpiryDate", forced, NZ_PUT_TEXT),
};

/* ---- what each modification needs ---- */

static bool told(const struct field_report *r, const char *field)
{
    for (unsigned i = 0; i < r->n_faults; i++)
        if (slice_eq(slice_str(r->faults[i].field), slice_str(field)))
            return true;
    return false;
}

static void need(const struct field_value *v, const char *field, struct field_report *r)
{
    if (!v->present && !told(r, field))
        field_fault_add(r, field, FR_MISSING);
}

static void refuse(const struct field_value *v, const char *field, struct field_report *r)
{
    if (v->present)
        field_fault_add(r, field, FR_RANGE);
}

static bool is(const struct nz_values *v, struct slice segment) { return v->modification.present && slice_eq(v->modification.text, segment); }

/* A row that registers says who it is. */
static void need_basic(const struct nz_values *v, struct field_report *r)
{
    if (!told(r, "name"))
        need(&v->name, "basicFiveInfo", r);
}

static void judge(const struct nz_values *v, struct field_report *r)
{
    if (v->from.present && v->to.present && v->from.date > v->to.date)
        field_fault_add(r, "validTo", FR_RANGE);
    if (is(v, LIT("2")))
        need(&v->removed, "removalDate", r);
    if (is(v, LIT("1")))
        refuse(&v->removed, "removalDate", r);
}

/* A flag that is safe only when it is set is never guessed. */
static void judge_subject(const struct nz_values *v, struct field_report *r)
{
    judge(v, r);
    if (!is(v, LIT("1")))
        return;
    need_basic(v, r);
    need(&v->not_disclosed, "isNotDisclosed", r);
}

static void judge_checkup(const struct nz_values *v, struct field_report *r)
{
    judge_subject(v, r);
    if (v->history_key.present && !v->type_id.present)
        need(&v->type_id, "checkupTypeId", r);
}

static void judge_ticket(const struct nz_values *v, struct field_report *r)
{
    judge(v, r);
    if (is(v, LIT("1")))
        need(&v->dose, "doseNumber", r);
}

#define COUNT(a) (sizeof(a) / sizeof(a)[0])
#define TABLE(form, judge) \
    { form##_FIELDS, COUNT(form##_FIELDS), form##_KEPT, COUNT(form##_KEPT), form##_MEMBERS, COUNT(form##_MEMBERS), judge }

const struct nz_form_table nz_form__checkup = TABLE(CHECKUP, judge_checkup), nz_form__vaccination = TABLE(VACCINATION, judge_subject),
                           nz_form__ticket = TABLE(TICKET, judge_ticket);
