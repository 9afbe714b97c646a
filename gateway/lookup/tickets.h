#ifndef GW_LOOKUP_TICKETS_H
#define GW_LOOKUP_TICKETS_H

/* What a person has of vaccination besides records: tickets that are good today, and the questionnaires that belong to them. Sans I/O. */

#include "gateway/consent/tell.h"
#include "gateway/lookup/judge.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/vaccine/ticket.h"

enum { TICKETS_MAX = 64, TEMPLATE_SET_MAX = 16, TEMPLATE_MUNIS_MAX = 16 };

/* Tickets that are good today, of municipalities that the person has not left (j: after judge_heard()); beyond TICKETS_MAX the rest is left out. */
struct tickets { size_t n; struct ticket t[TICKETS_MAX]; };
ERR tickets_valid(const struct judge *j, const struct redis_reply *hash, struct arena *a, struct tickets *ret_t);
/* NULL: the person has no such ticket, or not today. */
const struct ticket *tickets_find(const struct tickets *t, struct slice muni, struct slice number);

/* Every questionnaire of the person, of municipalities that it has not left; kept in the arena, oldest first. FULL: more than SHEET_BOOK_MAX. */
struct sheet_kept { const struct sheet *s; struct slice sealed; };
struct sheet_book { size_t n; struct sheet_kept kept[SHEET_BOOK_MAX]; };
ERR sheets_keep(const struct judge *j, const struct redis_reply *hash, struct arena *a, struct sheet_book *ret_b);
const struct sheet_kept *sheets_find(const struct sheet_book *b, const uint8_t id[static SHEET_ID_BYTES]);

/* HSET of the questionnaire in p:{h}, while it is what was read (was: the sealed value, empty: it is new) and no vaccination data of the person has changed
 * (stand.turn: its field iv as read) and the person is tied to the municipality as it was (stand.tie: its field s:<muni>); the municipality's index; the epoch.
 * Two replies: 1 when it was done, the epoch. CONFLICT: the person has so much already (SHEETS_BYTES_MAX) that a new one has no room. */
enum { SHEETS_BYTES_MAX = 1 << 20 };
struct sheet_stand { struct slice turn, tie; size_t bytes; /* of all questionnaires, sealed */
                     const struct consent_clinics *tell; /* a submitted one is told to them; NULL: nobody */
                     uint64_t outbox_max; /* with more lanes than that it is refused: the script has no room */ };
ERR sheet_stand_of(const struct redis_reply *hash, const char muni[static 6], struct arena *a, struct sheet_stand *ret_s); /* copies */
ERR sheet_write_batch(struct store *store, const struct store_name *person, const struct sheet *s, struct slice was, const struct sheet_stand *stand,
                      struct redis_batch **ret_b);

/* ---- templates of several municipalities, read in one round trip ---- */

struct template_want { char muni[6]; struct slice id; unsigned version; const struct qtemplate *t; /* NULL: it is not there */ };
struct template_set { size_t n; struct template_want want[TEMPLATE_SET_MAX]; };
/* Each once; beyond TEMPLATE_SET_MAX the rest is left out. id: copied. */
ERR template_set_add(struct template_set *s, struct arena *a, const char muni[static 6], struct slice id, unsigned version);
/* One command each; takes as many replies. */
void template_set_ask(const struct template_set *s, struct redis_batch *b);
ERR template_set_take(struct template_set *s, struct store *store, struct arena *a, const struct redis_reply *const *replies, size_t n);
const struct qtemplate *template_set_find(const struct template_set *s, const char muni[static 6], struct slice id, unsigned version);

/* The index of a municipality (HGET qt:<muni> ix): empty when there is none. SEAL, FORBIDDEN, NOMEM. */
ERR template_index_open(struct store *store, const char muni[static 6], const struct redis_reply *sealed, struct arena *a, struct qt_index *ret_x);
/* The newest template for the ticket that is open on that day; of several the one that stands first. NULL: none. */
const struct qt_entry *template_for(const struct qt_index *x, struct slice program, ymd_t day);

#endif
