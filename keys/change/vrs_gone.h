#ifndef GW_ZONE_NUMBER
#error "vrs_gone.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_VRS_GONE_H
#define KEYS_CHANGE_VRS_GONE_H

/* What VRS was told and is gone here is taken back there: the mark is made by the script that takes it away (gateway/vaccine/vrs_mark.h, decision 47). */

#include "gateway/store/store.h"
#include "keys/change/cas.h"

struct nz_vrs_gone {
    const struct store_name *person; /* p:{h} */
    struct slice sid;                /* 32 hex: under whose number it was told */
    struct slice field, plain;       /* plain: of a record; one that does not open is taken back whatever its version was */
    struct slice tk;                 /* of a ticket with a number: the name in the index; when another resident has the number by now, it is theirs at VRS too */
    uint64_t now_ms;
};
/* Nothing for a field that VRS is not told of. FULL. */
ERR nz_vrs_gone_add(struct nz_cas *c, struct arena *a, const struct nz_vrs_gone *g);
/* The field is erased: what leads to a ticket by its number goes with it, and with to_vrs what VRS was told is taken back there. g: without plain and tk, which are read out
 * of what is sealed; what does not open leads nowhere. Nothing for a field that VRS is not told of. FULL, FORBIDDEN: the municipality has no key any more. */
ERR nz_vrs_let_go(struct nz_cas *c, struct arena *a, struct store *s, const struct nz_vrs_gone *g, struct slice sealed, bool to_vrs);

#endif
