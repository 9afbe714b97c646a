#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_BULK_WORK_H
#define KEYS_BULK_WORK_H

/* Inside keys/bulk: runs (a file that is being worked on) and batches (rows of it, together on their way).
 *
 *   run    OPEN ──▶ SUM (validating) ──▶ READ (processing) ──▶ DRAIN ──▶ END        OPEN, SUM ──▶ REJECT or STOP; any of them left alone until later
 *   batch  FILL ▶ ERASED ▶ LINK ▶ NAMES ▶ TIES ▶ NUMBER ▶ PERSONS ▶ GONE ▶ RECORDS ▶ TICKETS ▶ CLINICS ▶ SAVE ▶ WRITE ▶ TELL
 *                                   └──────── again for rows about a subject that an earlier row of the batch is about (pass 2, 3 ...) ◀──┘
 *
 * A step either goes on at once or has something under way (busy) or waits for another batch. Each I/O ends in bulk__run_soon(), and one
 * pump per run moves every batch as far as it goes. Batches take names and tell their results in the order of the file. */

#include <sys/queue.h>

#include "keys/bulk/bulk.h"
#include "keys/bulk/result_entry.h"
#include "keys/bulk/undo_entry.h"
#include "keys/change/change.h"
#include "keys/intake/judge.h"
#include "keys/intake/locks.h"
#include "keys/intake/payload.h"
#include "keys/intake/task.h"
#include "keys/spool/spool.h"

enum {
    NZ_BULK_ARENA_MAX = 8 << 20,      /* of one batch */
    NZ_BULK_BATCH_BYTES = 256 << 10,  /* of records: a batch with more is full */
    NZ_BULK_PIECE = 4096,             /* bytes fed to the reader at a time: bounds the rows that come at once */
    NZ_BULK_STEP_MS = 10000,
    NZ_BULK_PAUSE_MIN_MS = 50,
    NZ_BULK_PAUSE_MAX_MS = 5000,
    NZ_BULK_NAMES_MS = 2,             /* until names that others hold are asked for again */
    NZ_BULK_CK_ROWS = 8192,           /* rows between two checkpoints */
    NZ_BULK_CK_MS = 1000,
    NZ_BULK_AHEAD_MAX = 32768,        /* rows beyond the checkpoint: reading stops */
    NZ_BULK_NUMBERINGS = 4,
    NZ_BULK_ASK_MAX = 1000
};

/* ---- a row ---- */

struct nz_brow_ties;
struct nz_redo { uint32_t row, with_row; bool there; };

struct nz_brow {
    struct nz_row row;                /* number: ours until it is not needed any more */
    uint64_t line;
    uint32_t column;
    unsigned n_unread;                /* linkage faults; then the rest is empty */
    struct nz_entry_fault *unread;    /* arena */
    uint8_t pass;                     /* 0: has its result without being applied; else the pass of the batch that does it */
    bool made;                        /* the vault made its subject just now */
    bool fresh;                       /* the same, and nothing is stored about it */
    bool has_rk, keyed, asked, diverted, held, has_ticket, counted;
    bool key_stored, tie_person, tie_key, tie_rk, was_diverted;
    struct nz_subject subject;
    uint8_t ticket[NZ_TICKET_BYTES];
    char rk[NZ_RK_HEX];
    char key[PMH_KEY_MAX + 1];
    struct person person;
    struct store_name field;
    struct store_name ticket_index;   /* tk:<hex> of a 接種券 that is registered; n 0: none */
    bool ticket_taken;                /* by another person */
    bool tells;                       /* clinics that may have the person open */
    struct nz_change *change;         /* arena; of a file of resident changes, and then there is no record */
    struct nz_waiting *waiting;       /* arena; what is kept of a change that waits or is held */
    bool looked;                      /* at what an earlier run did with the change */
    struct nz_brow_ties *ties;        /* arena; what was read about it */
    struct nz_seen_ties *seen;        /* arena; of a row that is held for them */
    struct nz_verdict verdict;
    uint32_t with_row;
    struct slice before;              /* arena: what stood in p:{h}, sealed */
    uint32_t sealed_at, sealed_n;     /* of batch.out */
    uint32_t key_at, key_n;
    struct slice changed;             /* arena */
    bool suspicious;
};

