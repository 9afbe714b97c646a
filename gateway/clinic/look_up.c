#include "gateway/clinic/clinic.h"
#include "gateway/clinic/session.h"
#include "gateway/lookup/access.h"

/* A use is remembered until its key cannot be accepted any more, and a minute longer. */
enum { USE_MARGIN_S = CLOCK_SKEW_S + 60, BATCH_MAX = 2048 };

struct form {
    struct field_value link_key;
};

static const struct field FORM[] = {
    { .name = "link_key", .offset = offsetof(struct form, link_key), .cls = FC_TEXT, .min = 1, .max = JWE_MAX, .required = true },
};

struct look_up {
    struct access a;
    struct form form;
    struct link_claims claims;
    struct store_name person;
    struct session session;
};

static uint64_t wall_ms(const struct look_up *l) { return clock_wall(loop_clock(req_loop(l->a.r))); }

static ERR open_link_key(struct look_up *l)
{
    struct buf plain;
    buf_init(&plain, JWE_MAX);
    struct err e = jwe_open(l->a.env->link_keys, l->form.link_key.text, &plain);
    if (err_ok(e))
        e = link_claims_parse(&l->claims, req_arena(l->a.r), buf_slice(&plain), wall_ms(l) / 1000);
    buf_done(&plain);
    return e.code == E_NOTHING ? (struct err){ E_TOKEN, e.site } : e;
}

/* Who the key is about, and that the caller is the one it was made for. */
static ERR check_link_key(struct look_up *l)
{
    struct access *a = &l->a;
    TRY(open_link_key(l));
    TRY(access_subject(a, l->claims.pmh_key));
    if (!slice_eq(l->claims.aud, slice_str(req_caller(a->r)->code)))
        return FAIL(E_FORBIDDEN);
    TRY(store_person(a->env->store, l->claims.pmh_key, &l->session.person));
    store_name_person(&l->session.person, &l->person);
    return OK;
}

static void on_session_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct look_up *l = arg;
    access_end(&l->a, e);
}

static ERR session_batch(struct look_up *l, struct slice token, struct redis_batch **ret_b)
{
    struct store *store = l->a.env->store;
    struct store_name name;
    struct buf plain, sealed;
    buf_init(&plain, SESSION_PLAIN_MAX);
    buf_init(&sealed, SESSION_PLAIN_MAX + AEAD_OVERHEAD);
    struct redis_batch *b = NULL;
    struct err e = session_encode(&l->session, &plain);
    if (err_ok(e))
        e = store_name_session(store, token, &name);
    if (err_ok(e))
        e = store_seal(store, SLICE_NONE, &name, SLICE_NONE, buf_slice(&plain), &sealed);
    if (err_ok(e) && !(b = redis_batch_new(BATCH_MAX)))
        e = FAIL(E_NOMEM);
    if (b) {
        redis_begin(b, 5);
        redis_arg(b, LIT("SET"));
        redis_arg(b, store_name_slice(&name));
        redis_arg(b, buf_slice(&sealed));
        redis_arg(b, LIT("PXAT"));
        redis_arg_u64(b, l->session.expires_ms);
        *ret_b = b;
    }
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}

/* The session is durable before the audit record is written and before the caller hears of it. */
static ERR open_session(struct look_up *l, struct jsonw *w)
{
    char token[SESSION_TOKEN_CHARS], until[24];
    struct session *s = &l->session;
    struct redis_batch *b;
    session_token(token);
    memcpy(s->handle, l->a.rec.subject, sizeof s->handle);
    memcpy(s->identity, req_caller(l->a.r)->identity, sizeof s->identity);
    s->expires_ms = session_expiry(wall_ms(l), l->a.env->session_life_ms, l->claims.iat);
    s->scope = l->claims.scope;
    TRY(session_batch(l, ARR(token), &b));
    clock_format_utc(s->expires_ms, until);
    jsonw_str(w, "session", ARR(token));
    jsonw_str(w, "session_expires_at", ARR(until));
    jsonw_end_object(w);
    explicit_bzero(token, sizeof token);
    access_send(&l->a, b, on_session_stored, l);
    return OK;
}

static ERR on_first_use(struct look_up *l, const struct redis_reply *records)
{
    struct jsonw w;
    if (!(l->claims.allowed.kinds & 1u << LINK_ELIGIBILITY))
        return FAIL(E_FORBIDDEN);
    TRY(access_judge(&l->a, &w, &l->person, records));
    return open_session(l, &w);
}

static void on_used(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look_up *l = arg;
    if (err_ok(e) && n != 2)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_type(replies[0]) == REDIS_NIL)
        e = FAIL(E_USED);
    if (err_ok(e))
        e = on_first_use(l, replies[1]);
    if (!err_ok(e))
        access_end(&l->a, e);
}

/* The first use wins in the same round trip that reads the records; it is made for every good key, known person or not, so
 * that a second use looks the same for both. */
static ERR use_link_key(struct look_up *l)
{
    struct store_name used;
    uint64_t now = wall_ms(l), end = (l->claims.exp + USE_MARGIN_S) * 1000;
    TRY(store_name_used(l->a.env->store, &l->session.person, l->claims.jti, &used));
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    redis_begin(b, 6);
    redis_arg(b, LIT("SET"));
    redis_arg(b, store_name_slice(&used));
    redis_arg_u64(b, now);
    redis_arg(b, LIT("NX"));
    redis_arg(b, LIT("PX"));
    redis_arg_u64(b, end > now ? end - now : 1);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&l->person));
    access_send(&l->a, b, on_used, l);
    return OK;
}

void clinic_look_up(struct req *r)
{
    struct look_up *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form) || !access_open(&l->a, r, AU_CLINIC_LOOKUP))
        return;
    struct err e = check_link_key(l);
    if (err_ok(e))
        e = use_link_key(l);
    if (!err_ok(e))
        access_end(&l->a, e);
}
