/* Clinic apps: the place where webhooks arrive, for every clinic. Believes nothing but the signature: the gateway's public keys are fetched from its portal door, the
 * time must be near ours, and what was taken once is not taken again from somebody who copied it. A repetition by the gateway is signed anew. */
#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/text.h"
#include "gateway/check/json_in.h"
#include "mocks/partners.h"
#include "mocks/routes.h"

enum { SKEW_S = 300, HEAD_MAX = 1024, CLINIC_DIGITS = 10, WORD_MAX = 64, URL_MAX = 512, FETCH_MS = 5000, KEYS_JSON_MAX = 64 * 1024, KEPT_LINE = 16384,
       SEEN_FIRST = 64, SEEN_MAX = 65536 };

struct hook {
    struct nation *n;
    struct req *r;
    struct fault fx;
    struct slice head, signature64; /* of the header, base64url */
    struct slice kid, jti, clinic;
    uint64_t iat;
    uint8_t signature[ES256_SIGNATURE];
    json_t *message;
};

/* ---- reading ---- */

/* A decoded part of the header, in the request's arena. */
static bool decoded(struct req *r, struct slice text, size_t max, struct slice *ret)
{
    struct buf b;
    buf_init(&b, max);
    const bool good = b64url_decode(text, &b);
    *ret = good ? arena_dup(req_arena(r), buf_slice(&b)) : SLICE_NONE;
    buf_done(&b);
    return good && ret->n;
}

static ERR head_read(struct hook *h)
{
    json_t *obj;
    struct slice plain, alg, rest, none, bytes;
    const struct slice header = req_header(h->r, HTTP_KNOWN_SIGNATURE);
    if (!slice_cut(header, '.', &h->head, &rest) || !slice_cut(rest, '.', &none, &h->signature64) || none.n || !decoded(h->r, h->head, HEAD_MAX, &plain) ||
        !decoded(h->r, h->signature64, ES256_SIGNATURE, &bytes) || bytes.n != ES256_SIGNATURE || !err_ok(json_in_object(&obj, req_arena(h->r), plain)))
        return FAIL(E_TOKEN);
    const json_t *iat = json_object_get(obj, "iat");
    if (json_object_size(obj) != 5 || !member_text(obj, "alg", WORD_MAX, &alg) || !slice_eq(alg, LIT("ES256")) || !member_text(obj, "kid", WORD_MAX, &h->kid) ||
        h->kid.n != ES256_KID || !member_text(obj, "jti", MESSAGE_ID, &h->jti) || !is_message_id(h->jti) || !member_text(obj, "aud", WORD_MAX, &h->clinic) ||
        h->clinic.n != CLINIC_DIGITS || !all_digits(h->clinic) || !json_is_integer(iat) || json_integer_value(iat) < 0)
        return FAIL(E_TOKEN);
    h->iat = (uint64_t)json_integer_value(iat);
    memcpy(h->signature, bytes.p, sizeof h->signature);
    return OK;
}

/* Members that a message may have, all of them texts. */
static ERR message_read(struct hook *h)
{
    static const struct { const char *name; bool needed; } MEMBERS[] = {
        { "messageId", true }, { "event", true }, { "municipalityCode", true }, { "occurredAt", true }, { "questionnaireId", false }, { "sessionId", false },
        { "immunizationId", false }, { "version", false },
    };
    struct slice text, id = SLICE_NONE;
    size_t found = 0;
    TRY(json_in_object(&h->message, req_arena(h->r), req_body(h->r)));
    for (size_t i = 0; i < sizeof MEMBERS / sizeof MEMBERS[0]; i++) {
        const bool there = json_object_get(h->message, MEMBERS[i].name) != NULL;
        if ((there || MEMBERS[i].needed) && !member_text(h->message, MEMBERS[i].name, WORD_MAX, &text))
            return FAIL(E_FIELD);
        found += there;
        if (i == 0)
            id = text;
    }
    return found == json_object_size(h->message) && slice_eq(id, h->jti) ? OK : FAIL(E_FIELD);
}

/* ---- taking ---- */

