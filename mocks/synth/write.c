#include "gateway/base/json_write.h"
#include "mocks/synth/synth.h"

static void date_write(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void optional_write(struct jsonw *w, const char *name, const char *text)
{
    if (text)
        jsonw_cstr(w, name, text);
}

static void person_write(struct jsonw *w, const struct synth_resident *r)
{
    jsonw_object(w, "basicFiveInfo");
    jsonw_cstr(w, "name", r->name);
    jsonw_cstr(w, "nameKana", r->kana);
    jsonw_cstr(w, "address", r->address);
    date_write(w, "dateOfBirth", r->birth);
    jsonw_str(w, "sex", slice_of(&r->sex, 1));
    jsonw_end_object(w);
}

/* Member names of the published registration form. */
static void row_write(struct jsonw *w, const struct synth_resident *r, const struct synth_cert *c)
{
    const struct synth_program *p = c->program;
    jsonw_object(w, NULL);
    jsonw_cstr(w, "orgSpecificCertificateTypeId", p->type_id);
    jsonw_cstr(w, "myNumber", r->number);
    person_write(w, r);
    jsonw_bool(w, "isNotDisclosed", r->not_disclosed);
    jsonw_cstr(w, "medicalSubsidyInsurerNumber", c->payer);
    jsonw_cstr(w, "certificationName", c->name);
    jsonw_cstr(w, "medicalSubsidyRecipientNumber", c->recipient);
    jsonw_cstr(w, "municipalityIdentityKey", r->key);
    optional_write(w, "segment", p->segment);
    optional_write(w, "incomeSegment", p->income);
    optional_write(w, "additionalConditions", p->conditions);
    optional_write(w, "designatedMedicalInstitutions", p->national ? "3319900019" : NULL);
    jsonw_cstr(w, "isAlwaysReimbursement", p->reimbursed ? "1" : "0");
    if (p->copay)
        jsonw_raw(w, "maxCopaymentAmount", slice_str(p->copay));
    date_write(w, "validFrom", c->from);
    date_write(w, "validTo", c->to);
    jsonw_end_object(w);
}

void synth_write_rows(const struct synth_resident *r, bool *first, struct buf *out)
{
    for (unsigned i = 0; i < r->n_certs; i++) {
        struct jsonw w;
        buf_put(out, *first ? LIT("\n") : LIT(",\n"));
        *first = false;
        jsonw_init(&w, out);
        row_write(&w, r, &r->certs[i]);
    }
}

void synth_write_card(const struct synth_resident *r, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "card_serial", r->serial);
    jsonw_cstr(&w, "my_number", r->number);
    jsonw_cstr(&w, "name", r->name);
    jsonw_bool(&w, "not_disclosed", r->not_disclosed);
    jsonw_cstr(&w, "resident_key", r->key);
    jsonw_end_object(&w);
    buf_putc(out, '\n');
}
