#ifndef GW_ZONE_NUMBER
#error "names.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_NAMES_H
#define KEYS_INTAKE_NAMES_H

/* The names that pmhgw-intake alone uses in redis-link.
 *
 *   t:<muni>:<task>   HASH  op, sys, ms (received), rows, failed_ms, moved_ms, and one count for each result that a row has
 *   tr:<muni>:<task>  HASH  row -> result (row_result.h); no entry, or one that says so: the row waits
 *   o:<muni>:<task>   HASH  row -> sealed payload (payload.h; of a resident change keys/change/waiting.h) of a row that is not applied
 *   tu:<muni>:<task>  HASH  row -> what the row replaced (keys/bulk/undo_entry.h), sealed: of a row of a file that the outbox applied. "1" once it is taken back
 *   oq                ZSET  <muni>:<task>:<row> of rows whose subject has no PMH key yet, score = wall ms of the next attempt
 *   o:ready           ZSET  the same for rows whose subject had its key when the row came: they wait for no upstream
 *   tl:<muni>         ZSET  task, score = received wall ms
 *   tb:<muni>         ZSET  tasks that are not through, see open_tasks.h
 *   er:<muni>         ZSET  who was erased while rows were on their way, see erased.h
 *
 * task is 32 hex of 16 random bytes; a row that is quarantined keeps its payload and is in no queue. */

#include "gateway/store/store.h"

enum { NZ_MEMBER_MAX = 64 };

struct nz_task_id { uint8_t b[16]; };
struct nz_row_ref {
    char muni[6];
    struct nz_task_id task;
    uint32_t row; /* from 1 */
};
struct nz_member { char c[NZ_MEMBER_MAX]; size_t n; };
static inline struct slice nz_member_slice(const struct nz_member *m) { return slice_of(m->c, m->n); }

enum nz_queue { NZ_QUEUE_NUMBERING, NZ_QUEUE_READY, NZ_QUEUE__MAX };
struct slice nz_queue_name(enum nz_queue q);

/* prefix: "t", "tr", "tu" or "o". */
void nz_name_task(const char *prefix, const char muni[static 6], const struct nz_task_id *task, struct store_name *ret_k);
/* <kind>:<muni>; kind: "tl", "tb" ... */
void nz_name_muni(const char *kind, const char muni[static 6], struct store_name *ret_k);
void nz_name_task_list(const char muni[static 6], struct store_name *ret_k);

void nz_member_write(const struct nz_row_ref *ref, struct nz_member *ret_m);
/* false for anything that nz_member_write() does not write. */
bool nz_member_parse(struct slice s, struct nz_row_ref *ret_ref);

/* 32 lower-case hex characters. */
bool nz_task_id_parse(struct slice hex, struct nz_task_id *ret_id);
void nz_task_id_format(const struct nz_task_id *id, char out[static 32]);

/* Decimal digits of a row, as it is used for hash fields. Returns the length. */
size_t nz_row_format(uint32_t row, char out[static 10]);

#endif
