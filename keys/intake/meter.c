#include "keys/intake/meter.h"

#include <stdlib.h>

#include "gateway/metrics/metrics.h"
#include "gateway/notice/lanes.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/intake/file_task.h"
#include "keys/intake/open_tasks.h"

struct of_muni {
    char code[6];
    metric *rows[NZ_RESULT__MAX], *files, *waiting, *held, *open, *since, *refused;
};

struct nz_meter {
    const struct nz_intake *in;
    struct timer *timer;
    bool closed;
    size_t at;                /* in the ring */
    struct of_muni *now;      /* whose tasks are looked at */
    struct nz_backlog waits;
    bool has_waits;           /* of m->now, the whole of it */
    uint64_t held, held_at;   /* rows held in the tasks before that rank */
    bool has_held;
    size_t n;
    struct of_muni munis[NZ_METER_MUNIS];
    metric *queue[NZ_QUEUE__MAX], *vrs_waiting, *vrs_dead, *lanes, *behind, *dead;
};

/* ---- names ---- */

static struct metric_label label_of(const char code[static 6])
{
    struct metric_label l = { .key = "municipality", .kind = MV_MUNI };
    memcpy(l.v.muni, code, sizeof l.v.muni);
    return l;
}

static void name_rows(struct of_muni *m, struct metrics *to)
{
    for (int r = NZ_WAITING + 1; r < NZ_RESULT__MAX; r++) {
        const struct metric_label labels[] = { label_of(m->code), METRIC_LIT("result", (struct lit){ nz_result_name((enum nz_result)r) }) };
        m->rows[r] = metrics_of(to, MF_ROWS, 2, labels);
    }
    const struct metric_label muni = label_of(m->code);
    m->files = metrics_of(to, MF_FILES, 1, &muni);
    m->waiting = metrics_of(to, MF_ROWS_WAITING, 1, &muni);
    m->held = metrics_of(to, MF_ROWS_HELD, 1, &muni);
    m->open = metrics_of(to, MF_FILES_OPEN, 1, &muni);
    m->since = metrics_of(to, MF_WAITING_SINCE, 1, &muni);
    m->refused = metrics_of(to, MF_REFUSED, 1, &muni);
}

/* NULL: none of ours. */
static struct of_muni *muni_of(struct nz_meter *m, const char code[static 6])
{
    for (size_t i = 0; i < m->n; i++)
        if (slice_eq(ARR(m->munis[i].code), slice_of(code, 6)))
            return &m->munis[i];
    if (m->n == NZ_METER_MUNIS || !keyring_find(m->in->ring, KEY_LINK_DATA, slice_of(code, 6)))
        return NULL;
    struct of_muni *fresh = &m->munis[m->n++];
    memcpy(fresh->code, code, sizeof fresh->code);
    name_rows(fresh, loop_metrics(m->in->loop));
    return fresh;
}

/* ---- counting ---- */

void nz_meter_rows(const struct nz_intake *in, const char muni[static 6], enum nz_result result, uint64_t n)
{
    struct of_muni *m = in->meter && n && result > NZ_WAITING && result < NZ_RESULT__MAX ? muni_of(in->meter, muni) : NULL;
    if (m)
        metric_add(m->rows[result], n);
}

void nz_meter_refused(const struct nz_intake *in, const char muni[static 6], uint64_t n)
{
    struct of_muni *m = in->meter ? muni_of(in->meter, muni) : NULL;
    if (m)
        metric_add(m->refused, n);
}

void nz_meter_file(const struct nz_intake *in, const char muni[static 6])
{
    struct of_muni *m = in->meter ? muni_of(in->meter, muni) : NULL;
    if (m)
        metric_add(m->files, 1);
}

/* ---- looking ---- */

/* KEYS[1] tl:, ARGV municipality, first rank, how many. Reply: held rows of these tasks, and how many tasks there were. */
#define HELD_SCRIPT                                                                               \
    "local c,m,n,held=redis.call,ARGV[1],tonumber(ARGV[3]),0 "                                    \
    "local ids=c('ZRANGE',KEYS[1],ARGV[2],ARGV[2]+n-1) "                                          \
    "for _,id in ipairs(ids) do "                                                                 \
    "local v=c('HMGET','t:'..m..':'..id,'" NZ_TASK_MODE "','quarantined') "                       \
    "if v[1]~='dry_run' then held=held+tonumber(v[2] or '0') end end "                            \
    "return {held,#ids}"
enum { HELD_PAGE = 200 };

static void ask_held(const struct nz_meter *m, struct redis_batch *b)
{
    struct store_name tl;
    nz_name_task_list(m->now->code, &tl);
    redis_begin(b, 7);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(HELD_SCRIPT));
    redis_arg_u64(b, 1);
    redis_arg(b, store_name_slice(&tl));
    redis_arg(b, ARR(m->now->code));
    redis_arg_u64(b, m->held_at);
    redis_arg_u64(b, HELD_PAGE);
}

static void hear_held(struct nz_meter *m, const struct redis_reply *reply)
{
    const int64_t held = redis_reply_int(redis_reply_at(reply, 0)), tasks = redis_reply_int(redis_reply_at(reply, 1));
    m->held += held > 0 ? (uint64_t)held : 0;
    m->held_at += HELD_PAGE;
    m->has_held = tasks < HELD_PAGE;
    if (m->has_held)
        metric_set(m->now->held, m->held);
}

