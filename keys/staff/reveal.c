/* POST /v1/residents/reveal: the number of one resident, for a member of staff who may see it. One subject a call, so many a day; the vault records it
 * before it reads the number, the intake before it answers. */

#include "gateway/base/text.h"
#include "keys/staff/work.h"

enum { HOPS_MAX = 8, DAYS_KEPT_S = 2 * 86400 };

struct reveal {
    struct req *r;
    struct nz_intake *in;
    const struct nz_who *who;
    struct nz_reveal_ask ask;
    struct basis_fit fit;
    struct store_name subject;   /* s:<sid> */
    struct nz_show show;
    unsigned hops;
    uint8_t handle[AUDIT_HANDLE_BYTES]; /* of the person; zeros while it has no PMH key */
    struct nz_mynum *number;
    struct err why;
};

static void audit(struct reveal *x, struct err why, audit_done_fn *done)
{
    struct audit_rec rec = nz_audit_of(x->r, AU_NUMBER_REVEALED, err_ok(why) ? AR_OK : err_is(why, E_NOTHING) ? AR_NOTHING : AR_REFUSED, 1);
    basis_note(&rec, x->fit);
    nz_staff_note(&rec, x->r);
    rec.reason = why.code;
    memcpy(rec.subject, x->handle, sizeof rec.subject);
    nz_staff_audit(x->r, &rec, done, x);
}

/* ---- refused: no such resident, too many today ---- */

static void refusal_audited(void *arg, struct err e)
{
    struct reveal *x = arg;
    req_recorded(x->r);
    req_fail(x->r, err_ok(e) ? x->why : e);
}

static void end(struct reveal *x, struct err e)
{
    x->why = e;
    if (err_is(e, E_NOTHING) || err_is(e, E_REVEALS))
        audit(x, e, refusal_audited);
    else
        req_fail(x->r, e);
}

/* ---- the answer ---- */

static struct err write_number(struct slice digits, void *arg)
{
    jsonw_str(arg, "myNumber", digits);
    return OK;
}

static void audited(void *arg, struct err e)
{
    struct reveal *x = arg;
    struct buf *out = req_out(x->r); /* wiped with the request */
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    if (err_ok(e))
        e = nz_mynum_use(x->number, write_number, &w);
    jsonw_end_object(&w);
    nz_mynum_free(x->number);
    x->number = NULL;
    if (err_ok(e))
        e = buf_check(out);
    if (err_ok(e))
        req_json(x->r, 200, buf_slice(out));
    else
        req_fail(x->r, e);
}

static void revealed(void *arg, struct err e, struct nz_mynum *number)
{
    struct reveal *x = arg;
    if (!err_ok(e)) {
        end(x, e);
        return;
    }
    x->number = number;
    audit(x, OK, audited);
}

/* ---- who it is ---- */

static ERR handle_of(struct reveal *x, struct slice sealed)
{
    struct buf key;
    buf_init(&key, PMH_KEY_MAX);
    struct err e = store_open(x->in->store, slice_of(x->who->muni, 6), &x->subject, LIT("k"), sealed, &key);
    if (err_ok(e))
        e = store_audit_handle(x->in->store, buf_slice(&key), x->handle);
    buf_done(&key);
    return e;
}

static void subject_ask(struct reveal *x, struct slice hex);

static void subject_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reveal *x = arg;
    struct slice key = SLICE_NONE, to = SLICE_NONE;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) != 2))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        key = redis_reply_str(redis_reply_at(replies[0], 0));
        to = redis_reply_str(redis_reply_at(replies[0], 1));
    }
    if (err_ok(e) && to.n) { /* merged, or the number was changed */
        subject_ask(x, to);
        return;
    }
    if (err_ok(e) && key.n)
        e = handle_of(x, key);
    if (!err_ok(e)) {
        end(x, e);
        return;
    }
    nz_vault_show(x->in->vault, x->in->pool, x->who->muni, &x->show, nz_req_step(x->r, NZ_READ_MS, nz_vault_up(x->in->vault)), revealed, x);
}

