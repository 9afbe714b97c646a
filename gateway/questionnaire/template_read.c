#include "gateway/base/text.h"
#include "gateway/questionnaire/template_int.h"

struct reading {
    struct arena *a;
    struct qtemplate *t;
    struct qt_report *report;
};

/* ---- tables ---- */

struct head { struct field_value id, version, title_ja, title_en, consent_ja, consent_en, from, to, programs, items; };
#define H(member) offsetof(struct head, member)
static const struct field HEAD[] = {
    { "id", H(id), FC_ALNUM, 1, QT_ID_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "version", H(version), FC_DIGITS, 1, 4, true, CK_NONE, NULL, NULL, 0 },
    { "title_ja", H(title_ja), FC_TEXT, 1, QT_TITLE_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "title_en", H(title_en), FC_TEXT, 0, QT_TITLE_MAX, false, CK_NONE, NULL, NULL, 0 },
    { "consent_ja", H(consent_ja), FC_TEXT, 0, QT_CONSENT_MAX, false, CK_NONE, NULL, NULL, 0 },
    { "consent_en", H(consent_en), FC_TEXT, 0, QT_CONSENT_MAX, false, CK_NONE, NULL, NULL, 0 },
    { "validFrom", H(from), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "validTo", H(to), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "programs", H(programs), FC_ARRAY, 1, QT_PROGRAMS_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "items", H(items), FC_ARRAY, 1, QT_ITEMS_MAX, true, CK_NONE, NULL, NULL, 0 },
};

struct program { struct field_value id; };
static const struct field PROGRAM[] = {
    { "vaccinationProgramId", offsetof(struct program, id), FC_ALNUM, 1, QT_PROGRAM_MAX, true, CK_NONE, NULL, NULL, 0 } };

