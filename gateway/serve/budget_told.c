#include "gateway/base/log.h"
#include "gateway/serve/budget_int.h"

/* What the operator hears of a budget: the level of each class and why requests were turned away, as numbers and once a second in the log; and the audit
 * log, who was. */

enum { RETRY_S = 1, RETRY_SPREAD_S = 4, RETRY_SPREAD_MAX_S = 30 };

static const struct lit CLASSES[PARTY_CLASSES] = { { "clinic" }, { "citizen" }, { "bulk" } };
static const struct lit CAUSES[SHED__MAX] = { { "rate" }, { "connections" }, { "room" }, { "wait" }, { "memory" }, { "redis" }, { "audit" } };

void budget__count_in(struct budget *b, struct metrics *m)
{
    b->count.in_work = metrics_of(m, MF_IN_WORK, 0, NULL);
    b->count.bytes = metrics_of(m, MF_DOORS_BYTES, 0, NULL);
    for (unsigned i = 0; i < PARTY_CLASSES; i++) {
        struct metric_label labels[] = { METRIC_LIT("class", CLASSES[i]), METRIC_LIT("cause", CAUSES[0]) };
        b->count.waiting[i] = metrics_of(m, MF_WAITING, 1, labels);
        b->count.level[i] = metrics_of(m, MF_BUDGET_LEVEL, 1, labels);
        for (unsigned k = 0; k < SHED__MAX; k++) {
            labels[1].v.lit = CAUSES[k];
            b->count.shed[i][k] = metrics_of(m, MF_SHED, 2, labels);
        }
    }
}

/* ---- levels ---- */

static void show(struct budget *b, unsigned class, enum budget_level level)
{
    b->state.level[class] = level;
    metric_set(b->count.level[class], level);
}

void budget__level(struct budget *b, unsigned class, enum budget_level level)
{
    if (level > b->worst[class])
        b->worst[class] = level;
    if (level <= b->state.level[class])
        return;
    show(b, class, level);
    if (b->tell && !timer_active(b->tell))
        timer_start(b->tell, SHED_TELL_MS);
}

/* What it was in the second that is over, or is now. true: one of them is not at ease. */
static bool levels_settle(struct budget *b)
{
    bool any = false;
    for (unsigned i = 0; i < PARTY_CLASSES; i++) {
        if (b->worst[i] == BUDGET_OK && budget__near(b, i))
            b->worst[i] = BUDGET_NEAR;
        show(b, i, b->worst[i]);
        any |= b->worst[i] != BUDGET_OK;
        b->worst[i] = BUDGET_OK;
    }
    return any;
}

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

void budget__tell_rest(struct budget *b)
{
    while (b->told)
        tell(b); /* there is nobody in the list without on_shed */
}

static void log_causes(struct budget *b)
{
    uint32_t all = 0, *n = b->causes;
    for (unsigned i = 0; i < SHED__MAX; i++)
        all += n[i];
    if (all)
        LOG(WARN, "requests_shed_because", LF("rate", n[SHED_RATE]), LF("connections", n[SHED_CONNECTIONS]), LF("room", n[SHED_ROOM]), LF("wait", n[SHED_WAIT]),
            LF("memory", n[SHED_MEMORY]), LF("redis", n[SHED_REDIS]), LF("audit", n[SHED_AUDIT]));
    for (unsigned i = 0; i < SHED__MAX; i++)
        n[i] = 0;
}

void budget__on_tell(void *budget)
{
    struct budget *b = budget;
    uint64_t shed = b->state.too_much - b->shed_before, served = b->state.served - b->served_before;
    uint64_t load = 1 + shed / (served ? served : 1);
    b->load = load < RETRY_SPREAD_MAX_S ? (unsigned)load : RETRY_SPREAD_MAX_S;
    b->shed_before = b->state.too_much;
    b->served_before = b->state.served;
    log_causes(b);
    if (b->conf.on_shed)
        tell(b);
    bool uneasy = levels_settle(b);
    if (b->told || b->load > 1 || uneasy)
        timer_start(b->tell, SHED_TELL_MS);
}

void budget_shed(struct budget *b, struct party *who, enum budget_class class, enum shed_cause why)
{
    const bool often = why == SHED_RATE;
    *(often ? &b->state.too_often : &b->state.too_much) += 1;
    b->causes[why]++;
    metric_add(b->count.shed[class][why], 1);
    if (!often) /* who asks too often alone says nothing of the others */
        budget__level(b, class, BUDGET_SHEDDING);
    if (b->tell && !timer_active(b->tell))
        timer_start(b->tell, SHED_TELL_MS);
    if (!who || !b->conf.on_shed || !b->tell)
        return;
    *(often ? &who->too_often : &who->too_much) += 1;
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
