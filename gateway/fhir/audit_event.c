/* An entry of the citizen's access log as AuditEvent. Its proof stands in the native log only. */
#include "gateway/audit/entry_json.h"
#include "gateway/fhir/fhir_int.h"

static void write_agent_why(struct jsonw *w, const struct basis *b, const struct audit_rec *rec)
{
    const struct basis_purpose *p = b && rec->purpose ? basis_purpose_of(b, rec->purpose) : NULL;
    if (rec->basis) {
        struct buf uri;
        buf_init(&uri, 64);
        buf_puts(&uri, "urn:pmhgw:legal-basis:");
        buf_u64(&uri, rec->basis);
        jsonw_array(w, "policy");
        jsonw_str(w, NULL, buf_slice(&uri));
        jsonw_end_array(w);
        buf_done(&uri);
    }
    if (!p)
        return;
    jsonw_array(w, "purposeOfUse");
    jsonw_object(w, NULL);
    jsonw_array(w, "coding");
    fhir__coding(w, FHIR_EXT "purpose", slice_str(p->word), slice_str(p->ja));
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_array(w);
}

static void write_agent(struct fhir *f, const struct fhir_event *e)
{
    jsonw_array(&f->w, "agent");
    jsonw_object(&f->w, NULL);
    fhir__organization(f, "who", e->who);
    jsonw_bool(&f->w, "requestor", true);
    write_agent_why(&f->w, f->world.basis, e->rec);
    jsonw_end_object(&f->w);
    jsonw_end_array(&f->w);
}

static void write_source(struct jsonw *w)
{
    jsonw_object(w, "source");
    jsonw_object(w, "observer");
    jsonw_cstr(w, "display", "pmhgw");
    jsonw_end_object(w);
    jsonw_end_object(w);
}

static void write_kinds(struct jsonw *w, unsigned items)
{
    if (!items)
        return;
    jsonw_array(w, "detail");
    for (unsigned bit = 0; audit_item_name(bit); bit++) {
        if (!(items & 1u << bit))
            continue;
        jsonw_object(w, NULL);
        jsonw_cstr(w, "type", "kind-of-data");
        jsonw_cstr(w, "valueString", audit_item_name(bit));
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void write_entity(struct fhir *f, const struct audit_rec *rec)
{
    struct jsonw *w = &f->w;
    jsonw_array(w, "entity");
    jsonw_object(w, NULL);
    fhir__patient(f, "what");
    jsonw_object(w, "type");
    jsonw_cstr(w, "system", "http://terminology.hl7.org/CodeSystem/audit-entity-type");
    jsonw_cstr(w, "code", "1");
    jsonw_cstr(w, "display", "Person");
    jsonw_end_object(w);
    jsonw_object(w, "role");
    jsonw_cstr(w, "system", "http://terminology.hl7.org/CodeSystem/object-role");
    jsonw_cstr(w, "code", "1");
    jsonw_cstr(w, "display", "Patient");
    jsonw_end_object(w);
    write_kinds(w, rec->items);
    jsonw_end_object(w);
    jsonw_end_array(w);
}

static const char *outcome_of(enum audit_result r)
{
    static const char *const OUTCOMES[AR__MAX] = { [AR_OK] = "0", [AR_NOTHING] = "0", [AR_USED] = "4", [AR_REFUSED] = "4", [AR_FAILED] = "8" };
    return (unsigned)r < AR__MAX ? OUTCOMES[r] : "8";
}

bool fhir_audit_event(struct fhir *f, const struct fhir_event *e)
{
    const struct fhir_head h = { .name = slice_of(&e->seq, sizeof e->seq) };
    struct jsonw *w = &f->w;
    if (!fhir__resource(f, &h))
        return false;
    jsonw_object(w, "type");
    jsonw_cstr(w, "system", "http://terminology.hl7.org/CodeSystem/audit-event-type");
    jsonw_cstr(w, "code", "rest");
    jsonw_cstr(w, "display", "RESTful Operation");
    jsonw_end_object(w);
    jsonw_array(w, "subtype");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "system", "urn:pmhgw:audit-event");
    jsonw_cstr(w, "code", audit_event_name(e->rec->event));
    jsonw_cstr(w, "display", e->event_ja);
    fhir__english(w, "_display", slice_str(e->event_en));
    jsonw_end_object(w);
    jsonw_end_array(w);
    fhir__when(w, "recorded", e->rec->wall_ms);
    jsonw_cstr(w, "outcome", outcome_of(e->rec->result));
    jsonw_cstr(w, "outcomeDesc", e->result_ja);
    fhir__english(w, "_outcomeDesc", slice_str(e->result_en));
    write_agent(f, e);
    write_source(w);
    write_entity(f, e->rec);
    fhir__resource_end(f);
    return true;
}
