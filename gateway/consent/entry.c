#include "gateway/consent/consent_int.h"

#include "gateway/base/text.h"

enum { FORM_VERSION = 1, SESSION_VERSION = 2, STAMP_BYTES = 16 };

/* ---- names ---- */

static const char HEADS[CF__MAX][CONSENT_FIELD_HEAD + 1] = { [CF_WITHDRAWN] = "cw:", [CF_GIVEN] = "co:", [CF_SESSION] = "sn:" };

struct err consent_name_of(struct store *s, const struct person *p, struct slice consent_id, struct consent_name *ret_n)
{
    return store_handle_consent(s, p, consent_id, ret_n->b);
}

void consent_name_hex(const struct consent_name *n, char out[static CONSENT_HEX])
{
    static const char HEX[] = "0123456789abcdef";
    for (size_t i = 0; i < sizeof n->b; i++) {
        out[2 * i] = HEX[n->b[i] >> 4];
        out[2 * i + 1] = HEX[n->b[i] & 15];
    }
}

bool consent_name_parse(struct slice hex32, struct consent_name *ret_n) { return hex_decode(hex32, ret_n->b, sizeof ret_n->b); }

void consent__field(enum consent_field kind, const struct consent_name *n, struct store_name *ret_f)
{
    memcpy(ret_f->c, HEADS[kind], CONSENT_FIELD_HEAD);
    consent_name_hex(n, ret_f->c + CONSENT_FIELD_HEAD);
    ret_f->n = CONSENT_FIELD_HEAD + CONSENT_HEX;
}

bool consent__field_is(struct slice field, enum consent_field *ret_kind, struct consent_name *ret_n)
{
    struct slice head;
    if (!slice_take(&field, CONSENT_FIELD_HEAD, &head))
        return false;
    for (int k = 0; k < CF__MAX; k++)
        if (slice_eq(head, slice_str(HEADS[k]))) {
            *ret_kind = (enum consent_field)k;
            return consent_name_parse(field, ret_n);
        }
    return false;
}

struct slice consent__find(const struct redis_reply *hash, struct slice field)
{
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (slice_eq(redis_reply_str(redis_reply_at(hash, i)), field))
            return redis_reply_str(redis_reply_at(hash, i + 1));
    return SLICE_NONE;
}

/* ---- plain forms ---- */

static uint64_t take_be(struct slice *in, size_t bytes)
{
    uint64_t v = 0;
    struct slice part;
    if (slice_take(in, bytes, &part))
        for (size_t i = 0; i < part.n; i++)
            v = v << 8 | part.p[i];
    return v;
}

static bool take_bytes(struct slice *in, void *out, size_t n)
{
    struct slice part;
    if (!slice_take(in, n, &part))
        return false;
    memcpy(out, part.p, n);
    return true;
}

bool consent__stamp(struct slice value, struct consent_stamp *ret_s)
{
    if (value.n < STAMP_BYTES)
        return false;
    ret_s->until_ms = take_be(&value, 8);
    ret_s->at_ms = take_be(&value, 8);
    return true;
}

static void put_stamp(struct buf *b, struct consent_stamp s)
{
    buf_be64(b, s.until_ms);
    buf_be64(b, s.at_ms);
}

static ERR hset(const struct consent_place *at, struct slice value, struct redis_batch *b)
{
    REDIS_ADD(b, LIT("HSET"), store_name_slice(at->person), store_name_slice(&at->field), value);
    return OK;
}

/* plain begins with its stamp. Wipes it. */
static ERR seal_stamped(const struct consent_place *at, struct consent_stamp stamp, struct buf *plain, struct buf *out)
{
    put_stamp(out, stamp);
    struct err e = buf_check(plain);
    if (err_ok(e))
        e = store_seal(at->store, SLICE_NONE, at->person, store_name_slice(&at->field), buf_slice(plain), out);
    buf_done(plain);
    return e;
}

static ERR put_stamped(const struct consent_place *at, struct consent_stamp stamp, struct buf *plain, struct redis_batch *b)
{
    struct buf value;
    buf_init(&value, CONSENT_VALUE_MAX);
    struct err e = seal_stamped(at, stamp, plain, &value);
    if (err_ok(e))
        e = hset(at, buf_slice(&value), b);
    buf_done(&value);
    return e;
}

static void begin_stamped(struct buf *plain, struct consent_stamp stamp, uint8_t version)
{
    buf_init(plain, CONSENT_PLAIN_MAX);
    put_stamp(plain, stamp);
    buf_putc(plain, version);
}

