#ifndef GW_VACCINE_VRS_MARK_H
#define GW_VACCINE_VRS_MARK_H

/* Marks of what VRS is to be told: a vaccination record, a ticket or a subject that was written. A mark has no content and no number; keys/report, which alone can
 * get one, reads what stands there when it tells it, so that several changes are told as one. Sans I/O.
 *
 *   vq   ZSET  <h>:<field of p:{h}>, score: wall ms from which on it is to be told. +<h>:<field>: also when VRS has that version of the record, because the person is
 *              another one or has another number. -<sid>:<h>:<field>:<version>: what stood there is gone and is taken back at VRS; sid: the subject
 *              whose number it was told under
 *   vd   HASH  the same -> why it was not taken, for an officer
 *   vw   ZSET  0 -> every name of vq or vd that begins with -, without it: what is to be taken back under a subject */

#include "gateway/store/store.h"

#define VRS_MARK_QUEUE LIT("vq")
#define VRS_MARK_DEAD LIT("vd")
#define VRS_MARK_GONE LIT("vw")
#define VRS_MARK_SETTING "yes" /* of the setting vrs_report */

enum vrs_mark_kind { VRS_MARK_RECORD, VRS_MARK_TICKET, VRS_MARK_SUBJECT };
/* field: one that vrs_mark_kind_of() knows. */
void vrs_mark_name(const struct person *p, struct slice field, struct store_name *ret_m);
void vrs_mark_name_again(const struct person *p, struct slice field, struct store_name *ret_m); /* with the + */
/* i: k: v: of a municipality; false for all other fields. */
bool vrs_mark_kind_of(struct slice field, enum vrs_mark_kind *ret_kind, struct slice *ret_muni);

enum { VRS_MARK_MAX = 160 };
struct vrs_mark_text { char c[VRS_MARK_MAX]; size_t n; };
static inline struct slice vrs_mark_slice(const struct vrs_mark_text *t) { return slice_of(t->c, t->n); }
/* With the -. sid: 32 hex. version, not 0: of a record the newest that VRS may have, of a registration now in ms. */
void vrs_mark_gone_name(struct slice sid, const struct person *p, struct slice field, uint64_t version, struct vrs_mark_text *ret_m);
/* field and sid borrow from the member; sid is empty but for what is gone. False: it is none. */
struct vrs_mark { struct person person; struct slice field, sid; uint64_t version; bool again, gone; };
bool vrs_mark_parse(struct slice member, struct vrs_mark *ret_m);
/* All names of vw of a subject lie between these two, in the form of ZRANGEBYLEX. */
void vrs_mark_gone_range(struct slice sid, struct store_name *ret_from, struct store_name *ret_to);
void vrs_mark_score(uint64_t now_ms, struct store_name *ret_score); /* decimal */

#endif
