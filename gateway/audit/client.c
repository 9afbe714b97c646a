#include <stdlib.h>

#include "gateway/audit/client_int.h"
#include "gateway/base/must.h"

enum { SEQ_BYTES = 8 };

struct append {
    struct audit_places count; /* audit itself may be closed before the answer */
    audit_done_fn *done;
    void *arg;
    uint64_t sent_ns;
};

static void count_in(struct audit *a, struct metrics *m)
{
    a->count.seconds = metrics_of(m, MF_AUDIT_SECONDS, 0, NULL);
    a->count.failed = metrics_of(m, MF_AUDIT_FAILED, 0, NULL);
    a->count.waiting = metrics_of(m, MF_AUDIT_WAITING, 0, NULL);
}

struct err audit_new(struct audit **ret_a, struct loop *l, const char *socket_path, enum ipc_role role, struct secret *cap)
{
    struct audit *a = calloc(1, sizeof *a);
    if (!a) {
        secret_free(cap);
        return FAIL(E_NOMEM);
    }
    a->loop = l;
    count_in(a, loop_metrics(l));
    struct ipc_client_conf conf = { .path = socket_path, .role = role, .cap = cap, .down = E_AUDIT_DOWN };
    struct err e = ipc_client_new(&a->ipc, l, conf);
    if (err_ok(e))
        *ret_a = a;
    else
        free(a);
    return e;
}

void audit_close(struct audit *a)
{
    if (!a)
        return;
    ipc_client_close(a->ipc);
    free(a);
}

bool audit_up(const struct audit *a) { return ipc_client_up(a->ipc); }
size_t audit_waiting(const struct audit *a) { return ipc_client_waiting(a->ipc); }
uint64_t audit_heard(const struct audit *a) { return ipc_client_heard(a->ipc); }

static void on_answer(void *arg, struct err e, struct slice body)
{
    struct append *p = arg;
    const bool good = err_ok(e) && body.n == SEQ_BYTES;
    metric_sub(p->count.waiting, 1);
    metric_took(p->count.seconds, uv_hrtime() - p->sent_ns);
    if (!good)
        metric_add(p->count.failed, 1);
    /* Whatever went wrong, it means one thing to the caller: there is no record, so there may be no answer. */
    p->done(p->arg, good ? OK : FAIL(E_AUDIT_DOWN));
    free(p);
}

void audit_send(struct audit *a, uint8_t message, const struct audit_rec *rec, uint64_t deadline, ipc_done_fn *done, void *arg)
{
    struct audit_rec stamped = *rec;
    stamped.wall_ms = clock_wall(loop_clock(a->loop));
    uint8_t wire[AUDIT_REC_BYTES];
    audit_encode(&stamped, wire);
    struct audit_rec back;
    /* Our own bug; sent, it would count as a breach. The deadline 0 ends the call as down in the next turn. */
    bool good = audit_decode(wire, &back);
    if (!good)
        LOG(ERROR, "audit_record_malformed", LF("number", (unsigned)rec->event));
    ipc_call(a->ipc, good ? message : AUDIT_MSG_PING, good ? ARR(wire) : SLICE_NONE, good ? deadline : 0, done, arg);
}

void audit_append(struct audit *a, const struct audit_rec *rec, uint64_t deadline, audit_done_fn *done, void *arg)
{
    struct append *p = malloc(sizeof *p);
    MUST(p); /* an append that cannot be remembered cannot be completed */
    *p = (struct append){ a->count, done, arg, uv_hrtime() };
    metric_add(a->count.waiting, 1);
    audit_send(a, AUDIT_MSG_APPEND, rec, deadline, on_answer, p);
}