static void subject_ask(struct reveal *x, struct slice hex)
{
    struct redis_batch *b = redis_batch_new(512);
    struct err e = b ? OK : FAIL(E_NOMEM);
    if (err_ok(e) && (++x->hops > HOPS_MAX || !hex_decode(hex, x->show.subject.sid, sizeof x->show.subject.sid)))
        e = FAIL(E_SEAL);
    if (!err_ok(e)) {
        redis_batch_free(b);
        end(x, e);
        return;
    }
    store_name_subject(x->show.subject.sid, &x->subject);
    REDIS_ADD(b, LIT("HMGET"), store_name_slice(&x->subject), LIT("k"), LIT("to"));
    nz_staff_send(x->r, b, subject_read, x);
}

/* KEYS count of the day, resident key. ARGV greatest count, seconds. A call that finds nobody counts too: it is a try. */
#define COUNT_SCRIPT                                                                             \
    "local n=tonumber(redis.call('GET',KEYS[1]) or '0') if n>=tonumber(ARGV[1]) then return {0} end " \
    "redis.call('SET',KEYS[1],n+1,'EX',ARGV[2]) return {1,redis.call('GET',KEYS[2])}"

static void counted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reveal *x = arg;
    if (err_ok(e) && (n != 1 || redis_reply_len(replies[0]) < 1))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(redis_reply_at(replies[0], 0)) != 1)
        e = FAIL(E_REVEALS);
    if (err_ok(e) && redis_reply_type(redis_reply_at(replies[0], 1)) != REDIS_STR)
        e = FAIL(E_NOTHING);
    if (err_ok(e))
        subject_ask(x, redis_reply_str(redis_reply_at(replies[0], 1)));
    else
        end(x, e);
}

static ERR count(struct reveal *x)
{
    struct store_name day, rk;
    TRY(store_name_resident(x->in->store, slice_of(x->who->muni, 6), x->ask.resident_key, &rk));
    nz_reveals_name(x->who->muni, &x->who->name, clock_date_jst(nz_staff_wall(x->in)), &day);
    struct redis_batch *b = redis_batch_new(1024);
    if (!b)
        return FAIL(E_NOMEM);
    redis_begin(b, 7);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(COUNT_SCRIPT));
    redis_arg_u64(b, 2);
    redis_arg(b, store_name_slice(&day));
    redis_arg(b, store_name_slice(&rk));
    redis_arg_u64(b, x->in->conf.reveals_per_day);
    redis_arg_u64(b, DAYS_KEPT_S);
    nz_staff_send(x->r, b, counted, x);
    return OK;
}

/* The purpose must be one for which some basis lets this system see a number. */
static ERR fit(struct reveal *x)
{
    const struct caller *c = req_caller(x->r);
    x->fit = basis_judge(x->in->basis, c->role, slice_str(c->system), LIT("revealNumber"), x->ask.purpose, AUDIT_ITEM_NUMBER);
    x->show.basis = x->fit.id;
    x->show.purpose = x->fit.purpose;
    return x->fit.id && x->fit.purpose ? OK : FAIL(E_BASIS);
}

void nz_staff_reveal(struct req *r)
{
    struct field_report report = { 0 };
    struct reveal *x = arena_get(req_arena(r), sizeof *x);
    struct err e = x ? nz_reveal_ask_read(req_body(r), req_arena(r), &x->ask, &report) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        x->r = r;
        x->in = req_ctx(r);
        x->who = nz_staff_of(r);
        x->show.request = req_id(r);
        memcpy(x->show.user, x->who->name.handle, sizeof x->show.user);
        e = fit(x);
    }
    if (err_ok(e))
        e = count(x);
    if (!err_ok(e))
        nz_staff_refuse(r, e, &report);
}
