#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_STAFF_WORK_H
#define KEYS_STAFF_WORK_H

/* Shared by the files of keys/staff only. */

#include "keys/staff/form.h"
#include "keys/staff/hasher.h"
#include "keys/staff/kept.h"
#include "keys/staff/staff.h"

struct nz_staff_zone {
    struct nz_intake *in;
    struct nz_hasher *hasher;
    uint8_t nobody[NZ_SALT_BYTES]; /* salt of users that do not exist */
};

void nz_staff_send(struct req *r, struct redis_batch *b, redis_done_fn *done, void *arg);

/* ---- for all ---- */

struct nz_demands nz_staff_demands(const struct nz_intake *in);
uint64_t nz_staff_wall(const struct nz_intake *in);
/* FIELD with its errors; other errors as they are. */
void nz_staff_refuse(struct req *r, struct err e, const struct field_report *report);
ERR nz_staff_source(const struct req *r, struct nz_source *ret_s);
void nz_staff_audit(struct req *r, const struct audit_rec *rec, audit_done_fn *done, void *arg);
bool nz_program_known(void *in, struct slice word);

#endif