/* ---- a batch ---- */

#define NZ_STEPS(X) X(FILL) X(ERASED) X(LINK) X(NAMES) X(TIES) X(NUMBER) X(PERSONS) X(GONE) X(RECORDS) X(TICKETS) X(CLINICS) X(SAVE) X(WRITE) X(TELL)
enum nz_step {
#define X(name) NZ_STEP_##name,
    NZ_STEPS(X)
#undef X
    NZ_STEP__MAX
};

struct nz_batch {
    TAILQ_ENTRY(nz_batch) at;         /* in the run, in the order of the file */
    struct nz_run *run;
    enum nz_step step;
    bool busy;                        /* something is under way */
    uint64_t not_before;              /* loop_now(): after a failure */
    bool redo;                        /* rows of it may have been applied */
    unsigned under_way;
    struct err failed;
    size_t n, bytes;
    uint8_t pass, passes;
    bool named, saved, audited_rows;
    bool lost;                        /* written under a fence, and nobody knows whether */
    uint64_t fence;                   /* that it was written under */
    uint64_t erased;                  /* names erased since the file was received, when it was looked whose they are */
    size_t n_names, n_persons;
    struct arena *arena;
    struct buf out;                   /* sealed values */
    uint8_t (*names)[NZ_LOCK_BYTES];  /* subjects and resident keys */
    uint8_t (*persons)[NZ_LOCK_BYTES];
    struct nz_brow *row;              /* NZ_BULK_ROWS */
    struct nz_brow *keeping;          /* of a file of changes: the row that keep.c works on */
    uint64_t undo_mark;               /* sync round of the undo part that makes it durable */
};
TAILQ_HEAD(nz_batches, nz_batch);

/* ---- a run ---- */

enum nz_run_step { NZ_RUN_OPEN, NZ_RUN_SUM, NZ_RUN_READ, NZ_RUN_DRAIN, NZ_RUN_END, NZ_RUN_REJECT, NZ_RUN_STOP, NZ_RUN_GONE };

struct nz_part {                      /* results or undo: appended, synced in rounds */
    struct nz_frames *f;
    size_t pending;                   /* plain bytes since the last flush */
    uint64_t asked, started, done;    /* rounds */
    bool syncing;
    struct nz_run *run;
};

struct nz_ask;
struct nz_trouble;

struct nz_run {
    LIST_ENTRY(nz_run) all;
    struct nz_bulk *b;
    struct nz_intake *in;
    char muni[6];
    struct nz_file_task t;            /* as it was stored when the run began; count, checkpoint: as stored now */
    struct store_name name_t, name_tr, name_o;
    struct store_name field_s;        /* "s:<muni>" */
    enum nz_run_step step;
    bool busy;                        /* of the run's own steps: open, sum, checkpoint, end */
    bool pump_waits, leaving, loaded;
    void (*then)(struct nz_run *);    /* after the write of the run's own that is under way */
    uint64_t ended_ms;
    uint64_t not_before;
    unsigned pause_ms;
    struct timer *timer;
    uint64_t fence;
    bool fence_lost, fencing;
    uint64_t writes;                  /* batches that were sent under any fence */
    bool erased_known;                /* how many names were erased since the file was received: */
    uint64_t erased;
    struct nz_trouble *trouble;       /* of the municipality */
    bool begun;                       /* an earlier run may have applied rows */
    bool given_up;                    /* the disk had its time: what does not open now is lost */
    bool results_good;
    bool resumed;
    uint64_t redo_until;              /* rows up to here may have been applied by an earlier run */
    struct nz_redo *redo;             /* sorted by row */
    size_t n_redo;

    struct nz_spool_entry *entry, *of_entry;
    struct nz_frames *upload;
    struct nz_frames_at at;
    struct buf frame;                 /* what was read of the upload and not fed */
    size_t fed;
    bool eof;
    struct nz_linkage *linkage;
    struct nz_layout *layout;
    struct nz_row_reader *reader;
    struct nz_bulk_sum *sum;
    bool rejected;
    struct err read_failed;