struct item { struct field_value id, ja, en, type, required, doctor, show, unfit, choices; };
#define I(member) offsetof(struct item, member)
static const struct field ITEM[] = {
    { "id", I(id), FC_ALNUM, 1, QT_ID_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "text_ja", I(ja), FC_TEXT, 1, QT_TEXT_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "text_en", I(en), FC_TEXT, 0, QT_TEXT_MAX, false, CK_NONE, NULL, NULL, 0 },
    { "type", I(type), FC_CODE, 0, 0, true, CK_NONE, "yes_no|choice|number|date|text", NULL, 0 },
    { "required", I(required), FC_BOOL, 0, 0, true, CK_NONE, NULL, NULL, 0 },
    { "doctor_only", I(doctor), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
    { "show_if", I(show), FC_ANY_OBJECT, 1, 2, false, CK_NONE, NULL, NULL, 0 },
    { "unfit_if", I(unfit), FC_ANY_OBJECT, 1, 1, false, CK_NONE, NULL, NULL, 0 },
    { "choices", I(choices), FC_ARRAY, 1, QT_CHOICES_MAX, false, CK_NONE, NULL, NULL, 0 },
};

struct condition { struct field_value item, equals, at_least; };
#define C(member) offsetof(struct condition, member)
static const struct field SHOW[] = {
    { "item", C(item), FC_ALNUM, 1, QT_ID_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "equals", C(equals), FC_TEXT, 1, QT_TEXT_MAX, true, CK_NONE, NULL, NULL, 0 },
};
static const struct field UNFIT[] = {
    { "equals", C(equals), FC_TEXT, 1, QT_TEXT_MAX, false, CK_NONE, NULL, NULL, 0 },
    { "at_least", C(at_least), FC_TEXT, 1, QT_ID_MAX, false, CK_NONE, NULL, NULL, 0 },
};

struct choice { struct field_value id, ja, en; };
static const struct field CHOICE[] = {
    { "id", offsetof(struct choice, id), FC_ALNUM, 1, QT_ID_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "ja", offsetof(struct choice, ja), FC_TEXT, 1, QT_TITLE_MAX, true, CK_NONE, NULL, NULL, 0 },
    { "en", offsetof(struct choice, en), FC_TEXT, 0, QT_TITLE_MAX, false, CK_NONE, NULL, NULL, 0 },
};

/* False: the faults were added, as faults of that item. */
static bool read_into(struct reading *x, json_t *obj, const struct field *table, size_t n, void *target, int at)
{
    struct field_report r = { 0 };
    if (fields_read(obj, table, n, NULL, target, &r))
        return true;
    for (unsigned i = 0; i < r.n_faults && i < FIELD_FAULTS_MAX; i++)
        qt_fault_add(x->report, at, r.faults[i].field, r.faults[i].rule);
    return false;
}
#define READ(x, obj, table, target, at) read_into((x), (obj), (table), sizeof(table) / sizeof(table)[0], (target), (at))

/* A text that is kept: not one that may hold a number. */
static struct slice keep(struct reading *x, const struct field_value *v, const char *field, int at)
{
    if (v->present && qt_twelve_digits(v->text))
        qt_fault_add(x->report, at, field, FR_NUMBER_INSIDE);
    return v->text;
}

/* ---- items ---- */

static int find(const struct qtemplate *t, size_t before, struct slice id)
{
    for (size_t i = 0; i < before; i++)
        if (slice_eq(t->items[i].id, id))
            return (int)i;
    return QT_NO_ITEM;
}

int template_item(const struct qtemplate *t, struct slice id) { return find(t, t->n_items, id); }

static void read_choices(struct reading *x, json_t *array, struct qt_item *item, int at)
{
    size_t n = json_array_size(array);
    struct qt_choice *to = arena_get(x->a, n * sizeof *to);
    for (size_t i = 0; to && i < n; i++) {
        struct choice v;
        if (!READ(x, json_array_get(array, i), CHOICE, &v, at))
            continue;
        to[i] = (struct qt_choice){ v.id.text, keep(x, &v.ja, "ja", at), keep(x, &v.en, "en", at) };
        keep(x, &v.id, "choices", at);
        for (size_t k = 0; k < i; k++)
            if (slice_eq(to[k].id, to[i].id))
                qt_fault_add(x->report, at, "choices", FR_TWICE);
    }
    item->choices = to;
    item->n_choices = to ? n : 0;
}

static void read_show(struct reading *x, json_t *obj, struct qt_item *item, int at)
{
    struct condition v;
    if (!READ(x, obj, SHOW, &v, at))
        return;
    int on = find(x->t, (size_t)at, v.item.text);
    if (on == QT_NO_ITEM || (x->t->items[on].doctor_only && !item->doctor_only) || x->t->items[on].type == QT_TEXT) {
        qt_fault_add(x->report, at, "show_if", FR_RANGE);
        return;
    }
    if (qt_value_judge(&x->t->items[on], v.equals.text) != FR_NONE)
        qt_fault_add(x->report, at, "show_if", FR_CODE);
    item->show_item = on;
    item->show_value = v.equals.text;
}

static void read_unfit(struct reading *x, json_t *obj, struct qt_item *item, int at)
{
    struct condition v;
    if (!READ(x, obj, UNFIT, &v, at))
        return;
    item->unfit_at_least = v.at_least.present;
    item->unfit_value = v.at_least.present ? v.at_least.text : v.equals.text;
    if ((item->unfit_at_least && item->type != QT_NUMBER) || item->type == QT_TEXT || item->type == QT_DATE)
        qt_fault_add(x->report, at, "unfit_if", FR_RANGE);
    else if (qt_value_judge(item, item->unfit_value) != FR_NONE)
        qt_fault_add(x->report, at, "unfit_if", FR_CODE);
}

static enum qt_type type_of(struct slice word)
{
    for (int t = 0; t < QT_TYPE__MAX; t++)
        if (slice_eq(word, slice_str(qt_type_name((enum qt_type)t))))
            return (enum qt_type)t;
    return QT_TYPE__MAX;
}

static void read_item(struct reading *x, json_t *obj, int at)
{
    struct item v;
    struct qt_item *item = &x->t->items[at];
    *item = (struct qt_item){ .show_item = QT_NO_ITEM, .type = QT_TYPE__MAX };
    if (!READ(x, obj, ITEM, &v, at))
        return;
    *item = (struct qt_item){ .id = v.id.text, .ja = keep(x, &v.ja, "text_ja", at), .en = keep(x, &v.en, "text_en", at), .type = type_of(v.type.text),
                              .required = v.required.flag, .doctor_only = v.doctor.flag, .show_item = QT_NO_ITEM };
    keep(x, &v.id, "id", at);
    if (find(x->t, (size_t)at, item->id) != QT_NO_ITEM)
        qt_fault_add(x->report, at, "id", FR_TWICE);
    if (v.choices.present != (item->type == QT_CHOICE))
        qt_fault_add(x->report, at, "choices", v.choices.present ? FR_RANGE : FR_MISSING);
    else if (v.choices.present)
        read_choices(x, v.choices.json, item, at);
    if (v.show.present)
        read_show(x, v.show.json, item, at);
    if (v.unfit.present)
        read_unfit(x, v.unfit.json, item, at);
}

/* ---- the whole ---- */

static void read_programs(struct reading *x, json_t *array)
{
    struct qtemplate *t = x->t;
    for (size_t i = 0; i < json_array_size(array); i++) {
        struct program v;
        if (!READ(x, json_array_get(array, i), PROGRAM, &v, QT_NO_ITEM))
            continue;
        keep(x, &v.id, "vaccinationProgramId", QT_NO_ITEM);
        if (template_is_for(t, v.id.text))
            qt_fault_add(x->report, QT_NO_ITEM, "programs", FR_TWICE);
        t->programs[t->n_programs++] = v.id.text;
    }
}

static unsigned number(struct slice digits)
{
    unsigned v = 0;
    for (size_t i = 0; i < digits.n; i++)
        v = 10 * v + (unsigned)(digits.p[i] - '0');
    return v;
}

static void read_head(struct reading *x, const struct head *v)
{
    struct qtemplate *t = x->t;
    *t = (struct qtemplate){ .id = keep(x, &v->id, "id", QT_NO_ITEM), .version = number(v->version.text), .from = v->from.date, .to = v->to.date };
    t->title_ja = keep(x, &v->title_ja, "title_ja", QT_NO_ITEM);
    t->title_en = keep(x, &v->title_en, "title_en", QT_NO_ITEM);
    t->consent_ja = keep(x, &v->consent_ja, "consent_ja", QT_NO_ITEM);
    t->consent_en = keep(x, &v->consent_en, "consent_en", QT_NO_ITEM);
    if (t->version == 0 || *v->version.text.p == '0')
        qt_fault_add(x->report, QT_NO_ITEM, "version", FR_CLASS);
    if (t->from && t->to && t->from > t->to)
        qt_fault_add(x->report, QT_NO_ITEM, "validTo", FR_RANGE);
}

ERR template_read(struct slice json, struct arena *a, struct qtemplate *ret_t, struct qt_report *ret_report)
{
    json_t *obj;
    struct head v;
    struct reading x = { a, ret_t, ret_report };
    *ret_report = (struct qt_report){ 0 };
    if (json.n > QT_JSON_MAX)
        return FAIL(E_BODY_TOO_LARGE);
    TRY(json_in_object(&obj, a, json));
    if (!READ(&x, obj, HEAD, &v, QT_NO_ITEM))
        return FAIL(E_FIELD);
    read_head(&x, &v);
    read_programs(&x, v.programs.json);
    ret_t->n_items = json_array_size(v.items.json);
    for (size_t i = 0; i < ret_t->n_items; i++)
        read_item(&x, json_array_get(v.items.json, i), (int)i);
    TRY(arena_check(a));
    return ret_report->n ? FAIL(E_FIELD) : OK;
}

bool template_open_on(const struct qtemplate *t, ymd_t day) { return (!t->from || t->from <= day) && (!t->to || day <= t->to); }

bool template_is_for(const struct qtemplate *t, struct slice program)
{
    for (size_t i = 0; i < t->n_programs; i++)
        if (slice_eq(t->programs[i], program))
            return true;
    return false;
}
