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
    struct err (*ready)(const struct state *s); /* blocking, on a thread */
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
/* After loop_run. */
void children_free(struct children *c);

/* `pmhgw launch PARENT_PID PROGRAM ARG...`: asks for SIGTERM at the parent's death, then becomes PROGRAM. */
int children_launch(int argc, char **argv);

#endif
