#ifndef GW_ZONE_NUMBER
#error "row_rules.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_ROW_RULES_H
#define KEYS_REGISTRATION_ROW_RULES_H

/* The rules between the rows of one request. */

#include "keys/registration/registration.h"
#include "keys/tag/tag.h"

struct nz_entry {
    struct nz_row *row;       /* verdict OK, number set */
    struct slice name, birth; /* for the mix-up rule */
    struct nz_tag tag;        /* by nz_rules_judge */
};

/* Sets verdict and with_row of the rows; a row keeps the first of: resident key with two numbers, number with two resident keys,
 * another person, contradicting certificates, same row again. O(n log n). */
ERR nz_rules_judge(struct nz_entry *entries, size_t n);

#endif
