/* Plain form: version u8 (1) | h[32] | handle[16] | identity[64] | expires u64 | length u16 | scope     (big endian) */
#include "gateway/clinic/session.h"

#include "gateway/base/must.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { SESSION_VERSION = 1, SESSION_SCOPE_MAX = 256 };

struct err session_encode(const struct session *s, struct buf *out)
{
    if (s->scope.n > SESSION_SCOPE_MAX)
        return FAIL(E_FULL);
    buf_putc(out, SESSION_VERSION);
    buf_put(out, ARR(s->person.h));
    buf_put(out, ARR(s->handle));
    buf_put(out, ARR(s->identity));
    buf_be64(out, s->expires_ms);
    buf_be16(out, (uint16_t)s->scope.n);
    buf_put(out, s->scope);
    return buf_check(out);
}

static bool take_bytes(struct slice *in, void *out, size_t n)
{
    struct slice part;
    if (!slice_take(in, n, &part))
        return false;
    memcpy(out, part.p, n);
    return true;
}

static bool take_be(struct slice *in, size_t bytes, uint64_t *ret)
{
    struct slice part;
    if (!slice_take(in, bytes, &part))
        return false;
    *ret = 0;
    for (size_t i = 0; i < bytes; i++)
        *ret = *ret << 8 | part.p[i];
    return true;
}

struct err session_decode(struct slice plain, struct session *ret_s)
{
    struct session s;
    uint64_t version, scope_n;
    if (!take_be(&plain, 1, &version) || version != SESSION_VERSION)
        return FAIL(E_SEAL);
    if (!take_bytes(&plain, s.person.h, sizeof s.person.h) || !take_bytes(&plain, s.handle, sizeof s.handle) ||
        !take_bytes(&plain, s.identity, sizeof s.identity) || !take_be(&plain, 8, &s.expires_ms) || !take_be(&plain, 2, &scope_n))
        return FAIL(E_SEAL);
    if (s.identity[sizeof s.identity - 1] != '\0' || plain.n != scope_n)
        return FAIL(E_SEAL);
    s.scope = plain;
    *ret_s = s;
    return OK;
}

void session_token(char out[static SESSION_TOKEN_CHARS])
{
    uint8_t random[SESSION_TOKEN_BYTES];
    struct buf text;
    rnd_bytes(random, sizeof random);
    buf_init(&text, 64);
    b64url_encode(ARR(random), &text);
    MUST(text.n == SESSION_TOKEN_CHARS);
    memcpy(out, text.p, SESSION_TOKEN_CHARS);
    buf_done(&text);
    explicit_bzero(random, sizeof random);
}

uint64_t session_expiry(uint64_t now_ms, uint64_t life_ms, uint64_t iat_s)
{
    uint64_t end = now_ms + life_ms, bound = (iat_s + LINK_KEY_LIFE_S) * 1000;
    if (end > bound)
        end = bound;
    /* A link key that is accepted within the clock skew still opens a session, if only for a moment. */
    return end > now_ms ? end : now_ms + 1000;
}
