#include "keys/registration/row_record.h"

#include "gateway/base/json_write.h"
#include "keys/registration/number_inside.h"

#define AT(member) offsetof(struct nz_values, member)

/* Fifteen digits give a decimal fraction back as it was written. */
#define DUMP_FLAGS (JSON_COMPACT | JSON_REAL_PRECISION(15))

/* Everything that is kept or answered. Codes and dates cannot hold twelve digits. A key or a recipient number may have twelve
 * digits of its own, so there only the row's number is looked for. */
static const struct {
    const char *name;
    size_t offset;
    enum nz_inside how;
} KEPT[] = {
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

static int dump_put(const char *p, size_t n, void *arg)
{
    struct buf *b = arg;
    buf_put(b, slice_of(p, n));
    return b->failed ? -1 : 0;
}

/* The value as it will be written; borrowed from scratch. */
static ERR dump(json_t *v, struct buf *scratch, struct slice *ret_s)
{
    buf_reset(scratch);
    int r = json_dump_callback(v, dump_put, scratch, DUMP_FLAGS);
    TRY(buf_check(scratch));
    if (r != 0)
        return FAIL(E_NOMEM);
    *ret_s = buf_slice(scratch);
    return OK;
}

struct err nz_row_number_inside(const struct nz_values *v, const struct nz_mynum *own, struct nz_pool *pool, struct buf *scratch,
                                struct field_report *report)
{
    for (size_t i = 0; i < sizeof KEPT / sizeof KEPT[0]; i++) {
        const struct field_value *f = (const struct field_value *)((const uint8_t *)v + KEPT[i].offset);
        struct slice text = f->text;
        bool found;
        if (!f->present)
            continue;
        if (f->json) /* with its member names, which are the sender's too */
            TRY(dump(f->json, scratch, &text));
        TRY(nz_number_inside(text, own, KEPT[i].how, pool, &found));
        if (found)
            field_fault_add(report, KEPT[i].name, FR_NUMBER_INSIDE);
    }
    return OK;
}

static void put_text(struct jsonw *w, const char *name, const struct field_value *v)
{
    if (v->present)
        jsonw_str(w, name, v->text);
}

static ERR put_json(struct jsonw *w, const char *name, const struct field_value *v, struct buf *scratch)
{
    struct slice json;
    if (!v->present)
        return OK;
    TRY(dump(v->json, scratch, &json));
    jsonw_raw(w, name, json);
    return OK;
}

static ERR write_eligibility(const struct nz_values *v, const char muni[static 6], struct buf *out, struct buf *scratch)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "municipalityCode", slice_of(muni, 6));
    put_text(&w, "certificationName", &v->certification);
    put_text(&w, "medicalSubsidyInsurerNumber", &v->insurer);
    put_text(&w, "medicalSubsidyRecipientNumber", &v->recipient);
    put_text(&w, "segment", &v->segment);
    put_text(&w, "incomeSegment", &v->income);
    put_text(&w, "additionalConditions", &v->conditions);
    put_text(&w, "designatedMedicalInstitutions", &v->institutions);
    put_text(&w, "isAlwaysReimbursement", &v->always);
    TRY(put_json(&w, "maxCopaymentAmount", &v->copayment, scratch));
    put_text(&w, "validFrom", &v->from);
    put_text(&w, "validTo", &v->to);
    put_text(&w, "certificationSubKey", &v->sub_key);
    TRY(put_json(&w, "certificationDetail", &v->detail, scratch));
    jsonw_end_object(&w);
    return buf_check(out);
}

static ERR write_basic(const struct nz_values *v, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    put_text(&w, "name", &v->name);
    put_text(&w, "nameKana", &v->kana);
    put_text(&w, "address", &v->address);
    put_text(&w, "dateOfBirth", &v->birth);
    put_text(&w, "sex", &v->sex);
    jsonw_end_object(&w);
    return buf_check(out);
}

struct err nz_row_record(const struct nz_values *v, const char muni[static 6], struct arena *a, struct buf *scratch, struct record *ret_r)
{
    struct buf out;
    struct record r = { .not_disclosed = v->not_disclosed.flag, .deleted = v->deleted.flag, .from = v->from.date, .to = v->to.date };
    buf_init(&out, STORE_RECORD_MAX);
    struct err e = write_eligibility(v, muni, &out, scratch);
    if (!err_ok(e))
        goto out;
    r.eligibility = arena_dup(a, buf_slice(&out));
    buf_reset(&out);
    e = write_basic(v, &out);
    if (!err_ok(e))
        goto out;
    r.basic = arena_dup(a, buf_slice(&out));
    e = arena_check(a);
    if (err_ok(e))
        *ret_r = r;
out:
    buf_done(&out);
    return e;
}
