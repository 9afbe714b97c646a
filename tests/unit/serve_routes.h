#ifndef TESTS_SERVE_ROUTES_H
#define TESTS_SERVE_ROUTES_H

/* The door of the tests: a route for each thing that a handler can do. */

#include "tests/unit/serve_world.h"

#define HOST "Host: door\r\n"
#define JSON "Content-Type: application/json\r\n"
#define GET(path) LIT("GET " path " HTTP/1.1\r\n" HOST "\r\n")
#define POST(path, fields, body) LIT("POST " path " HTTP/1.1\r\n" HOST fields "\r\n" body)

enum { BIG = 2 << 20, HUGE_ANSWER = 16 << 20 /* more than the kernel takes at once */ };

/* ---- handlers ---- */

static inline void h_health(struct req *r) { req_json(r, 200, LIT("{\"status\":\"ok\"}")); }

static inline void h_size(struct req *r)
{
    struct jsonw w;
    jsonw_init(&w, req_out(r));
    jsonw_object(&w, NULL);
    jsonw_u64(&w, "bytes", req_body(r).n);
    jsonw_cstr(&w, "caller", req_caller(r)->identity);
    if (req_param(r).n)
        jsonw_str(&w, "param", req_param(r));
    if (req_query(r).n)
        jsonw_str(&w, "query", req_query(r));
    jsonw_cstr(&w, "operation", req_route(r)->operation.s);
    jsonw_end_object(&w);
    req_json(r, 200, buf_slice(req_out(r)));
}

static inline void h_created(struct req *r) { req_created(r, 202, "/v1/tasks/1", LIT("{}")); }
static inline void h_empty(struct req *r) { req_answer(r, 204, NULL, SLICE_NONE); }
static inline void h_broken(struct req *r) { req_fail(r, FAIL(E_SEAL)); }
static inline void h_busy(struct req *r) { req_fail(r, FAIL(E_STORE_DOWN)); }
static inline void h_own_record(struct req *r)
{
    req_recorded(r);
    req_fail(r, FAIL(E_CONFLICT));
}
static inline void h_abort(struct req *r) { req_abort(r); }

static inline void write_errors(struct jsonw *w, void *arg)
{
    jsonw_array(w, "errors");
    jsonw_cstr(w, NULL, arg);
    jsonw_end_array(w);
}

static inline void h_field(struct req *r)
{
    static char what[] = "a_field";
    req_problem(r, FAIL(E_FIELD), write_errors, what);
}

struct wait {
    struct req *r;
    struct timer *t;
};

static inline void wait_over(void *arg)
{
    struct wait *w = arg;
    struct world *world = req_ctx(w->r);
    timer_free(w->t);
    /* everything a handler may look at is still there, whatever became of the connection */
    char *copy = arena_cstr(req_arena(w->r), slice_str(req_caller(w->r)->identity));
    must(copy && strcmp(copy, "clinic/3310010012") == 0 && req_query(w->r).n < 100);
    bool refuses = slice_eq(req_query(w->r), LIT("refuse"));
    if (loop_now(req_loop(w->r)) > req_deadline(w->r))
        atomic_fetch_add(&world->late_answers, 1);
    if (refuses)
        req_fail(w->r, FAIL(E_CONFLICT));
    else
        req_json(w->r, 200, LIT("{\"later\":true}"));
}

static inline void answer_after(struct req *r, uint64_t ms)
{
    struct wait *w = arena_get(req_arena(r), sizeof *w);
    must(w != NULL);
    w->r = r;
    must(err_ok(timer_new(&w->t, req_loop(r), wait_over, w)));
    req_set_data(r, w);
    must(req_data(r) == w);
    timer_start(w->t, ms);
}

static inline void h_later(struct req *r) { answer_after(r, 100); }
static inline void h_too_late(struct req *r) { answer_after(r, 400); }

static inline void answer_big(struct req *r, size_t n)
{
    uint8_t *at = buf_room(req_out(r), n);
    must(at != NULL);
    memset(at, 'x', n);
    buf_grew(req_out(r), n);
    req_answer(r, 200, "text/plain", buf_slice(req_out(r)));
}

static inline void h_big(struct req *r) { answer_big(r, BIG); }
static inline void h_huge(struct req *r) { answer_big(r, HUGE_ANSWER); }

#define CLINIC CALLER_BIT(CALLER_CLINIC)
static const struct route ROUTES[] = {
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, h_health },
    { M_POST, "/v1/size", { "size" }, CLINIC, false, 1000, "application/json", 1000, h_size },
    { M_GET, "/v1/size", { "sizeOfNothing" }, CLINIC, false, 0, NULL, 1000, h_size },
    { M_POST, "/v1/large", { "large" }, CLINIC, false, 400000, "application/json", 1000, h_size },
    { M_GET, "/v1/things/{id}", { "thing" }, CLINIC, false, 0, NULL, 1000, h_size },
    { M_POST, "/v1/token", { "token" }, CLINIC, true, 1000, "application/json", 1000, h_size },
    { M_GET, "/v1/portal", { "portal" }, CALLER_BIT(CALLER_PORTAL), false, 0, NULL, 1000, h_size },
    { M_GET, "/v1/created", { "created" }, CLINIC, false, 0, NULL, 1000, h_created },
    { M_GET, "/v1/empty", { "empty" }, CLINIC, false, 0, NULL, 1000, h_empty },
    { M_GET, "/v1/field", { "field" }, CLINIC, false, 0, NULL, 1000, h_field },
    { M_GET, "/v1/own-record", { "ownRecord" }, CLINIC, false, 0, NULL, 1000, h_own_record },
    { M_GET, "/v1/broken", { "broken" }, CLINIC, false, 0, NULL, 1000, h_broken },
    { M_GET, "/v1/busy", { "busy" }, CLINIC, false, 0, NULL, 1000, h_busy },
    { M_GET, "/v1/abort", { "abort" }, CLINIC, false, 0, NULL, 1000, h_abort },
    { M_GET, "/v1/later", { "later" }, CLINIC, false, 0, NULL, 1000, h_later },
    { M_GET, "/v1/too-late", { "tooLate" }, CLINIC, false, 0, NULL, 150, h_too_late },
    { M_GET, "/x/health", { "dialect" }, CLINIC, false, 0, NULL, 1000, h_health },
    { M_GET, "/x/broken", { "dialectBroken" }, CLINIC, false, 0, NULL, 1000, h_broken },
    { M_GET, "/v1/huge", { "huge" }, CLINIC, false, 0, NULL, 1000, h_huge },
    { M_GET, "/v1/big", { "big" }, CLINIC, false, 0, NULL, 1000, h_big },
};

static inline int begin(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    must(w != NULL);
    w->routes = ROUTES;
    w->n_routes = sizeof ROUTES / sizeof ROUTES[0];
    w->limits = door_limits_default();
    w->limits.conns_max = 20;
    w->limits.header_ms = 800;
    w->limits.body_ms = 600;
    w->limits.idle_ms = 1500; /* more than a second: the TLS buffers go first */
    w->limits.write_ms = 800;
    world_start(w);
    *state = w;
    return 0;
}

static inline int end(void **state)
{
    world_stop(*state);
    free(*state);
    return 0;
}

#endif
