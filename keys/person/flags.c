/* PUT /v1/residents/flags: find and lock -> one script, and the epoch with it -> audit record -> answer. Where VRS is told of registrations, the same script marks
 * them: it hears of the flags with them. */

#include "keys/change/cas.h"
#include "keys/person/again.h"
#include "keys/person/find.h"
#include "keys/person/form.h"
#include "keys/person/person.h"

enum { REPLIES = 2, HANDLE_AT = 3 /* p:{ */ };

struct flags {
    struct req *r;
    struct nz_intake *in;
    struct nz_flags_ask ask;
    struct nz_again again;
    struct nz_found who;
    struct audit_rec rec;
    uint64_t store_turn; /* redis_turn() when they were written */
};

void nz_person_refuse(struct req *r, struct err e, struct field_report *report)
{
    if (err_is(e, E_FIELD))
        req_problem(r, e, field_report_write, report);
    else
        req_fail(r, e);
}

static void begin_anew(void *arg);

static void answer(struct flags *f, struct err e)
{
    struct buf *out = req_out(f->r);
    nz_found_end(&f->who);
    nz_again_done(&f->again);
    if (err_ok(e)) {
        nz_flags_json(&f->ask.flags, out);
        e = buf_check(out);
    }
    if (err_ok(e))
        req_json(f->r, 200, buf_slice(out));
    else
        req_fail(f->r, e);
}

static void audited(void *arg, struct err e)
{
    struct flags *f = arg;
    answer(f, err_ok(e) ? redis_unbroken(f->in->redis, f->store_turn) : e);
}

static void written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct flags *f = arg;
    if (err_ok(e) && n != REPLIES)
        e = FAIL(E_STORE_REFUSED);
    const bool changed = err_ok(e) && redis_reply_int(replies[0]) != 1; /* a script that was given up came late and changed the resident */
    if (changed) {
        nz_found_end(&f->who);
        e = nz_again(&f->again, f->r, begin_anew, f);
    }
    if (!err_ok(e))
        answer(f, e);
    if (changed || !err_ok(e))
        return;
    f->rec.epoch = (uint64_t)redis_reply_int(replies[1]);
    audit_append(f->in->audit, &f->rec, nz_req_step(f->r, NZ_READ_MS, audit_up(f->in->audit)), audited, f);
}

static ERR fill(struct flags *f, struct arena *a, struct nz_cas *c)
{
    const struct nz_found *who = &f->who;
    const struct slice person = arena_dup(a, store_name_slice(&who->person));
    struct store_name field;
    struct buf plain, sealed;
    flags_field(who->muni, &field);
    const struct slice at = arena_dup(a, store_name_slice(&field));
    nz_cas_expect(c, store_name_slice(&who->subject), LIT("k"), slice_of(who->sealed, who->n_sealed));
    if (!f->ask.flags.bits) {
        NZ_CAS(c, LIT("HDEL"), person, at);
        return arena_check(a);
    }
    buf_init(&plain, 64);
    buf_init(&sealed, 64 + AEAD_OVERHEAD);
    struct err e = flags_encode(&f->ask.flags, &plain);
    if (err_ok(e))
        e = store_seal(f->in->store, slice_of(who->muni, 6), &who->person, at, buf_slice(&plain), &sealed);
    if (err_ok(e))
        NZ_CAS(c, LIT("HSET"), person, at, arena_dup(a, buf_slice(&sealed)));
    buf_done(&plain);
    buf_done(&sealed);
    TRY(e);
    return arena_check(a);
}

/* Nothing is registered of the resident meanwhile: its names are locked. */
static ERR mark_for_vrs(struct flags *f, const struct redis_reply *hash, struct arena *a, struct nz_cas *c)
{
    struct store_name mark, due;
    struct person p;
    memcpy(p.h, f->who.person.c + HANDLE_AT, sizeof p.h);
    vrs_mark_score(f->ask.flags.set_ms, &due);
    const struct slice score = arena_dup(a, store_name_slice(&due));
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        enum vrs_mark_kind kind;
        struct slice muni;
        if (!vrs_mark_kind_of(field, &kind, &muni) || kind == VRS_MARK_RECORD || !slice_eq(muni, ARR(f->who.muni)))
            continue;
        vrs_mark_name(&p, field, &mark);
        NZ_CAS(c, LIT("ZADD"), VRS_MARK_QUEUE, score, arena_dup(a, store_name_slice(&mark)));
    }
    return arena_check(a);
}

static ERR set(struct flags *f, const struct redis_reply *hash)
{
    struct arena *a = req_arena(f->r);
    struct redis_batch *b;
    struct nz_cas *c = nz_cas_new(a);
    if (!c)
        return FAIL(E_FULL);
    TRY(store_audit_handle(f->in->store, slice_str(f->who.key), f->rec.subject));
    TRY(fill(f, a, c));
    if (hash)
        TRY(mark_for_vrs(f, hash, a, c));
    TRY(nz_cas_batch(c, &b));
    redis_raise(b, STORE_EPOCH);
    f->store_turn = redis_turn(f->in->redis);
    redis_send(f->in->redis, b, nz_req_step(f->r, NZ_WRITE_MS, redis_up(f->in->redis)), written, f);
    return OK;
}

static void read_all(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct flags *f = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = set(f, replies[0]);
    if (!err_ok(e))
        answer(f, e);
}

static ERR ask_all(struct flags *f)
{
    struct redis_batch *b = redis_batch_new(512);
    if (!b)
        return FAIL(E_NOMEM);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&f->who.person));
    redis_send(f->in->redis, b, nz_req_step(f->r, NZ_READ_MS, redis_up(f->in->redis)), read_all, f);
    return OK;
}

static void found(void *arg, struct err e)
{
    struct flags *f = arg;
    if (err_ok(e) && !f->who.known)
        e = FAIL(E_RESIDENT);
    if (err_ok(e))
        e = nz_reports_to_vrs(f->in) ? ask_all(f) : set(f, NULL);
    if (!err_ok(e))
        answer(f, e);
}

static ERR begin(struct flags *f)
{
    struct store_name rk;
    if (!audit_up(f->in->audit))
        return FAIL(E_AUDIT_DOWN); /* nothing is set that could not be told */
    f->ask.flags.set_ms = clock_wall(loop_clock(f->in->loop));
    f->rec = nz_audit_of(f->r, AU_FLAGS_SET, AR_OK, f->ask.flags.bits);
    TRY(store_name_resident(f->in->store, slice_of(nz_req_muni(f->r), 6), f->ask.resident_key, &rk));
    nz_found_start(&f->who, f->in, nz_req_muni(f->r), &rk, nz_req_step(f->r, NZ_READ_MS, redis_up(f->in->redis)), found, f);
    return OK;
}

static void begin_anew(void *arg)
{
    struct flags *f = arg;
    struct err e = begin(f);
    if (!err_ok(e))
        answer(f, e);
}

void nz_flags_put(struct req *r)
{
    struct field_report report = { 0 };
    struct flags *f = arena_get(req_arena(r), sizeof *f);
    struct err e = f ? nz_flags_ask_read(req_body(r), req_arena(r), &f->ask, &report) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        f->r = r;
        f->in = req_ctx(r);
        e = begin(f);
    }
    if (!err_ok(e))
        nz_person_refuse(r, e, &report);
}
