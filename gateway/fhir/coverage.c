/* Patient and Coverage. A Coverage is one object of the eligibility that the native routes answer: what a consent has cut out of it is not here either. */
#include "gateway/fhir/fhir_int.h"

enum { NAME_BYTES_MAX = STORE_RECORD_MAX };

/* Nobody here may tell a name, and JP Core wants an identifier: the pseudonymous id is the only one there is. */
bool fhir_patient(struct fhir *f)
{
    const struct fhir_head h = { .profile = FHIR_JP "JP_Patient" };
    if (!fhir__resource_named(f, &h, f->patient))
        return false;
    jsonw_array(&f->w, "identifier");
    jsonw_object(&f->w, NULL);
    jsonw_cstr(&f->w, "use", "temp");
    jsonw_cstr(&f->w, "system", FHIR_SYS_ID);
    fhir__guarded(f, "value", "_value", ARR(f->patient));
    jsonw_end_object(&f->w);
    jsonw_end_array(&f->w);
    fhir__resource_end(f);
    return true;
}

/* ---- 公費 ---- */

static struct slice text_of(const json_t *o, const char *name)
{
    const json_t *v = json_object_get(o, name);
    return json_is_string(v) ? fhir__said(slice_of(json_string_value(v), json_string_length(v))) : SLICE_NONE;
}

static void write_extensions(struct jsonw *w, const json_t *o)
{
    static const struct { const char *member, *url; } TEXTS[] = {
        { "additionalConditions", FHIR_EXT "additional-conditions" },
        { "designatedMedicalInstitutions", FHIR_EXT "designated-medical-institutions" },
    };
    const struct slice always = text_of(o, "isAlwaysReimbursement");
    if (!always.n && !text_of(o, TEXTS[0].member).n && !text_of(o, TEXTS[1].member).n)
        return;
    jsonw_array(w, "extension");
    for (size_t i = 0; i < sizeof TEXTS / sizeof TEXTS[0]; i++) {
        if (!text_of(o, TEXTS[i].member).n)
            continue;
        jsonw_object(w, NULL);
        jsonw_cstr(w, "url", TEXTS[i].url);
        jsonw_str(w, "valueString", text_of(o, TEXTS[i].member));
        jsonw_end_object(w);
    }
    if (always.n) {
        jsonw_object(w, NULL);
        jsonw_cstr(w, "url", FHIR_EXT "always-reimbursement");
        jsonw_bool(w, "valueBoolean", slice_eq(always, LIT("1")));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void write_type(struct jsonw *w, struct slice name)
{
    jsonw_object(w, "type");
    jsonw_array(w, "coding");
    fhir__coding(w, "urn:oid:1.2.392.100495.20.2.61", LIT("8"), LIT("公費"));
    jsonw_end_array(w);
    fhir__text(w, "text", name);
    jsonw_end_object(w);
}

static void write_period(struct jsonw *w, const json_t *o)
{
    const struct slice from = text_of(o, "validFrom"), to = text_of(o, "validTo");
    if (!from.n && !to.n)
        return;
    jsonw_object(w, "period");
    fhir__text(w, "start", from);
    fhir__text(w, "end", to);
    jsonw_end_object(w);
}

/* Who pays has to be there: by the number of the scheme, else by the municipality, else that the consent does not cover it. */
static void write_payor(struct fhir *f, const json_t *o)
{
    const struct slice payer = text_of(o, "medicalSubsidyInsurerNumber"), muni = text_of(o, "municipalityCode");
    jsonw_array(&f->w, "payor");
    if (payer.n) {
        jsonw_object(&f->w, NULL);
        jsonw_cstr(&f->w, "type", "Organization");
        fhir__identifier(f, "identifier", FHIR_SYS_PAYER, payer);
        fhir__text(&f->w, "display", muni.n ? institution_name(f->world.institutions, muni, INSTITUTION_JA) : SLICE_NONE);
        jsonw_end_object(&f->w);
    } else if (muni.n) {
        fhir__organization(f, NULL, muni);
    } else {
        jsonw_object(&f->w, NULL);
        fhir__masked(&f->w);
        jsonw_end_object(&f->w);
    }
    jsonw_end_array(&f->w);
}

static void write_classes(struct jsonw *w, const json_t *o)
{
    static const struct { const char *member; struct lit code, ja; } CLASSES[] = {
        { "segment", { "segment" }, { "区分" } },
        { "incomeSegment", { "income-segment" }, { "所得区分" } },
    };
    bool open = false;
    for (size_t i = 0; i < sizeof CLASSES / sizeof CLASSES[0]; i++) {
        const struct slice v = text_of(o, CLASSES[i].member);
        if (!v.n)
            continue;
        if (!open)
            jsonw_array(w, "class");
        open = true;
        jsonw_object(w, NULL);
        fhir__concept(w, "type", FHIR_EXT "coverage-class", slice_str(CLASSES[i].code.s), slice_str(CLASSES[i].ja.s));
        jsonw_str(w, "value", v);
        jsonw_end_object(w);
    }
    if (open)
        jsonw_end_array(w);
}

static void write_coverage(struct fhir *f, const json_t *o)
{
    const struct slice recipient = text_of(o, "medicalSubsidyRecipientNumber");
    write_extensions(&f->w, o);
    if (recipient.n) {
        jsonw_array(&f->w, "identifier");
        fhir__identifier(f, NULL, FHIR_SYS_RECIPIENT, recipient);
        jsonw_end_array(&f->w);
    }
    jsonw_cstr(&f->w, "status", "active");
    write_type(&f->w, text_of(o, "certificationName"));
    if (recipient.n)
        fhir__guarded(f, "subscriberId", "_subscriberId", recipient);
    fhir__patient(f, "beneficiary");
    write_period(&f->w, o);
    write_payor(f, o);
    write_classes(&f->w, o);
}

/* Equal ones are told apart by how many equal ones came before. */
static ERR name_of(const json_t *all, size_t at, struct buf *out)
{
    const json_t *o = json_array_get(all, at);
    uint8_t before = 0;
    for (size_t i = 0; i < at; i++)
        before = (uint8_t)(before + json_equal(json_array_get(all, i), o));
    const size_t n = json_dumpb(o, NULL, 0, JSON_COMPACT);
    uint8_t *room = buf_room(out, n + 1);
    if (!room || json_dumpb(o, (char *)room, n, JSON_COMPACT) != n)
        return FAIL(E_NOMEM);
    buf_grew(out, n);
    buf_putc(out, before);
    return OK;
}

static ERR put_one(struct fhir *f, const json_t *all, size_t at)
{
    struct buf name;
    buf_init(&name, NAME_BYTES_MAX);
    struct err e = name_of(all, at, &name);
    const struct fhir_head h = { .name = buf_slice(&name), .profile = FHIR_JP "JP_Coverage" };
    if (err_ok(e) && fhir__resource(f, &h)) {
        write_coverage(f, json_array_get(all, at));
        fhir__resource_end(f);
    }
    buf_done(&name);
    return e;
}

ERR fhir_coverages(struct fhir *f, struct arena *a, struct slice body)
{
    json_t *root;
    TRY(json_in_object(&root, a, body));
    const json_t *all = json_object_get(root, "eligibility");
    if (!json_is_array(all))
        return FAIL(E_SEAL);
    for (size_t i = 0; i < json_array_size(all); i++)
        TRY(put_one(f, all, i));
    return OK;
}
