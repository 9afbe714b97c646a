#include "gateway/clinic/clinic.h"
#include "gateway/clinic/session.h"
#include "gateway/lookup/access.h"

/* A use is remembered for the whole life of its key, from the use on, and a minute longer than the skew: what is left of that life is a question to a
 * clock that may be wrong, and the key would work again when it is put right. */
enum { USE_MARGIN_S = CLOCK_SKEW_S + 60, USE_BATCH_MAX = 2048, SESSION_BATCH_MAX = 256 * 1024 /* with all that may have to be pruned */ };
enum { USE_REPLIES = 3 };

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
    struct err refused; /* the key is not good for this caller: nothing of a person is asked for */
    struct store_name person, use;
    uint64_t use_ms;    /* how long the use is remembered */
    struct session session;
    struct session_token token;
};

static uint64_t wall_ms(const struct look_up *l) { return clock_wall(loop_clock(req_loop(l->a.r))); }

/* ---- the link key ---- */

static ERR read_link_key(struct look_up *l)
{
    struct buf plain;
    buf_init(&plain, JWE_MAX);
    struct err e = jwe_open(l->a.env->link_keys, l->form.link_key.text, &plain);
    if (err_ok(e))
        e = link_claims_read(&l->claims, req_arena(l->a.r), buf_slice(&plain));
    buf_done(&plain);
    if (err_ok(e) && !slice_eq(l->claims.iss, l->a.env->link_key_issuer))
        e = FAIL(E_NOTHING);
    return e;
}

static bool tells_eligibility(const struct look_up *l) { return l->claims.allowed.kinds & 1u << LINK_ELIGIBILITY; }

/* Of a key that only opens a session. */
static uint16_t items_of(uint8_t kinds)
{
    return (uint16_t)((kinds & 1u << LINK_IMMUNIZATIONS ? AUDIT_ITEM_VACCINATION : 0) | (kinds & 1u << LINK_QUESTIONNAIRE ? AUDIT_ITEM_QUESTIONNAIRE : 0));
}

/* Who the key is about, and that the caller is the one it was made for. The person is known as soon as the key is genuine: also what is refused is
 * recorded for that person to see. */
static ERR check_link_key(struct look_up *l)
{
    struct access *a = &l->a;
    struct err e = read_link_key(l);
    a->rec.items = AUDIT_ITEM_ELIGIBILITY;
    if (err_ok(e)) {
        TRY(access_subject(a, l->claims.pmh_key));
        e = link_claims_live(&l->claims, wall_ms(l) / 1000);
    }
    if (err_is(e, E_NOTHING))
        return (struct err){ E_TOKEN, e.site };
    TRY(e);
    if (!slice_eq(l->claims.aud, slice_str(req_caller(a->r)->code)))
        return FAIL(E_FORBIDDEN);
    if (!tells_eligibility(l))
        a->rec.items = items_of(l->claims.allowed.kinds);
    return access_basis(a, l->claims.purpose, a->rec.items);
}

/* ---- the session ---- */

static void on_session_stored(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct look_up *l = arg;
    access_end(&l->a, e);
}

/* The session, that it is open, and the consent for the citizen's list. */
static ERR session_batch(struct look_up *l, const struct redis_reply *hash, struct redis_batch *b)
{
    const struct session *s = &l->session;
    uint64_t now = wall_ms(l);
    struct consent_entry e = { .name = s->consent.name, .version = s->consent.version, .given_s = s->consent.given_s,
                               .until_ms = (l->claims.iat + LINK_KEY_LIFE_S) * 1000, .seen_ms = now, .kinds = s->scope.kinds };
    memcpy(e.clinic, l->claims.aud.p, sizeof e.clinic);
    memcpy(e.purpose, s->purpose, sizeof e.purpose);
    return session_add(l->a.env->store, hash, s, &e, (const char *)l->claims.aud.p, now, &l->token, b);
}

static void fill_session(struct look_up *l)
{
    struct session *s = &l->session;
    const struct caller *c = req_caller(l->a.r);
    memcpy(s->handle, l->a.rec.subject, sizeof s->handle);
    memcpy(s->identity, c->identity, sizeof s->identity);
    memcpy(s->cert, c->cert_sha256, sizeof s->cert);
    memcpy(s->purpose, l->claims.purpose.p, l->claims.purpose.n); /* at most CLAIM_PURPOSE_MAX; zeroed memory */
    s->expires_ms = session_expiry(wall_ms(l), l->a.env->session_life_ms, l->claims.iat);
    s->scope = l->claims.allowed;
}

