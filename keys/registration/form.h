#ifndef GW_ZONE_NUMBER
#error "form.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_FORM_H
#define KEYS_REGISTRATION_FORM_H

/* The field tables of the forms, and what of each field is kept. */

#include "keys/registration/number_inside.h"
#include "keys/registration/registration.h"

/* Where the fields of any form are read to. type_id and history_key tell two records of a person apart, whatever the form calls them. */
struct nz_values {
    struct field_value type_id, history_key, number, resident_key;
    struct field_value name, kana, address, birth, sex;
    struct field_value not_disclosed, stopped, deleted;
    struct field_value from, to;
    /* 医療費助成 */
    struct field_value insurer, certification, recipient, sub_key, segment, income, conditions, institutions, always, copayment, detail;
    /* the others */
    struct field_value modification, removed, forced, recovery, guardian, subject_number, subject_segment, reduction;
    struct field_value label, ticket, burden, day, dose;
    /* The first fault of the inner fields, which no table has; FR_NONE when good or absent. */
    enum field_rule copayment_inner, detail_inner;
};

/* Everything of a field that is kept or answered. Codes and dates cannot hold twelve digits. A key or a recipient number may have twelve
 * digits of its own, so there only the row's number is looked for. */
struct nz_kept { const char *name; size_t offset; enum nz_inside how; };

/* A member of the record's JSON. */
enum nz_put { NZ_PUT_TEXT, NZ_PUT_FLAG, NZ_PUT_JSON };
struct nz_member { struct slice lead; /* `,"name":` */ size_t offset; enum nz_put put; };

struct nz_form_table {
    const struct field *fields; /* NULL: the form is read elsewhere */
    size_t n_fields;
    const struct nz_kept *kept;
    size_t n_kept;
    const struct nz_member *members; /* of struct record's eligibility, behind municipalityCode */
    size_t n_members;
    /* What a table cannot say: order of dates, codes, which fields a modification needs. */
    void (*judge)(const struct nz_values *v, struct field_report *r);
};
const struct nz_form_table *nz_form_table(enum nz_form form); /* never NULL */

/* The parts of the table of tables: form_subsidy.c, form_segments.c (the forms with modificationSeg). */
extern const struct nz_form_table nz_form__subject, nz_form__history, nz_form__checkup, nz_form__vaccination, nz_form__ticket;
/* basicFiveInfo, in the order in which it is kept. */
enum { NZ_BASIC_FIELDS = 5 };
extern const struct field nz_form__basic[NZ_BASIC_FIELDS];

/* Reads one object of the request and judges what the table cannot say. Not the number itself. */
bool nz_form_read(enum nz_form form, json_t *obj, const struct check_levels *levels, struct nz_values *ret_v, struct field_report *ret_report);

/* Limits of objects and arrays whose inner fields are not published; ours. */
enum { NZ_INNER_MEMBERS_MAX = 64, NZ_INNER_ITEMS_MAX = 100, NZ_INNER_TEXT_MAX = 1000, NZ_INNER_NAME_MAX = 100, NZ_INNER_DEPTH_MAX = 4,
       NZ_COPAYMENT_BYTES_MAX = 4096, NZ_DETAIL_BYTES_MAX = 32768 };
/* One text inside of them. */
enum field_rule nz_form_inner_text(struct slice s, size_t max);

#endif
