#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_WORK_H
#define KEYS_INTAKE_WORK_H

/* Inside the outbox: jobs (rows) and subjects (people of a municipality) in the window, and who may touch them when.
 *
 *   a job is in exactly one place:  loading (its payload is being read), its subject's `waiting` list, the `ready` list,
 *                                   or the apply batch that holds it
 *   a subject is LOADING (its key is being read), NEED (on the need list), SENT (in a numbering batch) or KEYED;
 *                                   it lives as long as it has jobs */

#include <sys/queue.h>

#include "keys/intake/backoff.h"
#include "keys/intake/intake.h"
#include "keys/intake/judge.h"
#include "keys/intake/names.h"
#include "keys/intake/outbox.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_change.h"

enum {
    NZ_WINDOW = 2048,         /* jobs of one queue in memory */
    NZ_WINDOW_BUCKETS = 4096,
    NZ_LOAD_ROWS = 256,       /* payloads in one read */
    NZ_NUMBERING_REQUESTS = 4,
    NZ_SWEEP_ROWS = 256,      /* rows that waited too long, looked for at a time while the upstream is away */
    NZ_SWEEP_MS = 2000,       /* between two such looks */
    NZ_PROBE_ROWS = 8,        /* rows that ask an upstream whether it is back: their numbers are revealed for it */
    NZ_APPLY_ROWS = 128,
    NZ_APPLY_BATCHES = 4,
    NZ_OTHER_NAMES = 16384,   /* names that files and resident changes may hold besides */
    NZ_STEP_MS = 10000,       /* deadline of one step of the worker */
    NZ_PAUSE_MIN_MS = 50,
    NZ_PAUSE_MAX_MS = 2000,
    NZ_POLL_MS = 5000
};

enum nz_subj_state { NZ_SUBJ_LOADING, NZ_SUBJ_NEED, NZ_SUBJ_SENT, NZ_SUBJ_KEYED };

struct nz_job {
    TAILQ_ENTRY(nz_job) at;     /* waiting or ready */
    LIST_ENTRY(nz_job) bucket;
    struct nz_row_ref ref;
    enum nz_queue queue;
    struct nz_subj *subj;       /* NULL while loading */
    struct buf plain;           /* of the payload */
    struct nz_payload p;        /* borrows from plain */
    bool tickets_changed;       /* p has newer tickets than redis-link */
    bool has_person;
    struct person person;       /* of the subject's key, once it was asked for */
};
TAILQ_HEAD(nz_jobs, nz_job);
LIST_HEAD(nz_job_bucket, nz_job);

struct nz_subj {
    TAILQ_ENTRY(nz_subj) at;    /* need, or the list of those whose key is to be read */
    LIST_ENTRY(nz_subj) bucket;
    uint8_t sid[SUBJECT_BYTES];
    char muni[6];
    enum nz_subj_state state;
    unsigned jobs;
    unsigned batch_max;         /* subjects that may share a batch with it; 0: as many as fit */
    struct nz_jobs waiting;
    char key[PMH_KEY_MAX + 1];  /* KEYED */
    bool stored_key;            /* it was read from s:<sid>, not heard from PMH */
};
TAILQ_HEAD(nz_subjs, nz_subj);
LIST_HEAD(nz_subj_bucket, nz_subj);

struct nz_outbox {
    struct nz_intake *in;
    struct timer *timer;
    bool closed, tick_waits, fetching;
    bool dirty[NZ_QUEUE__MAX];  /* rows may be due that were not fetched */
    bool hurry;                 /* the upstream is back: rows that wait for a later attempt are due now */
    uint64_t sweep_due;         /* when rows that waited too long are looked for again, monotonic ms */
    uint64_t swept;             /* when old numbers were last wiped, monotonic ms */
    uint64_t pause_until;       /* our own side is in trouble */
    unsigned pause_ms;
    uint64_t back_due;          /* when a clock that was set back is acted on again, monotonic ms */
    uint64_t next_due;          /* wall ms of the next row that is not due yet, 0: none known */
    size_t in_window[NZ_QUEUE__MAX];
    unsigned loads, numberings, applies; /* under way */
    struct nz_breaker pmh;
    struct nz_jobs ready;
    struct nz_subjs need;
    size_t n_need;
    struct nz_job_bucket jobs[NZ_WINDOW_BUCKETS];
    struct nz_subj_bucket subjs[NZ_WINDOW_BUCKETS];
    struct nz_subj_bucket orphans; /* not found any more, waiting for their last job */
    struct nz_locks *locks;
};

