#include "gateway/questionnaire/template.h"

#include <stdio.h>

static void put_text(struct jsonw *w, const char *name, struct slice s)
{
    if (s.n)
        jsonw_str(w, name, s);
}

static void put_day(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void put_choices(const struct qt_item *item, struct jsonw *w)
{
    jsonw_array(w, "choices");
    for (size_t i = 0; i < item->n_choices; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "id", item->choices[i].id);
        jsonw_str(w, "ja", item->choices[i].ja);
        put_text(w, "en", item->choices[i].en);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void put_item(const struct qtemplate *t, const struct qt_item *item, enum qt_view view, struct jsonw *w)
{
    jsonw_object(w, NULL);
    jsonw_str(w, "id", item->id);
    jsonw_str(w, "text_ja", item->ja);
    put_text(w, "text_en", item->en);
    jsonw_cstr(w, "type", qt_type_name(item->type));
    jsonw_bool(w, "required", item->required);
    if (item->doctor_only)
        jsonw_bool(w, "doctor_only", true);
    if (item->show_item != QT_NO_ITEM) {
        jsonw_object(w, "show_if");
        jsonw_str(w, "item", t->items[item->show_item].id);
        jsonw_str(w, "equals", item->show_value);
        jsonw_end_object(w);
    }
    if (item->unfit_value.n && view == QT_VIEW_WHOLE) {
        jsonw_object(w, "unfit_if");
        jsonw_str(w, item->unfit_at_least ? "at_least" : "equals", item->unfit_value);
        jsonw_end_object(w);
    }
    if (item->type == QT_CHOICE)
        put_choices(item, w);
    jsonw_end_object(w);
}

void template_write(const struct qtemplate *t, enum qt_view view, const char *name, struct jsonw *w)
{
    char version[16];
    snprintf(version, sizeof version, "%u", t->version);
    jsonw_object(w, name);
    jsonw_str(w, "id", t->id);
    jsonw_cstr(w, "version", version);
    jsonw_str(w, "title_ja", t->title_ja);
    put_text(w, "title_en", t->title_en);
    put_text(w, "consent_ja", t->consent_ja);
    put_text(w, "consent_en", t->consent_en);
    put_day(w, "validFrom", t->from);
    put_day(w, "validTo", t->to);
    jsonw_array(w, "programs");
    for (size_t i = 0; i < t->n_programs; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "vaccinationProgramId", t->programs[i]);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
    jsonw_array(w, "items");
    for (size_t i = 0; i < t->n_items; i++)
        if (view == QT_VIEW_WHOLE || !t->items[i].doctor_only)
            put_item(t, &t->items[i], view, w);
    jsonw_end_array(w);
    jsonw_end_object(w);
}
