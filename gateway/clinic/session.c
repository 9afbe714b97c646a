/* Plain form: version u8 (3) | h[32] | handle[16] | identity[64] | certificate[32] | expires u64 | consent[16] | consent version u32 | given u64
 *             | kinds u8 | fields u16 | purpose[32] | muni[6] | program[50]     (big endian)
 * Version 2 ends before muni; it is still read. */
#include "gateway/clinic/session.h"

#include "gateway/base/must.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"

enum { SESSION_VERSION = 3, SESSION_FOR_ALL = 2 /* version without muni and program */ };

struct err session_encode(const struct session *s, struct buf *out)
{
    buf_putc(out, SESSION_VERSION);
    buf_put(out, ARR(s->person.h));
    buf_put(out, ARR(s->handle));
    buf_put(out, ARR(s->identity));
    buf_put(out, ARR(s->cert));
    buf_be64(out, s->expires_ms);
    buf_put(out, ARR(s->consent.name.b));
    buf_be32(out, s->consent.version);
    buf_be64(out, s->consent.given_s);
    buf_putc(out, s->scope.kinds);
    buf_be16(out, s->scope.fields);
    buf_put(out, ARR(s->purpose));
    buf_put(out, ARR(s->muni));
    buf_put(out, ARR(s->program));
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

static bool decode(struct slice in, struct session *s)
{
    uint64_t version, consent_version, kinds, fields;
    if (!take_be(&in, 1, &version) || version < SESSION_FOR_ALL || version > SESSION_VERSION || !take_bytes(&in, s->person.h, sizeof s->person.h) ||
        !take_bytes(&in, s->handle, sizeof s->handle) || !take_bytes(&in, s->identity, sizeof s->identity) ||
        !take_bytes(&in, s->cert, sizeof s->cert) || !take_be(&in, 8, &s->expires_ms) ||
        !take_bytes(&in, s->consent.name.b, sizeof s->consent.name.b) || !take_be(&in, 4, &consent_version) ||
        !take_be(&in, 8, &s->consent.given_s) || !take_be(&in, 1, &kinds) || !take_be(&in, 2, &fields) ||
        !take_bytes(&in, s->purpose, sizeof s->purpose))
        return false;
    memset(s->muni, 0, sizeof s->muni);
    memset(s->program, 0, sizeof s->program);
    if (version != SESSION_FOR_ALL && (!take_bytes(&in, s->muni, sizeof s->muni) || !take_bytes(&in, s->program, sizeof s->program)))
        return false;
    s->consent.version = (uint32_t)consent_version;
    s->scope = (struct link_scope){ (uint8_t)kinds, (uint16_t)fields };
    return in.n == 0 && s->identity[sizeof s->identity - 1] == '\0';
}

struct err session_decode(struct slice plain, struct session *ret_s)
{
    struct session s;
    if (!decode(plain, &s))
        return FAIL(E_SEAL);
    *ret_s = s;
    return OK;
}

bool session_is_for(const struct session *s, struct slice muni, struct slice program)
{
    if (!s->program[0])
        return true;
    return slice_eq(ARR(s->muni), muni) && slice_eq(slice_of(s->program, strnlen(s->program, sizeof s->program)), program);
}

void session_token(char out[static SESSION_TOKEN_CHARS])
{
    uint8_t random[SESSION_TOKEN_BYTES];
    rnd_bytes(random, sizeof random);
    b64url_chars(ARR(random), out);
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
