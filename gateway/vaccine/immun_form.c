/* Plain form: version u8 (3; in 2 recipients have no perhaps, in 1 versions have no reduction either) | id[16] | versions u16 | recipients u16 | each version, each recipient.
 *   a version    status u8 | flags u8 | muni[6] | dose u16 | date u32 | expiry u32 | amount u32 | recorded_ms u64 | warnings u32 | texts, each behind its length u16
 *   a recipient  audience u8 | version u16 | at_ms u64 | acked_ms u64 | who[10] | perhaps u32     (big endian) */
#include "gateway/base/text.h"
#include "gateway/vaccine/gs1.h"
#include "gateway/vaccine/immun.h"

enum { FORM_VERSION = 3, FORM_WITHOUT_PERHAPS = 2, FORM_WITHOUT_REDUCTION = 1, TEXT_MAX = 4096 };
enum { FLAG_CONSENTED = 1, FLAG_OVERSEAS = 2, FLAG_CAUTION = 4, FLAGS = 7 };

/* The order is stored. */
static const size_t TEXTS[] = {
    offsetof(struct immun, program), offsetof(struct immun, ticket), offsetof(struct immun, gtin),  offsetof(struct immun, vaccine), offsetof(struct immun, product),
    offsetof(struct immun, maker),   offsetof(struct immun, lot),    offsetof(struct immun, site),  offsetof(struct immun, route),   offsetof(struct immun, clinic),
    offsetof(struct immun, doctor),  offsetof(struct immun, place),  offsetof(struct immun, kind),  offsetof(struct immun, segment), offsetof(struct immun, special),
    offsetof(struct immun, reason),  offsetof(struct immun, request), offsetof(struct immun, writer),
    offsetof(struct immun, reduction),
};
enum { TEXTS_N = sizeof TEXTS / sizeof TEXTS[0], TEXTS_N_WITHOUT_REDUCTION = TEXTS_N - 1 };

static void encode_version(const struct immun *i, struct buf *out)
{
    buf_putc(out, (uint8_t)i->status);
    buf_putc(out, (uint8_t)((i->consented ? FLAG_CONSENTED : 0) | (i->overseas ? FLAG_OVERSEAS : 0) | (i->caution ? FLAG_CAUTION : 0)));
    buf_put(out, ARR(i->muni));
    buf_be16(out, (uint16_t)i->dose);
    buf_be32(out, i->date);
    buf_be32(out, i->expiry);
    buf_be32(out, i->amount_ul);
    buf_be64(out, i->recorded_ms);
    buf_be32(out, i->warnings);
    for (size_t k = 0; k < TEXTS_N; k++) {
        const struct slice text = *(const struct slice *)((const uint8_t *)i + TEXTS[k]);
        buf_be16(out, (uint16_t)(text.n <= TEXT_MAX ? text.n : 0));
        buf_put(out, text.n <= TEXT_MAX ? text : SLICE_NONE);
    }
}

static void encode_recipient(const struct immun_recipient *r, struct buf *out)
{
    buf_putc(out, (uint8_t)r->audience);
    buf_be16(out, r->version);
    buf_be64(out, r->at_ms);
    buf_be64(out, r->acked_ms);
    buf_put(out, ARR(r->who));
    buf_be32(out, r->perhaps);
}

ERR immun_encode(const struct immun_record *rec, struct buf *out)
{
    if (rec->n_versions == 0 || rec->n_versions > IMMUN_VERSIONS_MAX || rec->n_recipients > IMMUN_RECIPIENTS_MAX)
        return FAIL(E_FULL);
    buf_putc(out, FORM_VERSION);
    buf_put(out, ARR(rec->id));
    buf_be16(out, (uint16_t)rec->n_versions);
    buf_be16(out, (uint16_t)rec->n_recipients);
    for (size_t i = 0; i < rec->n_versions; i++)
        encode_version(&rec->versions[i], out);
    for (size_t i = 0; i < rec->n_recipients; i++)
        encode_recipient(&rec->recipients[i], out);
    return buf_check(out);
}

/* ---- and back ---- */

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

static bool is_day(uint64_t d)
{
    char text[10];
    ymd_t same;
    if (d > 99991231)
        return false;
    ymd_format((ymd_t)d, text);
    return ymd_parse(ARR(text), &same) && same == d;
}

