#ifndef GW_FRONT_BROOD_H
#define GW_FRONT_BROOD_H

/* Shared by the files of the supervisor: supervisor.c (signals, files that change, the loop), child.c (one worker), change.c (other workers in the place of these),
 * take_over.c (another program in the place of this one). */

#include <signal.h>
#include <stdbool.h>

#include "gateway/base/clock.h"
#include "gateway/base/log.h"
#include "gateway/front/board.h"
#include "gateway/front/over.h"

/* A worker that lived STEADY_MS is started again at once; one that dies earlier after a wait that doubles. A worker that has to end and does not is killed,
 * LATE_MS after its settings let it end (STOP_MS, when another program started it); new ones that are not ready in time are ended. */
enum { WAIT_MIN_MS = 100, WAIT_MAX_MS = 5000, STEADY_MS = 10000, LATE_MS = 4000, STOP_MS = 16000, HUNG_MORE_MS = 5000, TRY_MS = 15000, CHECK_MS = 10000, CHILDREN_MAX = 2 * WORKERS_MAX };

enum part {
    PART_NONE,
    PART_SERVES, /* is started again when it dies */
    PART_TRIED,  /* with settings that are not in force yet */
    PART_LEAVES
};

struct child {
    enum part part;
    pid_t pid;          /* 0: not running */
    unsigned number;    /* among those of its settings */
    uint64_t started;   /* monotonic milliseconds */
    uint64_t wait_ms, start_at;
    uint64_t end_by;    /* LEAVES */
    uint64_t stop_ms;   /* it has so long to end */
    uint64_t silent_at; /* since when it was seen to say nothing for BOARD_HUNG_MS; 0: it was not */
    bool ready;
    bool foreign;       /* of the program before this one: it is not on our board */
    pid_t stand_in;     /* who accepts on its sockets while it is away; 0: nobody */
    int news;           /* our end of its line of news; below 0: none */
    unsigned unheard;   /* a bit for each group of files that it has not heard of yet */
    unsigned again;     /* the same, of those that it could not take up */
    uint64_t again_at;
};

struct supervisor {
    const struct supervised *what;
    struct child children[CHILDREN_MAX]; /* a child's name is its place */
    struct reading now, tried;
    struct news news, tried_news;
    bool trying;
    uint64_t try_by;
    struct sockets sockets;
    int signals;           /* signalfd */
    int life[2], ready[2];
    sigset_t before;       /* signal mask of the children */
    bool reload, upgrade;  /* asked for, not begun */
    bool new_program;      /* the trial is that of a program that has taken over */
    bool served;           /* a worker has been ready: the settings are good, or were */
    bool stopping, killed;
    uint64_t stop_by;
    int status;
    struct clock clock;
    uint64_t look_at;
    uint64_t watchdog_ms, watchdog_at; /* of the service manager; 0: there is none */
    int exe, exe_before;   /* this program, and the one before it; below 0: none */
    char *program;         /* where this one was started from */
    pid_t check;           /* the program that would take over reads the settings; 0: none */
    uint64_t check_by;
};

static inline uint64_t sup_now(const struct supervisor *s) { return clock_mono(&s->clock); }
/* The settings of a child. */
static inline const struct reading *sup_reading(const struct supervisor *s, const struct child *c) { return c->part == PART_TRIED ? &s->tried : &s->now; }

/* ---- child.c ---- */

/* NULL: no place is left. */
struct child *child_add(struct supervisor *s, enum part part, unsigned number);
void child_start(struct supervisor *s, struct child *c);
/* It ends: at once, or as soon as its callers have heard that they should go elsewhere. */
void child_leave(struct supervisor *s, struct child *c, int signum);
/* Children of that part, running or not. */
unsigned child_count(const struct supervisor *s, enum part part);
void child_ended(struct supervisor *s, struct child *c, int status);
/* Sockets of a worker that is away, and was not back at its first attempt, are accepted on by another one. */
void child_stand_in(struct supervisor *s);
/* Who has to be there, for all workers to see; who has hung for long is killed, and started again. */
void child_board(struct supervisor *s);
/* Kills who was told to end and did not. Returns when to look again; UINT64_MAX: no need. */
uint64_t child_kill_late(struct supervisor *s);

/* ---- change.c ---- */

/* Begins what was asked for, when nothing is under way. */
void change_begin(struct supervisor *s);
/* New workers with the settings that were read. */
void change_try(struct supervisor *s, const struct reading *r);
void change_ready(struct supervisor *s);
void change_failed(struct supervisor *s);

/* ---- take_over.c ---- */

ERR take_over_open(struct supervisor *s);  /* finds out which program this is */
void take_over_check(struct supervisor *s); /* has the one that lies there now read the settings */
void take_over_checked(struct supervisor *s, int status);
/* Returns only when it could not be done. */
void take_over_go_back(struct supervisor *s);

#endif
