/* 予防接種記録 as JP_Immunization: the newest version of a record; a cancelled one is entered-in-error. */
#include <stdio.h>

#include "gateway/fhir/fhir_int.h"

enum { HOT9_CHARS = 9, UL = 1000 };

static const struct vaccine_program *program_of(const struct fhir *f, const struct immun *i)
{
    return f->world.vaccines ? vaccine_program(f->world.vaccines, i->program) : NULL;
}

static struct slice named(const char *from_table, struct slice id) { return from_table ? slice_str(from_table) : id; }

/* ---- what was given ---- */

static void write_codings(struct jsonw *w, struct slice gtin, const struct vaccine_product *p)
{
    const struct slice name = p && p->product_ja ? slice_str(p->product_ja) : SLICE_NONE;
    jsonw_array(w, "coding");
    fhir__coding(w, "https://www.gs1.org/gtin", gtin, name);
    if (p && p->hot)
        fhir__coding(w, strlen(p->hot) == HOT9_CHARS ? "http://medis.or.jp/CodeSystem/master-HOT9" : "http://medis.or.jp/CodeSystem/master-HOT13", slice_str(p->hot), name);
    if (p && p->cvx)
        fhir__coding(w, "http://hl7.org/fhir/sid/cvx", slice_str(p->cvx), SLICE_NONE);
    jsonw_end_array(w);
}

/* Without a GTIN and without a name (abroad, long ago) the program says what it was against. */
static void write_vaccine(struct fhir *f, const struct immun *i)
{
    const struct vaccine_product *p = i->gtin.n && f->world.vaccines ? vaccine_product(f->world.vaccines, i->gtin) : NULL;
    const struct vaccine_program *program = program_of(f, i);
    struct slice text = i->product.n ? i->product : i->vaccine;
    if (!text.n)
        text = p && p->product_ja ? slice_str(p->product_ja) : named(program ? program->ja : NULL, i->program);
    jsonw_object(&f->w, "vaccineCode");
    if (i->gtin.n)
        write_codings(&f->w, i->gtin, p);
    jsonw_str(&f->w, "text", text);
    jsonw_end_object(&f->w);
}

static void write_named(struct jsonw *w, const char *name, const char *member, struct slice text)
{
    if (!text.n)
        return;
    jsonw_object(w, name);
    jsonw_str(w, member, text);
    jsonw_end_object(w);
}

static void write_amount(struct jsonw *w, uint32_t ul)
{
    char text[16];
    if (!ul)
        return;
    int n = snprintf(text, sizeof text, "%u.%03u", ul / UL, ul % UL);
    jsonw_object(w, "doseQuantity");
    jsonw_raw(w, "value", slice_of(text, (size_t)n));
    jsonw_cstr(w, "unit", "mL");
    jsonw_cstr(w, "system", "http://unitsofmeasure.org");
    jsonw_cstr(w, "code", "mL");
    jsonw_end_object(w);
}

/* ---- who, where, why ---- */

static void write_performers(struct fhir *f, const struct immun *i)
{
    if (!i->doctor.n && !i->clinic.n)
        return;
    jsonw_array(&f->w, "performer");
    if (i->doctor.n) {
        jsonw_object(&f->w, NULL);
        fhir__concept(&f->w, "function", "http://terminology.hl7.org/CodeSystem/v2-0443", LIT("AP"), LIT("Administering Provider"));
        jsonw_object(&f->w, "actor");
        jsonw_cstr(&f->w, "type", "Practitioner");
        jsonw_str(&f->w, "display", i->doctor);
        jsonw_end_object(&f->w);
        jsonw_end_object(&f->w);
    }
    if (i->clinic.n) {
        jsonw_object(&f->w, NULL);
        fhir__organization(f, "actor", i->clinic);
        jsonw_end_object(&f->w);
    }
    jsonw_end_array(&f->w);
}