static bool decode_texts(struct slice *in, size_t n_texts, struct immun *i)
{
    i->reduction = SLICE_NONE;
    for (size_t k = 0; k < n_texts; k++) {
        uint64_t n;
        struct slice *text = (struct slice *)((uint8_t *)i + TEXTS[k]);
        if (!take_be(in, 2, &n) || n > TEXT_MAX || !slice_take(in, n, text) || !utf8_valid(*text))
            return false;
        if (!n)
            *text = SLICE_NONE;
    }
    return i->program.n && all_url_safe(i->program) && (!i->gtin.n || (i->gtin.n == GS1_GTIN && all_digits(i->gtin)));
}

static bool decode_version(struct slice *in, size_t n_texts, struct immun *i)
{
    uint64_t status, flags, dose, date, expiry, amount, recorded, warnings;
    if (!take_be(in, 1, &status) || !take_be(in, 1, &flags) || !take_bytes(in, i->muni, sizeof i->muni) || !take_be(in, 2, &dose) || !take_be(in, 4, &date) ||
        !take_be(in, 4, &expiry) || !take_be(in, 4, &amount) || !take_be(in, 8, &recorded) || !take_be(in, 4, &warnings))
        return false;
    if ((status != IMMUN_COMPLETED && status != IMMUN_CANCELLED) || flags > FLAGS || !all_digits(ARR(i->muni)) || !dose || !is_day(date) ||
        (expiry && !is_day(expiry)))
        return false;
    i->status = (enum immun_status)status;
    i->consented = flags & FLAG_CONSENTED;
    i->overseas = flags & FLAG_OVERSEAS;
    i->caution = flags & FLAG_CAUTION;
    i->dose = (unsigned)dose;
    i->date = (ymd_t)date;
    i->expiry = (ymd_t)expiry;
    i->amount_ul = (uint32_t)amount;
    i->recorded_ms = recorded;
    i->warnings = (uint32_t)warnings;
    return decode_texts(in, n_texts, i);
}

static bool decode_recipient(struct slice *in, uint64_t form, size_t n_versions, struct immun_recipient *r)
{
    uint64_t audience, version, perhaps = 0;
    if (!take_be(in, 1, &audience) || !take_be(in, 2, &version) || !take_be(in, 8, &r->at_ms) || !take_be(in, 8, &r->acked_ms) ||
        !take_bytes(in, r->who, sizeof r->who) || (form == FORM_VERSION && !take_be(in, 4, &perhaps)))
        return false;
    r->audience = (enum immun_audience)audience;
    r->version = (uint16_t)version;
    r->perhaps = (uint32_t)perhaps;
    return audience > 0 && audience < IMMUN_TO__MAX && (version > 0 || perhaps) && version <= n_versions && perhaps >> n_versions == 0 &&
           !(perhaps & (((uint64_t)1 << version) - 1));
}

static bool is_form(uint64_t form) { return form >= FORM_WITHOUT_REDUCTION && form <= FORM_VERSION; }

bool immun_counts(struct slice plain, size_t *ret_versions, size_t *ret_recipients)
{
    struct slice id;
    uint64_t form, versions, recipients;
    if (!take_be(&plain, 1, &form) || !is_form(form) || !slice_take(&plain, IMMUN_ID_BYTES, &id) ||
        !take_be(&plain, 2, &versions) || !take_be(&plain, 2, &recipients))
        return false;
    *ret_versions = (size_t)versions;
    *ret_recipients = (size_t)recipients;
    return true;
}

static bool decode(struct slice in, struct immun_record *rec)
{
    uint64_t form, versions, recipients;
    if (!take_be(&in, 1, &form) || !is_form(form) || !take_bytes(&in, rec->id, sizeof rec->id) || !take_be(&in, 2, &versions) ||
        !take_be(&in, 2, &recipients) || versions == 0 || versions > IMMUN_VERSIONS_MAX || recipients > IMMUN_RECIPIENTS_MAX)
        return false;
    rec->n_versions = versions;
    rec->n_recipients = recipients;
    for (size_t i = 0; i < versions; i++)
        if (!decode_version(&in, form == FORM_WITHOUT_REDUCTION ? TEXTS_N_WITHOUT_REDUCTION : TEXTS_N, &rec->versions[i]))
            return false;
    for (size_t i = 0; i < recipients; i++)
        if (!decode_recipient(&in, form, versions, &rec->recipients[i]))
            return false;
    return in.n == 0;
}

ERR immun_decode(struct slice plain, struct immun_record *ret_rec) { return decode(plain, ret_rec) ? OK : FAIL(E_SEAL); }
