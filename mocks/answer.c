#include <stdlib.h>

#include "gateway/check/json_in.h"
#include "mocks/nation.h"

struct held {
    struct nation *n;
    struct req *r;
    struct fault fx;
    int status;
    struct err e; /* when not OK, the answer is its problem document */
    struct buf body;
    struct timer *timer;
    struct held *next, **at; /* in nation.held */
};

/* As if somebody had added or left out a member of an object; arrays of rows are changed where they are made. */
static void body_change(struct buf *body, const struct fault *fx)
{
    bool object = body->n >= 2 && body->p[0] == '{';
    if (!object)
        return;
    if (fx->missing_field) {
        buf_reset(body);
        buf_puts(body, "{}");
    }
    if (fx->extra_field && body->p[body->n - 1] == '}') {
        bool empty = body->n == 2;
        body->n--;
        buf_puts(body, empty ? "\"unexpected\":\"member\"}" : ",\"unexpected\":\"member\"}");
    }
}

static void answer_now(struct req *r, const struct fault *fx, int status, struct err e, struct buf *body)
{
    if (fx->reset)
        req_abort(r);
    else if (fx->status)
        req_answer(r, (int)fx->status, "application/json", LIT("{\"error\":\"switched fault\"}"));
    else if (fx->redirect)
        req_created(r, 307, "/redirected", LIT("{}"));
    else if (fx->garbage)
        req_answer(r, 200, "application/json", LIT("<html>]{\"\xff"));
    else if (!err_ok(e))
        req_fail(r, e);
    else {
        body_change(body, fx);
        e = buf_check(body);
        if (err_ok(e))
            req_answer(r, status, status < 400 ? "application/json" : "application/problem+json", buf_slice(body));
        else
            req_fail(r, e);
    }
    buf_done(body);
}

static void held_unlink(struct held *h)
{
    *h->at = h->next;
    if (h->next)
        h->next->at = h->at;
}

static void on_delay_over(void *arg)
{
    struct held *h = arg;
    held_unlink(h);
    timer_free(h->timer);
    answer_now(h->r, &h->fx, h->status, h->e, &h->body);
    free(h);
}

static bool hold(struct nation *n, struct req *r, const struct fault *fx, int status, struct err e, struct buf *body)
{
    struct held *h = calloc(1, sizeof *h);
    if (!h || !err_ok(timer_new(&h->timer, n->l, on_delay_over, h))) {
        free(h);
        return false;
    }
    h->n = n;
    h->r = r;
    h->fx = *fx;
    h->status = status;
    h->e = e;
    h->body = *body;
    buf_init(body, 1); /* given to h */
    h->next = n->held;
    h->at = &n->held;
    if (h->next)
        h->next->at = &h->next;
    n->held = h;
    timer_start(h->timer, fx->delay_ms);
    return true;
}

static void answer(struct nation *n, struct req *r, const struct fault *fx, int status, struct err e, struct buf *body)
{
    if (fx->delay_ms && hold(n, r, fx, status, e, body))
        return;
    answer_now(r, fx, status, e, body);
}

void answer_send(struct nation *n, struct req *r, const struct fault *fx, int status, struct buf *body)
{
    answer(n, r, fx, status, OK, body);
}

void answer_fail(struct nation *n, struct req *r, const struct fault *fx, struct err e)
{
    struct buf none;
    buf_init(&none, 1);
    answer(n, r, fx, 0, e, &none);
}

void answer_stop(struct nation *n)
{
    while (n->held) {
        struct held *h = n->held;
        held_unlink(h);
        timer_free(h->timer);
        buf_done(&h->body);
        req_abort(h->r);
        free(h);
    }
}

bool member_text(json_t *obj, const char *name, size_t max, struct slice *ret_text)
{
    json_t *v = json_object_get(obj, name);
    if (!json_is_string(v) || json_string_length(v) == 0 || json_string_length(v) > max)
        return false;
    *ret_text = slice_of(json_string_value(v), json_string_length(v));
    return true;
}

void control_answer(struct req *r, struct buf *body)
{
    struct err e = buf_check(body);
    if (err_ok(e))
        req_json(r, 200, buf_slice(body));
    else
        req_fail(r, e);
    buf_done(body);
}

void control_end(struct req *r, struct err e)
{
    if (err_ok(e))
        req_answer(r, 204, "application/json", SLICE_NONE);
    else
        req_fail(r, e);
}

void health_get(struct req *r) { req_json(r, 200, LIT("{\"status\":\"ok\"}")); }