static void hear_waits(struct nz_meter *m, const struct redis_reply *reply)
{
    const bool good = err_ok(nz_open_tasks_heard(reply, &m->waits));
    m->has_waits = !good || !m->waits.more;
    if (!good || !m->has_waits) /* the rest with the next look */
        return;
    metric_set(m->now->waiting, m->waits.rows);
    metric_set(m->now->open, m->waits.files);
    metric_set(m->now->since, m->waits.oldest_ms / 1000);
}

static void next_muni(struct nz_meter *m)
{
    struct slice id;
    const struct secret *key;
    m->waits = (struct nz_backlog){ 0 };
    m->held = m->held_at = 0;
    m->has_waits = m->has_held = false;
    m->now = NULL;
    for (int turn = 0; turn < 2 && !m->now; turn++) {
        while (!m->now && keyring_each(m->in->ring, KEY_LINK_DATA, &m->at, &id, &key))
            m->now = id.n == 6 ? muni_of(m, (const char *)id.p) : NULL;
        if (!m->now)
            m->at = 0;
    }
}

enum { ASKS_TASKS, ASKS_HELD, ASKS_NUMBERING, ASKS_READY, ASKS_VRS, ASKS_VRS_DEAD, ASKS_LANES, ASKS = ASKS_LANES + LANES_STATE_REPLIES };

static void tell(struct nz_meter *m, const struct redis_reply *const *replies)
{
    struct lanes_state lanes;
    metric_set(m->queue[NZ_QUEUE_NUMBERING], (uint64_t)redis_reply_int(replies[ASKS_NUMBERING]));
    metric_set(m->queue[NZ_QUEUE_READY], (uint64_t)redis_reply_int(replies[ASKS_READY]));
    metric_set(m->vrs_waiting, (uint64_t)redis_reply_int(replies[ASKS_VRS]));
    metric_set(m->vrs_dead, (uint64_t)redis_reply_int(replies[ASKS_VRS_DEAD]));
    if (lanes_state(replies + ASKS_LANES, LANES_STATE_REPLIES, clock_wall(loop_clock(m->in->loop)), &lanes)) {
        metric_set(m->lanes, lanes.lanes);
        metric_set(m->behind, lanes.behind_ms / 1000);
        metric_set(m->dead, lanes.dead);
    }
    if (m->now && !m->has_waits)
        hear_waits(m, replies[ASKS_TASKS]);
    if (m->now && !m->has_held)
        hear_held(m, replies[ASKS_HELD]);
}

static void heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_meter *m = arg;
    if (err_ok(e) && n == ASKS)
        tell(m, replies);
    if (!m->closed)
        timer_start(m->timer, NZ_METER_MS);
}

static void look(void *arg)
{
    struct nz_meter *m = arg;
    struct redis_batch *b = redis_batch_new(8192);
    if (m->closed || !b) {
        redis_batch_free(b);
        if (!m->closed)
            timer_start(m->timer, NZ_METER_MS);
        return;
    }
    if (!m->now || (m->has_waits && m->has_held))
        next_muni(m);
    if (m->now && !m->has_waits)
        nz_open_tasks_look(b, m->now->code, &m->waits);
    else
        REDIS_ADD(b, LIT("PING"));
    if (m->now && !m->has_held)
        ask_held(m, b);
    else
        REDIS_ADD(b, LIT("PING"));
    REDIS_ADD(b, LIT("ZCARD"), nz_queue_name(NZ_QUEUE_NUMBERING));
    REDIS_ADD(b, LIT("ZCARD"), nz_queue_name(NZ_QUEUE_READY));
    REDIS_ADD(b, LIT("ZCARD"), VRS_MARK_QUEUE);
    REDIS_ADD(b, LIT("HLEN"), VRS_MARK_DEAD);
    lanes_ask_state(b);
    redis_send(m->in->redis, b, loop_now(m->in->loop) + NZ_METER_MS, heard, m);
}

/* ---- */

ERR nz_meter_new(struct nz_meter **ret_m, struct nz_intake *in)
{
    static const struct lit QUEUES[NZ_QUEUE__MAX] = { { "numbering" }, { "ready" } };
    struct nz_meter *m = calloc(1, sizeof *m);
    struct metrics *to = loop_metrics(in->loop);
    if (!m)
        return FAIL(E_NOMEM);
    m->in = in;
    for (int q = 0; q < NZ_QUEUE__MAX; q++)
        m->queue[q] = metrics_of(to, MF_OUTBOX_ROWS, 1, &METRIC_LIT("queue", QUEUES[q]));
    m->vrs_waiting = metrics_of(to, MF_VRS_WAITING, 0, NULL);
    m->vrs_dead = metrics_of(to, MF_VRS_NOT_TAKEN, 0, NULL);
    m->lanes = metrics_of(to, MF_NOTICES_WAITING, 0, NULL);
    m->behind = metrics_of(to, MF_NOTICES_BEHIND, 0, NULL);
    m->dead = metrics_of(to, MF_NOTICES_DEAD, 0, NULL);
    struct err e = timer_new(&m->timer, in->loop, look, m);
    if (!err_ok(e)) {
        free(m);
        return e;
    }
    timer_start(m->timer, NZ_METER_MS);
    *ret_m = m;
    return OK;
}

void nz_meter_close(struct nz_meter *m)
{
    if (m->closed)
        return;
    m->closed = true;
    timer_free(m->timer);
}

void nz_meter_free(struct nz_meter *m) { free(m); }
