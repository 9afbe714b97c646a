#include <netinet/in.h>
#include <stddef.h>

#include "gateway/base/must.h"
#include "gateway/serve/inside.h"

/* Where the doors ask the budget: at a connection, after its handshake, at the head of a request, before its body, and before its handler. */

enum { SMALL_BODY = 64 * 1024 /* is read although its request is turned away: the connection lives on */, FREE_BODY = 16 * 1024 /* not counted */, BULK_BODY = 256 * 1024, LIST_PART = 12 /* things that are as much work as one asked for alone, and wait for Redis and the audit log like as many */ };

static const struct route ROUTE_TURNED = { .method = M_OTHER, .path = "", .operation = { "turned_away" }, .body_max = SMALL_BODY, .deadline_ms = REFUSE_MS };

static struct budget *budget_of(const struct conn *c) { return c->door->conf.budget; }

/* ---- connections ---- */

static struct slice source_name(const struct sockaddr_storage *a)
{
    if (a->ss_family == AF_INET)
        return slice_of(&((const struct sockaddr_in *)a)->sin_addr, 4);
    const struct in6_addr *six = &((const struct sockaddr_in6 *)a)->sin6_addr;
    if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(six))
        return slice_of(six->s6_addr + 12, 4);
    return a->ss_family == AF_INET6 ? slice_of(six, 8) : SLICE_NONE;
}

static struct party *hold(struct budget *b, struct slice name, bool stranger)
{
    struct party *p = limit_hold(budget_limit(b), name, stranger);
    if (p)
        p->conns++;
    return p;
}

static void drop(struct budget *b, struct party *p)
{
    if (p)
        p->conns--;
    limit_drop(budget_limit(b), p);
}

/* An address in hex: a name has no NUL in it. */
static struct party *hold_source(struct budget *b, const struct sockaddr_storage *from)
{
    struct slice raw = source_name(from);
    char hex[16];
    for (size_t i = 0; i < raw.n; i++) {
        hex[2 * i] = "0123456789abcdef"[raw.p[i] >> 4];
        hex[2 * i + 1] = "0123456789abcdef"[raw.p[i] & 15];
    }
    return hold(b, slice_of(hex, 2 * raw.n), true);
}

struct err admit__source(struct door *d, const struct sockaddr_storage *from, struct party **ret_source)
{
    struct budget *b = d->conf.budget;
    *ret_source = NULL;
    if (d->n_conns >= d->conf.limits.conns_max)
        return FAIL(E_BUSY);
    if (!b)
        return OK;
    struct party *p = hold_source(b, from);
    if (!p)
        return FAIL(E_NOMEM);
    if (p->conns > budget_conf(b)->conns_per_source || !budget_conn(b)) {
        drop(b, p);
        return FAIL(E_BUSY);
    }
    *ret_source = p;
    return OK;
}

void admit__source_gone(struct door *d, struct party *source)
{
    if (!d->conf.budget)
        return;
    drop(d->conf.budget, source);
    budget_conn_gone(d->conf.budget);
}

void admit__caller(struct conn *c)
{
    struct budget *b = budget_of(c);
    const struct caller *who = tls_caller(c->tls);
    if (!b || who->role == CALLER_NONE)
        return;
    c->who = hold(b, slice_str(who->identity), false);
    c->crowded = !c->who || c->who->conns > budget_conf(b)->conns_per_caller;
}

void admit__gone(struct conn *c)
{
    struct budget *b = budget_of(c);
    if (!b)
        return;
    admit__holds(c, 0);
    if (c->who)
        drop(b, c->who);
    admit__source_gone(c->door, c->source);
}

void admit__holds(struct conn *c, size_t bytes)
{
    struct budget *b = budget_of(c);
    if (!b)
        return;
    budget_bytes_gone(b, c->charged);
    budget_bytes_took(b, bytes);
    c->charged = bytes;
}

/* ---- requests ---- */

static struct party *party_of(const struct conn *c) { return c->who ? c->who : c->source; }

/* An answer that turns away costs a quarter of a lookup. Who does not wait as he was told is not read for a while, twice as long each time: what nobody reads
 * costs nothing. */
static void slow_down(struct conn *c, unsigned retry_s)
{
    uint64_t now = uv_now(c->timer.loop);
    c->pausing = now < c->told_until;
    if (c->pausing)
        c->pause_ms = c->pause_ms == 0 ? PAUSE_FIRST_MS : 2 * c->pause_ms < PAUSE_MOST_MS ? 2 * c->pause_ms : PAUSE_MOST_MS;
    c->told_until = now + retry_s * UINT64_C(1000);
}

static enum budget_class class_of(const struct req *r) { return r->route->body_max > BULK_BODY ? BUDGET_BULK : r->conn->door->conf.class; }

