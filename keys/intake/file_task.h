#ifndef GW_ZONE_NUMBER
#error "file_task.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_FILE_TASK_H
#define KEYS_INTAKE_FILE_TASK_H

/* What a task that came as a file has in t:<muni>:<task> besides the fields of task.h. Sans I/O. Nothing here tells of the content of the file:
 * its name, size and sum are sealed in the spool.
 *
 *   fq         ZSET  <muni>:<task>:1 of files that were accepted just now, score = wall ms of the acceptance
 *   fq:<muni>  ZSET  the same, put in the municipality's own row (keys/bulk/queue.c), until they have ended
 *   fq:munis   ZSET  municipalities that may have one there */

#include "keys/intake/task.h"
#include "keys/linkage/linkage.h"

/* X(symbol, stored word): where a file stands. */
#define NZ_FILE_STATES(X)                                                                                   \
    X(NZ_FILE_UPLOADING, "uploading")     /* not complete; not in fq */                                     \
    X(NZ_FILE_ACCEPTED, "accepted")       /* every byte durable; waits for its turn */                      \
    X(NZ_FILE_VALIDATING, "validating")   /* sum and structure of the whole file; nothing is applied yet */ \
    X(NZ_FILE_PROCESSING, "processing")                                                                     \
    X(NZ_FILE_ENDED, "ended")             /* every row has a result (or waits in the outbox for PMH) */     \
    X(NZ_FILE_REJECTED, "rejected")       /* a fault of the file: nothing was applied */

enum nz_file_state {
#define X(sym, word) sym,
    NZ_FILE_STATES(X)
#undef X
    NZ_FILE__MAX
};
const char *nz_file_state_name(enum nz_file_state s);

enum nz_file_mode { NZ_MODE_APPLY, NZ_MODE_DRY_RUN, NZ_MODE_UNDO, NZ_MODE__MAX }; /* stored: "apply", "dry_run", "undo" */

const char *nz_file_mode_name(enum nz_file_mode m);
const char *nz_file_source_name(enum nz_source s);
/* The stored words, which are also those of the door. */
bool nz_file_mode_parse(struct slice value, enum nz_file_mode *ret_m);
bool nz_file_source_parse(struct slice value, enum nz_source *ret_s);
bool nz_file_layout_ok(struct slice value);   /* could be a name */
bool nz_file_encoding_ok(struct slice value);

/* Why a file as a whole was rejected: a rule of keys/linkage/rules.def by its name, or checksum_mismatch, size_mismatch,
 * stored_value_unreadable, municipality_closed, layout_unknown. Of an ended one: why it did not come to its end (municipality_closed, file_unreadable). */
enum { NZ_REJECT_MAX = 40, NZ_LAYOUT_NAME_MAX = 64 };
struct nz_file_reject { char rule[NZ_REJECT_MAX]; char field[64]; uint64_t line, column; };

struct nz_file_task {
    struct nz_task task;               /* id, form, times, rows (0 until validated), counts */
    enum nz_file_state state;
    enum nz_file_mode mode;
    enum nz_source source;             /* stored: csv, json, json_lines; of an undo without meaning */
    char layout[NZ_LAYOUT_NAME_MAX + 1]; /* CSV: name of a shipped layout, [a-z0-9-] */
    char encoding[8];                  /* auto, utf-8, cp932 */
    bool has_of;
    struct nz_task_id of;              /* undo: the task to be undone; else: only the rows that failed there */
    bool is_undone;
    struct nz_task_id undone;          /* the task that takes this one back */
    uint64_t accepted_ms, ended_ms;    /* 0: not yet */
    uint64_t checkpoint;               /* rows whose results are durable */
    uint64_t suspicious;
    uint64_t fence;                    /* of the scripts that write for this task */
    uint64_t untold;                   /* ENDED before its end: rows that have no result of their own; they are in the count of the refused ones */
    uint64_t peers, peers_answered;    /* of an inquiry that is through */
    uint64_t thrown_away;              /* of an inquiry: answers that broke the agreement, in the count of the refused ones */
    struct nz_file_reject reject;      /* REJECTED; ENDED before its end */
    bool has_source, has_state;        /* seen by nz_file_task_field() */
};

/* Names of the further fields. `src` is there in tasks of files only. */
#define NZ_TASK_SRC "src"
#define NZ_TASK_STATE "st"
#define NZ_TASK_MODE "mode"
#define NZ_TASK_LAYOUT "layout"
#define NZ_TASK_ENCODING "enc"
#define NZ_TASK_OF "of"
#define NZ_TASK_UNDONE "undone" /* of a file that is taken back: the task that does it */
#define NZ_TASK_ACCEPTED "acc_ms"
#define NZ_TASK_ENDED "end_ms"
#define NZ_TASK_CHECKPOINT "ck"
#define NZ_TASK_SUSPICIOUS "sus"
#define NZ_TASK_FENCE "fence"
#define NZ_TASK_UNTOLD "untold"
#define NZ_TASK_REJECT_RULE "rj"
#define NZ_TASK_REJECT_FIELD "rj_field"
#define NZ_TASK_REJECT_LINE "rj_line"
#define NZ_TASK_REJECT_COLUMN "rj_col"
#define NZ_TASK_PEERS "peers"              /* of an inquiry that is through: municipalities that were asked */
#define NZ_TASK_THROWN_AWAY "bad"          /* answers that were not what was agreed */
#define NZ_TASK_PEERS_ANSWERED "peers_ok"  /* that answered for everybody */

/* One field of the hash, those of task.h included; unknown names are ignored. false when a value is malformed. */
bool nz_file_task_field(struct nz_file_task *t, struct slice name, struct slice value);
/* t zeroed but for task.id. After the last field: sets the waiting count. false when required ones are missing or do not fit (a state behind
 * uploading has accepted_ms, an end has ended_ms, a rejection its rule, an undo what it undoes); *ret_is_file false: it is a task of an API request. */
bool nz_file_task_complete(struct nz_file_task *t, bool *ret_is_file);

/* Nothing of it will change any more: rejected, or ended and no row waits in the outbox. */
bool nz_file_task_over(const struct nz_file_task *t);
/* The state as told: uploading, accepted, validating, processing, stalled, done, done_with_errors, rejected. */
const char *nz_file_task_state(const struct nz_file_task *t, uint64_t now_ms);
/* Opens the object and writes every member but "progress"; the caller ends it. */
void nz_file_task_json_open(const struct nz_file_task *t, uint64_t now_ms, struct jsonw *w);

/* The names of the queues; members: nz_member_write() with row 1. A file that was accepted goes into the first one. */
struct slice nz_file_queue_name(void);
void nz_file_queue_of(const char muni[static 6], struct store_name *ret_k);

#endif
