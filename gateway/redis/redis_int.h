#ifndef GW_REDIS_REDIS_INT_H
#define GW_REDIS_REDIS_INT_H

/* Shared by the files of gateway/redis only.
 *
 * Of hiredis only the reply parser is used (redisReader), over our own socket (gateway/loop/wire.h): its asynchronous
 * contexts lose disconnects, know no deadlines and run callbacks inside their own free. */

#include <hiredis/hiredis.h>
#undef REDIS_ERR /* a status of hiredis; here it is a type of reply */
#undef REDIS_OK

#include "gateway/base/log.h"
#include "gateway/loop/due.h"
#include "gateway/loop/wire.h"
#include "gateway/metrics/metrics.h"
#include "gateway/redis/redis.h"

enum {
    REDIS_REPLY_BYTES_MAX = 64 * 1024 * 1024, /* of one reply, while it arrives */
    REDIS_REPLY_ITEMS_MAX = 1024 * 1024,      /* elements in one reply, all levels */
    REDIS_OUT_MAX = 64 * 1024 * 1024,         /* bytes that wait to leave, a connection */
    REDIS_COMMANDS_MAX = 64 * 1024,           /* in a batch */
    REDIS_TOGETHER = 16,                      /* batches on one connection before the next one is taken */
    REDIS_FEW = 8,                            /* replies that need no memory of their own for their places */
    REDIS_BACKOFF_MIN_MS = 20,
    REDIS_BACKOFF_MAX_MS = 250,
    REDIS_TICK_MS = 250, REDIS_TICK_ASKED_MS = 100, /* the second while something is asked */
    REDIS_PING_AFTER_MS = 500,  /* of silence on an idle connection */
    REDIS_GREET_MS = 400,       /* for CONNECT, AUTH */
    REDIS_ANSWER_MS = 1000,     /* for PING */
    REDIS_BUSY_ANSWER_MS = 10000,
    REDIS_IMPATIENT_MS = 3000,  /* a batch whose deadline is nearer when it is sent belongs to somebody who waits for an answer */
    REDIS_SLOW_MS = 50,         /* without a byte while something is asked: others are taken first */
    REDIS_SILENT_MS = 700,      /* without a byte while something is asked: the impatient hear that, and get no more */
    REDIS_SILENT_DROP_MS = 2000, /* the same, and nobody patient is in line: the connection is given up */
    REDIS_STALL_MS = 2000,      /* without a byte while something is asked: get no new batches */
    REDIS_DROP_MS = 2000        /* beyond the deadline of the oldest batch: the replies have lost their order in time */
};

/* First words of error replies; only the name of a row may be logged. */
#define REDIS_CLASSES(X) \
    X(OTHER) X(LOADING) X(READONLY) X(OOM) X(NOPERM) X(NOAUTH) X(WRONGPASS) X(WRONGTYPE) X(BUSY) X(MISCONF) X(EXECABORT) X(NOSCRIPT) \
    X(NOREPLICAS) X(MASTERDOWN) X(CLUSTERDOWN) X(MOVED) X(ASK) X(TRYAGAIN) X(CROSSSLOT)
enum redis_class {
    RC_NONE,
#define X(name) RC_##name,
    REDIS_CLASSES(X)
#undef X
    RC__MAX
};

struct redis_reply {
    enum redis_type type;
    int64_t num;                  /* INT; of ERR: enum redis_class */
    size_t n;                     /* bytes or items */
    const uint8_t *bytes;         /* behind this struct */
    struct redis_reply **items;   /* behind this struct */
};

redisReader *redis__reader_new(size_t *items_left); /* items_left: set to REDIS_REPLY_ITEMS_MAX before each reply */
void redis__reply_free(void *reply); /* wipes; NULL is fine */
/* Class of the first error in the reply, at any level; RC_NONE when there is none. */
enum redis_class redis__reply_class(const struct redis_reply *r);
struct lit redis__class_name(enum redis_class c);

struct redis_conn;
struct redis_batch;
/* batch.c. Room for the replies; false: out of memory. */
bool redis__batch_ready(struct redis_batch *b);
bool redis__batch_at_exec(struct redis_batch *b); /* the next reply is of EXEC; once a reply */

enum redis_kind { KIND_USER, KIND_GREET, KIND_PING, KIND_GUARD };

