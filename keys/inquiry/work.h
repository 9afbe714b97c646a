#ifndef GW_ZONE_NUMBER
#error "work.h belongs to the number zone"
#endif
#ifndef KEYS_INQUIRY_WORK_H
#define KEYS_INQUIRY_WORK_H

/* Shared by the files of keys/inquiry only.
 *
 *   post.c    a request becomes a task            engine.c  which tasks run; the timer
 *   load.c    a task's persons into memory        parcel.c  one question to one municipality: who is it, audited, sent, judged
 *   pump.c    what is sent when; hedging          peers.c   breakers; sans I/O
 *   tell.c    results, counts, the end            page.c    results as told
 *   keep.c    what is forgotten                   provide.c silence.c  the other side
 *
 * A parcel is one municipality and at most vrs_batch_rows persons who are asked for there. Its persons' numbers are in memory until it is done. */

#include <sys/queue.h>

#include "connectors/number/vrs.h"
#include "gateway/loop/due.h"
#include "keys/inquiry/entry.h"
#include "keys/inquiry/inquiry.h"
#include "keys/spool/spool.h"

enum {
    NZ_INQ_PEERS_MAX = 4096, NZ_INQ_TICK_MS = 50, NZ_INQ_STEP_MS = 10000, NZ_INQ_COUNTS_MS = 250,
    NZ_INQ_RETRY_MIN_MS = 250, NZ_INQ_RETRY_MAX_MS = 8000, NZ_INQ_OPEN_AFTER = 3, NZ_INQ_OPEN_MIN_MS = 5000, NZ_INQ_OPEN_MAX_MS = 300000
};

/* ---- peers.c: municipalities that have been asked since the start, and how they did. Sans I/O ---- */

struct nz_inq_peer {
    char code[6];              /* NULs: free */
    unsigned out;              /* requests on their way */
    unsigned bad;              /* failures since it last answered */
    uint64_t open_until;       /* loop_now(): nothing is sent before */
    uint64_t used_ms;
};
struct nz_inq_peers { struct nz_inq_peer peer[NZ_INQ_PEERS_MAX]; };
/* Never NULL; when the table is full the one that was used longest ago and has nothing on its way makes room. */
struct nz_inq_peer *nz_inq_peer_of(struct nz_inq_peers *ps, const char code[static 6], uint64_t now);
bool nz_inq_peer_may(const struct nz_inq_peer *p, unsigned limit, uint64_t now); /* one more request */
void nz_inq_peer_answered(struct nz_inq_peer *p);
void nz_inq_peer_failed(struct nz_inq_peer *p, uint64_t now, uint64_t random);
uint64_t nz_inq_retry_ms(unsigned tries, uint64_t random);

/* ---- tasks ---- */

struct nz_inq_who {            /* a person of a task */
    struct nz_mynum *number;   /* NULL: nobody asks for it any more */
    uint16_t basis;
    uint32_t left;             /* parcels that are not done */
    uint32_t lent;             /* requests on their way that borrow the number */
    uint32_t key_at, key_n;    /* in the task's texts */
    uint8_t subject[AUDIT_HANDLE_BYTES]; /* zeros: nobody that we know */
    bool everywhere, refused, refusal_told;
    char peer[6];
};

/* One question: a person at a municipality. Sorted by municipality, basis, person. */
struct nz_inq_pair { uint32_t who; char peer[6]; uint8_t outcome /* enum nz_inq_outcome; WAITS: to be asked */, reason; };

enum nz_inq_step { NZ_INQ_WAITING, NZ_INQ_OUT, NZ_INQ_DONE };

struct nz_inq_task;
struct nz_inq_try;
struct nz_inq_parcel {
    TAILQ_ENTRY(nz_inq_parcel) at;     /* waiting or out */
    struct nz_inq_task *task;
    enum nz_inq_step step;
    char peer[6];
    uint32_t first, n;                 /* of the task's pairs */
    char id[NZ_VRS_REQUEST_ID];
    unsigned tries, out;               /* out: requests on their way */
    bool audited, hedged, slow;        /* slow: does not count for vrs_in_flight any more */
    bool answered;                     /* the municipality has answered something */
    enum nz_inq_reason why;            /* of the last failure */
    uint64_t due, sent_ms;
};
TAILQ_HEAD(nz_inq_parcels, nz_inq_parcel);

enum nz_inq_life { NZ_INQ_LOADING, NZ_INQ_RUNS, NZ_INQ_ENDING, NZ_INQ_OVER };

