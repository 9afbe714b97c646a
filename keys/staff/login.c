/* POST /v1/staff/login. Whatever is wrong, the same steps are taken and the same is answered: the try is counted, one Argon2id is computed, the record
 * is written. */

#include "gateway/base/text.h"
#include "keys/staff/totp.h"
#include "keys/staff/work.h"

enum { TOKEN_BYTES = 32 };

struct login {
    struct req *r;
    struct nz_intake *in;
    struct nz_login_ask ask;
    struct nz_user_name name;
    struct nz_source from;
    char muni[6];
    bool locked, there;
    struct nz_user user;
    struct slice sealed;         /* as it was read */
    uint64_t store_turn;         /* redis_turn() when the session was stored */
    struct nz_session session;
    struct store_name ss;
    uint8_t token[TOKEN_BYTES];
};

/* ---- refused ---- */

static void refused(void *arg, struct err e)
{
    struct login *l = arg;
    req_recorded(l->r);
    req_fail(l->r, err_ok(e) ? FAIL(E_LOGIN) : e);
}

static void refuse(struct login *l)
{
    struct audit_rec rec = nz_audit_of(l->r, AU_STAFF_LOGIN, AR_REFUSED, 1);
    rec.reason = E_LOGIN;
    memcpy(rec.ref, l->name.handle, sizeof rec.ref); /* there or not: it is a MAC of what was said */
    nz_staff_audit(l->r, &rec, refused, l);
}

/* ---- let in ---- */

static void write_answer(struct login *l, struct jsonw *w)
{
    const struct nz_user *u = &l->user;
    struct nz_demands d = nz_staff_demands(l->in);
    struct buf token;
    char at[24];
    buf_init(&token, 64);
    b64url_encode(ARR(l->token), &token);
    clock_format_utc(l->session.opened_ms + l->in->conf.staff_session_s * 1000, at);
    jsonw_object(w, NULL);
    jsonw_str(w, "staff_session", buf_slice(&token));
    jsonw_str(w, "expires_at", ARR(at));
    jsonw_u64(w, "idle_s", l->in->conf.staff_idle_s);
    jsonw_bool(w, "must_change_password", nz_password_due(u, &d));
    jsonw_bool(w, "must_enrol_totp", d.totp_required && u->totp != NZ_TOTP_ACTIVE);
    jsonw_cstr(w, "role", nz_role_word(u->role));
    jsonw_array(w, "programs");
    for (unsigned i = 0; i < u->n_programs; i++)
        jsonw_cstr(w, NULL, u->program[i]);
    jsonw_end_array(w);
    jsonw_bool(w, "reveal", u->reveal);
    jsonw_end_object(w);
    buf_done(&token);
}

static void audited(void *arg, struct err e)
{
    struct login *l = arg;
    struct jsonw w;
    jsonw_init(&w, req_out(l->r));
    if (err_ok(e))
        e = redis_unbroken(l->in->redis, l->store_turn);
    if (err_ok(e)) {
        write_answer(l, &w);
        e = buf_check(req_out(l->r));
    }
    if (err_ok(e))
        req_json(l->r, 200, buf_slice(req_out(l->r)));
    else
        req_fail(l->r, e);
}

static void stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct login *l = arg;
    uint64_t epoch = 0;
    if (err_ok(e))
        e = nz_change_heard(replies, n, &epoch);
    if (err_is(e, E_CONFLICT)) { /* the code was used, or the user changed, meanwhile */
        refuse(l);
        return;
    }
    if (!err_ok(e)) {
        req_fail(l->r, e);
        return;
    }
    struct audit_rec rec = nz_audit_of(l->r, AU_STAFF_LOGIN, AR_OK, 1);
    rec.behalf = AB_STAFF;
    rec.epoch = epoch;
    memcpy(rec.ref, l->name.handle, sizeof rec.ref);
    nz_staff_audit(l->r, &rec, audited, l);
}

