/* What is sent when. A municipality that is slow holds its own places and none of the others': after vrs_hedge_ms its request does not count for
 * vrs_in_flight any more, and it is asked a second time; the first answer counts. */

#include "keys/inquiry/work.h"

enum { ASKING_MAX = 64 /* parcels at vault and log */ };

static bool has_room(const struct nz_inquiry *q)
{
    return q->young < q->in->conf.vrs_in_flight && q->out < NZ_INQUIRY_CONNS && q->asking < ASKING_MAX;
}

/* The first parcel that may go; NULL: none. */
static struct nz_inq_parcel *next_of(struct nz_inq_task *t, uint64_t now)
{
    struct nz_inq_parcel *p;
    TAILQ_FOREACH(p, &t->waiting, at)
        if (p->due <= now && nz_inq_peer_may(nz_inq_peer_of(t->q->peers, p->peer, now), (unsigned)t->q->in->conf.vrs_per_peer, now))
            return p;
    return NULL;
}

/* One parcel of each task in turn. */
void nz_inq_pump(struct nz_inquiry *q)
{
    bool moved = true;
    while (moved && has_room(q) && !q->closed) {
        struct nz_inq_task *t;
        moved = false;
        TAILQ_FOREACH(t, &q->tasks, at) {
            const uint64_t now = nz_inq_now(q);
            struct nz_inq_parcel *p = t->life == NZ_INQ_RUNS && now >= t->pause_until && has_room(q) ? next_of(t, now) : NULL;
            if (!p)
                continue;
            nz_inq_parcel_start(p);
            moved = true;
        }
    }
}

static void hedge(struct nz_inq_parcel *p, uint64_t now)
{
    struct nz_inquiry *q = p->task->q;
    struct nz_inq_peer *peer = nz_inq_peer_of(q->peers, p->peer, now);
    if (p->out == 0 || now - p->sent_ms < q->in->conf.vrs_hedge_ms)
        return;
    if (!p->slow) {
        p->slow = true;
        q->young--;
    }
    if (p->hedged || p->out > 1 || q->out >= NZ_INQUIRY_CONNS || peer->out > q->in->conf.vrs_per_peer || peer->bad >= NZ_INQ_OPEN_AFTER)
        return;
    p->hedged = true;
    q->out++;
    peer->out++;
    nz_inq_parcel_send(p);
}

static void give_up(struct nz_inq_task *t)
{
    struct nz_inq_parcel *p;
    while ((p = TAILQ_FIRST(&t->under_way)) || (p = TAILQ_FIRST(&t->waiting)))
        nz_inq_parcel_fail(p, NZ_INQ_FAILED, t->any_answer ? p->why : NZ_INQ_BECAUSE_VRS);
}

void nz_inq_tick_task(struct nz_inq_task *t)
{
    const uint64_t now = nz_inq_now(t->q);
    struct nz_inq_parcel *p = TAILQ_FIRST(&t->under_way);
    if (now >= t->deadline) {
        give_up(t);
        return;
    }
    while (p) {
        struct nz_inq_parcel *next = TAILQ_NEXT(p, at);
        hedge(p, now);
        p = next;
    }
}
