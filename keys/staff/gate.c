/* Who has logged in. */

#include <stdlib.h>

#include "gateway/base/text.h"
#include "keys/staff/work.h"

enum { TOKEN_BYTES = 32, TOKEN_CHARS = 43, DAY_MS = 86400000 };

struct enter {
    struct req *r;
    struct nz_intake *in;
    handler_fn *then;
    const struct nz_permit *permit;
    struct nz_who who;
};

uint64_t nz_staff_wall(const struct nz_intake *in) { return clock_wall(loop_clock(in->loop)); }

struct nz_demands nz_staff_demands(const struct nz_intake *in)
{
    return (struct nz_demands){ in->conf.totp_required, in->conf.password_days * DAY_MS, nz_staff_wall(in) };
}

static struct slice operation_of(const struct req *r) { return slice_str(req_route(r)->operation.s); }

static struct slice program_of(const struct nz_intake *in, struct slice operation) { return slice_str(basis_program(in->basis, operation)); }

/* ---- afterwards ---- */

const struct nz_who *nz_staff_of(const struct req *r) { return req_data(r); }

ERR nz_staff_check(const struct req *r, struct slice operation, const struct nz_who **ret_who)
{
    const struct nz_intake *in = req_ctx(r);
    const struct nz_permit *p = nz_permit_of(operation);
    const struct nz_who *who = nz_staff_of(r);
    if (!who && (!p || p->need == NZ_NEED_STAFF || p->need == NZ_NEED_ORDER) && (in->conf.staff_required || (p && p->need == NZ_NEED_STAFF)))
        return FAIL(E_STAFF);
    struct nz_demands d = nz_staff_demands(in);
    if (who)
        TRY(nz_permit_judge(p, &who->user, program_of(in, operation), &d));
    *ret_who = who;
    return OK;
}

bool nz_staff_sees(const struct req *r, enum nz_form form)
{
    const struct nz_who *who = nz_staff_of(r);
    return !who || nz_user_in_charge(&who->user, program_of(req_ctx(r), slice_str(nz_form_info(form)->operation)));
}

bool nz_staff_sees_all(const struct req *r)
{
    const struct nz_who *who = nz_staff_of(r);
    return !who || nz_user_all_programs(&who->user);
}

void nz_staff_note(struct audit_rec *rec, const struct req *r)
{
    const struct nz_who *who = nz_staff_of(r);
    if (!who)
        return;
    rec->behalf = AB_STAFF;
    memcpy(rec->ref, who->name.handle, sizeof rec->ref);
}

/* ---- the session ---- */

static ERR token_read(struct slice text, struct buf *out)
{
    return text.n == TOKEN_CHARS && b64url_decode(text, out) && out->n == TOKEN_BYTES ? OK : FAIL(E_STAFF);
}

static ERR name_of_token(struct enter *x, struct slice text)
{
    struct buf token;
    buf_init(&token, TOKEN_BYTES + 1);
    struct err e = token_read(text, &token);
    if (err_ok(e))
        e = nz_session_name(x->in->store, buf_slice(&token), &x->who.ss);
    buf_done(&token);
    return e;
}

/* Whom the session is asked of. */
struct holder { struct nz_intake *in; struct slice cert_sha256; };

static bool session_alive(const struct holder *h, const struct nz_who *w, uint64_t now)
{
    const struct nz_session *s = &w->session;
    return s->version == w->user.version && secret_equal(ARR(s->cert_sha256), h->cert_sha256) && s->opened_ms <= now + 60000 &&
           now < s->opened_ms + h->in->conf.staff_session_s * 1000;
}

/* What was opened before the store was brought up to the log again has ended: ends are not replayed one by one. */
static bool is_since(const struct nz_session *s, struct slice since)
{
    uint64_t ms = 0;
    return !since.n || (u64_parse(since, &ms) && s->opened_ms > ms);
}