/* Opens a stamped value; what follows stamp and version is handed to read(), which must take it all. */
static ERR open_stamped(const struct consent_place *at, struct slice value, uint8_t version, bool (*read)(struct slice *in, struct consent_stamp stamp, void *ret), void *ret)
{
    struct consent_stamp outside, inside;
    struct buf plain;
    if (!consent__stamp(value, &outside))
        return FAIL(E_SEAL);
    value = slice_of(value.p + STAMP_BYTES, value.n - STAMP_BYTES);
    buf_init(&plain, CONSENT_PLAIN_MAX);
    struct err e = store_open(at->store, SLICE_NONE, at->person, store_name_slice(&at->field), value, &plain);
    if (err_ok(e)) {
        struct slice in = buf_slice(&plain);
        bool good = consent__stamp(in, &inside) && inside.until_ms == outside.until_ms && inside.at_ms == outside.at_ms;
        take_be(&in, 8), take_be(&in, 8);
        if (!good || take_be(&in, 1) != version || !read(&in, inside, ret) || in.n)
            e = FAIL(E_SEAL);
    }
    buf_done(&plain);
    return err_is(e, E_FULL) ? FAIL(E_SEAL) : e;
}

/* ---- ce ---- */

struct err consent__open_all(struct store *s, const struct store_name *person, struct slice value, uint64_t *ret_at_ms)
{
    struct buf plain;
    buf_init(&plain, CONSENT_PLAIN_MAX);
    struct err e = store_open(s, SLICE_NONE, person, CONSENT_ALL_FIELD, value, &plain);
    struct slice in = buf_slice(&plain);
    if (err_ok(e) && (in.n != 9 || take_be(&in, 1) != FORM_VERSION))
        e = FAIL(E_SEAL);
    if (err_ok(e))
        *ret_at_ms = take_be(&in, 8);
    buf_done(&plain);
    return err_is(e, E_FULL) ? FAIL(E_SEAL) : e;
}

struct err consent__put_all(struct store *s, const struct store_name *person, uint64_t at_ms, struct redis_batch *b)
{
    struct buf plain, value;
    buf_init(&plain, CONSENT_PLAIN_MAX);
    buf_init(&value, CONSENT_SEALED_MAX);
    buf_putc(&plain, FORM_VERSION);
    buf_be64(&plain, at_ms);
    struct err e = buf_check(&plain);
    if (err_ok(e))
        e = store_seal(s, SLICE_NONE, person, CONSENT_ALL_FIELD, buf_slice(&plain), &value);
    if (err_ok(e))
        REDIS_ADD(b, LIT("HSET"), store_name_slice(person), CONSENT_ALL_FIELD, buf_slice(&value));
    buf_done(&plain);
    buf_done(&value);
    return e;
}

/* ---- cw ---- */

static bool read_withdrawn(struct slice *in, struct consent_stamp stamp, void *ret)
{
    struct consent_withdrawn *w = ret;
    w->stamp = stamp;
    if (in->n != 4)
        return false;
    w->version = (uint32_t)take_be(in, 4);
    return true;
}

struct err consent__open_withdrawn(const struct consent_place *at, struct slice value, struct consent_withdrawn *ret_w)
{
    return open_stamped(at, value, FORM_VERSION, read_withdrawn, ret_w);
}

struct err consent__put_withdrawn(const struct consent_place *at, const struct consent_withdrawn *w, struct redis_batch *b)
{
    struct buf plain;
    begin_stamped(&plain, w->stamp, FORM_VERSION);
    buf_be32(&plain, w->version);
    return put_stamped(at, w->stamp, &plain, b);
}

/* ---- co ---- */

static bool kinds_ok(uint8_t kinds) { return kinds && kinds < 1 << LINK_KIND__MAX; }
static bool clinic_ok(const char clinic[static CONSENT_CLINIC_CHARS]) { return all_digits(slice_of(clinic, CONSENT_CLINIC_CHARS)); }

static bool read_given(struct slice *in, struct consent_stamp stamp, void *ret)
{
    struct consent_entry *e = ret;
    if (in->n < 4 + 8 + 1)
        return false;
    e->until_ms = stamp.until_ms;
    e->seen_ms = stamp.at_ms;
    e->version = (uint32_t)take_be(in, 4);
    e->given_s = take_be(in, 8);
    e->kinds = (uint8_t)take_be(in, 1);
    if (!kinds_ok(e->kinds) || !take_bytes(in, e->clinic, sizeof e->clinic) || !clinic_ok(e->clinic) || in->n > sizeof e->purpose)
        return false;
    memset(e->purpose, 0, sizeof e->purpose);
    return take_bytes(in, e->purpose, in->n);
}

struct err consent__open_given(const struct consent_place *at, struct slice value, struct consent_entry *ret_e)
{
    return open_stamped(at, value, FORM_VERSION, read_given, ret_e);
}

