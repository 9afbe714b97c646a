#ifndef GW_QUESTIONNAIRE_TEMPLATE_H
#define GW_QUESTIONNAIRE_TEMPLATE_H

/* 予診票の様式: what a municipality asks before a vaccination (docs/vaccination.md). Sans I/O.
 *
 *   qt:<muni>   HASH   ix             sealed index: of every template its newest version, for whom it is
 *                      <id>@<version> sealed template, as template_write() writes it; a version is never changed
 *
 * All of it under KEY_LINK_DATA of the municipality, with key and field as associated data. */

#include "gateway/base/arena.h"
#include "gateway/base/clock.h"
#include "gateway/base/json_write.h"
#include "gateway/check/field.h"
#include "gateway/store/store.h"

enum {
    QT_ID_MAX = 32,        /* [A-Za-z0-9_-]: ids of templates, items, choices */
    QT_PROGRAM_MAX = 50,   /* 予防接種設定ID, as tickets have it */
    QT_TITLE_MAX = 100, QT_TEXT_MAX = 400, QT_CONSENT_MAX = 1000, /* characters */
    QT_PROGRAMS_MAX = 16, QT_ITEMS_MAX = 64, QT_CHOICES_MAX = 20, QT_VERSION_MAX = 9999,
    QT_JSON_MAX = 96 * 1024, /* of a template, in and out */
    QT_TEMPLATES_MAX = 64, /* of a municipality */
    QT_INDEX_MAX = QT_TEMPLATES_MAX * 2048, /* plain form of the index */
    QT_FAULTS_MAX = 16
};

enum qt_type { QT_YES_NO, QT_CHOICE, QT_NUMBER, QT_DATE, QT_TEXT, QT_TYPE__MAX };
const char *qt_type_name(enum qt_type t); /* "yes_no" ... */

struct qt_choice { struct slice id, ja, en; };

enum { QT_NO_ITEM = -1 };
struct qt_item {
    struct slice id, ja, en;
    enum qt_type type;
    bool required;              /* when it is shown */
    bool doctor_only;           /* answered by the clinic, never shown to the citizen as a question */
    int show_item;              /* an item before this one, or QT_NO_ITEM: always shown */
    struct slice show_value;    /* shown when that one is shown and was answered so */
    bool unfit_at_least;        /* unfit_value is a limit (QT_NUMBER) */
    struct slice unfit_value;   /* an answer that tells the doctor to look: SLICE_NONE: none does */
    size_t n_choices;           /* QT_CHOICE */
    const struct qt_choice *choices;
};

struct qtemplate { /* slices live in the arena that it was read with */
    struct slice id;
    unsigned version;           /* from 1 */
    struct slice title_ja, title_en, consent_ja, consent_en;
    ymd_t from, to;             /* days on which it can be answered, both included; 0: open */
    size_t n_programs, n_items;
    struct slice programs[QT_PROGRAMS_MAX];
    struct qt_item items[QT_ITEMS_MAX];
};

/* A fault names the place, never what stood there. item: index from 0, QT_NO_ITEM: of the whole. field: a literal. */
struct qt_fault { int item; const char *field; enum field_rule rule; };
struct qt_report { unsigned n; struct qt_fault faults[QT_FAULTS_MAX]; };
void qt_fault_add(struct qt_report *r, int item, const char *field, enum field_rule rule);
/* "errors":[...] into the open object; for req_problem(). */
void qt_report_write(struct jsonw *w, void *report);

/* Reads a template. Errors: those of json_in_object(), FULL, NOMEM; FIELD with *ret_report. What it demands besides the tables: ids that are different, a
 * condition that names an item before its own (so that none goes round in a circle) with an answer that this one can have, no citizen's question that hangs on
 * a doctor's, choices where and only where the type is choice, and no twelve digits in a row in any text. */
ERR template_read(struct slice json, struct arena *a, struct qtemplate *ret_t, struct qt_report *ret_report);
/* As a JSON object. WHOLE: template_read() reads it back. CITIZEN: without the doctor's items, and without what an answer means to the doctor. */
enum qt_view { QT_VIEW_WHOLE, QT_VIEW_CITIZEN };
void template_write(const struct qtemplate *t, enum qt_view view, const char *name, struct jsonw *w);
/* QT_NO_ITEM when there is none. */
int template_item(const struct qtemplate *t, struct slice id);
bool template_open_on(const struct qtemplate *t, ymd_t day);
bool template_is_for(const struct qtemplate *t, struct slice program);

/* An answer in its one form: "yes" "no", a choice's id, a decimal number, YYYY-MM-DD, or text. */
enum field_rule qt_value_judge(const struct qt_item *item, struct slice value);

/* A text that may hold an individual number: twelve digits, half-width or full-width, with at most one blank or hyphen between two of them. Questionnaires go
 * where no number may go, and this code cannot tell a number from another twelve digits: none is taken. */
bool qt_twelve_digits(struct slice utf8);

/* ---- names ---- */

void template_key(const char muni[static 6], struct store_name *ret_k);                              /* qt:<muni> */
#define QT_INDEX LIT("ix")
void template_field(struct slice id, unsigned version, struct store_name *ret_f);                    /* <id>@<version> */
bool qt_id_ok(struct slice id);

/* ---- the index ---- */

struct qt_entry { struct slice id; unsigned version; ymd_t from, to; struct slice title_ja, title_en; size_t n_programs; struct slice programs[QT_PROGRAMS_MAX]; };
struct qt_index { size_t n; struct qt_entry entries[QT_TEMPLATES_MAX]; };
/* The plain form under the seal. FULL: too many. */
ERR qt_index_encode(const struct qt_index *x, struct buf *out);
/* Slices borrow from plain. SEAL when malformed. */
ERR qt_index_decode(struct slice plain, struct qt_index *ret_x);
/* The template's entry: replaced or added. VERSION when its version is not the next one; FULL. */
ERR qt_index_put(struct qt_index *x, const struct qtemplate *t);
const struct qt_entry *qt_index_find(const struct qt_index *x, struct slice id);

#endif
