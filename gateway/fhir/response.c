/* 予診票 as QuestionnaireResponse: a draft is in-progress, a submitted one completed, one with the doctor's part amended. */
#include <stdio.h>

#include "gateway/fhir/fhir_int.h"

enum { CANONICAL_MAX = 128 };

static const char *status_of(const struct sheet *s)
{
    static const char *const NAMES[] = { [SHEET_DRAFT] = "in-progress", [SHEET_SUBMITTED] = "completed", [SHEET_COMPLETED] = "amended" };
    return NAMES[s->status];
}

static uint64_t changed_ms(const struct sheet *s) { return s->n_history ? s->history[s->n_history - 1].at_ms : s->created_ms; }

/* ---- answers ---- */

static void write_choice(struct fhir *f, const struct sheet *s, const struct qt_item *item, struct slice value)
{
    char system[CANONICAL_MAX];
    struct slice display = SLICE_NONE;
    for (size_t i = 0; i < item->n_choices; i++)
        if (slice_eq(item->choices[i].id, value))
            display = item->choices[i].ja;
    int n = snprintf(system, sizeof system, "urn:pmhgw:questionnaire:%.6s:%.*s:%.*s", s->muni, (int)s->template_id.n, (const char *)s->template_id.p, (int)item->id.n,
                     (const char *)item->id.p);
    jsonw_object(&f->w, "valueCoding");
    jsonw_str(&f->w, "system", slice_of(system, (size_t)n));
    jsonw_str(&f->w, "code", value);
    fhir__text(&f->w, "display", display);
    jsonw_end_object(&f->w);
}

/* A value that the template does not judge as its own stays a text. */
static void write_value(struct fhir *f, const struct sheet *s, const struct qt_item *item, struct slice value)
{
    const enum qt_type type = item && qt_value_judge(item, value) == FR_NONE ? item->type : QT_TEXT;
    jsonw_array(&f->w, "answer");
    jsonw_object(&f->w, NULL);
    if (type == QT_YES_NO)
        jsonw_bool(&f->w, "valueBoolean", slice_eq(value, LIT("yes")));
    else if (type == QT_NUMBER)
        jsonw_raw(&f->w, "valueDecimal", value);
    else if (type == QT_DATE)
        jsonw_str(&f->w, "valueDate", value);
    else if (type == QT_CHOICE)
        write_choice(f, s, item, value);
    else
        jsonw_str(&f->w, "valueString", value);
    jsonw_end_object(&f->w);
    jsonw_end_array(&f->w);
}

static void write_answer(struct fhir *f, const struct sheet *s, const struct qtemplate *t, const struct sheet_answer *a)
{
    const int at = t ? template_item(t, a->item) : QT_NO_ITEM;
    const struct qt_item *item = at == QT_NO_ITEM ? NULL : &t->items[at];
    if (!fhir__said(a->value).n)
        return;
    jsonw_object(&f->w, NULL);
    jsonw_str(&f->w, "linkId", a->item);
    if (item) {
        fhir__text(&f->w, "text", item->ja);
        fhir__english(&f->w, "_text", item->en);
    }
    write_value(f, s, item, a->value);
    jsonw_end_object(&f->w);
}

/* ---- the doctor's part: a group, whose names no item of a template can have ---- */

static void open_part(struct jsonw *w, const char *link, const char *ja)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "linkId", link);
    jsonw_cstr(w, "text", ja);
    jsonw_array(w, "answer");
    jsonw_object(w, NULL);
}

static void close_part(struct jsonw *w)
{
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void put_flag(struct jsonw *w, const char *link, const char *ja, bool v)
{
    open_part(w, link, ja);
    jsonw_bool(w, "valueBoolean", v);
    close_part(w);
}

static void put_text(struct jsonw *w, const char *link, const char *ja, struct slice v)
{
    if (!fhir__said(v).n)
        return;
    open_part(w, link, ja);
    jsonw_str(w, "valueString", v);
    close_part(w);
}

static void put_when(struct jsonw *w, const char *link, const char *ja, uint64_t ms)
{
    if (!ms)
        return;
    open_part(w, link, ja);
    fhir__when(w, "valueDateTime", ms);
    close_part(w);
}

static void write_doctor(struct jsonw *w, const struct sheet_doctor *d)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "linkId", "doctor.part");
    jsonw_cstr(w, "text", "医師記入欄");
    jsonw_array(w, "item");
    put_text(w, "doctor.name", "医師名", d->name);
    put_text(w, "doctor.institution", "医療機関コード", ARR(d->clinic));
    put_flag(w, "doctor.unfit", "接種不可", !d->fit);
    put_flag(w, "doctor.explained", "効果・副反応・救済制度の説明", d->explained);
    put_flag(w, "doctor.consented", "接種の同意", d->consented);
    put_when(w, "doctor.consented-at", "同意の日時", d->consented ? d->consented_ms : 0);
    put_text(w, "doctor.remarks", "備考", d->remarks);
    put_when(w, "doctor.decided-at", "判断の日時", d->at_ms);
    jsonw_end_array(w);
    jsonw_end_object(w);
}

static void write_items(struct fhir *f, const struct sheet *s, const struct qtemplate *t)
{
    const bool doctor = s->status == SHEET_COMPLETED;
    size_t n = 0;
    for (size_t i = 0; i < s->n_answers; i++)
        n += fhir__said(s->answers[i].value).n > 0;
    if (!n && !doctor)
        return;
    jsonw_array(&f->w, "item");
    for (size_t i = 0; i < s->n_answers; i++)
        write_answer(f, s, t, &s->answers[i]);
    if (doctor)
        write_doctor(&f->w, &s->doctor);
    jsonw_end_array(&f->w);
}

static void write_about(struct jsonw *w, const struct sheet *s)
{
    jsonw_array(w, "extension");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "url", FHIR_EXT "vaccination-program");
    jsonw_str(w, "valueString", s->program);
    jsonw_end_object(w);
    if (s->dose) {
        jsonw_object(w, NULL);
        jsonw_cstr(w, "url", FHIR_EXT "dose-number");
        jsonw_u64(w, "valuePositiveInt", s->dose);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

bool fhir_response(struct fhir *f, const struct sheet *s, const struct qtemplate *t)
{
    char canonical[CANONICAL_MAX];
    const struct fhir_head h = { .name = ARR(s->id), .ver = s->version, .at_ms = changed_ms(s) };
    if (!fhir__resource(f, &h))
        return false;
    int n = snprintf(canonical, sizeof canonical, "urn:pmhgw:questionnaire:%.6s:%.*s|%u", s->muni, (int)s->template_id.n, (const char *)s->template_id.p, s->template_version);
    write_about(&f->w, s);
    jsonw_str(&f->w, "questionnaire", slice_of(canonical, (size_t)n));
    jsonw_cstr(&f->w, "status", status_of(s));
    fhir__patient(f, "subject");
    fhir__when(&f->w, "authored", changed_ms(s));
    fhir__patient(f, "source");
    write_items(f, s, t);
    fhir__resource_end(f);
    return true;
}
