#ifndef GW_ZONE_NUMBER
#error "ask.h belongs to the number zone"
#endif
#ifndef KEYS_HELD_ASK_H
#define KEYS_HELD_ASK_H

/* The body of an order about held rows: {"rows":[1,2,…] or "all":true,"officer":"[a-z0-9_-]{1,32}"}. Sans I/O. */

#include "gateway/check/field.h"

enum { NZ_HELD_ROWS_MAX = 1000, NZ_OFFICER_MAX = 32, NZ_HELD_BODY_MAX = 32 * 1024 };

struct nz_held_ask {
    bool all;
    size_t n;             /* rows: 1..NZ_HELD_ROWS_MAX unless all */
    uint32_t *row;        /* ascending, each once; in the arena */
    struct slice officer; /* in the arena */
};

/* logged_in: the user who has; the officer is that one then, whatever the body says, and need not stand there. SLICE_NONE: nobody.
 * The errors of json_in_object(); TOO_MANY_ROWS; FIELD with *bad_fault set: the first fault, its field named by a literal. */
ERR nz_held_ask_parse(struct slice body, struct slice logged_in, struct arena *a, struct nz_held_ask *ret_ask, struct field_fault *bad_fault);

#endif
