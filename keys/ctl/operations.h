#ifndef GW_ZONE_NUMBER
#error "operations.h belongs to the number zone"
#endif
#ifndef KEYS_CTL_OPERATIONS_H
#define KEYS_CTL_OPERATIONS_H

/* Which operation a file is for, as the command line says it. */

#include "keys/registration/registration.h"

/* "subject", "history", …: the words of --form, or an operation id. false when it is neither. */
bool nz_operation_find(const char *word, enum nz_form *ret_form);
/* The operation whose CSV layout has this name. */
bool nz_operation_of_layout(const char *layout, enum nz_form *ret_form);
/* The value of a top-level line "operation: ID" of a layout. */
bool nz_operation_in_layout(struct slice yaml, enum nz_form *ret_form);
const char *nz_operation_name(enum nz_form form);
/* "subject, history, …" */
const char *nz_operation_words(void);

#endif
