#ifndef KEYS_CTL_CHILDREN_H
#define KEYS_CTL_CHILDREN_H

/* Child processes of `pmhgw up`: started stage by stage, asked until they answer, restarted when they die, stopped in
 * reverse order. They die with us (PR_SET_PDEATHSIG) and they hold the state's lock for as long as they live, so that a
 * second `up` can never start a second Redis on the same files. */

#include "gateway/loop/loop.h"
#include "keys/ctl/state.h"

enum { CHILD_ARGS_MAX = 24, CHILDREN_MAX = 12, CHILD_START_MS = 20000 };

struct child_spec {
    const char *name;                        /* literal: log and pid file, lines for people */
    unsigned stage;                          /* 0 first; the next stage starts when all of a stage answer */
    const char *argv[CHILD_ARGS_MAX];        /* absolute program; borrowed for good */
    int socket;                              /* listening, for the child to inherit (gateway/base/inherited.h); 0: none */
    struct err (*ready)(const struct state *s); /* blocking, on a thread */
    uint64_t (*stop_ms)(const struct state *s); /* how long it may take to end after SIGTERM, as its settings say now; then it is killed */
};

struct children;
struct children_conf {
    const struct state *state;       /* borrowed for good */
    const struct child_spec *specs;  /* borrowed for good */
    size_t n_specs;
    int lock_fd;                     /* inherited by every child */
    void (*on_ready)(void *arg);     /* every child answers, once */
    void (*on_failed)(void *arg);    /* a child never answered; lines were written; the loop is stopping */
    void *arg;
};
/* Starts stage 0 from the loop; hooks itself to loop_on_stop. */
ERR children_new(struct children **ret_c, struct loop *l, const struct children_conf *conf);
/* Each of the named, one after the other, is asked to end, and started again from what lies at its path; one that does not come up from there is started from what
 * ran before. done: with a line for each ("pmhgw-vault renewed", "kept", "failed", "unknown"), once, from the loop. false: an order is under way. */
bool children_renew(struct children *c, struct slice names /* with blanks or ends of line between */, void (*done)(void *arg, struct slice lines), void *arg);
/* The signal to each of the named. */
void children_signal(const struct children *c, const char *const *names, size_t n, int signum);
/* After loop_run. */
void children_free(struct children *c);

/* `pmhgw launch PARENT_PID SOCKETS FILE PROGRAM ARG...`: asks for SIGTERM at the parent's death, says that the descriptors from 3 on are so many sockets, then
 * becomes what FILE has, named PROGRAM. */
int children_launch(int argc, char **argv);

#endif
