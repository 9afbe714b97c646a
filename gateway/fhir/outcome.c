/* Problems as OperationOutcome, in both languages, with the codes of errors.def; and the CapabilityStatement of a door. */
#include "gateway/fhir/fhir_int.h"

/* What FHIR calls it (IssueType), by the status: the slug beside it says the rest. */
static const struct { int status; const char *issue; } ISSUES[] = {
    { 400, "invalid" },      { 401, "login" },         { 403, "forbidden" }, { 404, "not-found" }, { 405, "not-supported" }, { 408, "timeout" },
    { 409, "conflict" },     { 413, "too-long" },      { 415, "not-supported" }, { 422, "value" }, { 431, "too-long" },      { 501, "not-supported" },
    { 502, "transient" },    { 503, "transient" },     { 507, "no-store" },
};

static const char *issue_of(int status)
{
    for (size_t i = 0; i < sizeof ISSUES / sizeof ISSUES[0]; i++)
        if (ISSUES[i].status == status)
            return ISSUES[i].issue;
    return "exception";
}

static void open_issue(struct jsonw *w, const char *code, const char *system, const char *slug, struct slice ja, struct slice en)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "severity", "error");
    jsonw_cstr(w, "code", code);
    jsonw_object(w, "details");
    jsonw_array(w, "coding");
    fhir__coding(w, system, slice_str(slug), SLICE_NONE);
    jsonw_end_array(w);
    jsonw_str(w, "text", ja);
    fhir__english(w, "_text", en);
    jsonw_end_object(w);
}

static void write_faults(struct jsonw *w, const struct field_report *r)
{
    for (unsigned i = 0; i < r->n_faults; i++) {
        const struct field_fault *f = &r->faults[i];
        open_issue(w, "value", "urn:pmhgw:rule", field_rule_slug(f->rule), slice_str(field_rule_ja(f->rule)), slice_str(field_rule_en(f->rule)));
        if (f->field[0]) {
            jsonw_array(w, "expression");
            jsonw_cstr(w, NULL, f->field);
            jsonw_end_array(w);
        }
        jsonw_end_object(w);
    }
}

static void write_diagnostics(struct jsonw *w, const struct err_info *row, struct req_id id)
{
    struct buf text;
    buf_init(&text, 2048);
    buf_puts(&text, row->todo_ja);
    buf_puts(&text, " / ");
    buf_puts(&text, row->todo_en);
    buf_puts(&text, " / request_id ");
    buf_hex(&text, ARR(id.b));
    jsonw_str(w, "diagnostics", buf_slice(&text));
    buf_done(&text);
}

/* Members that a problem document would have besides have no place here, but the faults of a form do. */
static void outcome(struct buf *out, const struct err_info *row, struct req_id id, void (*extra)(struct jsonw *w, void *arg), void *arg)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "resourceType", "OperationOutcome");
    jsonw_array(&w, "issue");
    open_issue(&w, issue_of(row->status), "urn:pmhgw:problem", row->slug, slice_str(row->title_ja), slice_str(row->title_en));
    write_diagnostics(&w, row, id);
    jsonw_end_object(&w);
    if (extra == field_report_write)
        write_faults(&w, arg);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
}

const struct dialect FHIR_DIALECT = { .prefix = "/fhir/", .media = "application/fhir+json", .problem = outcome };

/* ---- CapabilityStatement ---- */

static const char *profile_of(enum fhir_type t)
{
    static const char *const PROFILES[FHIR_TYPE__MAX] = {
        [FHIR_PATIENT] = FHIR_JP "JP_Patient", [FHIR_COVERAGE] = FHIR_JP "JP_Coverage", [FHIR_IMMUNIZATION] = FHIR_JP "JP_Immunization",
    };
    return PROFILES[t];
}

static void write_parameter(struct jsonw *w, const char *name, const char *type, const char *what)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "name", name);
    jsonw_cstr(w, "type", type);
    jsonw_cstr(w, "documentation", what);
    jsonw_end_object(w);
}

static void write_type(struct jsonw *w, const struct fhir_door *d, enum fhir_type t)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "type", fhir_type_name(t));
    if (profile_of(t))
        jsonw_cstr(w, "profile", profile_of(t));
    jsonw_array(w, "interaction");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "code", "search-type");
    jsonw_cstr(w, "documentation", "POST _search; application/x-www-form-urlencoded");
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_array(w, "searchParam");
    write_parameter(w, d->who, "string", "必須、本文に限る / required, in the body only");
    write_parameter(w, "_count", "number", "1 - 50");
    write_parameter(w, "_cursor", "number", "次のページの位置。next の URL のとおり / where the next page begins, as the link next says");
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void write_rest(struct jsonw *w, const struct fhir_door *d)
{
    jsonw_array(w, "rest");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "mode", "server");
    jsonw_object(w, "security");
    jsonw_bool(w, "cors", false);
    jsonw_array(w, "service");
    jsonw_object(w, NULL);
    jsonw_array(w, "coding");
    fhir__coding(w, "http://terminology.hl7.org/CodeSystem/restful-security-service", LIT("Certificates"), SLICE_NONE);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_array(w, "resource");
    for (enum fhir_type t = 0; t < FHIR_TYPE__MAX; t++)
        if (d->types & 1u << t)
            write_type(w, d, t);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_array(w);
}

void fhir_capabilities(const struct fhir_door *d, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "resourceType", "CapabilityStatement");
    jsonw_cstr(&w, "title", d->title_ja);
    fhir__english(&w, "_title", slice_str(d->title_en));
    jsonw_cstr(&w, "status", "active");
    jsonw_bool(&w, "experimental", false);
    jsonw_cstr(&w, "date", "2026-11-21");
    jsonw_cstr(&w, "kind", "instance");
    jsonw_object(&w, "software");
    jsonw_cstr(&w, "name", "pmhgw");
    jsonw_end_object(&w);
    jsonw_object(&w, "implementation");
    jsonw_cstr(&w, "description", d->title_ja);
    jsonw_end_object(&w);
    jsonw_cstr(&w, "fhirVersion", "4.0.1");
    jsonw_array(&w, "format");
    jsonw_cstr(&w, NULL, "application/fhir+json");
    jsonw_end_array(&w);
    write_rest(&w, d);
    jsonw_end_object(&w);
}