static const struct web_key *key_of(const struct partners *p, struct slice kid)
{
    for (size_t i = 0; i < p->clinic.n_keys; i++)
        if (slice_eq(ARR(p->clinic.keys[i].kid), kid))
            return &p->clinic.keys[i];
    return NULL;
}

static bool signature_good(const struct hook *h, const struct web_key *key)
{
    struct buf text;
    buf_init(&text, HEAD_MAX * 2 + 2 * req_body(h->r).n);
    buf_put(&text, h->head);
    buf_putc(&text, '.');
    b64url_encode(req_body(h->r), &text);
    const bool good = !text.failed && es256_verify(key->verifier, buf_slice(&text), ARR(h->signature));
    buf_done(&text);
    return good;
}

static bool is_near(const struct hook *h)
{
    const uint64_t now = clock_wall(loop_clock(h->n->l)) / 1000;
    return h->iat + SKEW_S >= now && h->iat <= now + SKEW_S;
}

static ERR seen_add(struct partners *p, const struct hook *h)
{
    if (p->clinic.n_seen == SEEN_MAX)
        return FAIL(E_FULL);
    if (p->clinic.n_seen == p->clinic.cap_seen) {
        const size_t cap = p->clinic.cap_seen ? 2 * p->clinic.cap_seen : SEEN_FIRST;
        struct hook_seen *seen = realloc(p->clinic.seen, cap * sizeof *seen);
        if (!seen)
            return FAIL(E_NOMEM);
        p->clinic.seen = seen;
        p->clinic.cap_seen = cap;
    }
    struct hook_seen *s = &p->clinic.seen[p->clinic.n_seen++];
    memcpy(s->jti, h->jti.p, sizeof s->jti);
    memcpy(s->nonce, h->signature, sizeof s->nonce);
    return OK;
}

static ERR keep(struct partners *p, const struct hook *h)
{
    struct buf line;
    struct jsonw w;
    buf_init(&line, KEPT_LINE);
    jsonw_init(&w, &line);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "clinic", h->clinic);
    jsonw_u64(&w, "iat", h->iat);
    jsonw_str(&w, "signature", req_header(h->r, HTTP_KNOWN_SIGNATURE));
    jsonw_str(&w, "body", req_body(h->r));
    jsonw_raw(&w, "message", req_body(h->r));
    jsonw_end_object(&w);
    struct err e = buf_check(&line);
    if (err_ok(e))
        e = kept_add(&p->clinic.messages, buf_slice(&line));
    buf_done(&line);
    return e;
}

static ERR take(struct hook *h, const struct web_key *key)
{
    struct partners *p = h->n->partners;
    bool known = false;
    if (!key || !signature_good(h, key)) {
        p->clinic.bad_signature++;
        return FAIL(E_TOKEN);
    }
    if (!is_near(h)) {
        p->clinic.stale++;
        return FAIL(E_TOKEN);
    }
    for (size_t i = 0; i < p->clinic.n_seen; i++) {
        const struct hook_seen *s = &p->clinic.seen[i];
        if (slice_eq(ARR(s->nonce), slice_of(h->signature, ES256_COORDINATE))) {
            p->clinic.replayed++;
            return FAIL(E_CONFLICT);
        }
        known = known || slice_eq(ARR(s->jti), h->jti);
    }
    TRY(message_read(h));
    TRY(seen_add(p, h));
    p->clinic.repeated += known;
    return known ? OK : keep(p, h);
}

static void end(struct hook *h, struct err e)
{
    if (err_is(e, E_FIELD))
        h->n->partners->clinic.bad_shape++;
    if (err_ok(e))
        partner_answer(h->n, h->r, &h->fx, "messageId", h->jti, NULL);
    else
        answer_fail(h->n, h->r, &h->fx, e);
}

/* ---- public keys ---- */

static bool coordinate(json_t *jwk, const char *name, uint8_t out[static ES256_COORDINATE])
{
    struct slice text;
    struct buf b;
    buf_init(&b, ES256_COORDINATE);
    const bool good = member_text(jwk, name, WORD_MAX, &text) && b64url_decode(text, &b) && b.n == ES256_COORDINATE;
    if (good)
        memcpy(out, b.p, ES256_COORDINATE);
    buf_done(&b);
    return good;
}

