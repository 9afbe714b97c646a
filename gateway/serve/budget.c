#include <stdlib.h>

#include "gateway/base/must.h"
#include "gateway/serve/budget_int.h"

enum { IDLE_PARTIES = 4096, PACE_MS = 200, LASTING_MS = 1000 /* somebody waits all the time: that is no crowd that came at once */, LASTING_PART = 16, LASTING_WORK = 4 };

/* ---- waiting: a ring of parties for each class, a line of requests for each party ---- */

static void line_in(struct budget *b, struct place *p)
{
    struct party *who = p->who, **ring = &b->lines[p->line];
    p->after = NULL;
    p->before = who->line[p->line].last;
    *(p->before ? &p->before->after : &who->line[p->line].first) = p;
    who->line[p->line].last = p;
    who->waiting++;
    b->n_line[p->line]++;
    b->state.waiting++;
    metric_set(b->count.waiting[p->line], b->n_line[p->line]);
    if (who->line[p->line].n++ > 0)
        return;
    b->n_parties[p->line]++;
    struct party *next = *ring ? *ring : who, *prev = *ring ? next->line[p->line].before : who; /* behind all others */
    who->line[p->line].after = next;
    who->line[p->line].before = prev;
    prev->line[p->line].after = next->line[p->line].before = who;
    if (!*ring)
        *ring = who;
}

static void line_out(struct budget *b, struct place *p)
{
    struct party *who = p->who, **ring = &b->lines[p->line];
    *(p->before ? &p->before->after : &who->line[p->line].first) = p->after;
    *(p->after ? &p->after->before : &who->line[p->line].last) = p->before;
    p->before = p->after = NULL;
    who->waiting--;
    b->n_line[p->line]--;
    metric_set(b->count.waiting[p->line], b->n_line[p->line]);
    if (--b->state.waiting == 0)
        b->waits_since_ms = 0;
    if (--who->line[p->line].n > 0)
        return;
    b->n_parties[p->line]--;
    struct party *next = who->line[p->line].after, *prev = who->line[p->line].before;
    prev->line[p->line].after = next;
    next->line[p->line].before = prev;
    if (*ring == who)
        *ring = next == who ? NULL : next;
    who->line[p->line].after = who->line[p->line].before = NULL;
}

unsigned budget__part(unsigned max, unsigned class)
{
    static const unsigned QUARTERS[PARTY_CLASSES] = { 4, 3, 2 };
    unsigned part = (unsigned)((uint64_t)max * QUARTERS[class] / 4);
    return part > 0 ? part : max;
}

static bool place_free(const struct budget *b, unsigned line) { return b->state.in_work < budget__part(b->conf.work_max, line); }

static bool beyond(size_t n, size_t most) { return n >= most - most / 4; } /* three quarters of it */

static size_t queue_length(const struct budget *b, unsigned q)
{
    const struct budget_queue *at = &b->conf.queues[q];
    return at->max && at->length ? at->length(at->ctx) : 0;
}

bool budget__near(const struct budget *b, unsigned class)
{
    bool near = beyond(b->state.in_work, budget__part(b->conf.work_max, class)) || b->state.waiting > 0 || beyond(b->state.conns, b->conf.conns_max) ||
                beyond(b->state.bytes, b->conf.memory_max);
    for (unsigned q = 0; q < BUDGET__QUEUES; q++)
        near |= beyond(queue_length(b, q), budget__part(b->conf.queues[q].max, class)) && b->conf.queues[q].max > 0;
    return near;
}

/* The first line with somebody in it, when he may go: behind him nobody may. */
static bool next_line(const struct budget *b, unsigned *ret_line)
{
    for (unsigned i = 0; i < PARTY_CLASSES; i++)
        if (b->lines[i]) {
            *ret_line = i;
            return place_free(b, i);
        }
    return false;
}

