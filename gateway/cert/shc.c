#include "gateway/cert/shc.h"

#include <openssl/evp.h>
#include <stdlib.h>
#include <zlib.h>

#include "gateway/base/json_write.h"
#include "gateway/base/text.h"

enum { PAYLOAD_MAX = 16 * 1024, DEFLATED_MAX = 16 * 1024, LOT_MAX = 20, CVX_MAX = 3, ISSUER_MAX = 256, SIGNATURE_CHARS = 86, RAW_DEFLATE = -15, TEXT_MAX = SHC_JWS_MAX + 64,
       NUMBER_DIGITS = 12, NUMERIC_FROM = 45, NUMERIC_TO = 122 };

struct shc_packer {
    z_stream z;
    struct buf payload, deflated;
    EVP_MD_CTX *md;
};

struct err shc_packer_new(struct shc_packer **ret_p)
{
    struct shc_packer *p = calloc(1, sizeof *p);
    if (!p)
        return FAIL(E_NOMEM);
    buf_init(&p->payload, PAYLOAD_MAX);
    buf_init(&p->deflated, DEFLATED_MAX);
    p->md = EVP_MD_CTX_new();
    if (!p->md || deflateInit2(&p->z, Z_BEST_COMPRESSION, Z_DEFLATED, RAW_DEFLATE, MAX_MEM_LEVEL, Z_DEFAULT_STRATEGY) != Z_OK) {
        EVP_MD_CTX_free(p->md);
        free(p);
        return FAIL(E_NOMEM);
    }
    *ret_p = p;
    return OK;
}

void shc_packer_free(struct shc_packer *p)
{
    if (!p)
        return;
    deflateEnd(&p->z);
    EVP_MD_CTX_free(p->md);
    buf_done(&p->payload);
    buf_done(&p->deflated);
    free(p);
}

/* ---- what may be in a card ---- */

bool cert_has_twelve_digits(struct slice s)
{
    size_t run = 0;
    for (size_t i = 0; i < s.n; i++) {
        run = s.p[i] >= '0' && s.p[i] <= '9' ? run + 1 : 0;
        if (run == NUMBER_DIGITS)
            return true;
    }
    return false;
}

static bool rid_ok(struct slice s) { return s.n >= 1 && s.n <= SHC_RID_MAX && all_url_safe(s); }

static bool dose_ok(const struct shc_dose *d) { return d->date && d->cvx.n >= 1 && d->cvx.n <= CVX_MAX && all_digits(d->cvx) && d->lot.n <= LOT_MAX; }

static bool card_ok(const struct shc_card *c)
{
    bool good = c->n >= 1 && c->n <= SHC_DOSES_MAX && c->birth && c->family.n && rid_ok(c->rid) && c->issuer.n <= ISSUER_MAX && slice_starts(c->issuer, LIT("https://"));
    for (size_t i = 0; good && i < c->n; i++)
        good = dose_ok(&c->doses[i]);
    return good;
}

/* ---- the payload ---- */