static void write_origin(struct jsonw *w, const struct immun *i)
{
    jsonw_bool(w, "primarySource", !i->overseas);
    if (!i->overseas)
        return;
    jsonw_object(w, "reportOrigin");
    jsonw_array(w, "coding");
    fhir__coding(w, "http://terminology.hl7.org/CodeSystem/immunization-origin", LIT("record"), SLICE_NONE);
    jsonw_end_array(w);
    jsonw_cstr(w, "text", "海外接種");
    jsonw_end_object(w);
}

static void write_notes(struct jsonw *w, const struct immun *i)
{
    if (!i->special.n && !i->caution)
        return;
    jsonw_array(w, "note");
    if (i->caution) {
        jsonw_object(w, NULL);
        jsonw_cstr(w, "text", "要注意");
        jsonw_end_object(w);
    }
    if (i->special.n) {
        jsonw_object(w, NULL);
        jsonw_str(w, "text", i->special);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void write_segments(struct jsonw *w, const struct immun *i)
{
    const struct slice texts[] = { i->kind, i->segment };
    if (!i->kind.n && !i->segment.n)
        return;
    jsonw_array(w, "programEligibility");
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        write_named(w, NULL, "text", texts[k]);
    jsonw_end_array(w);
}

static void write_protocol(struct fhir *f, const struct immun *i)
{
    const struct vaccine_program *p = program_of(f, i);
    jsonw_array(&f->w, "protocolApplied");
    jsonw_object(&f->w, NULL);
    jsonw_str(&f->w, "series", named(p ? p->ja : NULL, i->program));
    fhir__organization(f, "authority", ARR(i->muni));
    if (p && p->disease_fhir) {
        jsonw_array(&f->w, "targetDisease");
        jsonw_object(&f->w, NULL);
        jsonw_array(&f->w, "coding");
        fhir__coding(&f->w, "http://medis.or.jp/CodeSystem/master-disease-exCode", slice_str(p->disease_fhir), SLICE_NONE);
        jsonw_end_array(&f->w);
        jsonw_end_object(&f->w);
        jsonw_end_array(&f->w);
    }
    jsonw_u64(&f->w, "doseNumberPositiveInt", i->dose);
    jsonw_end_object(&f->w);
    jsonw_end_array(&f->w);
}

static struct immun without_blanks(struct immun i)
{
    struct slice *const texts[] = { &i.vaccine, &i.product, &i.maker, &i.lot, &i.site, &i.route, &i.doctor, &i.place, &i.kind, &i.segment, &i.special };
    for (size_t k = 0; k < sizeof texts / sizeof texts[0]; k++)
        *texts[k] = fhir__said(*texts[k]);
    return i;
}

bool fhir_immunization(struct fhir *f, const struct immun_record *rec)
{
    const struct immun now = without_blanks(rec->versions[rec->n_versions - 1]), *i = &now;
    const struct fhir_head h = { .name = ARR(rec->id), .profile = FHIR_JP "JP_Immunization", .ver = (unsigned)rec->n_versions, .at_ms = i->recorded_ms };
    struct jsonw *w = &f->w;
    if (!fhir__resource(f, &h))
        return false;
    jsonw_cstr(w, "status", i->status == IMMUN_CANCELLED ? "entered-in-error" : "completed");
    write_vaccine(f, i);
    fhir__patient(f, "patient");
    fhir__date(w, "occurrenceDateTime", i->date);
    fhir__when(w, "recorded", rec->versions[0].recorded_ms);
    write_origin(w, i);
    write_named(w, "location", "display", i->place);
    write_named(w, "manufacturer", "display", i->maker);
    fhir__text(w, "lotNumber", i->lot);
    fhir__date(w, "expirationDate", i->expiry);
    write_named(w, "site", "text", i->site);
    write_named(w, "route", "text", i->route);
    write_amount(w, i->amount_ul);
    write_performers(f, i);
    write_notes(w, i);
    write_segments(w, i);
    write_protocol(f, i);
    fhir__resource_end(f);
    return true;
}
