#ifndef GW_ZONE_NUMBER
#error "step.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_STEP_H
#define KEYS_CHANGE_STEP_H

/* From a step of the plan to its script. */

#include "keys/change/cas.h"
#include "keys/change/plan.h"

struct nz_ch_names {
    struct store_name ch;               /* of the operation */
    struct store_name kept_p, gone_p;   /* p:{h}; n 0: the side has no key */
    struct store_name kept_s, gone_s;   /* s:<sid> */
};

struct nz_ch_step {
    struct store *store;
    struct arena *arena;
    const struct nz_ch_view *view;
    const struct nz_ch_names *names;
    struct slice ch;                    /* the journal as it was read, sealed; empty: none */
    uint64_t keep_s;                    /* life of a finished journal */
    bool changed_since;                 /* BACK_FINISH, UNWIPE: something stays (set by UNWIPE itself) */
};

/* Fills c. FULL, CRYPTO, FORBIDDEN. Not for END and NUMBERING. */
ERR nz_ch_step_write(struct nz_ch_step *s, enum nz_ch_action action, struct nz_cas *c);

/* ch:todo and its member for an operation */
struct slice nz_ch_todo_name(void);
struct slice nz_ch_member(const struct store_name *ch); /* <muni>:<hex>, borrowed */
/* ch:of:<muni>:<hex>: the operations that name this resident key, score = wall ms of the last write; for whoever erases the resident */
void nz_ch_of_name(const char muni[static 6], struct slice rk_hex, struct store_name *ret_k);
/* Subjects and tickets of vaccinations, records and questionnaires: what raises the turn of gateway/vaccine/book.h. */
bool nz_ch_about_vaccination(struct slice field);
/* rk:<muni>:<hex> of a keyed sum */
void nz_ch_rk_name(const char muni[static 6], struct slice hex, struct store_name *ret_k);

#endif
