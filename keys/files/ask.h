#ifndef GW_ZONE_NUMBER
#error "ask.h belongs to the number zone"
#endif
#ifndef KEYS_FILES_ASK_H
#define KEYS_FILES_ASK_H

/* What is asked of the routes of files and tasks: the body of createFile, queries, cursors. Sans I/O. */

#include "keys/intake/file_task.h"
#include "keys/spool/spool.h"

struct nz_file_ask {
    enum nz_form form;
    enum nz_file_mode mode;
    enum nz_source source;
    char layout[NZ_LAYOUT_NAME_MAX + 1]; /* "" unless CSV */
    char encoding[8];
    bool has_of;
    struct nz_task_id of;
    struct nz_spool_meta meta;
};

/* The errors of json_in_object(); FIELD with what is wrong in *ret_report. pool: one free place. */
ERR nz_file_ask_read(struct slice body, struct arena *a, struct nz_pool *pool, struct nz_file_ask *ret_ask, struct field_report *ret_report);

/* A place in the results: the frame in which the next entry begins, the bytes of it that are passed over, and rows before it.
 * As text: <offset>-<frame>-<skip>-<rows>. */
struct nz_results_at { struct nz_frames_at frame; uint64_t skip, rows; };
size_t nz_results_at_format(const struct nz_results_at *at, char out[static 96]);
bool nz_results_at_parse(struct slice s, struct nz_results_at *ret_at);

enum { NZ_RESULTS_PAGE_MAX = 1000 };
struct nz_results_query { bool has_cursor, only_failed; struct nz_results_at at; uint64_t limit; };
/* BAD_URL for anything that is not documented. */
ERR nz_results_query_read(struct slice query, struct nz_results_query *ret_q);

/* ?cursor= of the list: ms of the last task that was shown. UINT64_MAX without one. BAD_URL. */
ERR nz_list_query_read(struct slice query, uint64_t *ret_before_ms);

#endif