/* Before a handler, or before it has done anything, and without a record of its own: budget.h tells of all of them together. */
static void turn_away(struct req *r, enum shed_cause cause)
{
    struct budget *b = budget_of(r->conn);
    struct err why = cause == SHED_RATE ? FAIL(E_RATE) : FAIL(E_BUSY);
    budget_shed(b, party_of(r->conn), class_of(r), cause);
    r->recorded = r->turned_away = r->shed = true;
    if (r->retry_s == 0)
        r->retry_s = budget_retry_s(b, r->id.b[0]);
    slow_down(r->conn, r->retry_s);
    req_fail(r, why);
}

static void rate_told(struct req *r, uint64_t after_ms) { r->retry_s = 1 + (unsigned)(after_ms / 1000) + r->id.b[0] % 2; }

static ERR may_ask(struct req *r)
{
    struct conn *c = r->conn;
    struct budget *b = budget_of(c);
    uint64_t after_ms = 0;
    r->cause = SHED_CONNECTIONS;
    if (c->crowded)
        return FAIL(E_BUSY);
    r->cause = SHED_RATE;
    if (limit_take(budget_limit(b), party_of(c), budget_conf(b)->rate[c->door->conf.class], uv_now(c->timer.loop), &after_ms))
        return OK;
    rate_told(r, after_ms);
    return FAIL(E_RATE);
}

enum admitted admit__head(struct req *r, const struct http_head *h)
{
    struct conn *c = r->conn;
    struct err e = budget_of(c) ? may_ask(r) : OK;
    if (err_ok(e))
        return ADMIT_YES;
    if (h->has_body && h->length_known && h->content_length <= SMALL_BODY && !h->expect_continue && !c->crowded) {
        r->route = &ROUTE_TURNED;
        r->turned = e;
        return ADMIT_BODY_FIRST;
    }
    c->last = c->last || c->crowded;
    turn_away(r, r->cause);
    return ADMIT_NO;
}

bool admit__body(struct req *r, uint64_t size)
{
    struct budget *b = budget_of(r->conn);
    if (!b || size <= FREE_BODY)
        return true;
    if (!budget_bytes(b, size)) {
        turn_away(r, SHED_MEMORY);
        return false;
    }
    r->charged = size;
    return true;
}

static void run(struct conn *c)
{
    c->told_until = 0;
    c->pause_ms = 0;
    conn__run(c);
}

static void go(struct place *p)
{
    struct req *r = (struct req *)((char *)p - offsetof(struct req, place));
    run(r->conn);
}

void admit__run(struct conn *c)
{
    struct req *r = c->req;
    struct budget *b = budget_of(c);
    const struct route *rt = r->route;
    if (!err_ok(r->turned)) {
        turn_away(r, r->cause);
        return;
    }
    r->deadline = loop_now(c->door->loop) + rt->deadline_ms;
    if (!b || rt->callers == 0) {
        conn__run(c);
        return;
    }
    if (!budget_ask(b, &r->place, party_of(c), class_of(r), uv_now(c->timer.loop), go)) {
        turn_away(r, r->place.why);
        return;
    }
    if (r->place.state == PLACE_IN_WORK) {
        run(c);
        return;
    }
    c->state = CONN_WAIT;
    conn__deadline(c, budget_conf(b)->wait_ms);
}

bool admit__log_full(struct req *r)
{
    struct budget *b = budget_of(r->conn);
    if (!b || r->place.go || !budget_queue_full(b, BUDGET_AUDIT, class_of(r)))
        return false;
    turn_away(r, SHED_AUDIT);
    return true;
}

void admit__waited(struct conn *c)
{
    budget_leave(budget_of(c), &c->req->place);
    turn_away(c->req, SHED_WAIT);
}

void admit__released(struct req *r)
{
    struct budget *b = budget_of(r->conn);
    if (!b)
        return;
    budget_leave(b, &r->place);
    budget_bytes_gone(b, r->charged);
}

bool req_takes(struct req *r, size_t bytes)
{
    struct budget *b = budget_of(r->conn);
    if (b && !budget_bytes(b, bytes))
        return false;
    r->charged += b ? bytes : 0;
    return true;
}

/* One of the n was counted at the head. */
bool req_is_list(struct req *r, unsigned n, size_t bytes)
{
    struct conn *c = r->conn;
    struct budget *b = budget_of(c);
    uint64_t after_ms = 0;
    if (b && n > 1 && !limit_owe(budget_limit(b), party_of(c), budget_conf(b)->rate[c->door->conf.class], n - 1, uv_now(c->timer.loop), &after_ms)) {
        rate_told(r, after_ms);
        turn_away(r, SHED_RATE);
        return false;
    }
    if (req_takes(r, bytes)) {
        if (b)
            budget_weigh(b, &r->place, 1 + (n - 1) / LIST_PART);
        return true;
    }
    turn_away(r, SHED_MEMORY);
    return false;
}

void req_rests(struct req *r)
{
    if (budget_of(r->conn))
        budget_leave(budget_of(r->conn), &r->place);
}
