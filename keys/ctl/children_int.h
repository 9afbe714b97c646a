#ifndef KEYS_CTL_CHILDREN_INT_H
#define KEYS_CTL_CHILDREN_INT_H

/* Shared by children.c and renew.c. */

#include "keys/ctl/children.h"

enum {
    BACKOFF_MIN_MS = 100,
    BACKOFF_MAX_MS = 5000,
    STEADY_MS = 10000,   /* alive for so long: the next death starts from the short wait again */
    ASK_MS = 40          /* between two questions */
};

struct child {
    const struct child_spec *spec;
    struct children *all;
    uv_process_t process;
    bool running;     /* spawned and not yet exited */
    bool answered;    /* since its last start */
    bool ever_ready;
    bool told_older;
    unsigned deaths;
    uint64_t backoff, started, deadline;
    struct timer *restart, *ask;
    uv_work_t work;
    bool asking;
    struct err answer;
    enum { RENEW_NO, RENEW_STOPS, RENEW_STARTS, RENEW_BACK } renew; /* renew.c */
    int exe;          /* the program that runs, whatever lies at its path now; below 0: none */
    int before;       /* while it is being exchanged: the one that ran */
    bool old;         /* to be started from `exe`: what lies at its path does not come up */
    struct timer *late;
};

struct children {
    struct loop *loop;
    struct children_conf conf;
    struct child list[CHILDREN_MAX];
    size_t n;
    unsigned stage, last_stage;
    bool ready, stopping, failed;
    struct timer *stop_timer;
    struct order { struct child *child; int outcome; } orders[CHILDREN_MAX]; /* renew.c */
    size_t n_orders, at_order;
    struct timer *order_timer;
    void (*order_done)(void *arg, struct slice lines);
    void *order_arg;
};

/* children.c */
void child__start(struct child *c);

/* renew.c */
/* It has ended: true when that was meant, and it is being started again. */
bool renew__ended(struct child *c);
void renew__late(void *child);
void renew__next(void *children);
/* It answers. */
void renew__answers(struct child *c);
/* It does not answer in time, or ended before it did: true when something is done about it. */
bool renew__failed(struct child *c);

#endif
