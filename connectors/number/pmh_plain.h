#ifndef GW_ZONE_NUMBER
#error "pmh_plain.h belongs to the number zone"
#endif
#ifndef CONNECTORS_NUMBER_PMH_PLAIN_H
#define CONNECTORS_NUMBER_PMH_PLAIN_H

/* Inside connectors/number: the elements of a reply, whoever has read them. */

#include "connectors/number/pmh.h"

struct nz_pmh_element {
    struct slice number, key; /* borrowed; empty when there is none, or it is no text */
    bool more;                /* than these two members, or less */
};

bool nz_pmh__key_ok(struct slice k);

/* An array of objects of myNumber (12 digits) and pmhKey (as it must be), each once, at least one and at most `max` of
 * them: what PMH sends when all is well. Read in place. False: something else, or something is wrong; then the JSON library reads it. */
bool nz_pmh__plain(struct slice body, struct nz_pmh_element *ret_x, size_t max, size_t *ret_n);

#endif
