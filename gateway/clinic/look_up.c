#include "gateway/clinic/clinic.h"
#include "gateway/clinic/session.h"
#include "gateway/consent/tell.h"
#include "gateway/lookup/access.h"

enum { USE_MARGIN_S = CLOCK_SKEW_S + 60 /* a use is remembered beyond the end of its key */, USE_BATCH_MAX = 8192, USE_BATCH_SIZE = 2048 /* as a rule */, SETTLE_BATCH_MAX = 256 * 1024 /* with all that may have to be pruned */ };
enum { USE_REPLIES = 2 + SESSION_USE_REPLIES };

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
    struct store_name person;
    struct session session;
    struct session_token token;
    struct consent_entry consent;
    bool noted;                /* the consent was not there before */
    struct redis_batch *rest;  /* what is left to do when this is the first use; NULL */
    bool rest_matters;         /* and is waited for */
    bool gone;                 /* what was left has been taken back, since nothing is told */
    struct err why;            /* what is told when it is gone */
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
        TRY(store_person(a->env->store, l->claims.pmh_key, &l->session.person));
        TRY(store_handle_of_person(a->env->store, &l->session.person, a->rec.subject));
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

/* ---- the session: written before the use is known, and unusable until its token has left ---- */

static void fill_session(struct look_up *l)
{
    struct session_entry *n = &l->session.open;
    struct session_held *h = &l->session.held;
    n->until_ms = session_expiry(wall_ms(l), l->a.env->session_life_ms, l->claims.iat);
    n->kinds = l->claims.allowed.kinds;
    memset(n->clinic, '0', sizeof n->clinic);
    if (l->claims.aud.n == sizeof n->clinic)
        memcpy(n->clinic, l->claims.aud.p, sizeof n->clinic);
    memcpy(h->cert, req_caller(l->a.r)->cert_sha256, sizeof h->cert);
    memcpy(h->purpose, l->claims.purpose.p ? l->claims.purpose.p : (const uint8_t *)"", l->claims.purpose.n); /* at most CLAIM_PURPOSE_MAX; zeroed memory */
    h->fields = l->claims.allowed.fields;
}

static void fill_consent(struct look_up *l)
{
    const struct session_entry *n = &l->session.open;
    struct consent_entry *e = &l->consent;
    *e = (struct consent_entry){ .name = n->consent.name, .version = n->consent.version, .given_s = n->consent.given_s,
                                 .until_ms = (l->claims.iat + LINK_KEY_LIFE_S) * 1000, .seen_ms = wall_ms(l), .kinds = n->kinds };
    memcpy(e->clinic, n->clinic, sizeof e->clinic);
    memcpy(e->purpose, l->session.held.purpose, sizeof e->purpose);
}

static void tell_session(const struct look_up *l, struct jsonw *w)
{
    char until[24];
    clock_format_utc(l->session.open.until_ms, until);
    jsonw_str(w, "session", ARR(l->token.text));
    session_write_id(w, &l->token.name);
    jsonw_str(w, "session_expires_at", ARR(until));
    jsonw_end_object(w);
}

/* ---- whether it is the first use; before that nothing has left but the session, which nobody has the token of ---- */

static void on_settled(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct look_up *l = arg;
    if (err_ok(e))
        access_used(&l->a, OK);
    else
        access_end(&l->a, e);
}

static void on_pruned(void *arg, struct err e, const struct redis_reply *const *replies, size_t n) { (void)arg, (void)e, (void)replies, (void)n; }

/* What could not be known before. Nobody waits for what is only pruned. */
static ERR plan_rest(struct look_up *l, const struct redis_reply *hash)
{
    struct redis_batch *b = redis_batch_new(SETTLE_BATCH_MAX);
    struct err e = b ? consent_use_settle(l->a.env->store, &l->person, hash, &l->consent, &l->session.open, l->noted, wall_ms(l), b, &l->rest_matters) : FAIL(E_NOMEM);
    if (err_ok(e) && redis_batch_count(b))
        l->rest = b;
    else
        redis_batch_free(b);
    return e;
}

static void settle(struct look_up *l)
{
    struct redis_batch *b = l->rest;
    l->rest = NULL;
    if (b)
        access_send(&l->a, b, l->rest_matters ? on_settled : on_pruned, l);
    if (!b || !l->rest_matters)
        access_used(&l->a, OK);
}

static void known(struct access *a, struct err e);

static void on_taken_back(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    (void)replies, (void)n;
    struct look_up *l = arg;
    const struct err why = err_ok(e) ? l->why : e;
    l->gone = true;
    if (err_is(why, E_USED) || !err_ok(e))
        access_end(&l->a, why);
    else if (err_is(why, E_AUDIT_DOWN))
        access_used(&l->a, why);
    else
        access_use(&l->a, why, known);
}

/* What was left goes before anybody hears why. The consent stays where somebody may have been told under it: by the use that was first. */
static void take_back(struct look_up *l, struct err why)
{
    const bool told = err_is(why, E_USED) || err_is(why, E_AUDIT_DOWN);
    struct redis_batch *b = redis_batch_new(USE_BATCH_MAX);
    struct err e = b ? consent_use_take_back(&l->person, l->noted && !told ? &l->consent.name : NULL, &l->token.name, b) : FAIL(E_NOMEM);
    l->why = why;
    if (err_ok(e)) {
        access_send(&l->a, b, on_taken_back, l);
        return;
    }
    redis_batch_free(b);
    access_end(&l->a, e);
}