static void key_take(struct partners *p, json_t *jwk)
{
    struct es256_key k;
    struct web_key key;
    struct slice crv;
    if (p->clinic.n_keys == WEB_KEYS_MAX || !member_text(jwk, "crv", WORD_MAX, &crv) || !slice_eq(crv, LIT("P-256")) || !coordinate(jwk, "x", k.x) ||
        !coordinate(jwk, "y", k.y) || !err_ok(es256_thumbprint(&k, key.kid)) || !err_ok(es256_verifier_new(&key.verifier, &k)))
        return;
    p->clinic.keys[p->clinic.n_keys++] = key;
}

static void keys_take(struct partners *p, struct arena *a, struct slice body)
{
    json_t *obj, *jwk;
    size_t i;
    if (!err_ok(json_in_object(&obj, a, body)))
        return;
    for (i = 0; i < p->clinic.n_keys; i++)
        es256_verifier_free(p->clinic.keys[i].verifier);
    p->clinic.n_keys = 0;
    json_array_foreach (json_object_get(obj, "keys"), i, jwk)
        key_take(p, jwk);
}

static void on_keys(void *arg, struct err e, int status, struct slice body)
{
    struct hook *h = arg;
    struct partners *p = h->n->partners;
    if (!err_ok(e) || status != 200) {
        end(h, FAIL(E_UPSTREAM_DOWN)); /* 502: the gateway tries again */
        return;
    }
    p->clinic.keys_fetched++;
    keys_take(p, req_arena(h->r), body);
    end(h, take(h, key_of(p, h->kid)));
}

static void keys_fetch(struct hook *h)
{
    char url[URL_MAX];
    struct buf none;
    snprintf(url, sizeof url, "%s/.well-known/webhooks/jwks.json", h->n->portal_door);
    buf_init(&none, 1);
    const struct client_req cr = { .method = "GET", .url = url, .answer_max = KEYS_JSON_MAX, .timeout_ms = FETCH_MS };
    client_send(h->n->client, &cr, &none, on_keys, h);
    buf_done(&none);
}

static void webhook_post(struct req *r)
{
    struct nation *n = req_ctx(r);
    const struct fault fx = faults_take(&n->faults, SYSTEM_CLINIC_APP);
    struct hook *h = arena_get(req_arena(r), sizeof *h);
    n->partners->clinic.requests++;
    if (partner_stopped(n, r, &fx))
        return;
    if (!h) {
        answer_fail(n, r, &fx, FAIL(E_NOMEM));
        return;
    }
    *h = (struct hook){ .n = n, .r = r, .fx = fx };
    struct err e = head_read(h);
    if (!err_ok(e)) {
        n->partners->clinic.bad_signature++;
        end(h, e);
        return;
    }
    const struct web_key *key = key_of(n->partners, h->kid);
    if (key)
        end(h, take(h, key));
    else
        keys_fetch(h);
}

/* ---- the control door ---- */

void clinic_app_kept(const struct partners *p, struct jsonw *w)
{
    jsonw_u64(w, "requests", p->clinic.requests);
    jsonw_u64(w, "repeated", p->clinic.repeated);
    jsonw_u64(w, "bad_shape", p->clinic.bad_shape);
    jsonw_u64(w, "bad_signature", p->clinic.bad_signature);
    jsonw_u64(w, "stale", p->clinic.stale);
    jsonw_u64(w, "replayed", p->clinic.replayed);
    jsonw_u64(w, "keys_fetched", p->clinic.keys_fetched);
    kept_write(&p->clinic.messages, w, "messages");
}

void clinic_app_forget(struct partners *p)
{
    kept_clear(&p->clinic.messages);
    free(p->clinic.seen);
    p->clinic.seen = NULL;
    p->clinic.n_seen = p->clinic.cap_seen = 0;
}

const struct route CLINIC_APP_ROUTES[] = {
    { M_POST, "/clinic-app/v1/webhooks", { "takeWebhook" }, 0, false, 16384, "application/json", 130000, webhook_post },
    { M_POST, "/redirected", { "redirected" }, 0, false, 65536, "application/json", 1000, redirected },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t CLINIC_APP_ROUTES_N = sizeof CLINIC_APP_ROUTES / sizeof *CLINIC_APP_ROUTES;