struct err consent__seal_given(const struct consent_place *at, const struct consent_entry *e, struct buf *out)
{
    struct buf plain;
    struct consent_stamp stamp = { e->until_ms, e->seen_ms };
    begin_stamped(&plain, stamp, FORM_VERSION);
    buf_be32(&plain, e->version);
    buf_be64(&plain, e->given_s);
    buf_putc(&plain, e->kinds);
    buf_put(&plain, ARR(e->clinic));
    buf_put(&plain, slice_of(e->purpose, strnlen(e->purpose, sizeof e->purpose)));
    return seal_stamped(at, stamp, &plain, out);
}

struct err consent__put_given(const struct consent_place *at, const struct consent_entry *e, struct redis_batch *b)
{
    struct buf value;
    buf_init(&value, CONSENT_VALUE_MAX);
    struct err err = consent__seal_given(at, e, &value);
    if (err_ok(err))
        err = hset(at, buf_slice(&value), b);
    buf_done(&value);
    return err;
}

/* ---- sn ---- */

struct session_reading { struct session_entry *n; struct session_held *h; };

/* n characters into a place of max, NUL-padded. */
static bool take_text(struct slice *in, size_t n, char *out, size_t max)
{
    memset(out, 0, max);
    return n <= max && take_bytes(in, out, n) && !memchr(out, 0, n);
}

static bool read_held(struct slice *in, struct session_held *h)
{
    if (!take_bytes(in, h->cert, sizeof h->cert) || in->n < 2 + 1)
        return false;
    h->fields = (uint16_t)take_be(in, 2);
    const size_t purpose = (size_t)take_be(in, 1);
    memset(h->muni, 0, sizeof h->muni);
    if (!take_text(in, purpose, h->purpose, sizeof h->purpose))
        return false;
    if (!in->n)
        return take_text(in, 0, h->program, sizeof h->program);
    return take_bytes(in, h->muni, sizeof h->muni) && in->n && take_text(in, in->n, h->program, sizeof h->program);
}

static bool read_session(struct slice *in, struct consent_stamp stamp, void *ret)
{
    const struct session_reading *r = ret;
    struct session_entry *n = r->n;
    struct session_held unread;
    n->until_ms = stamp.until_ms;
    n->opened_ms = stamp.at_ms;
    if (!take_bytes(in, n->consent.name.b, sizeof n->consent.name.b) || in->n < 4 + 8 + 1 + CONSENT_CLINIC_CHARS)
        return false;
    n->consent.version = (uint32_t)take_be(in, 4);
    n->consent.given_s = take_be(in, 8);
    n->kinds = (uint8_t)take_be(in, 1);
    return kinds_ok(n->kinds) && take_bytes(in, n->clinic, sizeof n->clinic) && clinic_ok(n->clinic) && read_held(in, r->h ? r->h : &unread);
}

struct err consent__open_session(const struct consent_place *at, struct slice value, struct session_entry *ret_n, struct session_held *ret_h)
{
    return open_stamped(at, value, SESSION_VERSION, read_session, &(struct session_reading){ ret_n, ret_h });
}

static struct slice text_of(const char *p, size_t max) { return slice_of(p, strnlen(p, max)); }

static void put_held(struct buf *plain, const struct session_held *h)
{
    const struct slice purpose = text_of(h->purpose, sizeof h->purpose), program = text_of(h->program, sizeof h->program);
    buf_put(plain, ARR(h->cert));
    buf_be16(plain, h->fields);
    buf_putc(plain, (uint8_t)purpose.n);
    buf_put(plain, purpose);
    if (program.n) {
        buf_put(plain, ARR(h->muni));
        buf_put(plain, program);
    }
}

struct err consent__seal_session(const struct consent_place *at, const struct session_entry *n, const struct session_held *h, struct buf *out)
{
    struct buf plain;
    struct consent_stamp stamp = { n->until_ms, n->opened_ms };
    begin_stamped(&plain, stamp, SESSION_VERSION);
    buf_put(&plain, ARR(n->consent.name.b));
    buf_be32(&plain, n->consent.version);
    buf_be64(&plain, n->consent.given_s);
    buf_putc(&plain, n->kinds);
    buf_put(&plain, ARR(n->clinic));
    put_held(&plain, h);
    return seal_stamped(at, stamp, &plain, out);
}

struct err consent__put_session(const struct consent_place *at, const struct session_entry *n, const struct session_held *h, struct redis_batch *b)
{
    struct buf value;
    buf_init(&value, CONSENT_VALUE_MAX);
    struct err e = consent__seal_session(at, n, h, &value);
    if (err_ok(e))
        e = hset(at, buf_slice(&value), b);
    buf_done(&value);
    return e;
}
