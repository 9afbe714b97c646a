/* A release of many held rows: the first officer asks, another one asks for the same. */

#include "keys/staff/work.h"

struct approve { struct req *r; nz_approved_fn *fn; void *arg; };

/* KEYS order. ARGV: who asks, how long he waits for another. */
#define SCRIPT                                                                   \
    "local o=redis.call('GET',KEYS[1]) "                                         \
    "if o and o~=ARGV[1] then redis.call('DEL',KEYS[1]) return 1 end "           \
    "redis.call('SET',KEYS[1],ARGV[1],'EX',ARGV[2]) return 0"

static void heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct approve *x = arg;
    if (err_ok(e) && (n != 1 || redis_reply_type(replies[0]) != REDIS_INT))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1)
        e = FAIL(E_APPROVAL);
    x->fn(x->arg, e);
}

void nz_staff_approve(struct req *r, struct slice order, uint64_t rows, nz_approved_fn *fn, void *arg)
{
    struct nz_intake *in = req_ctx(r);
    const struct nz_who *who = nz_staff_of(r);
    struct approve *x;
    struct redis_batch *b = NULL;
    struct store_name name;
    if (!in->conf.release_two_officers || rows <= in->conf.release_two_officers) {
        fn(arg, OK);
        return;
    }
    struct err e = who ? nz_approval_name(in->store, who->muni, order, &name) : FAIL(E_STAFF);
    x = arena_get(req_arena(r), sizeof *x);
    if (err_ok(e) && (!x || !(b = redis_batch_new(1024))))
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        fn(arg, e);
        return;
    }
    *x = (struct approve){ r, fn, arg };
    REDIS_ADD(b, LIT("EVAL"), LIT(SCRIPT), LIT("1"), store_name_slice(&name), ARR(who->name.hex), LIT("3600"));
    nz_staff_send(r, b, heard, x);
}
