/* The questions to pmhgw-audit. What it answers is checked as any message is: a wrong size is as good as no answer. */

#include <stdlib.h>

#include "gateway/audit/client_int.h"
#include "gateway/audit/leaf.h"
#include "gateway/audit/wire_num.h"
#include "gateway/base/must.h"

enum { U64 = 8, ACT_BYTES = U64 + AUDIT_REC_BYTES, STATUS_BYTES = 8 + 8 + 4 + 1 };

struct ask {
    union {
        audit_find_fn *find;
        audit_proof_fn *proof;
        audit_checkpoint_fn *checkpoint;
        audit_u64_fn *number;
    } done;
    void *arg;
    uint64_t seq, size;
    struct audit_key key;
};

static struct ask *ask_new(void *arg)
{
    struct ask *q = calloc(1, sizeof *q);
    MUST(q); /* a question that cannot be remembered cannot be completed */
    q->arg = arg;
    return q;
}

static void put_key(uint8_t out[static AUDIT_KEY_BYTES], const struct audit_key *k)
{
    out[0] = (uint8_t)k->kind;
    memcpy(out + 1, k->b, sizeof k->b);
}

/* ---- FIND ---- */

static bool hits_read(struct slice body, struct audit_hits *h)
{
    if (body.n < U64 || body.n % U64 || body.n / U64 - 1 > AUDIT_FIND_MAX)
        return false;
    *h = (struct audit_hits){ .next = be_get(body.p, U64), .n = body.n / U64 - 1 };
    for (size_t i = 0; i < h->n; i++)
        h->seq[i] = be_get(body.p + U64 * (i + 1), U64);
    return true;
}

static void on_found(void *arg, struct err e, struct slice body)
{
    struct ask *q = arg;
    struct audit_hits h;
    if (err_ok(e) && !hits_read(body, &h))
        e = FAIL(E_AUDIT_DOWN);
    q->done.find(q->arg, e, err_ok(e) ? &h : NULL);
    free(q);
}

void audit_find(struct audit *a, const struct audit_find *f, uint64_t deadline, audit_find_fn *done, void *arg)
{
    struct ask *q = ask_new(arg);
    uint8_t b[AUDIT_FIND_BYTES];
    q->done.find = done;
    put_key(b, &f->key);
    be_put(b + AUDIT_KEY_BYTES, f->before, U64);
    be_put(b + AUDIT_KEY_BYTES + U64, f->from_ms, U64);
    be_put(b + AUDIT_KEY_BYTES + 2 * U64, f->to_ms, U64);
    ipc_call(a->ipc, AUDIT_MSG_FIND, ARR(b), deadline, on_found, q);
}

/* ---- PROVE ---- */

/* What was not asked for is not believed. */
static bool proof_read(const struct ask *q, struct slice body, struct audit_proof *p)
{
    struct slice entry;
    *p = (struct audit_proof){ .size = q->size };
    if (!slice_take(&body, AUDIT_LEAF_BYTES, &entry) || body.n % AUDIT_HASH_BYTES || body.n / AUDIT_HASH_BYTES > AUDIT_PATH_MAX ||
        !audit_leaf_decode(entry.p, &p->seq, &p->from, &p->rec) || p->seq != q->seq || !audit_is_about(&p->rec, &q->key))
        return false;
    p->n = body.n / AUDIT_HASH_BYTES;
    memcpy(p->path, body.p, body.n);
    return err_ok(audit_leaf(entry.p, p->leaf));
}

static void on_proof(void *arg, struct err e, struct slice body)
{
    struct ask *q = arg;
    struct audit_proof p;
    if (err_ok(e) && !proof_read(q, body, &p))
        e = FAIL(E_AUDIT_DOWN);
    q->done.proof(q->arg, e, err_ok(e) ? &p : NULL);
    free(q);
}

