#ifndef GW_SERVE_SERVE_H
#define GW_SERVE_SERVE_H

/* A door: a TLS listener with a table of routes. The table says who may call what; handlers say what happens. */

#include <stdio.h>

#include "gateway/base/arena.h"
#include "gateway/base/json_write.h"
#include "gateway/base/log.h"
#include "gateway/http/http.h"
#include "gateway/loop/loop.h"
#include "gateway/serve/budget.h"
#include "gateway/tls/revoke.h"
#include "gateway/tls/tls.h"

struct req;
typedef void handler_fn(struct req *r);

/* How routes answer that do not speak plain JSON and RFC 9457 (gateway/fhir). */
struct dialect {
    const char *prefix; /* of their paths: what is not found below it is told so, too */
    const char *media;  /* of req_json() and of problems; a literal */
    /* row: of what may be shown. extra, arg: as req_problem() was given them; it may leave them out. */
    void (*problem)(struct buf *out, const struct err_info *row, struct req_id id, void (*extra)(struct jsonw *w, void *arg), void *arg);
};

struct route {
    enum http_method method;
    const char *path;       /* "/v1/tasks/{id}": one {segment} at most, [A-Za-z0-9_-]{1,64} */
    struct lit operation;   /* name in logs, audit and API documents */
    unsigned callers;       /* CALLER_BIT()s; 0: anyone, even without a certificate */
    bool token;             /* door.authorize must agree first */
    size_t body_max;        /* bytes; 0: a body is refused */
    const char *media;      /* required Content-Type (parameters ignored), NULL when body_max is 0 */
    unsigned deadline_ms;   /* from the end of the request to the answer */
    handler_fn *handler;
};

struct door_limits {
    unsigned conns_max;          /* beyond: accepted and closed at once */
    unsigned header_ms;          /* handshake and whole header section, absolute */
    unsigned body_ms;            /* whole body, absolute, for up to 1 MiB; plus 1 s for each further 128 KiB */
    unsigned body_look_ms;       /* so often it is looked whether at least body_rate came in that time */
    unsigned body_rate;          /* bytes of the body a second, without what chunks add; 0: any */
    unsigned idle_ms;            /* kept-alive connection without a request */
    unsigned write_ms;           /* an answer that the client does not read */
    size_t header_max;           /* bytes */
    size_t arena_max;            /* bytes of memory of one request */
};
struct door_limits door_limits_of(const struct conf *c); /* the same, as its settings say */
struct door_limits door_limits_default(void); /* 10000, 10 s, 20 s, 5 s, 1 KiB/s, 60 s, 20 s, 16 KiB, 8 MiB */

struct door_conf {
    struct lit name;                     /* "clinic" */
    const char *host;                    /* numeric address */
    unsigned port;
    bool reuse_port;                     /* several workers share it */
    const int *sockets;                  /* n_sockets that are bound already, given to the door; 0: it binds host and port itself */
    unsigned n_sockets;
    struct tls_door_conf tls;
    /* May be NULL. What is revoked: a caller is judged at each request, before its handler, and again before its answer leaves; streams, answers that are
     * being written and idle connections of one that has been revoked are cut. */
    struct revocations *revocations;
    const struct route *routes;
    size_t n_routes;
    const struct dialect *dialect; /* NULL: JSON and problem documents on every path */
    /* May be NULL. OK, or TOKEN / FORBIDDEN ...; for routes with token set. Synchronous. */
    struct err (*authorize)(void *ctx, struct req *r, struct slice authorization);
    /* May be NULL. For routes with callers, after the role and before the token and the body: OK, or BASIS ... Synchronous. */
    struct err (*allow)(void *ctx, struct req *r);
    /* May be NULL. A request ends with a problem that its caller has to mend (err_info()->who is CALLER: certificate, role, token,
     * unknown route, malformed or oversized request, field errors ...), found by the door or by a handler that has not said
     * req_recorded(): for the audit log. The answer leaves after done has been called, once, now or later: OK or why sends the
     * problem as it was; with another error the answer becomes that error.
     *   Refusals of callers without an accepted certificate are bounded, a door: 50 in a second are recorded one by one; the next
     * one waits for the end of that second and is recorded then, with req_refusals() telling for how many it stands; the others
     * are answered at once. What is not a request (a failed handshake, bytes without an end before the client left) is no refusal. */
    void (*on_refused)(void *ctx, struct req *r, struct err why, void (*done)(struct req *r, struct err e));
    struct door_limits limits;
    struct budget *budget;    /* may be NULL: only limits hold. Shared by the doors of a process, and outlives them */
    enum budget_class class;  /* of its requests; those of routes that take more than 256 KiB are BUDGET_BULK in any case */
    void *ctx;
};

struct door;
/* Binds and listens. IO when the address cannot be had (errno tells), CONFIG for bad certificates. */
ERR door_new(struct door **ret_d, struct loop *l, const struct door_conf *conf);
/* One more socket that is bound already; given. */
ERR door_listen(struct door *d, int fd);
/* Stops accepting and goes on with what is there: connections live until their next answer, which says that it is the last. Streams without an end are ended.
 * door_conns() tells when nobody is left; door_close() has to follow. */
