#include "gateway/jose/claims.h"

static const char *const KINDS[LINK_KIND__MAX] = {
    [LINK_ELIGIBILITY] = "eligibility", [LINK_IMMUNIZATIONS] = "immunizations", [LINK_QUESTIONNAIRE] = "questionnaire" };

/* The fields of the eligibility answer (docs/architecture.md). */
static const char *const FIELDS[LINK_FIELDS] = {
    "municipalityCode", "certificationName", "medicalSubsidyInsurerNumber", "medicalSubsidyRecipientNumber", "segment", "incomeSegment",
    "additionalConditions", "designatedMedicalInstitutions", "isAlwaysReimbursement", "maxCopaymentAmount", "validFrom", "validTo",
    "certificationSubKey", "certificationDetail" };

const char *link_kind_name(enum link_kind k) { return (unsigned)k < LINK_KIND__MAX ? KINDS[k] : NULL; }
const char *link_field_name(unsigned i) { return i < LINK_FIELDS ? FIELDS[i] : NULL; }

static bool find(const char *const *names, unsigned n, struct slice word, unsigned *ret_i)
{
    for (*ret_i = 0; *ret_i < n; ++*ret_i)
        if (slice_eq(slice_str(names[*ret_i]), word))
            return true;
    return false;
}

/* Of the other kinds no fields are published. */
static bool take_narrowed(struct link_scope *s, struct slice kind, struct slice field)
{
    unsigned i;
    bool whole = s->fields == LINK_FIELDS_ALL;
    if (!slice_eq(kind, slice_str(KINDS[LINK_ELIGIBILITY])) || whole || !find(FIELDS, LINK_FIELDS, field, &i) || (s->fields & 1u << i))
        return false;
    s->fields |= (uint16_t)(1u << i);
    s->kinds |= 1u << LINK_ELIGIBILITY;
    return true;
}

static bool take_word(struct link_scope *s, struct slice word)
{
    struct slice kind, field;
    unsigned k;
    if (slice_cut(word, '.', &kind, &field))
        return take_narrowed(s, kind, field);
    if (!find(KINDS, LINK_KIND__MAX, word, &k) || (s->kinds & 1u << k))
        return false;
    s->kinds |= (uint8_t)(1u << k);
    if (k == LINK_ELIGIBILITY)
        s->fields = LINK_FIELDS_ALL;
    return true;
}

bool link_scope_parse(struct slice text, struct link_scope *ret_s)
{
    struct link_scope s = { 0 };
    struct slice word;
    while (slice_cut(text, ' ', &word, &text))
        if (!take_word(&s, word))
            return false;
    if (!take_word(&s, text))
        return false;
    *ret_s = s;
    return true;
}
