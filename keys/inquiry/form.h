#ifndef GW_ZONE_NUMBER
#error "form.h belongs to the number zone"
#endif
#ifndef KEYS_INQUIRY_FORM_H
#define KEYS_INQUIRY_FORM_H

/* What is asked at the two routes. Sans I/O. The form is ours [not published]; published is that an inquiry has the individual number and 転出元. */

#include "gateway/check/field.h"
#include "gateway/crypto/crypto.h"
#include "keys/number/mynum.h"

enum { NZ_INQ_KEY_MAX = 400 /* bytes */, NZ_INQ_ERRORS_MAX = 4096, NZ_PROVIDE_MAX = 200, NZ_INQ_REQUEST_ID = 32 };

/* A person whom a municipality asks about. */
struct nz_inq_person {
    uint32_t row;                  /* from 1, the place in the request */
    struct nz_mynum *number;       /* owned by whoever has the row; NULL when refused */
    bool refused;                  /* a field broke a rule: errors say which */
    bool everywhere;               /* previousMunicipalityCode "all" */
    char peer[6];                  /* otherwise: 転出元 */
    uint16_t basis;
    bool consented;
    struct slice key;              /* municipalityIdentityKey, when it may be told; empty otherwise */
    struct slice errors;           /* of a refused one: JSON array */
};

/* POST inquiries: a JSON array. Persons and texts lie in the arena, their numbers in the pool. TOO_MANY_ROWS, JSON_SHAPE (also when empty) and the other errors of
 * json_in_array(). Numbers are given back by nz_inq_persons_free(), also after an error. */
ERR nz_inq_parse(struct slice body, struct arena *a, struct nz_pool *pool, size_t max, const char muni[static 6], const struct check_levels *levels,
                 struct nz_inq_person **ret_p, size_t *ret_n);
void nz_inq_persons_free(struct nz_inq_person *p, size_t n); /* NULL is fine */

/* POST provisions: an object. */
struct nz_provide_ask {
    char id[NZ_INQ_REQUEST_ID];
    char inquirer[6], provider[6];
    uint16_t basis;                /* as the inquirer says it; not ours */
    size_t n;
    struct nz_mynum *number[NZ_PROVIDE_MAX];
};
/* FIELD with *ret_report. Numbers as above. */
ERR nz_provide_parse(struct slice body, struct arena *a, struct nz_pool *pool, struct nz_provide_ask *ret_ask, struct field_report *ret_report);
void nz_provide_free(struct nz_provide_ask *ask);

#endif
