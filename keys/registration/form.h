#ifndef GW_ZONE_NUMBER
#error "form.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_FORM_H
#define KEYS_REGISTRATION_FORM_H

/* The field tables of the two published forms. */

#include "keys/registration/registration.h"

struct nz_values {
    struct field_value type_id, number, resident_key;
    struct field_value name, kana, address, birth, sex;
    struct field_value not_disclosed, deleted;
    struct field_value insurer, certification, recipient;
    struct field_value sub_key, segment, income, conditions, institutions, always, copayment;
    struct field_value from, to, history_key, detail;
};

/* Reads one object of the request and judges what a table cannot say: order of dates, form of the condition codes, size of
 * the parts whose inner fields are not published. Not the number itself. */
bool nz_form_read(enum nz_form form, json_t *obj, const struct check_levels *levels, struct nz_values *ret_v,
                  struct field_report *ret_report);

#endif
