#include "gateway/base/must.h"
#include "gateway/serve/inside.h"

/* How refusals come into the audit log. A problem that the caller has to mend is kept back until on_refused has had it recorded.
 * Callers whose certificate was not accepted share a small number of records: they cost nothing to be, and may not fill a disk. */

/* ---- one refusal, one record ---- */

static void recorded(struct req *r, struct err e)
{
    MUST(r->conn && r->refusing);
    r->refusing = false;
    if (err_ok(e) || e.code == r->why.code)
        req__send_problem(r);
    else
        req_fail(r, e);
}

static void record(struct req *r)
{
    const struct door_conf *conf = &r->conn->door->conf;
    conf->on_refused(conf->ctx, r, r->why, recorded);
}

/* The answer waits. A connection that is over, or that has been told of a deadline already, is left as it is. */
static void keep_back(struct req *r, struct err why)
{
    struct conn *c = r->conn;
    r->why = why;
    r->refusing = r->recorded = true;
    r->deadline = loop_now(c->door->loop) + REFUSE_MS;
    if (c->state == CONN_CLOSED || r->late)
        return;
    c->state = CONN_BUSY;
    conn__deadline(c, REFUSE_MS);
}

/* ---- the crowd of the unknown ---- */

void door__crowd_over(struct door *d)
{
    struct req *r = d->crowd.speaker;
    if (!r)
        return;
    uv_timer_stop(&d->crowd.timer);
    d->crowd.speaker = NULL;
    d->crowd.recorded = 1;
    d->crowd.until = uv_now(d->crowd.timer.loop) + CROWD_MS;
    record(r);
}

static void on_crowd_timer(uv_timer_t *t) { door__crowd_over(t->data); }

/* The first ones of a second have a record each. The next one speaks for all who follow until the second is over. */
static void record_in_crowd(struct req *r)
{
    struct door *d = r->conn->door;
    uint64_t now = uv_now(d->crowd.timer.loop);
    if (now >= d->crowd.until) {
        d->crowd.until = now + CROWD_MS;
        d->crowd.recorded = 0;
    }
    if (d->crowd.recorded < CROWD_RECORDS || d->closing) {
        d->crowd.recorded++;
        record(r);
        return;
    }
    d->crowd.speaker = r;
    uv_timer_start(&d->crowd.timer, on_crowd_timer, d->crowd.until - now, 0);
}

bool req__refused(struct req *r, struct err why)
{
    struct door *d = r->conn->door;
    if (!d->conf.on_refused || r->recorded || err_info(why.code)->who != WHO_ACTS_CALLER)
        return false;
    if (admit__log_full(r))
        return true;
    bool known = tls_caller(r->conn->tls)->refusal == E_OK && why.code != E_CERT_REFUSED; /* not who was revoked either */
    if (!known && d->crowd.speaker) {
        d->crowd.speaker->refusals++;
        return false;
    }
    keep_back(r, why);
    if (known)
        record(r);
    else
        record_in_crowd(r);
    return true;
}
