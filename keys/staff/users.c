/* GET /v1/staff/users, PUT /v1/staff/users/{id}: the register of a municipality. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/staff/work.h"

/* ---- told ---- */

static void write_day(struct jsonw *w, const char *name, ymd_t day)
{
    char text[10];
    if (!day)
        return;
    ymd_format(day, text);
    jsonw_str(w, name, ARR(text));
}

static void write_user(const struct nz_user *u, const struct nz_demands *d, struct jsonw *w)
{
    char at[24];
    jsonw_cstr(w, "user_id", u->id);
    jsonw_cstr(w, "display_name", u->shown);
    jsonw_cstr(w, "role", nz_role_word(u->role));
    jsonw_array(w, "programs");
    for (unsigned i = 0; i < u->n_programs; i++)
        jsonw_cstr(w, NULL, u->program[i]);
    jsonw_end_array(w);
    jsonw_bool(w, "reveal", u->reveal);
    jsonw_cstr(w, "state", u->withdrawn ? "withdrawn" : "active");
    write_day(w, "from", u->from);
    write_day(w, "until", u->until);
    jsonw_bool(w, "second_factor", u->totp == NZ_TOTP_ACTIVE);
    jsonw_bool(w, "must_change_password", nz_password_due(u, d));
    clock_format_utc(u->password_ms, at);
    jsonw_str(w, "password_changed_at", ARR(at));
}

/* ---- list ---- */

static int by_id(const void *a, const void *b)
{
    const struct nz_user *x = a, *y = b;
    return strcmp(x->id, y->id);
}

static ERR list_write(struct req *r, const struct redis_reply *hash, uint32_t *ret_n)
{
    struct nz_intake *in = req_ctx(r);
    const struct nz_demands d = nz_staff_demands(in);
    size_t n = redis_reply_len(hash) / 2;
    struct nz_user *user = arena_get(req_arena(r), (n + 1) * sizeof *user);
    struct nz_user_name name;
    uint8_t handle[STORE_HANDLE_BYTES];
    struct jsonw w;
    if (!user)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < n; i++) {
        if (!hex_decode(redis_reply_str(redis_reply_at(hash, 2 * i)), handle, sizeof handle))
            return FAIL(E_SEAL);
        nz_user_name_from(nz_req_muni(r), handle, &name);
        TRY(nz_user_open(in->store, nz_req_muni(r), &name, redis_reply_str(redis_reply_at(hash, 2 * i + 1)), &user[i]));
    }
    qsort(user, n, sizeof *user, by_id);
    jsonw_init(&w, req_out(r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "users");
    for (size_t i = 0; i < n; i++) {
        jsonw_object(&w, NULL);
        write_user(&user[i], &d, &w);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    *ret_n = (uint32_t)n;
    return buf_check(req_out(r));
}

static void list_audited(void *arg, struct err e)
{
    struct req *r = arg;
    if (err_ok(e))
        req_json(r, 200, buf_slice(req_out(r)));
    else
        req_fail(r, e);
}

static void list_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct req *r = arg;
    uint32_t users = 0;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = list_write(r, replies[0], &users);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    struct audit_rec rec = nz_audit_of(r, AU_STAFF_READ, AR_OK, users);
    nz_staff_audit(r, &rec, list_audited, r);
}

void nz_staff_list(struct req *r)
{
    struct redis_batch *b = redis_batch_new(512);
    if (!b) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&nz_staff_of(r)->name.us));
    nz_staff_send(r, b, list_read, r);
}

/* ---- put ---- */

struct put {
    struct req *r;
    struct nz_intake *in;
    char muni[6];
    struct nz_user_ask ask;
    struct nz_user_name name;
    struct nz_user user;
    struct slice old;
    uint64_t epoch, store_turn;
    bool there, gives;                   /* gives: a one-time password */
    char one_time[NZ_ONE_TIME_CHARS];
    struct nz_password fresh;
};

static void put_recorded(void *arg, struct err e)
{
    struct put *p = arg;
    const struct nz_demands d = nz_staff_demands(p->in);
    struct jsonw w;
    if (err_ok(e))
        e = redis_unbroken(p->in->redis, p->store_turn);
    jsonw_init(&w, req_out(p->r));
    jsonw_object(&w, NULL);
    write_user(&p->user, &d, &w);
    if (p->gives)
        jsonw_str(&w, "one_time_password", ARR(p->one_time));
    jsonw_end_object(&w);
    if (err_ok(e))
        e = buf_check(req_out(p->r));
    if (err_ok(e))
        req_json(p->r, p->there ? 200 : 201, buf_slice(req_out(p->r)));
    else
        req_fail(p->r, e);
}

static void put_record(struct put *p);

static void put_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct put *p = arg;
    if (err_ok(e))
        e = nz_change_heard(replies, n, &p->epoch);
    if (err_ok(e))
        put_record(p);
    else
        req_fail(p->r, e);
}

