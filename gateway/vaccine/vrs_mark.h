#ifndef GW_VACCINE_VRS_MARK_H
#define GW_VACCINE_VRS_MARK_H

/* Marks of what VRS is to be told: a vaccination record, a ticket or a subject that was written. A mark has no content and no number; keys/report, which alone can
 * get one, reads what stands there when it tells it, so that several changes are told as one. Sans I/O.
 *
 *   vq   ZSET  <h>:<field of p:{h}>, score: wall ms from which on it is to be told. +<h>:<field>: also when VRS has that version of the record, because the person is
 *              another one or has another number
 *   vd   HASH  the same -> why it was not taken, for an officer */

#include "gateway/store/store.h"

#define VRS_MARK_QUEUE LIT("vq")
#define VRS_MARK_DEAD LIT("vd")
#define VRS_MARK_SETTING "yes" /* of the setting vrs_report */

enum vrs_mark_kind { VRS_MARK_RECORD, VRS_MARK_TICKET, VRS_MARK_SUBJECT };
/* field: one that vrs_mark_kind_of() knows. */
void vrs_mark_name(const struct person *p, struct slice field, struct store_name *ret_m);
void vrs_mark_name_again(const struct person *p, struct slice field, struct store_name *ret_m); /* with the + */
/* i: k: v: of a municipality; false for all other fields. */
bool vrs_mark_kind_of(struct slice field, enum vrs_mark_kind *ret_kind, struct slice *ret_muni);
/* field borrows from the member. False: it is none. */
struct vrs_mark { struct person person; struct slice field; bool again; };
bool vrs_mark_parse(struct slice member, struct vrs_mark *ret_m);
void vrs_mark_score(uint64_t now_ms, struct store_name *ret_score); /* decimal */

#endif