    struct nz_batches batches;
    size_t n_batches;
    struct nz_batch *filling;
    bool lost;                        /* the upload is damaged: the rows that are left are told as that */
    bool of_lost;                     /* and it is the results of the other file that are (only_failed_of) */
    bool asked_left;                  /* left_rows is known, or being asked for */
    uint32_t *left_rows;              /* of those behind the checkpoint: rows that had left the file; ascending */
    size_t n_left_rows, left_at;
    uint64_t rows_seen, rows_told, bytes_read;
    uint64_t told[NZ_RESULT__MAX];    /* since the checkpoint, by the file itself */
    uint64_t suspicious;              /* the same */
    uint64_t started_ms;
    struct nz_part results, undo;
    uint64_t ck_at;                   /* loop_now() of the last checkpoint */
    bool checkpointing;
    enum { NZ_CK_NONE, NZ_CK_SYNC, NZ_CK_WRITE, NZ_CK_LOST } ck_step;
    uint64_t ck_mark, ck_fence;
    uint64_t ck_rows;                 /* of the checkpoint under way */
    uint64_t ck_count[NZ_RESULT__MAX], ck_suspicious;
    struct buf work, work2;           /* scratch of one callback */

    struct nz_batch *need_batch[NZ_BULK_ASK_MAX * 2]; /* rows that need a number, in order */
    uint8_t need_row[NZ_BULK_ASK_MAX * 2];
    size_t n_need;
    unsigned asks;
    struct nz_undoing *undoing;       /* mode undo */
    struct nz_failed_of *failed_of;   /* only_failed_of */
};
LIST_HEAD(nz_runs, nz_run);

struct nz_trouble {                   /* of the oldest file of a municipality */
    LIST_ENTRY(nz_trouble) at;
    char muni[6];
    struct nz_task_id task;
    struct err e;                     /* OK: none */
    uint64_t damaged_at;              /* loop_now(): since then the disk does not give what it was given; 0: it does */
    bool hopeless;                    /* a run that had given up was hurt: not even the results can be written */
    uint64_t not_before, pause_ms;    /* the next run */
};

struct nz_bulk {
    struct nz_intake *in;
    LIST_HEAD(, nz_trouble) troubles;
    struct timer *timer;
    bool closed, stopped, looking, dirty;
    struct nz_runs runs;
    unsigned n_runs;
    struct nz_batches spare;
    size_t n_spare;
    struct nz_janitor *janitor;
};

/* ---- engine.c ---- */

void bulk__run_soon(struct nz_run *r);                  /* the pump, from the loop */
void bulk__run_pause(struct nz_run *r, struct err e, const char *what); /* run->not_before; grows */
void bulk__run_fine(struct nz_run *r);
uint64_t bulk__deadline(const struct nz_run *r);
uint64_t bulk__wall(const struct nz_run *r);
void bulk__run_leave(struct nz_run *r);                 /* ends this run without ending the file: it is taken up again later */
void bulk__run_free(struct nz_run *r);
struct audit_rec bulk__audit(const struct nz_run *r, enum audit_event event, uint64_t count);

/* ---- trouble.c ---- */

/* When a run begins: r->trouble and r->given_up. False: no memory. */
bool bulk__trouble_take(struct nz_run *r);
void bulk__trouble_drop(struct nz_run *r);              /* when it ends */
void bulk__troubles_free(struct nz_bulk *b);
bool bulk__trouble_waits(const struct nz_bulk *b, const char muni[static 6]);
void bulk__trouble(struct nz_run *r, struct err e);
void bulk__trouble_over(struct nz_run *r);
void bulk__damage_over(struct nz_run *r);               /* the file has moved on, durably */
bool bulk__is_damage(struct err e);                     /* of the spool: not a passing trouble */
/* The run ends, and another one tries later; other municipalities do not wait for that. hurt: the spool is damaged, which is not waited for forever. */
void bulk__run_later(struct nz_run *r, struct err e);
void bulk__run_hurt(struct nz_run *r, struct err e);

/* ---- queue.c ---- */

