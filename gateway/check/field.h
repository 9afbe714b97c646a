#ifndef GW_CHECK_FIELD_H
#define GW_CHECK_FIELD_H

/* One table of rules for the fields of an object; a failure names the field and the rule, never the value. */

#include "gateway/check/json_flat.h"
#include "gateway/base/clock.h"
#include "gateway/base/json_write.h"

enum field_class {
    FC_TEXT,     /* any characters but control characters, those that turn the direction among them; limits count code points */
    FC_ALNUM,    /* half-width letters and digits, "-" and "_" (半角英数) */
    FC_DIGITS,   /* half-width digits */
    FC_DATE,     /* "YYYY-MM-DD", an existing day */
    FC_CODE,     /* one of the words in `words`, separated by '|' */
    FC_BOOL,     /* JSON boolean, not "0"/"1" */
    FC_OBJECT,   /* object, read with the table `sub` into the same struct */
    FC_ARRAY,    /* array of objects, kept as it is (jansson value) */
    FC_ANY_OBJECT/* object whose inner fields are not published, kept as it is */
};

enum field_check { CK_NONE, CK_MYNUMBER, CK_PAYER /* 公費負担者番号 */, CK_GTIN, CK_MUNI, CK_INSTITUTION /* 医療機関コード */ };
enum check_level { CHECK_OFF, CHECK_WARN, CHECK_REJECT };

struct field {
    const char *name;       /* published name */
    size_t offset;          /* of a struct field_value in the target struct; ignored for FC_OBJECT */
    enum field_class cls;
    uint16_t min, max;      /* code points or items */
    bool required;
    enum field_check check; /* check digit, judged at the level that is set for it */
    const char *words;      /* FC_CODE */
    const struct field *sub;/* FC_OBJECT */
    uint8_t n_sub;
};

/* What was read. present false: the field was absent. text borrows from the json_t or the cell. */
struct field_value {
    bool present;
    struct slice text;      /* TEXT ALNUM DIGITS DATE CODE; of cells also ARRAY, ANY_OBJECT: the JSON text */
    bool flag;              /* BOOL */
    ymd_t date;             /* DATE */
    json_t *json;           /* ARRAY, ANY_OBJECT; borrowed; NULL when it came as a cell */
};

/* A value before it is judged, of JSON or of a file without JSON. */
enum field_cell_kind { CELL_ABSENT, CELL_TEXT, CELL_BOOL, CELL_OBJECT, CELL_ARRAY, CELL_OTHER /* a JSON number or null */ };
struct field_cell {
    enum field_cell_kind kind;
    bool flag;              /* BOOL */
    bool of_objects;        /* ARRAY: every item is an object */
    size_t items;           /* OBJECT, ARRAY */
    struct slice text;      /* TEXT, well-formed UTF-8; OBJECT, ARRAY without json: their JSON text */
    json_t *json;           /* borrowed */
};

/* X(symbol, slug, ja, en): the rule a field broke. */
#define FIELD_RULES(X)                                                                          \
    X(MISSING,     "missing",     "必須の項目がありません。",               "A required field is missing.")          \
    X(TYPE,        "type",        "項目の型が違います。",                   "The field has the wrong JSON type.")    \
    X(LENGTH,      "length",      "長さが範囲外です。",                     "The length is out of range.")           \
    X(CLASS,       "class",       "使えない文字があります。",               "A character is not allowed.")           \
    X(DATE,        "date",        "日付が正しくありません。",               "This is not an existing date.")         \
    X(CODE,        "code",        "決められた値ではありません。",           "The value is not one of the codes.")    \
    X(UNKNOWN,     "unknown",     "様式にない項目です。",                   "The field is not part of the form.")    \
    X(CHECK_DIGIT, "check_digit", "検査数字が合いません。",                 "The check digit does not match.")       \
    X(RANGE,       "range",       "項目どうしの関係が正しくありません。",   "The fields contradict each other.")      \
    X(NUMBER_INSIDE, "number_inside", "個人番号欄以外に個人番号が含まれています。", "An individual number stands outside its own field.") \
    X(TWICE,       "twice",       "同じものが二度あります。",               "The same thing is there twice.")         \
    X(HIDDEN,      "hidden",      "この回答では尋ねていない項目です。",     "With these answers this is not asked.")

enum field_rule {
    FR_NONE,
#define X(sym, slug, ja, en) FR_##sym,
    FIELD_RULES(X)
#undef X
    FR__MAX
};

struct field_fault {
    const char *field;  /* name from the table (a literal); "" for an unknown member: its name is the sender's, so it is not repeated */
    enum field_rule rule;
};

enum { FIELD_FAULTS_MAX = 16 };
struct field_report {
    struct field_fault faults[FIELD_FAULTS_MAX]; /* the first ones */
    unsigned n_faults;
    struct field_fault warnings[FIELD_FAULTS_MAX];
    unsigned n_warnings;
};

struct check_levels { enum check_level by_check[8]; }; /* indexed by enum field_check */

/* Reads obj into target by the table; every field_value of the table is written. Returns true when there is no fault. Members that the table does not have are
 * faults (UNKNOWN, once an object). levels NULL: all off. obj that is not an object gives one fault TYPE with the field "". */
bool fields_read(json_t *obj, const struct field *table, size_t n, const struct check_levels *levels, void *target,
                 struct field_report *ret_report);
/* The same for cells, one for each field in the order of the table; the fields of an FC_OBJECT follow its own cell, which is OBJECT or ABSENT. */
bool fields_read_cells(const struct field_cell *cells, const struct field *table, size_t n, const struct check_levels *levels, void *target,
                       struct field_report *ret_report);
/* The same for the text of an object, without a tree where json_flat() has it (a table without FC_OBJECT, of at most JSON_FLAT_MAX fields). *ret_e: what json_in_object()
 * says of it; fields are judged only when that is OK. Texts borrow from `text` or live in the arena. */
bool fields_read_text(struct err *ret_e, struct arena *a, struct slice text, const struct field *table, size_t n, void *target, struct field_report *ret_report);
/* As many cells as fields_read_cells() asks for. */
size_t fields_count(const struct field *table, size_t n);
void field_fault_add(struct field_report *r, const char *field, enum field_rule rule);
void field_warning_add(struct field_report *r, const char *field, enum field_rule rule);
/* A check digit that was judged elsewhere (CK_MYNUMBER: the number zone's own): fault, warning or nothing by its level. */
void field_check_judge(struct field_report *r, const char *field, enum field_check check, const struct check_levels *levels, bool good);

/* Well-formed UTF-8 without control characters (C0, C1, U+202A..202E, U+2066..2069; joiners and variation selectors are none): what FC_TEXT asks of a text. */
bool field_text_ok(struct slice s);

const char *field_rule_slug(enum field_rule r);
const char *field_rule_ja(enum field_rule r);
const char *field_rule_en(enum field_rule r);
/* A fault as answers have it: {"field","rule","message_ja","message_en"}, never a value. */
void field_fault_write(struct jsonw *w, struct slice field, enum field_rule rule);
/* "errors":[...] of a struct field_report into the open object; for req_problem(). */
void field_report_write(struct jsonw *w, void *report);

/* Check digits; d points to the whole code, all digits. Sources: facts in docs/interfaces.md. */
bool check_payer(struct slice d);       /* 8 or 7 digits, mod 10 weights 2,1 with digit sums; also insurer, recipient, institution (10) */
bool check_gtin(struct slice d);        /* 8, 12, 13 or 14 */
bool check_muni(struct slice d);        /* 6, mod 11 weights 6..2 */

#endif