/* hex of the user, session, user, since when sessions count: as Redis has them. What does not fit together is no session. */
static ERR session_take(const struct holder *h, const struct redis_reply *reply, struct nz_who *w)
{
    uint8_t handle[STORE_HANDLE_BYTES];
    struct slice u = redis_reply_str(redis_reply_at(reply, 0)), v = redis_reply_str(redis_reply_at(reply, 1)), sealed = redis_reply_str(redis_reply_at(reply, 2));
    if (redis_reply_len(reply) < 3 || !hex_decode(u, handle, sizeof handle) || !sealed.n)
        return FAIL(E_STAFF);
    nz_user_name_from(w->muni, handle, &w->name);
    if (!err_ok(nz_session_open(h->in->store, w->muni, &w->ss, v, &w->session)) || !slice_eq(ARR(w->session.user), ARR(handle)) ||
        !err_ok(nz_user_open(h->in->store, w->muni, &w->name, sealed, &w->user)))
        return FAIL(E_STAFF);
    uint64_t now = nz_staff_wall(h->in);
    if (!session_alive(h, w, now) || !is_since(&w->session, redis_reply_str(redis_reply_at(reply, 3))) || !nz_user_on(&w->user, clock_date_jst(now)))
        return FAIL(E_STAFF);
    w->sealed = sealed; /* borrowed from the reply */
    return OK;
}

static ERR session_keep(struct enter *x, const struct redis_reply *reply)
{
    const struct holder h = { x->in, ARR(req_caller(x->r)->cert_sha256) };
    TRY(session_take(&h, reply, &x->who));
    x->who.sealed = arena_dup(req_arena(x->r), x->who.sealed);
    return arena_check(req_arena(x->r));
}

static void session_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct enter *x = arg;
    struct nz_demands d = nz_staff_demands(x->in);
    if (err_ok(e) && n != 1)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = session_keep(x, replies[0]);
    if (err_ok(e)) {
        req_set_data(x->r, &x->who);
        e = nz_permit_judge(x->permit, &x->who.user, program_of(x->in, operation_of(x->r)), &d);
    }
    if (err_ok(e))
        x->then(x->r);
    else
        req_fail(x->r, e);
}

/* KEYS ss, us, since. ARGV: life of a session that is used; 0: it is only looked at. */
#define SESSION_SCRIPT                                                                      \
    "local s=redis.call('HMGET',KEYS[1],'u','v') if not s[1] or not s[2] then return {} end " \
    "if ARGV[1]~='0' then redis.call('PEXPIRE',KEYS[1],ARGV[1]) end return {s[1],s[2],redis.call('HGET',KEYS[2],s[1]),redis.call('GET',KEYS[3])}"

static struct redis_batch *session_batch(const struct nz_who *w, uint64_t life_ms)
{
    struct redis_batch *b = redis_batch_new(2048);
    struct nz_user_name none = { .us = { .n = 0 } };
    static const uint8_t NOBODY[STORE_HANDLE_BYTES];
    if (!b)
        return NULL;
    nz_user_name_from(w->muni, NOBODY, &none); /* for the name of the register */
    redis_begin(b, 7);
    redis_arg(b, LIT("EVAL"));
    redis_arg(b, LIT(SESSION_SCRIPT));
    redis_arg_u64(b, 3);
    redis_arg(b, store_name_slice(&w->ss));
    redis_arg(b, store_name_slice(&none.us));
    redis_arg(b, NZ_SESSIONS_SINCE);
    redis_arg_u64(b, life_ms);
    return b;
}

static void session_ask(struct enter *x)
{
    struct redis_batch *b = session_batch(&x->who, x->in->conf.staff_idle_s * 1000);
    if (b)
        nz_staff_send(x->r, b, session_read, x);
    else
        req_fail(x->r, FAIL(E_NOMEM));
}

void nz_staff_enter(struct req *r, handler_fn *then)
{
    struct nz_intake *in = req_ctx(r);
    const struct nz_permit *p = nz_permit_of(operation_of(r));
    struct slice token = req_header(r, HTTP_KNOWN_STAFF);
    if (p && p->need == NZ_NEED_NONE) {
        then(r);
        return;
    }
    if (!token.n) {
        const struct nz_who *nobody;
        struct err e = nz_staff_check(r, operation_of(r), &nobody);
        if (err_ok(e))
            then(r);
        else
            req_fail(r, e);
        return;
    }
    struct enter *x = arena_get(req_arena(r), sizeof *x);
    if (!x) {
        req_fail(r, FAIL(E_NOMEM));
        return;
    }
    *x = (struct enter){ .r = r, .in = in, .then = then, .permit = p };
    memcpy(x->who.muni, nz_req_muni(r), sizeof x->who.muni);
    struct err e = name_of_token(x, token);
    if (err_ok(e))
        session_ask(x);
    else
        req_fail(r, e);
}

