#ifndef GW_SERVE_INSIDE_H
#define GW_SERVE_INSIDE_H

/* The parts of a door. Shared by the files of gateway/serve only.
 *
 *   io.c    bytes: socket <-> TLS, deadlines, closing       route.c  who may call what
 *   conn.c  a connection as a row of requests, one by one   req.c    what handlers see
 *   door.c  the listener and what its connections share     refuse.c refusals and the audit log
 *   stream.c answers without a known end                    revoked.c certificates that are not good any more
 *   admit.c  what the budget allows                         limit.c, budget.c: who asks, and what all may have together; without I/O */

#include "gateway/metrics/metrics.h"
#include "gateway/serve/serve.h"
#include "gateway/serve/trace.h"

enum {
    PLAIN_MAX = 64 * 1024,   /* plain text that waits in a connection */
    PLAIN_HIGH = 16 * 1024,  /* above it reading stops */
    NET_READ = 64 * 1024,
    OUT_MAX = 48 << 20,      /* cipher text of one answer */
    KEEP_BUF = 32 * 1024,    /* bigger buffers are given back to the system */
    LINGER_MS = 1000, LINGER_MAX = 2 << 20,
    REFUSE_MS = 5000,        /* for a refusal that waits for the audit */
    CROWD_MS = 1000, CROWD_RECORDS = 50, /* refusals of callers without an accepted certificate: records in that time */
    REST_MS = 100,           /* an idle connection gives its TLS buffers back */
    TRIM_CONNS = 64, TRIM_MS = 500, TRIM_BUSY_MS = 10000, /* after so many, not more often: free memory between those that stay goes back to the system */
    TICKET_MS = 20,
    SPARE_REQS = 64,
    PAUSE_FIRST_MS = 50, PAUSE_MOST_MS = 1000,
    EARLY_MAX = 64 * 1024,   /* of a handshake that waits */
    EARLY_NS = 2000000,      /* of handshakes in a turn of the loop; one is done in any case */
    EARLY_REST = 8,          /* while requests wait: no other handshake until so many times what one has taken has passed */
    EARLY_CONNS = 256,       /* that wait with their handshake: further callers are left to the kernel */
    STREAM_MAX = 256 * 1024  /* of a stream that waits for a slow client */
};

enum conn_state {
    CONN_HANDSHAKE,
    CONN_HEAD,   /* bytes of a request are awaited, against header_ms */
    CONN_IDLE,   /* kept alive, against idle_ms */
    CONN_BODY,
    CONN_WAIT,   /* the request is complete and has no place in work yet */
    CONN_BUSY,   /* the handler, or the audit of a refusal, has the request */
    CONN_WRITE,
    CONN_STREAM, /* an answer without a known end, of which the handler has the request */
    CONN_LINGER, /* answered for the last time: drained, so that the answer is not lost to a reset */
    CONN_CLOSED,
    CONN__MAX
};

struct conn {
    uv_tcp_t tcp;
    uv_timer_t timer;
    uv_write_t write;
    uv_shutdown_t shutdown;
    unsigned open;      /* handles; freed when 0 and no request is out */
    struct door *door;
    struct conn *next, *prev;
    enum conn_state state;
    uint64_t deadline;  /* uv_now() terms */
    uint64_t armed;     /* when the timer fires; never later than deadline */
    struct tls_conn *tls;
    struct http_parser *http;
    const struct http_head *head;
    struct req *req;    /* the one in work */
    struct buf plain;   /* received, not parsed yet */
    struct buf early;   /* of a handshake that waits for its turn */
    struct conn *early_next, *early_before;
    bool is_early;
    struct buf out;     /* to be sent */
    struct buf sending; /* belongs to write */
    size_t drained;
    uint64_t body_until; /* uv_now() terms */
    size_t body_seen;    /* of it, when its rate was looked at last */
    bool reading, writing, pumping;
    bool rested;        /* idle for REST_MS */
    bool eof;           /* the client will send no more */
    bool last;          /* no request after this one */
    bool ticket;        /* out begins with a TLS ticket, which leaves with the first answer, or TICKET_MS after the handshake */
    bool full;          /* TLS holds more than plain had room for */
    bool crowded;       /* its caller has too many connections */
    bool pausing;       /* idle, and not read: who was turned away has come again before the time that he was told */
    unsigned pause_ms;  /* the last one; 0: none since a request of it had a place */
    uint64_t told_until; /* uv_now() terms; 0: nobody was turned away */
    struct party *source, *who; /* of the budget; who: NULL for strangers. Both NULL without a budget */
    size_t charged;     /* bytes of the budget that it holds */
    uint64_t judged;    /* turn of the revocations that the verdict is of */
    struct err verdict; /* OK, or why the caller's certificate is not good any more */
};