struct nz_bulk_place { struct store_name queue; struct nz_member member; };
struct nz_bulk_place bulk__place(const struct nz_run *r);
void bulk__queue_look(struct nz_bulk *b, redis_done_fn *done); /* done(b): one reply, for bulk__queue_first() */
/* The oldest of the first files of those municipalities that may. */
bool bulk__queue_first(const struct nz_bulk *b, const struct redis_reply *rows, bool (*may)(const struct nz_bulk *b, const char *muni),
                       struct nz_row_ref *ret_ref);

/* ---- stop.c: a file ends before its end ---- */

/* Rejected when nothing was applied; else rows without a result are counted as refused, and the reason (a rule) is told with the task. */
void bulk__stop(struct nz_run *r, const char *rule);
#define BULK_OF_LOST "other_results_unreadable"
void bulk__stop_store(struct nz_run *r);
/* Asks for the rows behind the checkpoint that had left the file for the outbox: they have results of their own. True: they are known. */
bool bulk__left_rows(struct nz_run *r);

/* ---- open.c ---- */

void bulk__open(struct nz_run *r);
void bulk__reject(struct nz_run *r, const struct nz_file_reject *why);
void bulk__reject_rule(struct nz_run *r, const char *rule);
void bulk__reject_store(struct nz_run *r);
struct nz_args;
/* A script of the run's own; then() when it was carried out. */
void bulk__run_write(struct nz_run *r, void (*put)(const struct nz_run *, struct nz_args *), void (*then)(struct nz_run *));
void bulk__left(void *arg, struct err e, const struct redis_reply *const *replies, size_t n);
ERR bulk__redo_read(struct nz_run *r); /* redo.c */
struct nz_file_reject bulk__reject_of(const struct nz_linkage_fault *f);

/* ---- validate.c ---- */

void bulk__sum(struct nz_run *r);   /* one turn */
void bulk__validated(struct nz_run *r, uint64_t rows); /* open.c */
enum nz_encoding bulk__encoding(const struct nz_file_task *t); /* open.c */
void bulk__sum_free(struct nz_bulk_sum *s);

/* ---- feed.c ---- */

ERR bulk__feed_open(struct nz_run *r);
/* Reads on while there is room. True when something was read. */
bool bulk__feed(struct nz_run *r);
void bulk__feed_close(struct nz_run *r);

/* ---- batch.c ---- */

struct nz_batch *bulk__batch_new(struct nz_run *r);     /* NULL: no memory */
void bulk__batch_end(struct nz_batch *b);
void bulk__batch_free(struct nz_batch *b);
bool bulk__batch_pump(struct nz_batch *b);              /* true: it moved */
static inline bool bulk__turn(const struct nz_batch *b, const struct nz_brow *x) { return x->pass == b->pass; }
static inline bool bulk__open_row(const struct nz_batch *b, const struct nz_brow *x)
{
    return x->pass == b->pass && x->verdict.result == NZ_WAITING && !x->diverted && !x->held;
}
/* The step's I/O failed: the same or an earlier step again, after a pause. */
void bulk__batch_again(struct nz_batch *b, enum nz_step step, struct err e);
void bulk__batch_go(struct nz_batch *b, enum nz_step step); /* from a callback */
void bulk__batch_written(struct nz_batch *b);
void bulk__batch_rejudge(struct nz_batch *b);
void bulk__refuse(struct nz_brow *x, enum nz_code code);
void bulk__hold(struct nz_brow *x, enum nz_code code);

/* The steps: true when the batch moved on at once. */
bool bulk__step_link(struct nz_batch *b);
bool bulk__step_names(struct nz_batch *b);
bool bulk__step_ties(struct nz_batch *b);      /* batch_read.c */
/* The same: whether an earlier run may have put the row off; whether it did, by tr: and o: (HEXISTS), and then the row is not the file's any more. */
bool bulk__may_be_diverted(const struct nz_batch *b, const struct nz_brow *x);
bool bulk__was_diverted(struct nz_brow *x, const struct redis_reply *result, const struct redis_reply *payload);
bool bulk__step_number(struct nz_batch *b);    /* ask.c */
bool bulk__step_persons(struct nz_batch *b);
bool bulk__step_records(struct nz_batch *b);   /* batch_read.c */
void bulk__name_rk(const struct nz_run *r, const struct nz_brow *x, struct store_name *ret_k);
/* Whether a clinic may have the person open: one command, and its reply. The commands of a message to those clinics, when there may be one. batch_clinics.c */
void bulk__ask_open(struct redis_batch *out, const struct person *p);
bool bulk__may_be_open(const struct redis_reply *look);
void bulk__put_told(struct redis_batch *out, const struct nz_run *r, const struct nz_brow *x);
bool bulk__step_tickets(struct nz_batch *b);   /* divert.c */
bool bulk__step_clinics(struct nz_batch *b);   /* batch_clinics.c */
bool bulk__step_save(struct nz_batch *b);      /* batch_write.c */
bool bulk__step_write(struct nz_batch *b);     /* batch_write.c */
bool bulk__step_tell(struct nz_batch *b);      /* results.c */

