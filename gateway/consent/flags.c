#include "gateway/base/text.h"
#include "gateway/consent/consent.h"

enum { FORM_VERSION = 1, MUNI_CHARS = 6, HEAD = 2, FIXED = 1 + 1 + 8, PLAIN_MAX = FIXED + CONSENT_REASON_MAX };

void flags_field(const char muni[static MUNI_CHARS], struct store_name *ret_f)
{
    memcpy(ret_f->c, "f:", HEAD);
    memcpy(ret_f->c + HEAD, muni, MUNI_CHARS);
    ret_f->n = HEAD + MUNI_CHARS;
}

bool flags_field_is(struct slice field, struct slice *ret_muni)
{
    struct slice head;
    if (field.n != HEAD + MUNI_CHARS || !slice_take(&field, HEAD, &head) || !slice_eq(head, LIT("f:")) || !all_digits(field))
        return false;
    *ret_muni = field;
    return true;
}

static bool reason_ok(struct slice reason)
{
    for (size_t i = 0; i < reason.n; i++)
        if (reason.p[i] != '_' && (reason.p[i] < 'a' || reason.p[i] > 'z'))
            return false;
    return reason.n >= 1 && reason.n <= CONSENT_REASON_MAX;
}

static bool decode(struct slice in, struct control_flags *ret_f)
{
    struct slice head;
    struct control_flags f = { 0 };
    if (!slice_take(&in, FIXED, &head) || head.p[0] != FORM_VERSION || (head.p[1] & ~FLAGS_ALL) || !reason_ok(in))
        return false;
    f.bits = head.p[1];
    for (size_t i = 2; i < FIXED; i++)
        f.set_ms = f.set_ms << 8 | head.p[i];
    memcpy(f.reason, in.p, in.n);
    *ret_f = f;
    return true;
}

struct err flags_open(struct store *s, const struct store_name *person, struct slice field, struct slice sealed, struct control_flags *ret_f)
{
    struct slice muni;
    struct buf plain;
    if (!flags_field_is(field, &muni))
        return FAIL(E_SEAL);
    buf_init(&plain, PLAIN_MAX);
    struct err e = store_open(s, muni, person, field, sealed, &plain);
    if (err_ok(e) && !decode(buf_slice(&plain), ret_f))
        e = FAIL(E_SEAL);
    buf_done(&plain);
    return err_is(e, E_FULL) ? FAIL(E_SEAL) : e;
}

bool flags_decode(struct slice plain, struct control_flags *ret_f) { return decode(plain, ret_f); }

struct err flags_encode(const struct control_flags *f, struct buf *out)
{
    struct slice reason = slice_of(f->reason, strnlen(f->reason, sizeof f->reason));
    if ((f->bits & ~FLAGS_ALL) || !reason_ok(reason))
        return FAIL(E_FIELD);
    buf_putc(out, FORM_VERSION);
    buf_putc(out, f->bits);
    buf_be64(out, f->set_ms);
    buf_put(out, reason);
    return buf_check(out);
}

struct err flags_add(struct store *s, const struct store_name *person, const char muni[static MUNI_CHARS], const struct control_flags *f, struct redis_batch *b)
{
    struct store_name field;
    struct buf plain, sealed;
    flags_field(muni, &field);
    if (!f->bits) {
        REDIS_ADD(b, LIT("HDEL"), store_name_slice(person), store_name_slice(&field));
        return OK;
    }
    buf_init(&plain, PLAIN_MAX);
    buf_init(&sealed, PLAIN_MAX + AEAD_OVERHEAD);
    struct err e = flags_encode(f, &plain);
    if (err_ok(e))
        e = store_seal(s, slice_of(muni, MUNI_CHARS), person, store_name_slice(&field), buf_slice(&plain), &sealed);
    if (err_ok(e))
        REDIS_ADD(b, LIT("HSET"), store_name_slice(person), store_name_slice(&field), buf_slice(&sealed));
    buf_done(&plain);
    buf_done(&sealed);
    return e;
}