void audit_prove(struct audit *a, const struct audit_key *key, uint64_t seq, uint64_t size, uint64_t deadline, audit_proof_fn *done, void *arg)
{
    struct ask *q = ask_new(arg);
    uint8_t b[AUDIT_PROVE_BYTES];
    q->done.proof = done;
    q->seq = seq;
    q->size = size;
    q->key = *key;
    put_key(b, key);
    be_put(b + AUDIT_KEY_BYTES, seq, U64);
    be_put(b + AUDIT_KEY_BYTES + U64, size, U64);
    ipc_call(a->ipc, AUDIT_MSG_PROVE, ARR(b), deadline, on_proof, q);
}

/* ---- CHECKPOINT, EPOCH ---- */

static void on_checkpoint(void *arg, struct err e, struct slice body)
{
    struct ask *q = arg;
    struct slice size;
    if (err_ok(e) && (!slice_take(&body, U64, &size) || body.n == 0))
        e = FAIL(E_AUDIT_DOWN);
    if (err_ok(e))
        q->done.checkpoint(q->arg, OK, be_get(size.p, U64), body);
    else
        q->done.checkpoint(q->arg, e, 0, SLICE_NONE);
    free(q);
}

void audit_checkpoint(struct audit *a, uint64_t deadline, audit_checkpoint_fn *done, void *arg)
{
    struct ask *q = ask_new(arg);
    q->done.checkpoint = done;
    ipc_call(a->ipc, AUDIT_MSG_CHECKPOINT, SLICE_NONE, deadline, on_checkpoint, q);
}

static void on_epoch(void *arg, struct err e, struct slice body)
{
    struct ask *q = arg;
    if (err_ok(e) && body.n != U64)
        e = FAIL(E_AUDIT_DOWN);
    q->done.number(q->arg, e, err_ok(e) ? be_get(body.p, U64) : 0);
    free(q);
}

void audit_epoch(struct audit *a, uint64_t deadline, audit_u64_fn *done, void *arg)
{
    struct ask *q = ask_new(arg);
    q->done.number = done;
    ipc_call(a->ipc, AUDIT_MSG_EPOCH, SLICE_NONE, deadline, on_epoch, q);
}

/* ---- the operator's command ---- */

struct err audit_acts_once(const char *socket_path, const struct secret *cap, uint64_t since, uint64_t after, unsigned timeout_ms, struct audit_acts *ret_a)
{
    uint8_t ask[AUDIT_ACTS_BYTES], b[U64 + AUDIT_ACTS_MAX * ACT_BYTES];
    struct audit_acts a = { 0 };
    size_t n;
    be_put(ask, since, U64);
    be_put(ask + U64, after, U64);
    TRY(ipc_call_once(socket_path, IPC_CTL, cap, AUDIT_MSG_ACTS, ARR(ask), timeout_ms, b, sizeof b, &n));
    if (n < U64 || (n - U64) % ACT_BYTES)
        return FAIL(E_AUDIT_DOWN);
    a.next = be_get(b, U64);
    for (a.n = 0; a.n < (n - U64) / ACT_BYTES; a.n++) {
        const uint8_t *p = b + U64 + a.n * ACT_BYTES;
        a.act[a.n].seq = be_get(p, U64);
        if (!audit_decode(p + U64, &a.act[a.n].rec))
            return FAIL(E_AUDIT_DOWN);
    }
    *ret_a = a;
    return OK;
}

struct err audit_status_once(const char *socket_path, const struct secret *cap, unsigned timeout_ms, struct audit_disk_status *ret_s)
{
    uint8_t b[STATUS_BYTES];
    size_t n;
    TRY(ipc_call_once(socket_path, IPC_CTL, cap, AUDIT_MSG_STATUS, SLICE_NONE, timeout_ms, b, sizeof b, &n));
    if (n != sizeof b)
        return FAIL(E_AUDIT_DOWN);
    *ret_s = (struct audit_disk_status){ be_get(b, 8), be_get(b + 8, 8), (uint32_t)be_get(b + 16, 4), b[20] == 1 };
    return OK;
}
