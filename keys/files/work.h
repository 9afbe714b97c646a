#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_FILES_WORK_H
#define KEYS_FILES_WORK_H

/* Shared by the files of keys/files only.
 *
 *   open.c   files whose key is in memory      read.c     a task out of redis-link, and told
 *   ask.c    what is asked                     page.c     entries of the results, with what ended later
 *   make.c   folder, hash and lists of a task  accept.c   the end of an upload
 *   sweep.c  uploads that nobody went on with */

#include <sys/queue.h>

#include "gateway/jose/jws.h"
#include "keys/bulk/bulk.h"
#include "keys/bulk/result_entry.h"
#include "keys/files/ask.h"
#include "keys/files/files.h"

/* ---- open.c: one struct nz_open a file, for all requests that have to do with it ---- */

enum { NZ_PARTS_KNOWN = 8 };

struct nz_part_known { uint64_t first, last; uint8_t mac[MAC_BYTES]; };

struct nz_open {
    TAILQ_ENTRY(nz_open) at;         /* the one used last in front */
    struct nz_files *f;
    char muni[6];
    struct nz_task_id id;
    unsigned users;
    bool writing;                    /* one of them may change it */
    bool opening;
    bool accepted;                   /* since it is in memory: the upload is the engine's */
    uint64_t used_ms;                /* loop_now() of the last use */
    struct nz_spool_entry *entry;    /* NULL: its key was not needed yet */
    struct nz_frames *upload;
    struct nz_upload_job *job;       /* a thread opens the upload */
    uint64_t received;               /* plain bytes of the upload that are synced */
    struct nz_part_known known[NZ_PARTS_KNOWN]; /* the last parts, a ring */
    unsigned n_known;
    TAILQ_HEAD(nz_waits, nz_wait) waits, upload_waits;
};

/* Somebody who waits for the key, or for the upload. Embedded; fn is called once, from the loop. */
struct nz_wait {
    TAILQ_ENTRY(nz_wait) at;
    struct nz_open *o;
    void (*fn)(void *arg, struct err e);
    void *arg;
    void (*upload_fn)(void *arg, struct err e);
    void *upload_arg;
};

struct nz_files {
    struct nz_intake *in;
    TAILQ_HEAD(nz_opens, nz_open) opens;
    unsigned n_open;
    struct mac *mac;                 /* of this process: parts are compared by it */
    struct timer *timer;             /* idle files, the sweep */
    struct timer *follow_timer;
    LIST_HEAD(, nz_follower) followers;
    unsigned n_followers;
    unsigned under_way;              /* parts being written, sweeps */
    uint64_t swept_ms;
    bool closed, sweeping;
};

/* BUSY: somebody else changes it, or too many are open. Until nz_open_drop() it stays in memory. */
ERR nz_open_take(struct nz_files *f, const char muni[static 6], const struct nz_task_id *id, bool write, struct nz_open **ret_o);
void nz_open_drop(struct nz_open *o, bool write); /* NULL is fine */
/* Entry is there when fn says OK. NOTHING: no such folder. */
void nz_open_key(struct nz_open *o, struct nz_wait *w, uint64_t deadline, void (*fn)(void *arg, struct err e), void *arg);
/* Entry, upload and received are there when fn says OK, unless the file was accepted meanwhile. NOTHING: no such folder. A thread walks over what was uploaded. */
void nz_open_upload(struct nz_open *o, struct nz_wait *w, uint64_t deadline, void (*fn)(void *arg, struct err e), void *arg);
/* What holds descriptors or the key goes; users stay. */
void nz_open_shut(struct nz_open *o);
void nz_open_idle(struct nz_files *f, uint64_t ms); /* those that nobody used for so long */

/* ---- read.c ---- */

struct nz_read {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    struct nz_file_task t;
    bool is_file;
    void (*fn)(struct nz_read *rd, struct err e);
    void *more;
};
/* The task of the {id} of the caller's municipality, from the loop: NO_ROUTE, SEAL ... NULL: answered already. */
struct nz_read *nz_read_task(struct req *r, void (*fn)(struct nz_read *rd, struct err e), void *more);
/* From the fields of a hash; t->task.id is set. */
ERR nz_read_hash(struct nz_intake *in, const struct redis_reply *hash, struct nz_file_task *t, bool *ret_is_file);
void nz_read_send(struct req *r, struct redis_batch *b, uint64_t ms, redis_done_fn *done, void *arg);
/* The object of a task: file or request, with live progress; open, the caller ends it. */
void nz_told_open(struct nz_intake *in, const char muni[static 6], const struct nz_file_task *t, bool is_file, struct jsonw *w);
/* What a running file has done beyond its checkpoint goes into *t. */
bool nz_told_live(struct nz_intake *in, const char muni[static 6], struct nz_file_task *t, struct nz_bulk_progress *ret_p);
/* 200, 202 with Location ...: ends the request. */
void nz_told_send(struct nz_read *rd, int status);
void nz_audit_read(struct req *r, uint64_t rows, audit_done_fn *done, void *arg);
/* FIELD with its errors. */
void nz_fail_field(struct req *r, const struct field_report *report);
void nz_fail_one(struct req *r, const char *field, enum field_rule rule);

/* ---- make.c ---- */

struct nz_make {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    struct nz_file_ask ask;
    bool accepted;                   /* from the beginning: an undo */
    struct nz_task_id id;
    uint64_t now_ms;
    struct nz_open *o;
    void (*fn)(struct nz_make *m, struct err e); /* made, or not: nothing is left of it then */
    void *more;
};
/* r, ask, accepted, fn, more are set. fn may be called before the return when it fails. */
void nz_make_task(struct nz_make *m);
/* A time that no earlier task has. */
uint64_t nz_files_now(struct nz_intake *in);
void nz_files_names(const char muni[static 6], struct store_name *ret_uploads);
struct slice nz_files_location(const char *prefix, const struct nz_task_id *id, char out[static 80]); /* NUL-terminated */

/* ---- accept.c ---- */

/* Every byte of the upload is durable: audited, then accepted in one transaction. fn from the loop. rd->t is the task then. */
void nz_accept(struct nz_read *rd, void (*fn)(struct nz_read *rd, struct err e));

/* An upload that is given up: one command, or NULL. It does nothing when the file was accepted meanwhile. */
struct redis_batch *nz_upload_forget(const char muni[static 6], const struct nz_task_id *id);
bool nz_upload_forgotten(const struct redis_reply *const *replies, size_t n);

/* ---- page.c ---- */

struct nz_page {
    struct nz_intake *in;
    char muni[6];
    const struct nz_file_task *t;
    struct nz_spool_entry *entry;
    struct arena *arena;             /* of the rows */
    struct nz_results_at at;         /* from here; behind the page afterwards */
    uint64_t limit;
    bool only_failed;
    bool at_end;                     /* nothing comes behind it */
    size_t n;
    struct nz_result_entry *row;     /* texts borrow from the arena */
    uint64_t deadline;
    void (*fn)(void *arg, struct err e);
    void *arg;
};
/* What is told when the folder, the key or the results of a file are not there, or do not open: RESULTS_LOST; else e. */
struct err nz_results_error(struct err e);
/* One page with what ended in the outbox; fn from the loop, or before the return when it fails. */
void nz_page_read(struct nz_page *p);

/* ---- events.c, sweep.c ---- */

void nz_followers_tick(void *arg);
void nz_sweep(struct nz_files *f);

#endif