/* ---- a stream, later ---- */

void nz_still_begin(struct nz_still *s, const struct req *r)
{
    const struct nz_who *who = nz_staff_of(r);
    *s = (struct nz_still){ .in = req_ctx(r), .there = who != NULL, .permit = nz_permit_of(operation_of(r)) };
    if (!who)
        return;
    s->program = program_of(s->in, operation_of(r));
    memcpy(s->cert_sha256, req_caller(r)->cert_sha256, sizeof s->cert_sha256);
    memcpy(s->who.muni, who->muni, sizeof s->who.muni);
    s->who.ss = who->ss;
}

static void still_read(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct nz_still *s = arg;
    const struct holder h = { s->in, ARR(s->cert_sha256) };
    if (!err_ok(e) || n != 1) {
        s->fn(s->arg, true);
        return;
    }
    e = session_take(&h, replies[0], &s->who);
    struct nz_demands d = nz_staff_demands(s->in);
    if (err_ok(e))
        e = nz_permit_judge(s->permit, &s->who.user, s->program, &d);
    s->fn(s->arg, err_ok(e));
}

bool nz_still_ask(struct nz_still *s, void (*fn)(void *arg, bool still), void *arg)
{
    struct redis_batch *b = s->there ? session_batch(&s->who, 0) : NULL;
    if (!b)
        return false;
    s->fn = fn;
    s->arg = arg;
    redis_send(s->in->redis, b, loop_now(s->in->loop) + NZ_READ_MS, still_read, s);
    return true;
}

/* ---- for the others ---- */

void nz_staff_send(struct req *r, struct redis_batch *b, redis_done_fn *done, void *arg)
{
    struct nz_intake *in = req_ctx(r);
    redis_send(in->redis, b, nz_req_step(r, NZ_READ_MS, true), done, arg);
}

void nz_staff_refuse(struct req *r, struct err e, const struct field_report *report)
{
    struct field_report copy = *report;
    if (err_is(e, E_FIELD))
        req_problem(r, e, field_report_write, &copy);
    else
        req_fail(r, e);
}

/* A certificate at an address. */
ERR nz_staff_source(const struct req *r, struct nz_source *ret_s)
{
    const struct nz_intake *in = req_ctx(r);
    uint8_t where[sizeof req_caller(r)->cert_sha256 + REQ_PEER_BYTES], handle[STORE_HANDLE_BYTES];
    memcpy(where, req_caller(r)->cert_sha256, sizeof where - REQ_PEER_BYTES);
    req_peer(r, where + sizeof where - REQ_PEER_BYTES);
    TRY(store_handle_source(in->store, ARR(where), handle));
    for (size_t i = 0; i < sizeof handle; i++) {
        ret_s->hex[2 * i] = "0123456789abcdef"[handle[i] >> 4];
        ret_s->hex[2 * i + 1] = "0123456789abcdef"[handle[i] & 15];
    }
    return OK;
}

void nz_staff_audit(struct req *r, const struct audit_rec *rec, audit_done_fn *done, void *arg)
{
    struct nz_intake *in = req_ctx(r);
    audit_append(in->audit, rec, nz_req_step(r, NZ_READ_MS, audit_up(in->audit)), done, arg);
}

bool nz_program_known(void *in, struct slice word) { return basis_has_program(((struct nz_intake *)in)->basis, word); }

/* ---- the part of the intake ---- */

ERR nz_staff_new(struct nz_staff_zone **ret_z, struct nz_intake *in)
{
    struct nz_staff_zone *z = calloc(1, sizeof *z);
    struct err e = z ? nz_hasher_new(&z->hasher, in->loop) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        free(z);
        return e;
    }
    z->in = in;
    rnd_bytes(z->nobody, sizeof z->nobody);
    *ret_z = z;
    return OK;
}

void nz_staff_close(struct nz_staff_zone *z) { nz_hasher_close(z->hasher); }
bool nz_staff_idle(const struct nz_staff_zone *z) { return nz_hasher_idle(z->hasher); }

void nz_staff_free(struct nz_staff_zone *z)
{
    if (!z)
        return;
    nz_hasher_free(z->hasher);
    free(z);
}
