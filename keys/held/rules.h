#ifndef GW_ZONE_NUMBER
#error "rules.h belongs to the number zone"
#endif
#ifndef KEYS_HELD_RULES_H
#define KEYS_HELD_RULES_H

/* Which held rows an order applies to. Sans I/O. */

#include "keys/change/waiting.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"

/* X(symbol, word of the answer) */
#define NZ_HELD_ACTIONS(X)                                                                            \
    X(NZ_HELD_RELEASE, "released")   /* it is the right person: the rule that held it is off */       \
    X(NZ_HELD_DISCARD, "discarded")  /* it will not be applied */                                     \
    X(NZ_HELD_REPLAY, "replayed")    /* once more to the upstream, as if it had just come */

enum nz_held_action {
#define X(sym, word) sym,
    NZ_HELD_ACTIONS(X)
#undef X
    NZ_HELD__MAX
};
const char *nz_held_word(enum nz_held_action a);

enum nz_held_may {
    NZ_HELD_GO,
    NZ_HELD_NOT,   /* the row is not held */
    NZ_HELD_CANNOT /* it is held for a reason that this order does not lift: its code says which */
};
enum nz_held_may nz_held_may(enum nz_held_action a, enum nz_result result, enum nz_code code);

/* The row's result after the order was carried out; its warnings stay. */
void nz_held_result(enum nz_held_action a, struct nz_row_result *r);
/* The payload of a row that goes on; code: why it was held. A release lifts the one rule that held the row, beside what earlier ones lifted. */
void nz_held_payload(enum nz_held_action a, enum nz_code code, struct nz_payload *p, uint64_t now_ms);
/* The same of a resident change, which only the rule about mix-ups holds. */
void nz_held_waiting(enum nz_held_action a, struct nz_waiting *w, uint64_t now_ms);

#endif