static ERR session_make(struct login *l, struct slice *ret_sealed)
{
    rnd_bytes(l->token, sizeof l->token);
    l->session = (struct nz_session){ .version = l->user.version, .opened_ms = nz_staff_wall(l->in) };
    memcpy(l->session.user, l->name.handle, sizeof l->session.user);
    memcpy(l->session.cert_sha256, req_caller(l->r)->cert_sha256, sizeof l->session.cert_sha256);
    TRY(nz_session_name(l->in->store, ARR(l->token), &l->ss));
    return nz_session_seal(l->in->store, l->muni, &l->ss, &l->session, req_arena(l->r), ret_sealed);
}

static void let_in(struct login *l, bool code_used)
{
    struct nz_user_change c = { .name = &l->name, .old = l->sealed, .ss = &l->ss, .idle_ms = l->in->conf.staff_idle_s * 1000, .fresh = true,
                                .from = &l->from, .now_ms = nz_staff_wall(l->in) };
    struct redis_batch *b = redis_batch_new(16 * 1024);
    struct err e = b ? session_make(l, &c.session) : FAIL(E_NOMEM);
    if (err_ok(e) && code_used)
        e = nz_user_seal(l->in->store, l->muni, &l->name, &l->user, req_arena(l->r), &c.now);
    if (!err_ok(e)) {
        redis_batch_free(b);
        req_fail(l->r, e);
        return;
    }
    nz_change_ask(&c, b);
    l->store_turn = redis_turn(l->in->redis);
    nz_staff_send(l->r, b, stored, l);
}

/* ---- judged ---- */

static void hashed(void *arg, struct err e, const uint8_t (*hash)[NZ_HASH_BYTES])
{
    struct login *l = arg;
    if (!err_ok(e)) {
        req_fail(l->r, e);
        return;
    }
    uint64_t now = nz_staff_wall(l->in);
    bool totp = l->user.totp == NZ_TOTP_ACTIVE;
    bool right = secret_equal(slice_of(hash[0], NZ_HASH_BYTES), ARR(l->user.password[0].hash)) && l->there && l->user.n_passwords;
    bool code = nz_totp_check(ARR(l->user.secret), l->ask.totp, now / 1000, l->user.step, &l->user.step);
    if (right && !l->locked && nz_user_on(&l->user, clock_date_jst(now)) && (code || !totp))
        let_in(l, totp);
    else
        refuse(l);
}

static void user_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct login *l = arg;
    struct nz_try t = { false, SLICE_NONE };
    struct nz_hash_item item = { .password = l->ask.password };
    if (err_ok(e))
        e = nz_try_heard(replies, n, &t);
    if (err_ok(e)) {
        l->locked = t.locked;
        l->sealed = arena_dup(req_arena(l->r), t.sealed);
        e = arena_check(req_arena(l->r));
    }
    if (err_ok(e) && t.sealed.n) {
        e = nz_user_open(l->in->store, l->muni, &l->name, t.sealed, &l->user);
        l->there = err_ok(e);
    }
    memcpy(item.salt, l->there ? l->user.password[0].salt : l->in->staff->nobody, sizeof item.salt);
    if (err_ok(e))
        e = nz_hasher_run(l->in->staff->hasher, l->muni, 1, &item, hashed, l);
    if (!err_ok(e))
        req_fail(l->r, e);
}

void nz_staff_login(struct req *r)
{
    struct field_report report = { 0 };
    struct nz_intake *in = req_ctx(r);
    struct login *l = arena_get(req_arena(r), sizeof *l);
    struct err e = l ? nz_login_ask_read(req_body(r), req_arena(r), &l->ask, &report) : FAIL(E_NOMEM);
    struct redis_batch *b = NULL;
    if (err_ok(e)) {
        l->r = r;
        l->in = in;
        memcpy(l->muni, nz_req_muni(r), sizeof l->muni);
        e = nz_user_name_of(in->store, l->muni, l->ask.id, &l->name);
    }
    if (err_ok(e))
        e = nz_staff_source(r, &l->from);
    if (err_ok(e) && !(b = redis_batch_new(4096)))
        e = FAIL(E_NOMEM);
    if (err_ok(e)) {
        nz_try_ask(&l->name, &l->from, nz_staff_wall(in), in->conf.staff_lock_s * 1000, b);
        nz_staff_send(r, b, user_read, l);
        return;
    }
    redis_batch_free(b);
    nz_staff_refuse(r, e, &report);
}
