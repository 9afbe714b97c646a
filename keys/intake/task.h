#ifndef GW_ZONE_NUMBER
#error "task.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_TASK_H
#define KEYS_INTAKE_TASK_H

/* A task as its municipality sees it. Sans I/O: from the fields of t:<muni>:<task> to JSON. */

#include "keys/intake/names.h"
#include "keys/intake/row_result.h"

enum { NZ_STALLED_MS = 60000 };

/* Names of the fields of t:, other than the counts: those are the names of the results. */
#define NZ_TASK_OP "op"
#define NZ_TASK_SYSTEM "sys"
#define NZ_TASK_RECEIVED "ms"
#define NZ_TASK_ROWS "rows"
#define NZ_TASK_FAILED "failed_ms" /* wall ms of the last attempt of a row that failed */
#define NZ_TASK_MOVED "moved_ms"   /* wall ms at which a row was last finished */

struct nz_task {
    struct nz_task_id id;
    enum nz_form form;
    uint64_t received_ms;
    uint64_t rows;
    uint64_t failed_ms, moved_ms;       /* 0: never */
    bool upstream_down;                 /* set by the reader: rows that need the upstream are not even tried now */
    uint64_t count[NZ_RESULT__MAX];     /* NZ_WAITING: what is left of rows */
};

/* One field of the hash; unknown names are ignored. false when a value is malformed. */
bool nz_task_field(struct nz_task *t, struct slice name, struct slice value);
/* After the last field: sets the waiting count. false when required fields are missing or the counts do not fit. */
bool nz_task_complete(struct nz_task *t);

/* fresh: the task is being acknowledged now, nothing was sent. */
const char *nz_task_state(const struct nz_task *t, bool fresh, uint64_t now_ms);

/* Opens the object and writes everything but "rows"; the caller ends it. */
void nz_task_json_open(const struct nz_task *t, bool fresh, uint64_t now_ms, struct jsonw *w);
/* "rows": stored[i] is the stored result of row i + 1, empty when it waits. SEAL when one is malformed. */
ERR nz_task_json_rows(const struct slice *stored, size_t n, struct jsonw *w);

#endif
