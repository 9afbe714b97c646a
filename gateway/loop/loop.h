#ifndef GW_LOOP_LOOP_H
#define GW_LOOP_LOOP_H

/* The libuv loop of a process with its clock, timers that are safe to free from anywhere, deferred calls,
 * and an orderly stop. One loop a process; everything runs on its thread. */

#include <uv.h>

#include "gateway/base/clock.h"
#include "gateway/base/err.h"
#include "gateway/base/log.h"

struct loop;
typedef void loop_fn(void *arg);

/* Ignores SIGPIPE, stops on SIGTERM and SIGINT. clock: copied. */
ERR loop_new(struct loop **ret_l, struct clock clock);
/* Runs until loop_stop() and until every handle is closed or grace_ms have passed since the stop. */
void loop_run(struct loop *l, uint64_t grace_ms);
/* Calls the on_stop hooks, last registered first; they close their handles. Idempotent. */
void loop_stop(struct loop *l);
void loop_on_stop(struct loop *l, loop_fn *fn, void *arg); /* at most 32 hooks, a bug otherwise */
void loop_on_hup(struct loop *l, loop_fn *fn, void *arg);  /* SIGHUP; at most one */
void loop_free(struct loop *l);                            /* after loop_run; NULL is fine */

/* The numbers of the process are kept in dir from here on (gateway/metrics; "": nowhere), and once a second it is told that the process lives. Right after
 * loop_new(): what is made before counts nothing; before box_enter(). loop_metrics(): NULL before. IO, NOMEM. */
struct metrics;
ERR loop_count(struct loop *l, const char *dir, struct lit daemon);
struct metrics *loop_metrics(const struct loop *l);

uv_loop_t *loop_uv(struct loop *l);
const struct clock *loop_clock(const struct loop *l);
/* Monotonic milliseconds, fresh. */
uint64_t loop_now(const struct loop *l);

/* fn(arg) from the loop, once, never before the caller has returned. NOMEM. At most 65,536 wait (FULL). */
ERR loop_defer(struct loop *l, loop_fn *fn, void *arg);

/* A one-shot timer that can be started again. */
struct timer;
ERR timer_new(struct timer **ret_t, struct loop *l, loop_fn *fn, void *arg);
void timer_start(struct timer *t, uint64_t ms); /* restarts when running */
void timer_stop(struct timer *t);
bool timer_active(const struct timer *t);
void timer_free(struct timer *t); /* stops; fn will not run any more; memory goes with libuv's close. NULL is fine */

#endif