struct req {
    struct conn *conn;  /* NULL while spare */
    struct req *next;   /* spare ones */
    struct arena *arena;
    struct buf body, out;
    const struct route *route;
    const struct dialect *dialect; /* of the path; NULL: none */
    struct slice param;
    struct req_id id;
    uint64_t deadline;
    uint64_t begun_ns;  /* its head was there */
    struct trace_id trace;
    void *data;
    char allow[32];
    struct http_answer problem; /* with doc: the answer that waits while the refusal is being recorded */
    struct buf doc;
    struct err why;     /* of that refusal */
    uint32_t refusals;  /* that its record stands for */
    bool refusing;
    bool recorded;      /* in the audit log, or on the way there */
    bool late;          /* answered already, because the deadline has passed */
    bool turned_away;   /* for the caller's certificate, or by the budget: that answer may leave */
    bool shed;          /* by the budget */
    struct err turned;  /* is going to be, once its body has been read */
    enum shed_cause cause; /* of that */
    unsigned retry_s;   /* what it is told then */
    struct place place;
    size_t charged;     /* bytes of the budget for its body */
    struct {
        void (*gone)(void *arg);
        void *arg;
        bool on;
        bool whole;     /* a part of it must not be taken for all of it */
        bool lost;      /* gone is owed, from the loop, unless ended comes first */
        bool ended;
    } stream;
};

struct listener {
    uv_poll_t poll;
    int fd;
    struct door *door;
    struct listener *next;
};

struct door {
    struct listener *listeners;
    uv_timer_t pause;  /* listening goes on then: there was no descriptor or no memory for a connection */
    unsigned open;
    struct loop *loop;
    struct meter *meter;
    struct door_conf conf;
    struct tls_door *tls;
    struct revoke_hook hook;
    struct conn *conns;
    unsigned n_conns, port;
    uint64_t quiet_until; /* one complaint a second about connections that cannot be taken */
    struct {                 /* handshakes: those that came when others had taken their share of a turn of the loop */
        uv_idle_t turn;
        uv_timer_t later;    /* while they rest: nobody turns in a circle for them */
        struct conn *first, *last;
        uint64_t of_ms;      /* the turn, uv_now() terms */
        uint64_t took_ns;    /* in it */
        uint64_t rests_until; /* uv_hrtime() terms */
        unsigned n;
    } early;
    struct req *spare_reqs;
    unsigned n_spare_reqs;
    struct buf spare_plain, spare_out; /* lent to the connection that is at work */
    struct buf answer;                 /* plain text of the answer being written */
    char date[HTTP_DATE_CHARS + 1];    /* of the second date_s */
    uint64_t date_s;
    uint8_t ids[256];                  /* random, for request ids */
    unsigned ids_left;
    struct {
        uv_timer_t timer;
        struct req *speaker; /* waits for the end of the second, and its record stands for all that come meanwhile */
        uint64_t until;      /* uv_now() terms */
        unsigned recorded;
    } crowd;
    struct {
        uv_timer_t timer;
        unsigned rested;               /* connections, since it was done last */
        uint64_t done_ms;              /* uv_now() terms */
    } trim;
    bool closing;                      /* nobody is let in any more, and every answer says that it is the last */
    bool cut;                          /* and what waits for a request has been ended */
    uint8_t net[NET_READ];             /* read buffer of all connections: used up within the callback */
};

/* door.c */
void door__conn_gone(struct door *d);
struct req_id door__new_id(struct door *d);
const char *door__date(struct door *d); /* for a Date header */

