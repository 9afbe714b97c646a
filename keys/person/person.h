#ifndef GW_ZONE_NUMBER
#error "person.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_PERSON_H
#define KEYS_PERSON_PERSON_H

/* What a municipality says of one resident at the door besides records: control flags, and that all of it is to be forgotten.
 *
 *   ch:er:<muni>:<32 hex>  STRING  an erasure that has begun, sealed (keys/person/erasure.h); name: the resident key's, as rk: has it */

#include "keys/intake/intake.h"

/* PUT /v1/residents/flags: in effect on every route before the answer leaves, audited (FLAGS_SET) with the epoch that it raised. */
handler_fn nz_flags_put;
/* POST /v1/residents/flags: what this municipality has in force, recorded (FLAGS_READ) before it is told. Changes nothing. */
handler_fn nz_flags_read;
/* POST /v1/residents/erase: 200 only when nothing is left; a repeat completes what was interrupted. */
handler_fn nz_resident_erase;

/* Answers FIELD with the faults. */
void nz_person_refuse(struct req *r, struct err e, struct field_report *report);

#endif
