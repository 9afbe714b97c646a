/* Rows that change what a clinic may have been told: of people who may be open somewhere. Rows that change nothing, and new people, are not asked about. */

#include "keys/bulk/work.h"

#include "gateway/base/log.h"
#include "gateway/notice/notice.h"

enum { ASK_ROOM = NZ_BULK_ROWS * 256, FIELDS_A_LOOK = 4096 };

static bool asks(const struct nz_batch *b, const struct nz_brow *x)
{
    return bulk__turn(b, x) && x->verdict.write && !x->fresh && !x->was_diverted && !x->diverted && !x->held &&
           store_field_is_record(store_name_slice(&x->field), &(struct slice){ 0 });
}

void bulk__ask_open(struct redis_batch *out, const struct person *p)
{
    struct store_name person;
    store_name_person(p, &person);
    redis_begin(out, 7);
    redis_arg(out, LIT("HSCAN"));
    redis_arg(out, store_name_slice(&person));
    redis_arg(out, LIT("0"));
    redis_arg(out, LIT("MATCH"));
    redis_arg(out, LIT("sn:*"));
    redis_arg(out, LIT("COUNT"));
    redis_arg_u64(out, FIELDS_A_LOOK);
}

/* A look that did not come to its end may have missed one: then they are told, and the courier finds out. */
bool bulk__may_be_open(const struct redis_reply *look)
{
    return !slice_eq(redis_reply_str(redis_reply_at(look, 0)), LIT("0")) || redis_reply_len(redis_reply_at(look, 1)) > 0;
}

static void looks_came(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_batch *b = arg;
    size_t at = 0;
    for (size_t i = 0; err_ok(e) && i < b->n; i++) {
        struct nz_brow *x = &b->row[i];
        if (!asks(b, x))
            continue;
        if (at == n)
            e = FAIL(E_STORE_REFUSED);
        else
            x->tells = bulk__may_be_open(replies[at++]);
    }
    if (err_ok(e))
        bulk__batch_go(b, NZ_STEP_SAVE);
    else
        bulk__batch_again(b, NZ_STEP_CLINICS, e);
}

bool bulk__step_clinics(struct nz_batch *b)
{
    bool any = false;
    for (size_t i = 0; i < b->n; i++) {
        any = any || asks(b, &b->row[i]);
        b->row[i].tells = false;
    }
    if (!any || b->run->t.mode != NZ_MODE_APPLY)
        return true;
    struct redis_batch *out = redis_batch_new(ASK_ROOM);
    if (!out) {
        bulk__batch_again(b, NZ_STEP_CLINICS, FAIL(E_NOMEM));
        return false;
    }
    for (size_t i = 0; i < b->n; i++)
        if (asks(b, &b->row[i]))
            bulk__ask_open(out, &b->row[i].person);
    b->busy = true;
    redis_send(b->run->in->redis, out, bulk__deadline(b->run), looks_came, b);
    return false;
}

void bulk__put_told(struct redis_batch *out, const struct nz_run *r, const struct nz_brow *x)
{
    struct store_name person;
    struct notice n;
    if (!x->tells)
        return;
    store_name_person(&x->person, &person);
    notice_eligibility(&n, &person, r->muni, NOTICE_CHANGED, bulk__wall(r));
    struct err e = notice_add_to_batch(r->in->store, &n, SLICE_NONE, out);
    if (!err_ok(e))
        LOG(ERROR, "clinics_not_told", LF("error", e));
}
