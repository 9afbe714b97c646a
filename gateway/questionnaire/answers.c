#include "gateway/questionnaire/sheet.h"
#include "gateway/questionnaire/template_int.h"

struct one { struct field_value item, value; };
static const struct field ANSWER[] = {
    { "item", offsetof(struct one, item), FC_ALNUM, 1, QT_ID_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "value", offsetof(struct one, value), FC_TEXT, 1, SHEET_VALUE_MAX, true, CK_NONE, NULL, NULL, 0 },
};

struct slice answers_find(const struct answers *a, struct slice item)
{
    for (size_t i = 0; i < a->n; i++)
        if (slice_eq(a->a[i].item, item))
            return a->a[i].value;
    return SLICE_NONE;
}

/* A condition names an item before its own: this ends. */
bool answers_show(const struct qtemplate *t, const struct answers *a, size_t i)
{
    while (t->items[i].show_item != QT_NO_ITEM) {
        size_t on = (size_t)t->items[i].show_item;
        if (!slice_eq(answers_find(a, t->items[on].id), t->items[i].show_value))
            return false;
        i = on;
    }
    return true;
}

static bool is_of(const struct qt_item *item, enum sheet_by by) { return item->doctor_only == (by == SHEET_BY_DOCTOR); }

/* by_item: the answers as they come in, at the place of their item. */
static void read_one(json_t *obj, const struct qtemplate *t, enum sheet_by by, struct slice by_item[static QT_ITEMS_MAX], struct qt_report *report)
{
    struct one v;
    struct field_report r = { 0 };
    if (!fields_read(obj, ANSWER, sizeof ANSWER / sizeof *ANSWER, NULL, &v, &r)) {
        for (unsigned i = 0; i < r.n_faults && i < FIELD_FAULTS_MAX; i++)
            qt_fault_add(report, QT_NO_ITEM, r.faults[i].field, r.faults[i].rule);
        return;
    }
    int at = template_item(t, v.item.text);
    if (at == QT_NO_ITEM || !is_of(&t->items[at], by)) {
        qt_fault_add(report, QT_NO_ITEM, "item", FR_UNKNOWN);
        return;
    }
    enum field_rule rule = by_item[at].n ? FR_TWICE : qt_value_judge(&t->items[at], v.value.text);
    if (rule != FR_NONE)
        qt_fault_add(report, at, "value", rule);
    else
        by_item[at] = v.value.text;
}

static void collect(const struct qtemplate *t, enum sheet_by by, const struct answers *with, const struct slice by_item[static QT_ITEMS_MAX], struct answers *ret_a)
{
    ret_a->n = 0;
    for (size_t i = 0; i < t->n_items; i++) {
        struct slice value = is_of(&t->items[i], by) ? by_item[i] : with ? answers_find(with, t->items[i].id) : SLICE_NONE;
        if (value.n)
            ret_a->a[ret_a->n++] = (struct sheet_answer){ t->items[i].id, value };
    }
}

ERR answers_read(json_t *array, const struct qtemplate *t, enum sheet_by by, bool whole, const struct answers *with, struct answers *ret_a, struct qt_report *ret_report)
{
    struct slice by_item[QT_ITEMS_MAX] = { 0 };
    *ret_report = (struct qt_report){ 0 };
    if (json_array_size(array) > QT_ITEMS_MAX) {
        qt_fault_add(ret_report, QT_NO_ITEM, "answers", FR_LENGTH);
        return FAIL(E_FIELD);
    }
    for (size_t i = 0; i < json_array_size(array); i++)
        read_one(json_array_get(array, i), t, by, by_item, ret_report);
    collect(t, by, with, by_item, ret_a);
    for (size_t i = 0; i < t->n_items; i++) {
        if (!is_of(&t->items[i], by))
            continue;
        bool shown = answers_show(t, ret_a, i);
        if (by_item[i].n && !shown)
            qt_fault_add(ret_report, (int)i, "value", FR_HIDDEN);
        if (whole && shown && t->items[i].required && !by_item[i].n)
            qt_fault_add(ret_report, (int)i, "value", FR_MISSING);
    }
    return ret_report->n ? FAIL(E_FIELD) : OK;
}

static bool tells_unfit(const struct qt_item *item, struct slice value)
{
    int64_t limit, given;
    if (!item->unfit_value.n || !value.n)
        return false;
    if (item->type != QT_NUMBER)
        return slice_eq(value, item->unfit_value);
    if (!qt__decimal(item->unfit_value, &limit) || !qt__decimal(value, &given))
        return false;
    return item->unfit_at_least ? given >= limit : given == limit;
}

size_t answers_unfit(const struct qtemplate *t, const struct answers *a, size_t ret_items[static QT_ITEMS_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < t->n_items; i++)
        if (tells_unfit(&t->items[i], answers_find(a, t->items[i].id)))
            ret_items[n++] = i;
    return n;
}
