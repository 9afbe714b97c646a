/* Logout, password, second factor: what a member of staff does about himself. */

#include "gateway/base/text.h"
#include "keys/staff/totp.h"
#include "keys/staff/work.h"

enum { CURRENT, KEPT };

struct account {
    struct req *r;
    struct nz_intake *in;
    const struct nz_who *who;
    struct nz_user user;             /* as it becomes */
    struct nz_password_ask passwords;
    struct nz_password fresh;
    struct nz_totp_ask totp;
    struct nz_source from;
    uint64_t store_turn;
    struct audit_rec rec;
    bool locked;
    bool proven;                     /* the password was said, and right */
    bool told;                       /* what is in req_out() is the answer; otherwise there is none */
};

static struct account *account_of(struct req *r)
{
    struct account *x = arena_get(req_arena(r), sizeof *x);
    if (x) {
        x->r = r;
        x->in = req_ctx(r);
        x->who = nz_staff_of(r);
        x->user = x->who->user;
    }
    return x;
}

static void answer(struct account *x, struct err e)
{
    if (err_ok(e) && x->told)
        e = buf_check(req_out(x->r));
    if (!err_ok(e))
        req_fail(x->r, e);
    else if (x->told)
        req_json(x->r, 200, buf_slice(req_out(x->r)));
    else
        req_answer(x->r, 204, NULL, SLICE_NONE);
}

/* ---- a change of the user, whose own session goes on; all others end ---- */

static void recorded(void *arg, struct err e)
{
    struct account *x = arg;
    answer(x, err_ok(e) ? redis_unbroken(x->in->redis, x->store_turn) : e);
}

static void stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct account *x = arg;
    if (err_ok(e))
        e = nz_change_heard(replies, n, &x->rec.epoch);
    if (err_ok(e))
        nz_staff_audit(x->r, &x->rec, recorded, x);
    else
        answer(x, e);
}

/* count of the record: the version that the user has become, for a store that comes back without it. */
static void change(struct account *x)
{
    struct nz_session s = x->who->session;
    struct nz_user_change c = { .name = &x->who->name, .old = x->who->sealed, .ss = &x->who->ss, .idle_ms = x->in->conf.staff_idle_s * 1000,
                                .from = x->proven ? &x->from : NULL, .now_ms = nz_staff_wall(x->in) };
    struct redis_batch *b = redis_batch_new(16 * 1024);
    s.version = ++x->user.version;
    x->rec = nz_audit_of(x->r, AU_STAFF_CHANGED, AR_OK, x->user.version);
    struct err e = !b ? FAIL(E_NOMEM) : audit_up(x->in->audit) ? OK : FAIL(E_AUDIT_DOWN);
    if (err_ok(e))
        e = nz_user_seal(x->in->store, x->who->muni, &x->who->name, &x->user, req_arena(x->r), &c.now);
    if (err_ok(e))
        e = nz_session_seal(x->in->store, x->who->muni, &x->who->ss, &s, req_arena(x->r), &c.session);
    if (!err_ok(e)) {
        redis_batch_free(b);
        answer(x, e);
        return;
    }
    nz_change_ask(&c, b);
    x->store_turn = redis_turn(x->in->redis);
    nz_staff_send(x->r, b, stored, x);
}

/* ---- logout ---- */

static void logout_done(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct account *x = arg;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        answer(x, e);
        return;
    }
    x->rec = nz_audit_of(x->r, AU_STAFF_LOGOUT, AR_OK, 1);
    x->rec.epoch = (uint64_t)redis_reply_int(replies[1]);
    nz_staff_audit(x->r, &x->rec, recorded, x);
}

void nz_staff_logout(struct req *r)
{
    struct account *x = account_of(r);
    struct redis_batch *b = x ? redis_batch_new(512) : NULL;
    if (!b) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("DEL"), store_name_slice(&x->who->ss));
    redis_raise(b, STORE_EPOCH);
    x->store_turn = redis_turn(x->in->redis);
    nz_staff_send(r, b, logout_done, x);
}

/* ---- the password that whoever found a session open does not know; tries count as those of the login ---- */

static void wrong_audited(void *arg, struct err e)
{
    struct account *x = arg;
    req_recorded(x->r);
    req_fail(x->r, err_ok(e) ? FAIL(E_LOGIN) : e);
}

static void wrong(struct account *x)
{
    struct audit_rec rec = nz_audit_of(x->r, AU_STAFF_LOGIN, AR_REFUSED, 1);
    rec.reason = E_LOGIN;
    nz_staff_audit(x->r, &rec, wrong_audited, x);
}

static void try_it(struct account *x, redis_done_fn *tried)
{
    struct redis_batch *b = redis_batch_new(4096);
    struct err e = b ? nz_staff_source(x->r, &x->from) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        redis_batch_free(b);
        answer(x, e);
        return;
    }
    nz_try_ask(&x->who->name, &x->from, nz_staff_wall(x->in), x->in->conf.staff_lock_s * 1000, b);
    nz_staff_send(x->r, b, tried, x);
}

static ERR try_heard(struct account *x, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_try t = { false, SLICE_NONE };
    TRY(e);
    TRY(nz_try_heard(replies, n, &t));
    x->locked = t.locked;
    return OK;
}

static bool is_right(struct account *x, const uint8_t (*hash)[NZ_HASH_BYTES])
{
    x->proven = !x->locked && secret_equal(slice_of(hash[CURRENT], NZ_HASH_BYTES), ARR(x->user.password[0].hash));
    return x->proven;
}

