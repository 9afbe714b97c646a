#ifndef GW_ZONE_NUMBER
#error "form.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_FORM_H
#define KEYS_CHANGE_FORM_H

/* One row of postResidentChangeTasks: what a municipal system says happened to a resident. The names are ours (docs/interfaces.md). Sans I/O. */

#include "gateway/check/field.h"
#include "keys/linkage/linkage.h"
#include "keys/number/mynum.h"

/* X(symbol, stored number, word of changeType). The numbers are stored: append only. */
#define NZ_CHANGE_TYPES(X)                                                                        \
    X(NZ_CH_MOVED_OUT, 1, "moved_out")                   /* 転出 */                               \
    X(NZ_CH_DIED, 2, "died")                             /* 死亡 */                               \
    X(NZ_CH_FORCED, 3, "forced_expiry")                  /* 強制失効 */                           \
    X(NZ_CH_RESTORED, 4, "restored")                     /* takes one of those, or the next, back */ \
    X(NZ_CH_WRONG, 5, "wrong_registration")              /* 誤登録: every record is taken away */ \
    X(NZ_CH_NUMBER, 6, "number_changed")                 /* 個人番号の変更 */                     \
    X(NZ_CH_MERGED, 7, "merged")                         /* two resident keys, one human */       \
    X(NZ_CH_UNMERGED, 8, "unmerged")                     /* they were two after all */

enum nz_change_type {
    NZ_CH_NONE,
#define X(sym, number, word) sym = number,
    NZ_CHANGE_TYPES(X)
#undef X
    NZ_CH__MAX
};

struct nz_change {
    enum nz_change_type type;
    struct slice resident_key;   /* municipalityIdentityKey */
    struct slice other_key;      /* otherMunicipalityIdentityKey; merged and unmerged, else empty */
    struct slice operation_key;  /* operationKey */
    ymd_t effective;             /* effectiveDate */
    struct nz_mynum *number;     /* myNumber: NULL when absent. Owned by whoever read the row */
    struct nz_mynum *new_number; /* newMyNumber: number_changed, else NULL */
};

/* Reads one object. Slices are copied into the arena; the numbers go from obj into the pool and are taken out of obj. When there is a fault
 * (ret_report) *ret_c holds no number. FULL (arena or pool), CRYPTO: nothing is kept either. */
ERR nz_change_read(json_t *obj, const struct check_levels *levels, struct nz_pool *pool, struct arena *a, struct nz_change *ret_c,
                   struct field_report *ret_report);
/* The same from a row of a file. layout: NULL for JSON. What is not one good object is the fault TYPE of the field "". */
ERR nz_change_read_row(const struct nz_layout *layout, const struct nz_linkage_row *in, const struct check_levels *levels, struct nz_pool *pool,
                       struct arena *a, struct nz_change *ret_c, struct field_report *ret_report);
void nz_change_done(struct nz_change *c); /* gives the numbers back; idempotent; NULL is fine */

#endif
