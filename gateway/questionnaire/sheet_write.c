#include <stdio.h>

#include "gateway/questionnaire/sheet.h"

static void put_time(struct jsonw *w, const char *name, uint64_t ms)
{
    char at[24];
    clock_format_utc(ms, at);
    jsonw_str(w, name, ARR(at));
}

static void put_number(struct jsonw *w, const char *name, unsigned v)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%u", v);
    jsonw_cstr(w, name, digits);
}

static void put_hex(struct jsonw *w, const char *name, struct slice bytes)
{
    struct buf hex;
    buf_init(&hex, 2 * SHEET_ID_BYTES);
    buf_hex(&hex, bytes);
    jsonw_str(w, name, buf_slice(&hex));
    buf_done(&hex);
}

static void put_answers(const struct sheet *s, struct jsonw *w)
{
    jsonw_array(w, "answers");
    for (size_t i = 0; i < s->n_answers; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "item", s->answers[i].item);
        jsonw_str(w, "value", s->answers[i].value);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void put_hints(const struct sheet *s, const struct qtemplate *t, struct jsonw *w)
{
    struct answers a = { .n = s->n_answers };
    size_t items[QT_ITEMS_MAX];
    memcpy(a.a, s->answers, sizeof a.a);
    size_t n = answers_unfit(t, &a, items);
    jsonw_array(w, "attention");
    for (size_t i = 0; i < n; i++)
        jsonw_str(w, NULL, t->items[items[i]].id);
    jsonw_end_array(w);
}

static void put_history(const struct sheet *s, struct jsonw *w)
{
    jsonw_array(w, "history");
    for (size_t i = 0; i < s->n_history; i++) {
        jsonw_object(w, NULL);
        put_number(w, "version", s->history[i].version);
        jsonw_cstr(w, "status", sheet_status_name(s->history[i].status));
        put_time(w, "at", s->history[i].at_ms);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void put_doctor(const struct sheet_doctor *d, struct jsonw *w)
{
    jsonw_object(w, "doctor");
    jsonw_str(w, "medicalInstitutionCode", ARR(d->clinic));
    jsonw_str(w, "doctorName", d->name);
    jsonw_bool(w, "isUnfit", !d->fit);
    jsonw_bool(w, "isExplained", d->explained);
    jsonw_bool(w, "isConsented", d->consented);
    if (d->consented)
        put_time(w, "consentedAt", d->consented_ms);
    if (d->remarks.n)
        jsonw_str(w, "remarks", d->remarks);
    put_time(w, "decidedAt", d->at_ms);
    jsonw_end_object(w);
}

void sheet_write(const struct sheet *s, const struct qtemplate *t, enum sheet_view view, struct jsonw *w)
{
    jsonw_object(w, NULL);
    put_hex(w, "questionnaireId", ARR(s->id));
    put_number(w, "version", s->version);
    jsonw_cstr(w, "status", sheet_status_name(s->status));
    jsonw_str(w, "municipalityCode", ARR(s->muni));
    jsonw_str(w, "vaccinationProgramId", s->program);
    if (s->dose)
        put_number(w, "doseNumber", s->dose);
    if (view == SHEET_VIEW_CITIZEN)
        jsonw_str(w, "ticketNumber", s->ticket);
    jsonw_str(w, "templateId", s->template_id);
    put_number(w, "templateVersion", s->template_version);
    put_answers(s, w);
    if (t && view == SHEET_VIEW_CLINIC)
        put_hints(s, t, w);
    put_history(s, w);
    if (s->status == SHEET_COMPLETED)
        put_doctor(&s->doctor, w);
    jsonw_end_object(w);
}
