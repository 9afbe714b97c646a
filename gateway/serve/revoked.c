#include "gateway/serve/inside.h"

/* A connection outlives the judgement of its certificate: the certificate ends, is revoked, or its issuer is no longer ours. So the caller is judged again at each request, before
 * the answer leaves, and, when the lists have changed, wherever something of his is under way. */

static bool ended(const struct door *d, const struct caller *who)
{
    return who->role != CALLER_NONE && (int64_t)(clock_wall(loop_clock(d->loop)) / 1000) > who->not_after;
}

struct err conn__certificate(struct conn *c)
{
    const struct door *d = c->door;
    const struct caller *who = tls_caller(c->tls);
    if (who->refusal != E_OK)
        return FAIL(who->refusal);
    if (ended(d, who) || !tls_trusted(c->tls))
        return FAIL(E_CERT_REFUSED);
    const struct revocations *rv = d->conf.revocations;
    if (!rv)
        return OK;
    uint64_t turn = revocations_turn(rv);
    if (c->judged != turn) {
        c->verdict = revocations_judge(rv, who);
        c->judged = turn;
    }
    return c->verdict;
}

bool req__may_leave(struct req *r, struct err *ret_why)
{
    if (r->turned_away || !r->route->callers)
        return true;
    *ret_why = conn__certificate(r->conn);
    return err_ok(*ret_why);
}

/* What was answered when the certificate was still good ends in the middle; what has not been answered yet is judged when it is. */
static void judge(struct conn *c)
{
    if (c->state == CONN_CLOSED || c->state == CONN_HANDSHAKE || tls_caller(c->tls)->role == CALLER_NONE)
        return;
    bool was_good = err_ok(c->verdict);
    struct err e = conn__certificate(c);
    if (err_ok(e))
        return;
    bool revoked = e.code == E_CERT_REFUSED;
    if (c->state == CONN_STREAM || (c->state == CONN_WRITE && was_good))
        conn__close(c);
    else if (revoked && (c->state == CONN_IDLE || (c->state == CONN_HEAD && http_idle(c->http))))
        conn__bye(c);
}

void door__judge_again(void *door)
{
    struct door *d = door;
    for (struct conn *c = d->conns, *next; c; c = next) {
        next = c->next;
        judge(c);
    }
}