static void write_date(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static bool is_space(struct slice s, size_t *ret_n)
{
    *ret_n = slice_starts(s, LIT("\xE3\x80\x80")) ? 3 : slice_starts(s, LIT(" ")) ? 1 : 0;
    return *ret_n > 0;
}

static void write_given(struct jsonw *w, struct slice given)
{
    size_t n, from = 0;
    jsonw_array(w, "given");
    for (size_t i = 0; i <= given.n; i += n) {
        bool space = i == given.n || is_space(slice_of(given.p + i, given.n - i), &n);
        if (space && i > from)
            jsonw_str(w, NULL, slice_of(given.p + from, i - from));
        if (i == given.n)
            break;
        if (space)
            from = i + n;
        else
            n = 1;
    }
    jsonw_end_array(w);
}

static void write_patient(struct jsonw *w, const struct shc_card *c)
{
    jsonw_object(w, NULL);
    jsonw_cstr(w, "fullUrl", "resource:0");
    jsonw_object(w, "resource");
    jsonw_cstr(w, "resourceType", "Patient");
    jsonw_array(w, "name");
    jsonw_object(w, NULL);
    jsonw_cstr(w, "use", "usual");
    jsonw_str(w, "family", c->family);
    if (c->given.n)
        write_given(w, c->given);
    jsonw_end_object(w);
    jsonw_end_array(w);
    write_date(w, "birthDate", c->birth);
    jsonw_end_object(w);
    jsonw_end_object(w);
}

static void write_dose(struct jsonw *w, const struct shc_card *c, size_t i)
{
    char url[16] = "resource:";
    size_t n = 9, k = i + 1;
    if (k >= 10)
        url[n++] = (char)('0' + k / 10);
    url[n++] = (char)('0' + k % 10);
    jsonw_object(w, NULL);
    jsonw_str(w, "fullUrl", slice_of(url, n));
    jsonw_object(w, "resource");
    jsonw_cstr(w, "resourceType", "Immunization");
    jsonw_cstr(w, "status", "completed");
    jsonw_raw(w, "vaccineCode", LIT("{\"coding\":[{\"system\":\"http://hl7.org/fhir/sid/cvx\",\"code\":\""));
    buf_put(w->out, c->doses[i].cvx); /* digits */
    buf_puts(w->out, "\"}]}");
    jsonw_raw(w, "patient", LIT("{\"reference\":\"resource:0\"}"));
    write_date(w, "occurrenceDateTime", c->doses[i].date);
    if (c->doses[i].lot.n)
        jsonw_str(w, "lotNumber", c->doses[i].lot);
    jsonw_array(w, "performer");
    jsonw_object(w, NULL);
    jsonw_object(w, "actor");
    jsonw_str(w, "display", c->authority);
    jsonw_end_object(w);
    jsonw_end_object(w);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_object(w);
}

static void write_subject(struct jsonw *w, const struct shc_card *c)
{
    jsonw_object(w, "credentialSubject");
    jsonw_cstr(w, "fhirVersion", "4.0.1");
    jsonw_object(w, "fhirBundle");
    jsonw_cstr(w, "resourceType", "Bundle");
    jsonw_cstr(w, "type", "collection");
    jsonw_array(w, "entry");
    write_patient(w, c);
    for (size_t i = 0; i < c->n; i++)
        write_dose(w, c, i);
    jsonw_end_array(w);
    jsonw_end_object(w);
    jsonw_end_object(w);
}

struct err shc_payload(const struct shc_card *c, struct buf *out)
{
    struct jsonw w;
    size_t before = out->n;
    if (!card_ok(c))
        return FAIL(E_FIELD);
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_str(&w, "iss", c->issuer);
    jsonw_u64(&w, "nbf", c->nbf_s);
    jsonw_object(&w, "vc");
    jsonw_array(&w, "type");
    /* The second says of what kind the data are: verifiers choose by it. */
    jsonw_cstr(&w, NULL, "https://smarthealth.cards#health-card");
    jsonw_cstr(&w, NULL, "https://smarthealth.cards#immunization");
    jsonw_end_array(&w);
    write_subject(&w, c);
    jsonw_str(&w, "rid", c->rid);
    jsonw_end_object(&w);
    jsonw_end_object(&w);
    TRY(buf_check(out));
    return cert_has_twelve_digits(slice_of(out->p + before, out->n - before)) ? FAIL(E_FIELD) : OK;
}

/* ---- packed ---- */

static ERR deflate_all(struct shc_packer *p)
{
    buf_reset(&p->deflated);
    uint8_t *room = buf_room(&p->deflated, deflateBound(&p->z, p->payload.n));
    if (!room)
        return buf_check(&p->deflated);
    p->z.next_in = p->payload.p;
    p->z.avail_in = (unsigned)p->payload.n;
    p->z.next_out = room;
    p->z.avail_out = (unsigned)deflateBound(&p->z, p->payload.n);
    bool good = deflate(&p->z, Z_FINISH) == Z_STREAM_END;
    buf_grew(&p->deflated, p->z.total_out);
    return good && deflateReset(&p->z) == Z_OK ? OK : FAIL(E_INTERNAL);
}

/* {"zip":"DEF","alg":"ES256","kid":"..."} */
static void put_header(const char kid[static SHC_KID], struct buf *out)
{
    struct buf json;
    buf_init(&json, 128);
    buf_puts(&json, "{\"zip\":\"DEF\",\"alg\":\"ES256\",\"kid\":\"");
    buf_put(&json, slice_of(kid, SHC_KID));
    buf_puts(&json, "\"}");
    b64url_encode(buf_slice(&json), out);
    buf_done(&json);
}

static ERR digest_of(struct shc_packer *p, struct slice text, uint8_t ret_digest[static 32])
{
    bool good = EVP_DigestInit_ex(p->md, EVP_sha256(), NULL) == 1 && EVP_DigestUpdate(p->md, text.p, text.n) == 1 && EVP_DigestFinal_ex(p->md, ret_digest, NULL) == 1;
    return good ? OK : FAIL(E_CRYPTO);
}

struct err shc_text(struct shc_packer *p, const struct shc_card *c, const char kid[static SHC_KID], struct buf *out, uint8_t ret_digest[static 32])
{
    struct buf text;
    buf_reset(&p->payload);
    TRY(shc_payload(c, &p->payload));
    TRY(deflate_all(p));
    buf_init(&text, TEXT_MAX);
    put_header(kid, &text);
    buf_putc(&text, '.');
    b64url_encode(buf_slice(&p->deflated), &text);
    struct err e = buf_check(&text);
    if (err_ok(e) && text.n + 1 + SIGNATURE_CHARS > SHC_JWS_MAX)
        e = FAIL(E_FULL);
    if (err_ok(e))
        e = digest_of(p, buf_slice(&text), ret_digest);
    if (err_ok(e)) {
        buf_put(out, buf_slice(&text));
        e = buf_check(out);
    }
    buf_done(&text);
    return e;
}

void shc_sign(struct buf *text, const uint8_t signature[static 64])
{
    buf_putc(text, '.');
    b64url_encode(slice_of(signature, 64), text);
}

/* ---- digits ---- */

struct err shc_numeric(struct slice jws, struct buf *out)
{
    uint8_t *room = buf_room(out, 2 * jws.n);
    if (!room)
        return buf_check(out);
    for (size_t i = 0; i < jws.n; i++) {
        if (jws.p[i] < NUMERIC_FROM || jws.p[i] > NUMERIC_TO)
            return FAIL(E_FIELD);
        unsigned v = jws.p[i] - NUMERIC_FROM;
        *room++ = (uint8_t)('0' + v / 10);
        *room++ = (uint8_t)('0' + v % 10);
    }
    buf_grew(out, 2 * jws.n);
    return OK;
}

struct err shc_of_numeric(struct slice digits, struct buf *out)
{
    if (digits.n == 0 || digits.n % 2 != 0 || !all_digits(digits))
        return FAIL(E_FIELD);
    for (size_t i = 0; i < digits.n; i += 2) {
        unsigned v = (unsigned)(digits.p[i] - '0') * 10 + (unsigned)(digits.p[i + 1] - '0') + NUMERIC_FROM;
        if (v > NUMERIC_TO)
            return FAIL(E_FIELD);
        buf_putc(out, (uint8_t)v);
    }
    return buf_check(out);
}

struct err shc_inflate(struct slice deflated, struct buf *out)
{
    z_stream z = { .next_in = (unsigned char *)deflated.p, .avail_in = (unsigned)deflated.n };
    uint8_t piece[4096];
    int got = Z_OK;
    if (deflated.n == 0 || deflated.n > DEFLATED_MAX || inflateInit2(&z, RAW_DEFLATE) != Z_OK)
        return FAIL(E_FIELD);
    while (got == Z_OK && !out->failed) {
        z.next_out = piece;
        z.avail_out = sizeof piece;
        got = inflate(&z, Z_NO_FLUSH);
        buf_put(out, slice_of(piece, sizeof piece - z.avail_out));
        if (got == Z_OK && z.avail_in == 0 && z.avail_out == sizeof piece)
            break;
    }
    bool whole = got == Z_STREAM_END && z.avail_in == 0;
    inflateEnd(&z);
    return whole && !out->failed ? OK : FAIL(E_FIELD);
}
