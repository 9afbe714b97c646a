#include "gateway/clinic/session.h"

#include "gateway/base/secret.h"
#include "gateway/base/text.h"

static struct slice text_of(const char *p, size_t max) { return slice_of(p, strnlen(p, max)); }

bool session_is_for_program(const struct session *s, struct slice program)
{
    return !s->held.program[0] || slice_eq(text_of(s->held.program, sizeof s->held.program), program);
}

bool session_is_for(const struct session *s, struct slice muni, struct slice program)
{
    return !s->held.program[0] || (slice_eq(ARR(s->held.muni), muni) && session_is_for_program(s, program));
}

/* ---- the token ---- */

struct err session_token_new(struct store *store, const struct person *p, struct session_token *ret_t)
{
    uint8_t token[STORE_TOKEN_BYTES];
    struct err e = store_token_new(store, p, token, ret_t->name.b);
    if (err_ok(e))
        b64url_chars(ARR(token), ret_t->text);
    explicit_bzero(token, sizeof token);
    return e;
}

struct err session_token_read(struct store *store, struct slice text, struct person *ret_p, struct consent_name *ret_n)
{
    uint8_t token[STORE_TOKEN_BYTES];
    struct buf b;
    buf_init(&b, sizeof token);
    rnd_bytes(token, sizeof token);
    if (b64url_decode(text, &b) && b.n == sizeof token)
        memcpy(token, b.p, sizeof token);
    buf_done(&b);
    struct err e = store_token_open(store, token, ret_p, ret_n->b);
    explicit_bzero(token, sizeof token);
    return e;
}

/* ---- is it good? ---- */

static uint64_t now_of(const struct access *a) { return clock_wall(loop_clock(req_loop(a->r))); }

/* It has ended with its consent. */
static struct err ended(struct err e) { return err_is(e, E_CONSENT) ? (struct err){ E_SESSION, e.site } : e; }

static ERR note(struct access *a, const struct session *s, unsigned items)
{
    TRY(store_handle_of_person(a->env->store, &s->person, a->rec.subject));
    memcpy(a->rec.ref, s->open.name.b, sizeof a->rec.ref);
    a->rec.until_s = (uint32_t)(s->open.until_ms / 1000 + 1);
    a->rec.items = (uint16_t)items;
    return OK;
}

struct err session_judge_for(struct access *a, const struct redis_reply *hash, enum link_kind kind, unsigned items, struct session *io_s)
{
    struct store_name person;
    store_name_person(&io_s->person, &person);
    TRY(session_find(a->env->store, &person, hash, &io_s->open.name, &io_s->open, &io_s->held));
    TRY(note(a, io_s, items));
    if (!slice_eq(ARR(io_s->held.cert), ARR(req_caller(a->r)->cert_sha256)))
        return FAIL(E_CERT_REFUSED);
    if (io_s->open.until_ms <= now_of(a) || (kind != LINK_KIND__MAX && !(io_s->open.kinds & 1u << kind)))
        return FAIL(E_SESSION);
    TRY(access_basis(a, text_of(io_s->held.purpose, sizeof io_s->held.purpose), items));
    return ended(consent_judge(a->env->store, &person, hash, &io_s->open.consent));
}

struct err session_still_open(const struct access *a, const struct redis_reply *hash, const struct session *s)
{
    struct store_name person;
    store_name_person(&s->person, &person);
    return ended(session_judge(a->env->store, &person, hash, &s->open.name, &s->open.consent, now_of(a)));
}

uint64_t session_expiry(uint64_t now_ms, uint64_t life_ms, uint64_t iat_s)
{
    uint64_t end = now_ms + life_ms, bound = (iat_s + LINK_KEY_LIFE_S) * 1000;
    if (end > bound)
        end = bound;
    /* A link key that is accepted within the clock skew still opens a session, if only for a moment. */
    return end > now_ms ? end : now_ms + 1000;
}