/* ---- erased.c: whose resident was erased after the file was received ---- */

bool bulk__step_erased(struct nz_batch *b);    /* by resident key, before the number goes to the vault */
bool bulk__step_gone(struct nz_batch *b);      /* by resident key and person, under their locks */

/* ---- judge_row.c: no I/O ---- */

struct nz_seen {                      /* of p:{h}, sealed */
    struct slice record, subject, sibling, sibling_field;
};
/* Decides about a row whose key is known and seals what is to be written. An error is our own trouble, never the row's. */
ERR bulk__judge(struct nz_batch *b, struct nz_brow *x, const struct nz_ties *ties, struct slice key_of_sid, const struct nz_seen *seen);

/* ---- dry.c: about a row that was judged ---- */

void bulk__changed(struct nz_batch *b, struct nz_brow *x, const struct record *stored); /* x->changed */
void bulk__dry(struct nz_batch *b, struct nz_brow *x);                                  /* nothing is written */

/* ---- ask.c ---- */

void bulk__ask_pump(struct nz_run *r);
void bulk__ask_forget(struct nz_run *r, const struct nz_batch *b);

/* ---- fence.c ---- */

void bulk__fence_raise(struct nz_run *r);

/* ---- results.c ---- */

/* The round of syncing that makes durable what is appended now: it is, once p->done has reached it. */
uint64_t bulk__part_want(struct nz_part *p);
void bulk__part_retry(struct nz_part *p);               /* a round that failed */
ERR bulk__part_append(struct nz_part *p, struct slice entry);
void bulk__checkpoint(struct nz_run *r);                /* when it is time */
bool bulk__all_told(const struct nz_run *r);
ERR bulk__results_open(struct nz_run *r);

/* ---- finish.c ---- */

void bulk__end(struct nz_run *r);

/* ---- undo.c ---- */

/* undo_later.c: which rows the outbox applied. False: it has something under way, or waits. */
bool bulk__undo_look(struct nz_run *r);
ERR bulk__undo_begin(struct nz_run *r);
void bulk__undo_free(struct nz_run *r);
void bulk__undo_pump(struct nz_run *r);
bool bulk__undo_busy(const struct nz_run *r);

/* ---- changes.c: files of resident changes ---- */

ERR bulk__change_read(struct nz_batch *b, struct nz_brow *x, const struct nz_linkage_row *in);
/* Instead of every step from LINK on: one row after the other. */
bool bulk__step_changes(struct nz_batch *b);
/* keep.c: a change that waits or is held leaves the file; ends in bulk__batch_go(LINK) or bulk__batch_again(). */
void bulk__change_keep(struct nz_batch *b, struct nz_brow *x, const struct nz_waiting *w);

/* ---- failed_of.c ---- */

ERR bulk__failed_of_begin(struct nz_run *r);
void bulk__failed_of_free(struct nz_run *r);
/* Rows in ascending order: the row was accepted in the other file. */
ERR bulk__passes_over(struct nz_run *r, uint64_t row, bool *ret_passes);

/* ---- janitor.c ---- */

ERR bulk__janitor_new(struct nz_janitor **ret_j, struct nz_bulk *b);
void bulk__janitor_close(struct nz_janitor *j);
void bulk__janitor_stop(struct nz_janitor *j);
bool bulk__janitor_idle(const struct nz_janitor *j);
void bulk__janitor_free(struct nz_janitor *j);

#endif