/* io.c */
ERR conn__accept(struct door *d, int fd /* given */, const struct sockaddr_storage *from);
void conn__deadline(struct conn *c, uint64_t ms);
void conn__close(struct conn *c);
void conn__reset(struct conn *c);             /* the same, and the kernel forgets what the client did not read */
void conn__free_if_done(struct conn *c);
void door__early(uv_idle_t *h);               /* the next handshakes that wait */
void conn__bye(struct conn *c);               /* close_notify, then close */
void conn__flush(struct conn *c);
void conn__settle_reading(struct conn *c);
void conn__linger(struct conn *c);
/* More plain text out of TLS, from in or from what TLS has kept. false when the connection is over. */
bool conn__feed(struct conn *c, struct slice in);
void buf__lend(struct buf *b, struct buf *spare);
void buf__give_back(struct buf *b, struct buf *spare);

/* conn.c */
void conn__pump(struct conn *c);
void conn__expired(struct conn *c);
void conn__flushed(struct conn *c);
/* Puts the answer into out; conn__leave() then sends it. false when the connection is over. */
bool conn__put_answer(struct conn *c, struct http_answer *a, struct req_id id, struct slice body);
/* The same for the head of an endless one: the state is STREAM then. */
bool conn__put_head(struct conn *c, struct http_answer *a, struct req_id id);
/* A handler or a write has the request: what comes in waits. */
static inline bool conn__in_work(const struct conn *c) { return c->state >= CONN_WAIT && c->state <= CONN_STREAM; }
void conn__run(struct conn *c);               /* its handler */
void conn__leave(struct conn *c);
void conn__problem(struct conn *c, enum err_code code, struct req_id id);

/* admit.c; without a budget all of them agree. admit__source(): a connection from there; its party goes to conn.source, or to admit__source_gone(). */
ERR admit__source(struct door *d, const struct sockaddr_storage *from, struct party **ret_source);
void admit__source_gone(struct door *d, struct party *source);
void admit__caller(struct conn *c);           /* after the handshake */
void admit__gone(struct conn *c);
void admit__holds(struct conn *c, size_t bytes); /* of answers that are not taken */
enum admitted { ADMIT_YES, ADMIT_NO /* it was turned away */, ADMIT_BODY_FIRST /* it will be, when its body has been read */ };
enum admitted admit__head(struct req *r, const struct http_head *h);
bool admit__body(struct req *r, uint64_t size); /* false: turned away */
void admit__run(struct conn *c);              /* conn__run(), now or later, or turned away */
void admit__waited(struct conn *c);           /* for too long */
bool admit__log_full(struct req *r);          /* for the record of a refusal, of a request that never had a place: it was turned away instead */
void admit__released(struct req *r);

/* revoked.c */
/* The caller's certificate at this moment: OK, CERT_MISSING, CERT_REFUSED, REVOCATION. */
ERR conn__certificate(struct conn *c);
/* For req.c: the answer may leave. Else *ret_why. */
bool req__may_leave(struct req *r, struct err *ret_why);
void door__judge_again(void *door);

/* route.c */
/* Sets route, param and allow of the request; the error is the refusal. */
ERR route__check(struct req *r, const struct http_head *h);
ERR route__check_body(const struct route *rt, const struct http_head *h);
const char *route__method_name(enum http_method m); /* list.c */
extern const struct route ROUTE_UNKNOWN; /* of a request until its own is found */

/* req.c */
struct req *req__begin(struct conn *c);
void req__release(struct req *r);
void req__send_problem(struct req *r); /* what is in problem and doc */

/* stream.c */
void stream__lost(struct req *r);      /* its connection has been closed, or carries no more of it */
void stream__expired(struct conn *c);
void stream__written(struct conn *c);
void stream__door_closes(struct conn *c);

/* refuse.c */
/* true: it is the caller's fault and is being recorded; then req__send_problem() follows, or req_fail() when that goes wrong. */
bool req__refused(struct req *r, struct err why);
void door__rested(struct door *d);     /* a connection has given its buffers back */
void door__crowd_over(struct door *d); /* nobody waits for the end of the second any more */

/* meter.c */
struct meter;
ERR meter__new(struct meter **ret_m, struct metrics *m, const struct door_conf *conf); /* free() */
void meter__came(struct meter *t);
void meter__went(struct meter *t);
void meter__turned_away(struct meter *t);
void meter__no_handshake(struct meter *t);
void meter__answered(const struct conn *c, int status);

/* problem.c */
int problem__status(enum err_code code);
const struct err_info *problem__shown(enum err_code code); /* the row that a caller may see */
void problem__answer(struct http_answer *a, enum err_code code, struct req_id id);

#endif