/* The session is durable before the audit record is written and before the caller hears of it. */
static ERR open_session(struct look_up *l, const struct redis_reply *hash, struct jsonw *w)
{
    char until[24];
    struct redis_batch *b = redis_batch_new(SESSION_BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    fill_session(l);
    struct err e = session_batch(l, hash, b);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    clock_format_utc(l->session.expires_ms, until);
    jsonw_str(w, "session", ARR(l->token.text));
    session_write_id(w, &l->token.name);
    jsonw_str(w, "session_expires_at", ARR(until));
    jsonw_end_object(w);
    access_send(&l->a, b, on_session_stored, l);
    return OK;
}

/* ---- the use ---- */

/* Nothing is told but that there is somebody. */
static ERR heard(struct look_up *l, const struct redis_reply *hash)
{
    struct judge j;
    TRY(judge_heard(&j, l->a.env->store, &l->person, clock_date_jst(wall_ms(l)), hash));
    return judge_lives(&j, hash) ? OK : FAIL(E_NOTHING);
}

static ERR on_first_use(struct look_up *l, const struct redis_reply *hash)
{
    struct jsonw w;
    TRY(consent_judge(l->a.env->store, &l->person, hash, &l->session.consent));
    l->a.fields = l->claims.allowed.fields;
    if (tells_eligibility(l)) {
        TRY(access_judge(&l->a, &w, &l->person, hash));
        return open_session(l, hash, &w);
    }
    TRY(heard(l, hash));
    jsonw_init(&w, req_out(l->a.r));
    jsonw_object(&w, NULL);
    return open_session(l, hash, &w);
}

static void note_use(struct look_up *l, const struct redis_reply *before)
{
    struct slice at = redis_reply_str(before);
    uint64_t ms = 0;
    for (size_t i = 0; i < at.n && i < 15 && at.p[i] >= '0' && at.p[i] <= '9'; i++)
        ms = 10 * ms + (uint64_t)(at.p[i] - '0');
    l->a.used_ms = ms;
}

static void on_used(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look_up *l = arg;
    if (err_ok(e) && n != USE_REPLIES)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        l->a.rec.epoch = (uint64_t)redis_reply_int(replies[2]);
    if (err_ok(e) && !err_ok(l->refused))
        e = l->refused;
    if (err_ok(e) && redis_reply_type(replies[0]) == REDIS_STR) {
        note_use(l, replies[0]);
        e = FAIL(E_USED);
    }
    if (err_ok(e))
        e = on_first_use(l, replies[1]);
    if (!err_ok(e))
        access_end(&l->a, e);
}

/* Names that nobody has, and a use that is forgotten at once: a refused key takes as long as one of a person without data. */
static void name_nobody(struct look_up *l)
{
    static const char HEX[] = "0123456789abcdef";
    struct person nobody;
    uint8_t rnd[sizeof nobody.h + STORE_HANDLE_BYTES];
    rnd_bytes(rnd, sizeof rnd);
    for (size_t i = 0; i < sizeof nobody.h; i++)
        nobody.h[i] = HEX[rnd[i] & 15];
    store_name_person(&nobody, &l->person);
    store_name_of_used(&nobody, rnd + sizeof nobody.h, &l->use);
    l->use_ms = 1;
}

static ERR name_somebody(struct look_up *l)
{
    struct store *s = l->a.env->store;
    struct consent_claim *c = &l->session.consent;
    uint64_t end_s = l->claims.exp + USE_MARGIN_S;
    TRY(store_person(s, l->claims.pmh_key, &l->session.person));
    store_name_person(&l->session.person, &l->person);
    TRY(store_handle_used(s, l->claims.jti, l->a.rec.ref));
    store_name_of_used(&l->session.person, l->a.rec.ref, &l->use);
    TRY(consent_name_of(s, &l->session.person, l->claims.consent_id, &c->name));
    c->version = l->claims.consent_version;
    c->given_s = l->claims.iat;
    l->a.rec.until_s = (uint32_t)end_s;
    l->use_ms = (end_s - l->claims.iat) * 1000;
    return OK;
}

/* The key is used up; what it rests on may have been withdrawn while the record was written. */
static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct look_up *l = arg;
    struct err e = session_judge(l->a.env->store, &l->person, hash, &l->token.name, &l->session.consent, wall_ms(l));
    if (err_is(e, E_SESSION))
        return (struct err){ E_CONSENT, e.site }; /* ended before its clinic heard of it */
    TRY(e);
    return tells_eligibility(l) ? access_judge_again(&l->a, hash) : heard(l, hash);
}

/* The first use wins in the same round trip that reads the records; it is made for every good key, known person or not, so
 * that a second use looks the same for both. */
static ERR use_link_key(struct look_up *l)
{
    if (err_ok(l->refused))
        TRY(name_somebody(l));
    else
        name_nobody(l);
    struct redis_batch *b = redis_batch_new(USE_BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    redis_begin(b, 7);
    redis_arg(b, LIT("SET"));
    redis_arg(b, store_name_slice(&l->use));
    redis_arg_u64(b, wall_ms(l));
    redis_arg(b, LIT("NX"));
    redis_arg(b, LIT("GET")); /* tells when, when there is one */
    redis_arg(b, LIT("PX"));
    redis_arg_u64(b, l->use_ms);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&l->person));
    redis_raise(b, STORE_EPOCH);
    fresh_watch(&l->a, &l->person, still_good, l);
    access_send(&l->a, b, on_used, l);
    return OK;
}

void clinic_look_up(struct req *r)
{
    struct look_up *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form) || !access_open(&l->a, r, AU_CLINIC_LOOKUP))
        return;
    struct err e = l->refused = check_link_key(l);
    if (err_ok(e) || err_is(e, E_TOKEN) || err_is(e, E_FORBIDDEN) || err_is(e, E_BASIS))
        e = use_link_key(l);
    if (!err_ok(e))
        access_end(&l->a, e);
}