/* ---- a new password ---- */

/* hash: the current one; the new one with the salt of each that is kept; the new one with its own. */
static void hashed(void *arg, struct err e, const uint8_t (*hash)[NZ_HASH_BYTES])
{
    struct account *x = arg;
    bool used = false;
    if (!err_ok(e)) {
        answer(x, e);
        return;
    }
    if (!is_right(x, hash)) {
        wrong(x);
        return;
    }
    for (unsigned i = 0; i < x->user.n_passwords; i++)
        used = secret_equal(slice_of(hash[KEPT + i], NZ_HASH_BYTES), ARR(x->user.password[i].hash)) || used;
    if (used || !nz_password_ok(x->passwords.fresh, slice_str(x->user.id))) {
        answer(x, FAIL(E_PASSWORD));
        return;
    }
    memcpy(x->fresh.hash, hash[KEPT + x->user.n_passwords], NZ_HASH_BYTES);
    nz_user_password_put(&x->user, &x->fresh, nz_staff_wall(x->in));
    x->user.must_change = false;
    change(x);
}

static ERR hash_all(struct account *x)
{
    struct nz_hash_item item[NZ_HASH_ITEMS] = { [CURRENT] = { .password = x->passwords.password } };
    size_t n = KEPT;
    memcpy(item[CURRENT].salt, x->user.password[0].salt, NZ_SALT_BYTES);
    rnd_bytes(x->fresh.salt, sizeof x->fresh.salt);
    for (unsigned i = 0; i <= x->user.n_passwords; i++) {
        item[n].password = x->passwords.fresh;
        memcpy(item[n++].salt, i < x->user.n_passwords ? x->user.password[i].salt : x->fresh.salt, NZ_SALT_BYTES);
    }
    return nz_hasher_run(x->in->staff->hasher, x->who->muni, n, item, hashed, x);
}

static void tried(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct account *x = arg;
    e = try_heard(x, e, replies, n);
    if (err_ok(e))
        e = hash_all(x);
    if (!err_ok(e))
        answer(x, e);
}

/* POST /v1/staff/password */
void nz_staff_password(struct req *r)
{
    struct field_report report = { 0 };
    struct account *x = account_of(r);
    struct err e = x ? nz_password_ask_read(req_body(r), req_arena(r), &x->passwords, &report) : FAIL(E_NOMEM);
    if (err_ok(e))
        try_it(x, tried);
    else
        nz_staff_refuse(r, e, &report);
}

/* ---- second factor ---- */

static void write_secret(struct account *x)
{
    struct buf text;
    struct jsonw w;
    jsonw_init(&w, req_out(x->r));
    buf_init(&text, 256);
    jsonw_object(&w, NULL);
    nz_base32(ARR(x->user.secret), &text);
    jsonw_str(&w, "secret", buf_slice(&text));
    buf_reset(&text);
    nz_totp_uri(ARR(x->user.secret), slice_of(x->who->muni, 6), slice_str(x->user.id), &text);
    jsonw_str(&w, "uri", buf_slice(&text));
    jsonw_end_object(&w);
    buf_done(&text);
}

/* The password is right: a secret, in the place of one that was given out before. */
static void secret_hashed(void *arg, struct err e, const uint8_t (*hash)[NZ_HASH_BYTES])
{
    struct account *x = arg;
    struct nz_user *u = &x->user;
    if (!err_ok(e)) {
        answer(x, e);
        return;
    }
    if (!is_right(x, hash)) {
        wrong(x);
        return;
    }
    rnd_bytes(u->secret, sizeof u->secret);
    u->totp = NZ_TOTP_PENDING;
    u->step = 0;
    write_secret(x);
    x->told = true;
    change(x);
}

static void secret_tried(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct account *x = arg;
    struct nz_hash_item item = { .password = x->totp.password };
    memcpy(item.salt, x->user.password[0].salt, sizeof item.salt);
    e = try_heard(x, e, replies, n);
    if (err_ok(e))
        e = nz_hasher_run(x->in->staff->hasher, x->who->muni, 1, &item, secret_hashed, x);
    if (!err_ok(e))
        answer(x, e);
}

static ERR code_take(struct account *x)
{
    struct nz_user *u = &x->user;
    if (u->totp != NZ_TOTP_PENDING)
        return FAIL(E_CONFLICT);
    if (!nz_totp_check(ARR(u->secret), x->totp.code, nz_staff_wall(x->in) / 1000, u->step, &u->step))
        return FAIL(E_LOGIN);
    u->totp = NZ_TOTP_ACTIVE;
    return OK;
}

/* POST /v1/staff/totp: {"password"} gives a secret, {"code"} of that secret puts it to use. */
void nz_staff_totp(struct req *r)
{
    struct field_report report = { 0 };
    struct account *x = account_of(r);
    struct err e = x ? nz_totp_ask_read(req_body(r), req_arena(r), &x->totp, &report) : FAIL(E_NOMEM);
    if (err_ok(e) && x->user.totp == NZ_TOTP_ACTIVE)
        e = FAIL(E_CONFLICT); /* an administrator takes it back first */
    if (err_ok(e) && x->totp.code.n)
        e = code_take(x);
    if (!err_ok(e))
        nz_staff_refuse(r, e, &report);
    else if (x->totp.code.n)
        change(x);
    else
        try_it(x, secret_tried);
}
