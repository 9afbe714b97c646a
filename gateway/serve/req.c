#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/serve/inside.h"

static struct req *req_make(struct door *d)
{
    struct req *r = d->spare_reqs;
    if (r) {
        d->spare_reqs = r->next;
        d->n_spare_reqs--;
        return r;
    }
    r = calloc(1, sizeof *r);
    if (!r)
        return NULL;
    r->arena = arena_new(d->conf.limits.arena_max);
    if (!r->arena) {
        free(r);
        return NULL;
    }
    return r;
}

struct req *req__begin(struct conn *c)
{
    struct req *r = req_make(c->door);
    if (!r)
        return NULL;
    struct buf body = r->body, out = r->out; /* memory kept from the request before */
    *r = (struct req){ .conn = c, .turned = OK, .arena = r->arena, .body = body, .out = out, .id = door__new_id(c->door), .begun_ns = uv_hrtime(), .route = &ROUTE_UNKNOWN,
                       .refusals = 1 };
    if (c->head)
        r->trace = trace_of(c->head->known[HTTP_KNOWN_TRACEPARENT]);
    r->out.max = c->door->conf.limits.arena_max;
    buf_init(&r->doc, c->door->conf.limits.arena_max);
    c->req = r;
    return r;
}

static void buf_empty(struct buf *b)
{
    if (b->cap > KEEP_BUF)
        buf_done(b);
    else
        buf_reset(b);
}

void req__release(struct req *r)
{
    struct conn *c = r->conn;
    struct door *d = c->door;
    admit__released(r);
    c->req = NULL;
    r->conn = NULL;
    arena_reset(r->arena);
    buf_done(&r->doc);
    buf_empty(&r->body);
    buf_empty(&r->out);
    if (d->n_spare_reqs < SPARE_REQS) {
        r->next = d->spare_reqs;
        d->spare_reqs = r;
        d->n_spare_reqs++;
    } else {
        arena_free(r->arena);
        buf_done(&r->body);
        buf_done(&r->out);
        free(r);
    }
    conn__free_if_done(c);
}

/* The one way out of every request. body may live in the request: it is copied before that goes. */
static void finish(struct req *r, struct http_answer *a, struct slice body)
{
    struct conn *c = r->conn;
    MUST(c && !r->stream.on);
    if (c->state == CONN_CLOSED || r->late) {
        req__release(r);
        return;
    }
    struct err why;
    if (!req__may_leave(r, &why)) {
        req_fail(r, why);
        return;
    }
    LOG(DEBUG, "answer", LF("id", r->id), LF("trace", r->trace), LF("operation", r->route->operation), LF("status", a->status));
    c->state = CONN_BUSY; /* the request is ours to release, whatever happens to the connection */
    bool good = conn__put_answer(c, a, r->id, body);
    req__release(r);
    if (good)
        conn__leave(c);
}

void req_answer(struct req *r, int status, const char *content_type, struct slice body)
{
    struct http_answer a = { .status = status, .content_type = content_type };
    finish(r, &a, body);
}

void req_public(struct req *r, const char *content_type, struct slice body)
{
    struct http_answer a = { .status = 200, .content_type = content_type, .for_anyone = true };
    finish(r, &a, body);
}

void req_file(struct req *r, int status, const char *content_type, const char *headers, struct slice body)
{
    struct http_answer a = { .status = status, .content_type = content_type, .headers = headers };
    finish(r, &a, body);
}

void req_json(struct req *r, int status, struct slice json) { req_answer(r, status, r->dialect ? r->dialect->media : "application/json", json); }

void req_created(struct req *r, int status, const char *location, struct slice json)
{
    struct http_answer a = { .status = status, .content_type = "application/json", .location = location };
    finish(r, &a, json);
}

static void write_problem(struct req *r, enum err_code code, void (*extra)(struct jsonw *w, void *arg), void *arg)
{
    buf_reset(&r->doc);
    if (r->dialect)
        r->dialect->problem(&r->doc, problem__shown(code), r->id, extra, arg);
    else
        problem_write(&r->doc, code, r->id, extra, arg);
}

