/* What inquiries found is removed inquiry_keep_days after their end: nobody has to remember to do it. The task itself stays, with its counts. */

#include <stdlib.h>

#include "keys/inquiry/work.h"

enum { PAGE = 32 };

struct keep { struct nz_inquiry *q; size_t n, under_way; struct nz_row_ref ref[PAGE]; bool gone[PAGE]; };

static void keep_end(struct keep *k)
{
    struct nz_inquiry *q = k->q;
    q->keeping = false;
    q->under_way--;
    free(k);
}

static void forgotten(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct keep *k = arg;
    (void)replies, (void)n;
    if (err_ok(e) && k->n == PAGE)
        k->q->kept_ms = 0; /* there may be more: with the next tick */
    keep_end(k);
}

static void forget(struct keep *k)
{
    struct redis_batch *b = redis_batch_new(PAGE * 256);
    size_t n = 0;
    for (size_t i = 0; b && i < k->n; i++) {
        struct nz_member member;
        if (!k->gone[i])
            continue;
        nz_member_write(&k->ref[i], &member);
        REDIS_ADD(b, LIT("ZREM"), NZ_INQ_KEPT, nz_member_slice(&member));
        n++;
    }
    if (b && n) {
        LOG(INFO, "inquiries_forgotten", LF("tasks", (uint64_t)n));
        redis_send(k->q->in->redis, b, nz_inq_now(k->q) + NZ_WRITE_MS, forgotten, k);
        return;
    }
    redis_batch_free(b);
    keep_end(k);
}

struct one { struct keep *k; size_t i; };

static void recorded(void *arg, struct err e)
{
    struct one x = *(struct one *)arg;
    struct keep *k = x.k;
    const struct nz_row_ref *ref = &k->ref[x.i];
    free(arg);
    if (err_ok(e))
        e = nz_spool_remove(k->q->in->spool, ref->muni, ref->task.b);
    k->gone[x.i] = err_ok(e) || err_is(e, E_NOTHING);
    if (!k->gone[x.i])
        LOG(WARN, "old_inquiry_not_removed", LF("error", e));
    if (--k->under_way == 0)
        forget(k);
}

static void listed(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct keep *k = arg;
    struct nz_inquiry *q = k->q;
    for (size_t i = 0; err_ok(e) && n == 1 && !q->closed && i < redis_reply_len(replies[0]) && k->n < PAGE; i++)
        if (nz_member_parse(redis_reply_str(redis_reply_at(replies[0], i)), &k->ref[k->n]))
            k->n++;
    k->under_way = 1;
    for (size_t i = 0; i < k->n; i++) {
        struct one *x = malloc(sizeof *x);
        struct audit_rec rec = { .event = AU_INQUIRY_FORGOTTEN, .result = AR_OK, .count = 1, .items = AUDIT_ITEM_VACCINATION };
        if (!x)
            break;
        *x = (struct one){ k, i };
        audit_set_actor(&rec, LIT("intake"));
        memcpy(rec.muni, k->ref[i].muni, sizeof rec.muni);
        memcpy(rec.ref, k->ref[i].task.b, sizeof rec.ref);
        k->under_way++;
        audit_append(q->in->audit, &rec, nz_inq_now(q) + NZ_READ_MS, recorded, x);
    }
    if (--k->under_way == 0)
        forget(k);
}

void nz_inq_keep(struct nz_inquiry *q)
{
    struct keep *k = q->keeping ? NULL : calloc(1, sizeof *k);
    struct redis_batch *b = k ? redis_batch_new(512) : NULL;
    q->kept_ms = nz_inq_now(q);
    if (!b) {
        free(k);
        return;
    }
    k->q = q;
    q->keeping = true;
    q->under_way++;
    redis_begin(b, 7);
    redis_arg(b, LIT("ZRANGEBYSCORE"));
    redis_arg(b, NZ_INQ_KEPT);
    redis_arg(b, LIT("-inf"));
    redis_arg_u64(b, nz_inq_wall(q));
    redis_arg(b, LIT("LIMIT"));
    redis_arg_u64(b, 0);
    redis_arg_u64(b, PAGE);
    redis_send(q->in->redis, b, nz_inq_now(q) + NZ_READ_MS, listed, k);
}