static void put_store(struct put *p)
{
    struct nz_user_change c = { .name = &p->name, .old = p->old, .forget = p->gives };
    struct redis_batch *b = redis_batch_new(16 * 1024);
    struct err e = !b ? FAIL(E_NOMEM) : audit_up(p->in->audit) ? OK : FAIL(E_AUDIT_DOWN);
    if (err_ok(e))
        e = nz_user_seal(p->in->store, p->muni, &p->name, &p->user, req_arena(p->r), &c.now);
    if (!err_ok(e)) {
        redis_batch_free(b);
        req_fail(p->r, e);
        return;
    }
    nz_change_ask(&c, b);
    p->store_turn = redis_turn(p->in->redis);
    nz_staff_send(p->r, b, put_stored, p);
}

/* ref: the user who is changed, count: the version that it became. Who did it stands in the actor. */
static void put_record(struct put *p)
{
    struct audit_rec rec = nz_audit_of(p->r, AU_STAFF_CHANGED, AR_OK, p->user.version);
    struct buf actor;
    buf_init(&actor, AUDIT_ACTOR_MAX);
    buf_put(&actor, slice_of(p->muni, sizeof p->muni));
    buf_put(&actor, LIT("/staff/"));
    buf_puts(&actor, nz_staff_of(p->r)->user.id);
    audit_set_actor(&rec, buf_slice(&actor));
    buf_done(&actor);
    memcpy(rec.ref, p->name.handle, sizeof rec.ref);
    rec.epoch = p->epoch;
    nz_staff_audit(p->r, &rec, put_recorded, p);
}

static void put_hashed(void *arg, struct err e, const uint8_t (*hash)[NZ_HASH_BYTES])
{
    struct put *p = arg;
    if (!err_ok(e)) {
        req_fail(p->r, e);
        return;
    }
    memcpy(p->fresh.hash, hash[0], NZ_HASH_BYTES);
    nz_user_password_put(&p->user, &p->fresh, nz_staff_wall(p->in));
    p->user.must_change = true;
    memcpy(p->user.giver, nz_staff_of(p->r)->name.handle, sizeof p->user.giver);
    put_store(p);
}

static ERR give_password(struct put *p)
{
    struct nz_hash_item item = { .password = ARR(p->one_time) };
    nz_password_one_time(p->one_time);
    rnd_bytes(p->fresh.salt, sizeof p->fresh.salt);
    memcpy(item.salt, p->fresh.salt, sizeof item.salt);
    return nz_hasher_run(p->in->staff->hasher, p->muni, 1, &item, put_hashed, p);
}

/* Nobody gives, takes or keeps charge of programs that he is not in charge of himself. */
static ERR put_apply(struct put *p)
{
    const struct nz_user *me = &nz_staff_of(p->r)->user;
    bool may = nz_user_covers(me, &p->user);
    nz_user_apply(&p->user, &p->ask);
    p->user.version++;
    return may && nz_user_covers(me, &p->user) ? OK : FAIL(E_FORBIDDEN);
}

static void put_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct put *p = arg;
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e)) {
        p->old = arena_dup(req_arena(p->r), redis_reply_str(replies[0]));
        p->there = p->old.n > 0;
        e = arena_check(req_arena(p->r));
    }
    if (err_ok(e) && p->there)
        e = nz_user_open(p->in->store, p->muni, &p->name, p->old, &p->user);
    if (!err_ok(e)) {
        req_fail(p->r, e);
        return;
    }
    if (!p->there) {
        memcpy(p->user.id, req_param(p->r).p, req_param(p->r).n);
        p->user.made_ms = nz_staff_wall(p->in);
    }
    const bool comes_back = p->there && p->user.withdrawn && !p->ask.withdrawn;
    e = put_apply(p);
    p->gives = !p->there || p->ask.reset_password || comes_back; /* who was gone does not come back with the old password */
    if (err_ok(e) && p->gives)
        e = give_password(p);
    else if (err_ok(e))
        put_store(p);
    if (!err_ok(e))
        req_fail(p->r, e);
}

/* Nobody changes what he himself may. */
static ERR put_check(struct req *r)
{
    struct slice id = req_param(r);
    if (!nz_user_id_ok(id))
        return FAIL(E_NO_ROUTE);
    return slice_eq(id, slice_str(nz_staff_of(r)->user.id)) ? FAIL(E_FORBIDDEN) : OK;
}

void nz_staff_put(struct req *r)
{
    struct field_report report = { 0 };
    struct nz_intake *in = req_ctx(r);
    struct put *p = arena_get(req_arena(r), sizeof *p);
    struct err e = p ? put_check(r) : FAIL(E_NOMEM);
    if (err_ok(e))
        e = nz_user_ask_read(req_body(r), req_arena(r), nz_program_known, in, &p->ask, &report);
    if (err_ok(e)) {
        p->r = r;
        p->in = in;
        memcpy(p->muni, nz_req_muni(r), sizeof p->muni);
        e = nz_user_name_of(in->store, p->muni, req_param(r), &p->name);
    }
    struct redis_batch *b = err_ok(e) ? redis_batch_new(512) : NULL;
    if (err_ok(e) && !b)
        e = FAIL(E_NOMEM);
    if (!err_ok(e)) {
        nz_staff_refuse(r, e, &report);
        return;
    }
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&p->name.us), ARR(p->name.hex));
    nz_staff_send(r, b, put_read, p);
}
