#ifndef GW_REDIS_REDIS_H
#define GW_REDIS_REDIS_H

/* Redis over a unix socket: pipelined batches with a deadline each, own libuv adapter, reconnect.
 * hiredis stays behind this header. Foreign error texts never leave it (Redis echoes arguments). */

#include "gateway/base/buf.h"
#include "gateway/base/secret.h"
#include "gateway/loop/loop.h"

struct redis;
struct redis_batch;

struct redis_conf {
    const char *path;          /* unix socket, at most 100 bytes */
    const char *user;          /* ACL user */
    struct secret *password;   /* moved in */
    unsigned conns;            /* connections in the pool, 1..16; a batch uses one, batches are spread */
    size_t queue_max;          /* batches that may wait or be in flight, all connections together */
    unsigned replicas;         /* that must have what a batch has written before it is told; 0: none */
    unsigned wait_ms;          /* for them */
};

/* Connects from the loop; reconnects with jittered back-off (20 ms .. 250 ms); pings an idle connection, so that a
 * silent server is noticed. Whoever waits for an answer (his deadline is within 3 s) hears within a second of one that says nothing. */
ERR redis_new(struct redis **ret_r, struct loop *l, struct redis_conf conf); /* strings are copied */
void redis_close(struct redis *r); /* pending batches end with CANCELED, from the loop */
size_t redis_waiting(const struct redis *r); /* batches that nobody has been told of */
bool redis_up(const struct redis *r); /* at least one connection is authenticated, answers, and passed the guard */
struct err redis_ready(const struct redis *r); /* OK when it is up; else why not: STORE_DOWN, STORE_SILENT, STORE_LOADING, STORE_OLDER, or what the guard said */
struct err redis_health(const struct redis *r); /* the same, and what the server has refused commands for within the last seconds */

/* ---- a store that may have gone back ---- */

/* `key` holds a number that only grows (absent: 0), and somebody knows how far it had come. A connection that was made takes no batches before its server
 * told a number that is not below that. STORE_OLDER otherwise. Asked anew every REDIS_GUARD_AGAIN_MS, also of connections at work; and each batch that does
 * not raise the number asks for it behind its own commands (of which nobody is told), so that nothing is told out of a store that has gone back. */
enum { REDIS_GUARD_AGAIN_MS = 1000 };
struct redis_guard {
    struct slice key; /* borrowed for good */
    /* How far had it come? Answered by redis_guard_floor(), now or later; with an error: asked anew soon. */
    void (*ask)(void *ctx, unsigned conn, uint64_t turn);
    /* A server has less than it must; may be told again and again. */
    void (*older)(void *ctx, uint64_t value, uint64_t floor);
    void *ctx;
};
/* Right after redis_new(). */
void redis_guard(struct redis *r, const struct redis_guard *g);
void redis_guard_floor(struct redis *r, unsigned conn, uint64_t turn, struct err e, uint64_t floor);
uint64_t redis_epoch(const struct redis *r); /* the greatest number that was seen; 0: none */
/* Another number whenever a connection was lost or a server was found to be older. */
uint64_t redis_turn(const struct redis *r);
/* OK: since redis_turn() gave `turn` no connection was lost, also none of which the loop has not heard yet: what was written since then is in every store
 * that anybody has found to be good meanwhile. Asks the kernel: for answers about acts only. STORE_DOWN. */
struct err redis_unbroken(const struct redis *r, uint64_t turn);
/* The same for many answers whose acts were recorded by what came in one piece: at is another number for each piece, and not 0. The kernel is asked once a number,
 * which is after all these records. */
struct err redis_unbroken_at(struct redis *r, uint64_t turn, uint64_t at);

/* ---- a batch: commands sent together, in order, on one connection ---- */

struct redis_batch;
/* max: bytes of all commands together. NULL when out of memory. */
struct redis_batch *redis_batch_new(size_t max);
void redis_batch_expect(struct redis_batch *b, size_t bytes); /* room for so many at once, instead of growing again and again */
void redis_batch_free(struct redis_batch *b); /* wipes; NULL is fine; not after redis_send() */
/* One command with its arguments; slices are copied. Overflow is sticky and reported by redis_send(). */
void redis_add(struct redis_batch *b, size_t n, const struct slice *args);
#define REDIS_ADD(b, ...) \
    redis_add((b), sizeof((struct slice[]){ __VA_ARGS__ }) / sizeof(struct slice), (struct slice[]){ __VA_ARGS__ })
/* The same piecewise, for commands with many arguments: begin with the exact count, then add each. */
void redis_begin(struct redis_batch *b, size_t n_args);
void redis_arg(struct redis_batch *b, struct slice arg);
void redis_arg_u64(struct redis_batch *b, uint64_t v);
/* INCR key, also within MULTI, once a batch. With redis_guard(): when it gives no more than was known when the batch was sent, the batch ends with STORE_OLDER (it has run all the same),
 * the number is set to 0, and every connection has to pass the guard again. */
void redis_raise(struct redis_batch *b, struct slice key);
/* EXEC may do nothing, because a watched key was changed: its reply is NIL then. Without this that is STORE_REFUSED. */
void redis_may_abort(struct redis_batch *b);
size_t redis_batch_count(const struct redis_batch *b);

/* ---- replies ---- */

struct redis_reply; /* borrowed, valid inside the callback */
enum redis_type { REDIS_NIL, REDIS_STR, REDIS_INT, REDIS_ARRAY, REDIS_STATUS, REDIS_ERR };

enum redis_type redis_reply_type(const struct redis_reply *r);
struct slice redis_reply_str(const struct redis_reply *r);   /* STR and STATUS, else SLICE_NONE */
int64_t redis_reply_int(const struct redis_reply *r);        /* INT, else 0 */
size_t redis_reply_len(const struct redis_reply *r);         /* ARRAY, else 0 */
const struct redis_reply *redis_reply_at(const struct redis_reply *r, size_t i); /* a NIL reply when out of range */
/* An array of n integers, none negative: into v. STORE_REFUSED when it is something else. */
ERR redis_reply_counts(const struct redis_reply *r, uint64_t *v, size_t n);

/* e OK: replies[0..n-1], one a command, none of type ERR. Otherwise n is 0:
 *   STORE_DOWN    not connected, or lost: the outcome is unknown
 *   STORE_SILENT  late, or nothing comes from the server: the outcome is unknown
 *   STORE_LOADING, STORE_READONLY, STORE_MEMORY, STORE_DISK   the server said so; others of the batch may have run
 *   STORE_REPLICAS  it was carried out, and fewer than `replicas` are known to have it: a failover may lose it
 *   STORE_OLDER   the store has gone back; or what the guard said: nothing was sent
 *   STORE_REFUSED the server answered an error to a command (NOPERM ...); others of the batch may have run
 *   BUSY          queue_max reached, nothing was sent
 *   NOMEM, FULL   the batch could not be built, nothing was sent */
typedef void redis_done_fn(void *arg, struct err e, const struct redis_reply *const *replies, size_t n);

/* Takes the batch. done runs exactly once, from the loop, never before the return. deadline in loop_now() terms.
 * While no connection is up the batch fails with what redis_ready() says at once (from the loop): requests get a 503, none hangs. */
void redis_send(struct redis *r, struct redis_batch *b, uint64_t deadline, redis_done_fn *done, void *arg);

#endif