void req_problem(struct req *r, struct err e, void (*extra)(struct jsonw *w, void *arg), void *arg)
{
    MUST(r->conn && !r->refusing && !r->stream.on);
    struct http_answer a = { 0 };
    r->turned_away = r->turned_away || e.code == E_CERT_MISSING || e.code == E_CERT_REFUSED || e.code == E_REVOCATION;
    problem__answer(&a, e.code, r->id);
    if (r->dialect)
        a.content_type = r->dialect->media;
    if (r->retry_s)
        a.retry_after_s = r->retry_s;
    if (e.code == E_METHOD && r->allow[0])
        a.allow = r->allow;
    r->problem = a;
    write_problem(r, e.code, extra, arg);
    if (r->doc.failed)
        write_problem(r, e.code, NULL, NULL);
    if (a.status >= 500 && !r->shed) /* told together, once a second */
        LOG(WARN, "request_failed", LF("id", r->id), LF("trace", r->trace), LF("operation", r->route->operation), LF("error", e));
    if (!req__refused(r, e))
        req__send_problem(r);
}

void req__send_problem(struct req *r) { finish(r, &r->problem, buf_slice(&r->doc)); }

void req_fail(struct req *r, struct err e) { req_problem(r, e, NULL, NULL); }

void req_abort(struct req *r)
{
    struct conn *c = r->conn;
    MUST(c);
    conn__close(c);
    req__release(r);
}

void req_recorded(struct req *r) { r->recorded = true; }
uint32_t req_refusals(const struct req *r) { return r->refusals; }

/* ---- what handlers see ---- */

struct arena *req_arena(struct req *r) { return r->arena; }
void req_peer(const struct req *r, uint8_t out[static REQ_PEER_BYTES])
{
    struct sockaddr_storage a = { 0 };
    int n = sizeof a;
    memset(out, 0, REQ_PEER_BYTES);
    if (uv_tcp_getpeername(&r->conn->tcp, (struct sockaddr *)&a, &n) != 0)
        return;
    if (a.ss_family == AF_INET6) {
        memcpy(out, &((const struct sockaddr_in6 *)&a)->sin6_addr, REQ_PEER_BYTES);
    } else if (a.ss_family == AF_INET) {
        out[10] = out[11] = 0xFF;
        memcpy(out + 12, &((const struct sockaddr_in *)&a)->sin_addr, 4);
    }
}

const struct caller *req_caller(const struct req *r) { return tls_caller(r->conn->tls); }
const struct route *req_route(const struct req *r) { return r->route; }
struct req_id req_id(const struct req *r) { return r->id; }
struct slice req_param(const struct req *r) { return r->param; }
struct slice req_query(const struct req *r) { return r->conn->head ? r->conn->head->query : SLICE_NONE; }
struct slice req_body(const struct req *r) { return buf_slice(&r->body); }
struct slice req_header(const struct req *r, enum http_known which) { return r->conn->head ? r->conn->head->known[which] : SLICE_NONE; }
struct err req_revocations(const struct req *r)
{
    const struct revocations *rv = r->conn->door->conf.revocations;
    return rv ? revocations_state(rv) : OK;
}
void *req_ctx(const struct req *r) { return r->conn->door->conf.ctx; }
void req_set_data(struct req *r, void *data) { r->data = data; }
void *req_data(const struct req *r) { return r->data; }
struct loop *req_loop(const struct req *r) { return r->conn->door->loop; }
uint64_t req_deadline(const struct req *r) { return r->deadline; }
struct buf *req_out(struct req *r) { return &r->out; }

bool req_content_range(const struct req *r, struct http_range *ret_range, bool *ret_bad)
{
    const struct http_head *h = r->conn->head;
    bool there = h && h->has_content_range;
    bool good = there && http_content_range(h->content_range, ret_range);
    *ret_bad = there && !good;
    return good;
}