/* ---- window.c: no I/O ---- */

struct nz_job *nz_window_find(struct nz_outbox *o, const struct nz_row_ref *ref);
struct nz_job *nz_window_add(struct nz_outbox *o, const struct nz_row_ref *ref, enum nz_queue queue); /* NULL: no memory */
/* The subject of (muni, sid), new ones LOADING with *ret_fresh set; NULL: no memory. */
struct nz_subj *nz_window_subject(struct nz_outbox *o, const char muni[static 6], const uint8_t sid[static SUBJECT_BYTES], bool *ret_fresh);
/* The job belongs to the subject from now on: it waits, or is ready when the key is known. */
void nz_window_attach(struct nz_outbox *o, struct nz_job *j, struct nz_subj *s);
void nz_window_keyed(struct nz_outbox *o, struct nz_subj *s, struct slice key); /* all that wait are ready */
void nz_window_need(struct nz_outbox *o, struct nz_subj *s);                    /* to the need list */
struct nz_subj *nz_window_take_need(struct nz_outbox *o);                       /* SENT now; NULL: none */
/* The job leaves memory; its subject with the last one. The job is on no list, or on its subject's waiting list. */
void nz_window_drop(struct nz_outbox *o, struct nz_job *j);
/* All waiting jobs of a subject leave memory; they are found again in redis-link. */
void nz_window_release(struct nz_outbox *o, struct nz_subj *s);
/* Keeps a subject while a batch holds it; the last one frees it. */
void nz_window_hold(struct nz_subj *s);
void nz_window_unhold(struct nz_outbox *o, struct nz_subj *s);
/* New jobs of this person start over with a subject of their own. */
void nz_window_orphan(struct nz_outbox *o, struct nz_subj *s);
uint64_t nz_random(void);

/* ---- the loop of work ---- */

void nz_outbox_tick(struct nz_outbox *o);                       /* outbox.c: soon */
void nz_outbox_dirty(struct nz_outbox *o);                      /* outbox.c: look into the queues again */
void nz_outbox_trouble(struct nz_outbox *o, struct err e);      /* outbox.c: our own side failed; logs and pauses */
void nz_outbox_fine(struct nz_outbox *o);                       /* outbox.c: ends the pause's growth */
uint64_t nz_outbox_deadline(const struct nz_outbox *o);
void nz_load_jobs(struct nz_outbox *o, struct nz_jobs *fresh);  /* load.c: takes the jobs off the list */
void nz_numbering_pump(struct nz_outbox *o);                    /* numbering.c */
void nz_apply_pump(struct nz_outbox *o);                        /* apply.c */

/* One audit record of the worker itself, with the basis of what it does by itself with rows of a municipality. */
struct audit_rec nz_outbox_audit(const struct nz_intake *in, enum audit_event event, const char muni[static 6], uint32_t count);
/* finish.c: a later attempt for all waiting jobs of the subjects, durable, then they leave the window; jobs that waited for give_up_hours are
 * held. s is used up. */
void nz_retry_subjects(struct nz_outbox *o, struct nz_subj **s, size_t n);
/* finish.c: moves the jobs that waited for give_up_hours from the subject's list to *old. */
void nz_take_old(struct nz_outbox *o, struct nz_subj *s, struct nz_jobs *old);
/* finish.c: the job is held for an officer: audited, out of its queue, payload kept. Takes the job (on no list). */
void nz_hold_job(struct nz_outbox *o, struct nz_job *j, enum nz_code code);
/* The same for all jobs of a list, which is empty then; one audit record for many. */
void nz_hold_jobs(struct nz_outbox *o, struct nz_jobs *jobs, enum nz_code code);
/* The same for all waiting jobs of a subject. */
void nz_hold_subject(struct nz_outbox *o, struct nz_subj *s, enum nz_code code);

/* Appends the command that stores the job's payload with its present tickets. */
ERR nz_tickets_store(struct nz_outbox *o, struct redis_batch *b, struct nz_job *j);

/* Appends what finishes a row: c, what the caller changes, then result, count of the task, queue; drop_payload as the name says. */
void nz_finish_row(struct redis_batch *b, const struct nz_job *j, const struct nz_verdict *v, struct nz_changes *c, bool drop_payload,
                   uint64_t now_ms);

#endif