static void in_work(struct budget *b, const struct place *p, unsigned n)
{
    b->state.in_work += n;
    metric_set(b->count.in_work, b->state.in_work);
    for (unsigned i = p->line; i < PARTY_CLASSES; i++)
        if (beyond(b->state.in_work, budget__part(b->conf.work_max, i)))
            budget__level(b, i, BUDGET_NEAR);
}

static void begin_work(struct budget *b, struct place *p)
{
    p->state = PLACE_IN_WORK;
    p->who->in_work++;
    in_work(b, p, 1);
}

void budget_weigh(struct budget *b, struct place *p, unsigned weight)
{
    if (p->state != PLACE_IN_WORK || weight < 2)
        return;
    p->more = weight - 1;
    in_work(b, p, p->more);
}

/* From the loop: who leaves may be in the middle of something. */
static void call_next(struct budget *b)
{
    unsigned line;
    if (b->turn && !timer_active(b->turn) && next_line(b, &line))
        timer_start(b->turn, 0);
}

void budget_turn(struct budget *b)
{
    unsigned line;
    for (unsigned n = 0; n < b->conf.work_max && next_line(b, &line); n++) {
        struct party *who = b->lines[line];
        struct place *p = who->line[line].first;
        b->lines[line] = who->line[line].after; /* the others first, before it is its turn again */
        line_out(b, p);
        begin_work(b, p);
        p->go(p);
    }
    call_next(b);
}

static void on_turn(void *arg) { budget_turn(arg); }

/* ---- how long somebody would wait ---- */

static void pace_measure(struct budget *b, uint64_t now_ms)
{
    uint64_t passed = now_ms - b->pace_from_ms;
    bool waited = b->state.waiting > 0;
    if (waited && passed < PACE_MS)
        return;
    unsigned rate = waited ? 1 + (unsigned)(b->pace_left * UINT64_C(1000) / passed) : 0;
    b->rate_s = waited && rate < b->rate_s / 2 ? b->rate_s / 2 : rate; /* a disk that stands still for a moment does not send everybody away for seconds */
    b->pace_from_ms = now_ms;
    b->pace_left = 0;
}

/* Those who are called before a request of who: all of the classes before it, and in its own one of each party for each of its own. */
static unsigned ahead(const struct budget *b, unsigned line, const struct party *who)
{
    uint64_t own = (uint64_t)b->n_parties[line] * (who->line[line].n + 1), n = own < b->n_line[line] ? own : b->n_line[line];
    for (unsigned i = 0; i < line; i++)
        n += b->n_line[i];
    return (unsigned)n;
}

/* A crowd that comes at once may wait for as long as it is let. While the room has not been empty for a second, those who wait only make each other late: then
 * a few times as many as are in work may, or as many as get their turn in a small part of the time. */
static bool too_long(const struct budget *b, unsigned line, const struct party *who, uint64_t now_ms)
{
    if (b->rate_s == 0)
        return false;
    const uint64_t n = ahead(b, line, who), in_time = (uint64_t)b->rate_s * b->conf.wait_ms / 1000;
    const uint64_t few = (uint64_t)b->conf.work_max * LASTING_WORK, soon = in_time / LASTING_PART;
    bool lasting = b->waits_since_ms && now_ms > b->waits_since_ms + LASTING_MS;
    return n >= in_time || (lasting && n >= (few > soon ? few : soon));
}

static unsigned room_of(const struct budget *b, unsigned line)
{
    unsigned most = b->conf.wait_max ? budget__part(b->conf.wait_max, line) : 0;
    return most > b->state.waiting ? most - b->state.waiting : 0;
}

static bool turned_away(struct place *p, enum shed_cause why)
{
    p->why = why;
    return false;
}

bool budget_queue_full(const struct budget *b, enum budget_queue_of q, enum budget_class class)
{
    return b->conf.queues[q].max && queue_length(b, q) >= budget__part(b->conf.queues[q].max, class);
}

