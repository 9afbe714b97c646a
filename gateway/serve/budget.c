#include "gateway/serve/budget.h"

#include <stdlib.h>

#include "gateway/base/must.h"

enum { IDLE_PARTIES = 4096, PACE_MS = 200, RETRY_S = 1, RETRY_SPREAD_S = 4, RETRY_SPREAD_MAX_S = 30 };

_Static_assert(PARTY_CLASSES == (int)BUDGET__MAX, "every class has its line");

struct budget {
    struct budget_conf conf;
    struct limit *limit;
    struct timer *turn, *tell;
    struct party *lines[PARTY_CLASSES]; /* rings of parties that wait: whose turn it is */
    unsigned n_line[PARTY_CLASSES];     /* requests that wait */
    struct party *told;                 /* parties with something to be told */
    struct budget_state state;
    /* How fast places become free. Measured only while somebody waits all the time: else it would tell how often somebody asks. */
    uint64_t pace_from_ms;
    unsigned pace_left;
    unsigned rate_s;                    /* places a second, as measured last; 0: not known */
    uint64_t served_before, shed_before; /* at the last telling */
    unsigned load;                      /* asked for, as a multiple of what was served, in the last second; at least 1 */
    uint32_t strangers_too_often, strangers_too_much;
};

/* ---- what was turned away, once a second ---- */

static void tell_one(struct budget *b, struct party *p)
{
    if (p->stranger) {
        b->strangers_too_often += p->too_often;
        b->strangers_too_much += p->too_much;
    } else {
        if (p->too_often)
            b->conf.on_shed(b->conf.ctx, slice_str(p->name), E_RATE, p->too_often);
        if (p->too_much)
            b->conf.on_shed(b->conf.ctx, slice_str(p->name), E_BUSY, p->too_much);
    }
    p->to_tell = false;
    p->too_often = p->too_much = 0;
    limit_drop(b->limit, p);
}

static void tell(struct budget *b)
{
    for (unsigned n = 0; b->told && n < SHED_TELL_MAX; n++) {
        struct party *p = b->told;
        b->told = p->told_next;
        tell_one(b, p);
    }
    if (b->strangers_too_often)
        b->conf.on_shed(b->conf.ctx, SLICE_NONE, E_RATE, b->strangers_too_often);
    if (b->strangers_too_much)
        b->conf.on_shed(b->conf.ctx, SLICE_NONE, E_BUSY, b->strangers_too_much);
    b->strangers_too_often = b->strangers_too_much = 0;
}

static void on_tell(void *arg)
{
    struct budget *b = arg;
    uint64_t shed = b->state.too_much - b->shed_before, served = b->state.served - b->served_before;
    uint64_t load = 1 + shed / (served ? served : 1);
    b->load = load < RETRY_SPREAD_MAX_S ? (unsigned)load : RETRY_SPREAD_MAX_S;
    b->shed_before = b->state.too_much;
    b->served_before = b->state.served;
    if (b->conf.on_shed)
        tell(b);
    if (b->told || b->load > 1)
        timer_start(b->tell, SHED_TELL_MS);
}

void budget_shed(struct budget *b, struct party *who, enum err_code why)
{
    *(why == E_RATE ? &b->state.too_often : &b->state.too_much) += 1;
    if (b->tell && !timer_active(b->tell))
        timer_start(b->tell, SHED_TELL_MS);
    if (!who || !b->conf.on_shed || !b->tell)
        return;
    *(why == E_RATE ? &who->too_often : &who->too_much) += 1;
    if (who->to_tell)
        return;
    who->to_tell = true;
    limit_keep(who);
    who->told_next = b->told;
    b->told = who;
}

unsigned budget_retry_s(const struct budget *b, unsigned rnd)
{
    unsigned spread = RETRY_SPREAD_S * b->load;
    return RETRY_S + rnd % (spread < RETRY_SPREAD_MAX_S ? spread : RETRY_SPREAD_MAX_S);
}

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
    if (who->line[p->line].n++ > 0)
        return;
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
    b->state.waiting--;
    if (--who->line[p->line].n > 0)
        return;
    struct party *next = who->line[p->line].after, *prev = who->line[p->line].before;
    prev->line[p->line].after = next;
    next->line[p->line].before = prev;
    if (*ring == who)
        *ring = next == who ? NULL : next;
    who->line[p->line].after = who->line[p->line].before = NULL;
}

/* The part of max that requests of a class may fill: what is left is for those before them. */
static unsigned part_of(unsigned max, unsigned line)
{
    static const unsigned QUARTERS[PARTY_CLASSES] = { 4, 3, 2 };
    unsigned part = (unsigned)((uint64_t)max * QUARTERS[line] / 4);
    return part > 0 ? part : max;
}

static bool place_free(const struct budget *b, unsigned line) { return b->state.in_work < part_of(b->conf.work_max, line); }

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

static void begin_work(struct budget *b, struct place *p)
{
    p->state = PLACE_IN_WORK;
    p->who->in_work++;
    b->state.in_work++;
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
    b->rate_s = waited ? 1 + (unsigned)(b->pace_left * UINT64_C(1000) / passed) : 0;
    b->pace_from_ms = now_ms;
    b->pace_left = 0;
}

static unsigned ahead(const struct budget *b, unsigned line)
{
    unsigned n = 0;
    for (unsigned i = 0; i <= line; i++)
        n += b->n_line[i];
    return n;
}

static bool too_long(const struct budget *b, unsigned line)
{
    return b->rate_s > 0 && ahead(b, line) * UINT64_C(1000) / b->rate_s >= b->conf.wait_ms;
}

static unsigned room_of(const struct budget *b, unsigned line)
{
    unsigned most = b->conf.wait_max ? part_of(b->conf.wait_max, line) : 0;
    return most > b->state.waiting ? most - b->state.waiting : 0;
}

bool budget_ask(struct budget *b, struct place *p, struct party *who, enum budget_class class, uint64_t now_ms, void (*go)(struct place *p))
{
    MUST(p->state == PLACE_NONE && class < BUDGET__MAX);
    p->line = class;
    p->who = who;
    p->go = go;
    pace_measure(b, now_ms);
    if (place_free(b, p->line) && ahead(b, p->line) == 0) {
        begin_work(b, p);
        return true;
    }
    if (who->waiting >= room_of(b, p->line) || (who->waiting > 0 && too_long(b, p->line))) /* who has nobody waiting has a short way to his turn */
        return false;
    p->state = PLACE_WAITING;
    line_in(b, p);
    return true;
}

void budget_leave(struct budget *b, struct place *p)
{
    if (p->state == PLACE_WAITING)
        line_out(b, p);
    if (p->state == PLACE_IN_WORK) {
        p->who->in_work--;
        b->state.in_work--;
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
    b->state.bytes += n;
    return true;
}

void budget_bytes_took(struct budget *b, size_t n) { b->state.bytes += n; }

void budget_bytes_gone(struct budget *b, size_t n)
{
    MUST(n <= b->state.bytes);
    b->state.bytes -= n;
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
    struct err e = limit_new(&b->limit, (struct limit_conf){ .rate = conf->rate, .shared = conf->rates, .idle_max = IDLE_PARTIES });
    if (err_ok(e) && l)
        e = timer_new(&b->turn, l, on_turn, b);
    if (err_ok(e) && l)
        e = timer_new(&b->tell, l, on_tell, b);
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
    while (b->told)
        tell(b); /* there is nobody in the list without on_shed */
}

void budget_free(struct budget *b)
{
    if (!b)
        return;
    limit_free(b->limit);
    free(b);
}
