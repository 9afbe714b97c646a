#ifndef GW_ZONE_NUMBER
#error "files.h belongs to the number zone"
#endif
#ifndef KEYS_FILES_FILES_H
#define KEYS_FILES_FILES_H

/* The routes of files and tasks of the municipal door (docs/bulk.md). An upload is a folder of the spool and t:<muni>:<task> in redis-link:
 *
 *   create  key from the vault -> folder durable -> t:, tl:, fu: -> 201
 *   part    bytes sealed, appended, synced -> 200; the last one: audited -> accepted, fq -> 202, the engine of keys/bulk is woken
 *
 *   fu:<muni>  ZSET  uploads that are not complete, score = received wall ms: so that their number is bounded */

#include "keys/intake/intake.h"

enum {
    NZ_FILES_OPEN_MAX = 256,      /* files whose key is in memory */
    NZ_FILES_UPLOADS_MAX = 100,   /* of a municipality, not complete */
    NZ_FILES_FOLLOWERS_MAX = 200, NZ_FILES_FOLLOWERS_OF_ONE = 40, /* of a municipality */
    NZ_FILES_ROOM = 64 << 20      /* bytes of the disk that uploads leave for what is under way */
};

struct nz_files;
ERR nz_files_new(struct nz_files **ret_f, struct nz_intake *in);
/* Starts nothing new; NULL is fine. */
void nz_files_close(struct nz_files *f);
bool nz_files_idle(const struct nz_files *f);
void nz_files_free(struct nz_files *f); /* after the loop */

handler_fn nz_files_create, nz_files_put, nz_files_get, nz_files_delete;
handler_fn nz_tasks_list, nz_tasks_get, nz_tasks_results, nz_tasks_events, nz_tasks_receipt, nz_tasks_undo;

#endif