struct nz_inq_task {
    TAILQ_ENTRY(nz_inq_task) at;
    struct nz_inquiry *q;
    char muni[6];
    struct nz_task_id id;
    enum nz_inq_life life;
    char actor[AUDIT_ACTOR_MAX];       /* who asks: municipality/<code>/<system> */
    struct nz_spool_entry *entry;
    struct nz_frames *results;
    size_t pending;                    /* bytes of the results' open frame */
    bool dirty, syncing, counting, counts_due;
    bool refused_told;                 /* the persons whose fields broke a rule */
    bool broken;                       /* the disk has less than memory: begun anew from it */
    bool any_answer;                   /* of whatever municipality: VRS is there */
    bool wants_munis;                  /* while LOADING: whom to ask everywhere is to be asked at retry_at */
    unsigned munis_tries;
    uint64_t retry_at;
    uint64_t counted_ms, deadline, pause_until;
    struct buf texts;                  /* keys of persons */
    struct nz_inq_who *who;
    size_t n_who;
    struct nz_inq_pair *pair;
    size_t n_pairs;
    struct nz_inq_parcel *parcel;
    size_t n_parcels;
    struct nz_inq_parcels waiting, under_way;
    size_t parcels_left;
    unsigned users;                    /* callbacks that will come back to it */
    uint64_t count[NZ_INQ__MAX];
    uint64_t accepted_ms, ended_ms;
    size_t n_peers, peers_answered;    /* in the statement */
    bool statement_told;
};
TAILQ_HEAD(nz_inq_tasks, nz_inq_task);

struct nz_inquiry {
    struct nz_intake *in;
    struct client *client;             /* NULL: vrs_url is not set */
    struct timer *timer;
    struct due *beats;                 /* of answers to VRS */
    struct nz_inq_tasks tasks;
    size_t n_tasks;
    struct nz_inq_peers *peers;
    unsigned young, out;               /* requests on their way: that count for vrs_in_flight; all */
    unsigned asking;                   /* parcels whose persons are looked up and audited */
    bool closed, fetching, again, keeping;
    uint64_t fetched_ms, kept_ms;
    unsigned under_way;                /* provisions, posts, looks for what is to be forgotten */
};

uint64_t nz_inq_now(const struct nz_inquiry *q);
uint64_t nz_inq_wall(const struct nz_inquiry *q);
void nz_inq_wake(struct nz_inquiry *q);                   /* engine.c: look into the queue */
void nz_inq_soon(struct nz_inquiry *q);                   /* engine.c: the timer, at once */
void nz_inq_load(struct nz_inq_task *t);                  /* load.c */
void nz_inq_load_tick(struct nz_inq_task *t);             /* load.c: while it is LOADING */
void nz_inq_task_unref(struct nz_inq_task *t);            /* engine.c: one callback less; frees what is over */
void nz_inq_task_drop(struct nz_inq_task *t);             /* engine.c: out of the list; stays in redis-link and is taken up again */
void nz_inq_task_trouble(struct nz_inq_task *t, struct err e); /* our own side */
void nz_inq_pump(struct nz_inquiry *q);                   /* pump.c */
void nz_inq_tick_task(struct nz_inq_task *t);             /* pump.c: hedges, the deadline */
void nz_inq_parcel_start(struct nz_inq_parcel *p);        /* parcel.c: it is OUT */
void nz_inq_parcel_send(struct nz_inq_parcel *p);         /* parcel.c: one more request */
void nz_inq_parcel_fail(struct nz_inq_parcel *p, enum nz_inq_outcome o, enum nz_inq_reason why); /* what it still waits for is that, and it is done */
/* tell.c */
void nz_inq_tell(struct nz_inq_task *t, struct nz_inq_pair *pair, const char peer[static 6], enum nz_inq_outcome o, enum nz_inq_reason why, struct slice json);
void nz_inq_tell_tick(struct nz_inq_task *t);
/* A record of the engine itself about a task. */
void nz_inq_counts(const struct nz_inq_task *t, struct nz_file_task *to); /* as a task has them */
struct audit_rec nz_inq_audit(const struct nz_inq_task *t, enum audit_event event, uint16_t basis, uint32_t count);
/* provide.c */
void nz_provide_on_beat(void *ctx, struct due_item *it);
/* keep.c */
void nz_inq_keep(struct nz_inquiry *q);
#define NZ_INQ_QUEUE LIT("iq")
#define NZ_INQ_KEPT LIT("iq:kept")
#define NZ_INQ_NOBODY "000000" /* no municipality: whom to ask everywhere was not to be known */
/* statement of a task that is through, as it stands in its results */
ERR nz_inq_statement(struct nz_inq_task *t, struct buf *out);

#endif