static void known(struct access *a, struct err e)
{
    struct look_up *l = (struct look_up *)a;
    if (err_ok(e)) {
        settle(l);
        return;
    }
    redis_batch_free(l->rest);
    l->rest = NULL;
    memset(a->rec.muni, '0', sizeof a->rec.muni); /* nobody's data are told */
    a->rec.count = 0;
    if (!l->gone)
        take_back(l, e);
    else if (err_is(e, E_USED))
        access_end(a, e);
    else
        access_used(a, e);
}

/* ---- what may be told ---- */

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
    TRY(consent_judge(l->a.env->store, &l->person, hash, &l->session.open.consent));
    l->a.fields = l->claims.allowed.fields;
    if (tells_eligibility(l)) {
        TRY(access_judge(&l->a, &w, &l->person, hash));
    } else {
        TRY(heard(l, hash));
        jsonw_init(&w, req_out(l->a.r));
        jsonw_object(&w, NULL);
    }
    tell_session(l, &w);
    return buf_check(req_out(l->a.r));
}

static ERR judge_use(struct look_up *l, const struct redis_reply *hash)
{
    TRY(l->refused);
    TRY(on_first_use(l, hash));
    return plan_rest(l, hash);
}

static void on_left(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct look_up *l = arg;
    if (err_ok(e) && n != USE_REPLIES)
        e = FAIL(E_STORE_REFUSED);
    if (!err_ok(e)) {
        access_end(&l->a, e);
        return;
    }
    l->noted = redis_reply_int(replies[1]) == 1;
    l->a.rec.epoch = (uint64_t)redis_reply_int(replies[USE_REPLIES - 1]);
    e = judge_use(l, replies[0]);
    if (err_ok(e))
        access_use(&l->a, OK, known);
    else
        take_back(l, e);
}

/* Names that nobody has: a refused key takes as long as one of a person without data. */
static void name_nobody(struct look_up *l)
{
    static const char HEX[] = "0123456789abcdef";
    struct person nobody;
    uint8_t rnd[sizeof nobody.h];
    rnd_bytes(rnd, sizeof rnd);
    for (size_t i = 0; i < sizeof nobody.h; i++)
        nobody.h[i] = HEX[rnd[i] & 15];
    l->session.person = nobody;
    store_name_person(&nobody, &l->person);
}

static ERR name_somebody(struct look_up *l)
{
    struct store *s = l->a.env->store;
    struct consent_claim *c = &l->session.open.consent;
    store_name_person(&l->session.person, &l->person);
    TRY(store_handle_used(s, l->claims.jti, l->a.rec.ref));
    TRY(consent_name_of(s, &l->session.person, l->claims.consent_id, &c->name));
    c->version = l->claims.consent_version;
    c->given_s = l->claims.iat;
    l->a.rec.until_s = (uint32_t)(l->claims.exp + USE_MARGIN_S);
    return OK;
}

/* Ended before its clinic heard of it: by the citizen, then nothing is told; or by that clinic's own lookups side by side, then it is told, and its session has ended. */
static ERR judge_ended(struct look_up *l, const struct redis_reply *hash)
{
    bool gave_way;
    struct store *s = l->a.env->store;
    TRY(consent_gave_way(s, &l->person, hash, &l->session.open, wall_ms(l), &gave_way));
    return gave_way ? consent_judge(s, &l->person, hash, &l->session.open.consent) : FAIL(E_CONSENT);
}

/* The key is used up; what it rests on may have been withdrawn while the record was written. */
static struct err still_good(void *arg, const struct redis_reply *hash)
{
    struct look_up *l = arg;
    struct err e = session_judge(l->a.env->store, &l->person, hash, &l->token.name, &l->session.open.consent, wall_ms(l));
    TRY(err_is(e, E_SESSION) ? judge_ended(l, hash) : e);
    return tells_eligibility(l) ? access_judge_again(&l->a, hash) : heard(l, hash);
}

/* The records are read and the session is left in one round trip; for every key, known person or not, first use or not. */
static ERR fill_batch(struct look_up *l, struct redis_batch *b)
{
    redis_batch_expect(b, USE_BATCH_SIZE);
    REDIS_ADD(b, LIT("HGETALL"), store_name_slice(&l->person)); /* as it was before */
    TRY(session_add_unseen(l->a.env->store, &l->session, &l->consent, wall_ms(l), &l->token, b));
    redis_raise(b, STORE_EPOCH);
    return OK;
}

static ERR use_link_key(struct look_up *l)
{
    if (err_ok(l->refused))
        TRY(name_somebody(l));
    else
        name_nobody(l);
    fill_session(l);
    fill_consent(l);
    struct redis_batch *b = redis_batch_new(USE_BATCH_MAX);
    struct err e = b ? fill_batch(l, b) : FAIL(E_NOMEM);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    fresh_watch(&l->a, &l->person, still_good, l);
    access_send(&l->a, b, on_left, l);
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