void door_drain(struct door *d);
/* Stops accepting, lets answers in progress leave, closes the rest. */
void door_close(struct door *d);
/* Other certificates, as tls_door_renew(): connections stay. Callers whose issuer is no longer one of ours are refused, as if they had been revoked. */
ERR door_renew_tls(struct door *d, const struct tls_pem *pem);
unsigned door_conns(const struct door *d);
/* Those with a request that has begun: whose body, work or answer is under way. Streams without an end are none. */
unsigned door_busy(const struct door *d);
/* The port that listens; tells which one when conf.port was 0. */
unsigned door_port(const struct door *d);

/* ---- inside a handler; valid until the one req_* answer call ---- */

struct arena *req_arena(struct req *r);
const struct caller *req_caller(const struct req *r);
const struct route *req_route(const struct req *r);
struct req_id req_id(const struct req *r);
/* The address that the connection comes from: IPv6, or IPv4 mapped into it; zeros when it is not known (it has gone). */
enum { REQ_PEER_BYTES = 16 };
void req_peer(const struct req *r, uint8_t out[static REQ_PEER_BYTES]);
struct slice req_param(const struct req *r);  /* the {segment}; SLICE_NONE when none */
struct slice req_query(const struct req *r);  /* raw */
struct slice req_body(const struct req *r);
struct slice req_header(const struct req *r, enum http_known which); /* SLICE_NONE when it did not come; an empty one neither */
ERR req_revocations(const struct req *r);     /* for health: REVOCATION when it is not known who is revoked */
void *req_ctx(const struct req *r);           /* door_conf.ctx */
void req_set_data(struct req *r, void *data); /* the handler's own */
void *req_data(const struct req *r);
struct loop *req_loop(const struct req *r);
uint64_t req_deadline(const struct req *r);   /* loop_now() terms: hand it to every wait */
struct buf *req_out(struct req *r);           /* scratch for building the body; wiped with the request */

/* Every handler ends with exactly one of these, now or later; the request is gone then. When the deadline has passed or the
 * client has left meanwhile, the answer is dropped; the handler need not know. */
void req_json(struct req *r, int status, struct slice json);            /* application/json, or what the dialect of the path says */
void req_answer(struct req *r, int status, const char *content_type, struct slice body); /* content_type: literal */
/* The same, 200, and pages of any site may read it (CORS): for what anyone may know. */
void req_public(struct req *r, const char *content_type, struct slice body);
/* A file that the program brings along. headers: whole lines in place of Cache-Control: no-store; a literal. status 304: without body. */
void req_file(struct req *r, int status, const char *content_type, const char *headers, struct slice body);
void req_created(struct req *r, int status, const char *location, struct slice json);    /* location: own text, copied */
void req_fail(struct req *r, struct err e);                             /* problem document of the code */
/* The same with extra members: extra(w, arg) writes them into the open object. */
void req_problem(struct req *r, struct err e, void (*extra)(struct jsonw *w, void *arg), void *arg);
/* Before a problem: the handler has had this request written to the audit log itself, so that on_refused is not called. */
void req_recorded(struct req *r);
/* From here on it only waits for a moment (the beat, gateway/lookup/rhythm.h): its place in work is another one's. Once, or not at all. */
void req_rests(struct req *r);
/* It asks for n things at once: they count in its caller's rate like n requests, a place in work for each twelve of them, and bytes in the memory of all until it has been answered. Whose rate is used up by what he
 * has asked for already is turned away; else all n are taken, and he waits the longer afterwards. False: it has been answered with RATE or BUSY and is gone. */
bool req_is_list(struct req *r, unsigned n, size_t bytes);
/* Further memory until it has been answered. False: beyond the budget, nothing was taken. */
bool req_takes(struct req *r, size_t bytes);
/* For on_refused: how many refusals the one record stands for, at least 1. */
uint32_t req_refusals(const struct req *r);
/* An answer without a known end (server-sent events): status 200, chunked (to HTTP/1.0: until the connection ends). Then any number of puts, then
 * req_stream_end(). gone: called once, from the loop and never inside a call of these, unless req_stream_end() came first: the client has left, does
 * not read (more than 256 KiB wait, or nothing of it was taken within write_ms), or the door closes, which has ended the answer in order. Puts
 * until then go nowhere; no call may follow. Until gone or the end the request is there, for req_ctx() and its like. The route's deadline does not
 * end a stream. */
void req_stream(struct req *r, const char *content_type, void (*gone)(void *arg), void *arg);
void req_stream_put(struct req *r, struct slice text);
void req_stream_end(struct req *r);
/* Before req_stream(): a part of the answer must not be taken for the whole: when the door closes, the connection is broken rather than ended in order. */
void req_stream_whole(struct req *r);
/* It cannot be completed: breaks the connection; gone follows. */
void req_stream_break(struct req *r);
/* Bytes of it that the client has not taken yet: who has much to say waits until it is little. */
size_t req_stream_waiting(const struct req *r);
/* Content-Range of the request. false when there is none, or when it is none of ours: *ret_bad. */
bool req_content_range(const struct req *r, struct http_range *ret_range, bool *ret_bad);

/* Ends the connection without an answer (mock faults only). */
void req_abort(struct req *r);

/* One line a route: door, method, path, operation, callers ("clinic", "a,b", "anyone"), "token" or "-", with tabs between them. */
void routes_print(FILE *to, const char *door, const struct route *routes, size_t n);

/* The problem document (RFC 9457) alone: also used by the command and by tests. Codes of "inside the processes" show INTERNAL. */
void problem_write(struct buf *out, enum err_code code, struct req_id id, void (*extra)(struct jsonw *w, void *arg), void *arg);

#endif