bool budget_ask(struct budget *b, struct place *p, struct party *who, enum budget_class class, uint64_t now_ms, void (*go)(struct place *p))
{
    MUST(p->state == PLACE_NONE && class < BUDGET__MAX);
    p->line = class;
    p->who = who;
    p->go = go;
    pace_measure(b, now_ms);
    if (b->state.bytes > b->conf.memory_max)
        return turned_away(p, SHED_MEMORY);
    if (budget_queue_full(b, BUDGET_REDIS, class))
        return turned_away(p, SHED_REDIS);
    if (budget_queue_full(b, BUDGET_AUDIT, class))
        return turned_away(p, SHED_AUDIT);
    if (place_free(b, p->line) && ahead(b, p->line, who) == 0) {
        begin_work(b, p);
        return true;
    }
    if (who->waiting >= room_of(b, p->line))
        return turned_away(p, SHED_ROOM);
    if (too_long(b, p->line, who, now_ms))
        return turned_away(p, SHED_WAIT);
    p->state = PLACE_WAITING;
    if (b->waits_since_ms == 0)
        b->waits_since_ms = now_ms;
    line_in(b, p);
    budget__level(b, class, BUDGET_NEAR);
    return true;
}

void budget_leave(struct budget *b, struct place *p)
{
    if (p->state == PLACE_WAITING)
        line_out(b, p);
    if (p->state == PLACE_IN_WORK) {
        p->who->in_work--;
        b->state.in_work -= 1 + p->more;
        p->more = 0;
        metric_set(b->count.in_work, b->state.in_work);
        b->state.served++;
        b->pace_left++;
    }
    p->state = PLACE_NONE;
    call_next(b);
}

/* ---- connections and bytes ---- */

bool budget_conn(struct budget *b)
{
    if (b->state.conns >= b->conf.conns_max)
        return false;
    b->state.conns++;
    return true;
}

void budget_conn_gone(struct budget *b) { b->state.conns--; }

bool budget_bytes(struct budget *b, size_t n)
{
    if (b->state.bytes > b->conf.memory_max || n > b->conf.memory_max - b->state.bytes)
        return false;
    budget_bytes_took(b, n);
    return true;
}

void budget_bytes_took(struct budget *b, size_t n)
{
    b->state.bytes += n;
    if (n > 0)
        metric_set(b->count.bytes, b->state.bytes);
}

void budget_bytes_gone(struct budget *b, size_t n)
{
    MUST(n <= b->state.bytes);
    b->state.bytes -= n;
    if (n > 0)
        metric_set(b->count.bytes, b->state.bytes);
}

struct budget_state budget_state(const struct budget *b) { return b->state; }
struct limit *budget_limit(struct budget *b) { return b->limit; }
const struct budget_conf *budget_conf(const struct budget *b) { return &b->conf; }

/* ---- beginning and end ---- */

struct err budget_new(struct budget **ret_b, struct loop *l, const struct budget_conf *conf)
{
    struct budget *b = calloc(1, sizeof *b);
    if (!b)
        return FAIL(E_NOMEM);
    b->conf = *conf;
    b->load = 1;
    budget__count_in(b, l ? loop_metrics(l) : NULL);
    struct err e = limit_new(&b->limit, (struct limit_conf){ .shared = conf->rates, .idle_max = IDLE_PARTIES });
    if (err_ok(e) && l)
        e = timer_new(&b->turn, l, on_turn, b);
    if (err_ok(e) && l)
        e = timer_new(&b->tell, l, budget__on_tell, b);
    if (err_ok(e)) {
        *ret_b = b;
        return OK;
    }
    budget_stop(b);
    budget_free(b);
    return e;
}

void budget_stop(struct budget *b)
{
    if (!b)
        return;
    timer_free(b->turn);
    timer_free(b->tell);
    b->turn = b->tell = NULL;
    budget__tell_rest(b);
}

void budget_free(struct budget *b)
{
    if (!b)
        return;
    limit_free(b->limit);
    free(b);
}