struct redis_batch {
    struct due_item due; /* first */
    enum redis_kind kind;
    struct buf cmds;
    struct buf execs;    /* which commands are EXEC: u32 each */
    size_t execs_got;
    size_t count;
    size_t args_left;    /* of the command that is being built */
    bool first_arg;
    bool in_multi, may_abort;
    size_t multi_n;      /* commands behind MULTI */
    bool raises, looks, waits; /* the last commands are ours: looks asks for the number, waits for the replicas */
    size_t raise_at, raise_in; /* which reply has the number; behind MULTI: the item, from 1, of the reply to EXEC */
    uint64_t seen;       /* of the pool, when it was sent */
    redis_done_fn *done;
    void *arg;
    uint64_t sent_ns;
    uint64_t deadline;
    enum err_code verdict; /* what it ends with when it falls due */
    bool impatient;
    uint64_t sent;         /* loop_now() */
    bool told;             /* done has run; it stays in line only to take its replies off the connection */
    enum redis_class cls;  /* of the first error reply */
    size_t got;
    struct redis_reply **replies; /* few, or of their own memory */
    struct redis_reply *few[REDIS_FEW];
    struct redis_batch *next; /* in line on its connection */
};

enum redis_state { RS_DOWN, RS_CONNECTING, RS_GREETING, RS_LOADING, RS_GUARDED, RS_UP };

struct redis_conn {
    struct redis *pool;
    enum redis_state state;
    bool stalled, silent;
    struct wire *wire;
    redisReader *reader;
    size_t items_left;
    struct timer *retry;
    uint64_t turn;      /* of the question to the guard; late answers are of another one */
    bool asking;        /* the guard is asked, or the server on its behalf */
    uint64_t ask_at;    /* loop_now() */
    uint64_t floor;
    uint64_t backoff_ms;
    uint64_t heard;  /* loop_now() of the last byte, or of the question that broke the silence */
    struct redis_batch *head, **tail;
    size_t in_line;
};

struct redis {
    struct loop *loop;
    char *path, *user;
    struct secret *password;
    size_t queue_max;
    unsigned replicas, wait_ms;
    struct due *due;
    struct timer *tick;
    bool closing, was_up;
    struct redis_guard guard; /* ask NULL: none */
    bool silent;      /* connections were given up because nothing came back */
    enum err_code refused; /* what the server last refused a command for, at refused_at; OK: nothing */
    uint64_t refused_at;
    struct err said;  /* why no connection has passed the guard */
    uint64_t seen;    /* the greatest number of the guard's key */
    uint64_t turn;    /* redis_turn() */
    uint64_t alive_turn, alive_at; /* redis_unbroken_at() said OK of */
    struct { metric *seconds, *failed, *waiting, *lost; } count;
    unsigned busy;   /* callbacks of ours on the stack: it cannot be freed yet */
    size_t pending;  /* batches of users that are not told yet */
    size_t in_line;  /* batches of users on all connections, told ones included */
    unsigned n_conns;
    struct redis_conn conns[];
};

/* pool, redis.c */
void redis__enter(struct redis *r);
void redis__leave(struct redis *r);                          /* may free r */
void redis__tell(struct redis *r, struct redis_batch *b, struct err e); /* runs done */
void redis__state_changed(struct redis *r);

/* replicas, replicas.c */
void redis__replicas_add(const struct redis *r, struct redis_batch *b);
bool redis__replicas_have(const struct redis *r, const struct redis_batch *b);
bool redis__writes(struct slice commands);                   /* they may change something */

/* connection, conn.c */
ERR redis__conn_init(struct redis_conn *c, struct redis *r);
void redis__conn_done(struct redis_conn *c);
void redis__conn_close(struct redis_conn *c);               /* at redis_close(): leaves the batches in line to the caller */
void redis__conn_put(struct redis_conn *c, struct redis_batch *b);
void redis__conn_tick(struct redis_conn *c, uint64_t now);
bool redis__conn_usable(const struct redis_conn *c, bool impatient);
void redis__set_state(struct redis_conn *c, enum redis_state s);

/* the guard, guard.c */
void redis__guard_begin(struct redis_conn *c);              /* greeted */
void redis__guard_tick(struct redis_conn *c, uint64_t now);
bool redis__guard_heard(struct redis_conn *c, const struct redis_batch *b); /* false: the connection is of no use */
ERR redis__guard_ask_server(struct redis_conn *c);          /* conn.c: GET */
ERR redis__guard_spoil_server(struct redis_conn *c);        /* conn.c: SET 0 */
/* Before it is sent: whoever raises nothing asks. */
void redis__guard_add(const struct redis *r, struct redis_batch *b);
/* The verdict on a batch that was answered without an error. */
struct err redis__raised(struct redis_conn *c, const struct redis_batch *b);

#endif
