/* 同意 as Consent: which clinic may read which kinds until when, and whether that was withdrawn. */
#include "gateway/fhir/fhir_int.h"

/* What the kinds of data of a consent are as resources. */
static const enum fhir_type TYPE_OF[LINK_KIND__MAX] = {
    [LINK_ELIGIBILITY] = FHIR_COVERAGE, [LINK_IMMUNIZATIONS] = FHIR_IMMUNIZATION, [LINK_QUESTIONNAIRE] = FHIR_QUESTIONNAIRE_RESPONSE,
};

static void write_purpose(struct fhir *f, const struct consent_entry *e)
{
    const struct slice word = slice_of(e->purpose, strnlen(e->purpose, sizeof e->purpose));
    const struct basis_purpose *p = f->world.basis && word.n ? basis_purpose_named(f->world.basis, word) : NULL;
    if (!word.n)
        return;
    jsonw_array(&f->w, "purpose");
    if (slice_eq(word, LIT("treatment")))
        fhir__coding(&f->w, "http://terminology.hl7.org/CodeSystem/v3-ActReason", LIT("TREAT"), SLICE_NONE);
    fhir__coding(&f->w, FHIR_EXT "purpose", word, p ? slice_str(p->ja) : SLICE_NONE);
    jsonw_end_array(&f->w);
}

static void write_classes(struct jsonw *w, unsigned kinds)
{
    if (!(kinds & ((1u << LINK_KIND__MAX) - 1)))
        return;
    jsonw_array(w, "class");
    for (unsigned k = 0; k < LINK_KIND__MAX; k++)
        if (kinds & 1u << k)
            fhir__coding(w, "http://hl7.org/fhir/resource-types", slice_str(fhir_type_name(TYPE_OF[k])), SLICE_NONE);
    jsonw_end_array(w);
}

static void write_provision(struct fhir *f, const struct consent_entry *e)
{
    struct jsonw *w = &f->w;
    jsonw_object(w, "provision");
    jsonw_cstr(w, "type", "permit");
    jsonw_object(w, "period");
    fhir__when(w, "start", e->given_s * 1000);
    fhir__when(w, "end", e->until_ms);
    jsonw_end_object(w);
    jsonw_array(w, "actor");
    jsonw_object(w, NULL);
    fhir__concept(w, "role", "http://terminology.hl7.org/CodeSystem/v3-ParticipationType", LIT("IRCP"), LIT("information recipient"));
    fhir__organization(f, "reference", ARR(e->clinic));
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_array(w, "action");
    jsonw_object(w, NULL);
    jsonw_array(w, "coding");
    fhir__coding(w, "http://terminology.hl7.org/CodeSystem/consentaction", LIT("access"), SLICE_NONE);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_array(w);
    write_purpose(f, e);
    write_classes(w, e->kinds);
    jsonw_end_object(w);
}

static void write_withdrawn(struct jsonw *w, uint64_t ms)
{
    if (!ms)
        return;
    jsonw_array(w, "extension");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "url", FHIR_EXT "withdrawn-at");
    fhir__when(w, "valueDateTime", ms);
    jsonw_end_object(w);
    jsonw_end_array(w);
}

bool fhir_consent(struct fhir *f, const struct consent_entry *e)
{
    const struct fhir_head h = { .name = ARR(e->name.b), .ver = e->version };
    struct jsonw *w = &f->w;
    if (!fhir__resource(f, &h))
        return false;
    write_withdrawn(w, e->withdrawn_ms);
    jsonw_cstr(w, "status", e->withdrawn_ms ? "inactive" : "active");
    fhir__concept(w, "scope", "http://terminology.hl7.org/CodeSystem/consentscope", LIT("patient-privacy"), LIT("Privacy Consent"));
    jsonw_array(w, "category");
    jsonw_object(w, NULL);
    jsonw_array(w, "coding");
    fhir__coding(w, "http://terminology.hl7.org/CodeSystem/v3-ActCode", LIT("IDSCL"), LIT("information disclosure"));
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_array(w);
    fhir__patient(f, "patient");
    fhir__when(w, "dateTime", e->given_s * 1000);
    fhir__concept(w, "policyRule", "http://terminology.hl7.org/CodeSystem/v3-ActCode", LIT("OPTIN"), LIT("opt-in"));
    write_provision(f, e);
    fhir__resource_end(f);
    return true;
}
