/* POST /v1/residents/flags: find -> its hash -> audit record -> answer. Who asks may set them. */

#include "keys/person/find.h"
#include "keys/person/flags_now.h"
#include "keys/person/form.h"
#include "keys/person/person.h"

struct look {
    struct req *r;
    struct nz_intake *in;
    struct slice resident_key;
    struct nz_found who;
    struct nz_flags_now now;
    struct audit_rec rec;
};

static void end(struct look *k, struct err e)
{
    nz_found_end(&k->who);
    req_fail(k->r, e);
}

static void audited(void *arg, struct err e)
{
    struct look *k = arg;
    struct buf *out = req_out(k->r);
    if (err_ok(e)) {
        nz_flags_now_json(&k->now, out);
        e = buf_check(out);
    }
    if (err_ok(e))
        req_json(k->r, 200, buf_slice(out));
    else
        req_fail(k->r, e);
}

static ERR take_all(struct look *k, const struct redis_reply *hash)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        TRY(nz_flags_now_take(&k->now, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))));
    return store_audit_handle(k->in->store, slice_str(k->who.key), k->rec.subject);
}

static void heard(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look *k = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = take_all(k, replies[0]);
    if (!err_ok(e)) {
        end(k, e);
        return;
    }
    nz_found_end(&k->who);
    k->rec.count = k->now.own.bits | k->now.in_records;
    audit_append(k->in->audit, &k->rec, nz_req_step(k->r, NZ_READ_MS, audit_up(k->in->audit)), audited, k);
}

static void found(void *arg, struct err e)
{
    struct look *k = arg;
    if (err_ok(e) && !k->who.known)
        e = FAIL(E_RESIDENT);
    struct redis_batch *b = err_ok(e) ? redis_batch_new(512) : NULL;
    if (err_ok(e) && !b)
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        end(k, e);
        return;
    }
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&k->who.person));
    redis_send(k->in->redis, b, nz_req_step(k->r, NZ_READ_MS, redis_up(k->in->redis)), heard, k);
}

static ERR begin(struct look *k)
{
    struct store_name rk;
    const struct slice muni = slice_of(nz_req_muni(k->r), 6);
    if (!audit_up(k->in->audit))
        return FAIL(E_AUDIT_DOWN);
    k->rec = nz_audit_of(k->r, AU_FLAGS_READ, AR_OK, 0);
    k->now = (struct nz_flags_now){ .store = k->in->store, .person = &k->who.person, .muni = muni, .today = clock_date_jst(clock_wall(loop_clock(k->in->loop))) };
    TRY(store_name_resident(k->in->store, muni, k->resident_key, &rk));
    nz_found_start(&k->who, k->in, nz_req_muni(k->r), &rk, nz_req_step(k->r, NZ_READ_MS, redis_up(k->in->redis)), found, k);
    return OK;
}

void nz_flags_read(struct req *r)
{
    struct field_report report = { 0 };
    struct look *k = arena_get(req_arena(r), sizeof *k);
    struct err e = k ? nz_resident_ask_read(req_body(r), req_arena(r), &k->resident_key, &report) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        k->r = r;
        k->in = req_ctx(r);
        e = begin(k);
    }
    if (!err_ok(e))
        nz_person_refuse(r, e, &report);
}
