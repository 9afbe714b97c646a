#include "gateway/cert/vds.h"

#include <openssl/evp.h>

#include "gateway/base/json_write.h"
#include "gateway/base/secret.h"
#include "gateway/base/text.h"
#include "gateway/cert/shc.h"

enum { CODE_MAX = 6, BRAND_MAX = 40, PLACE_MAX = 20, COUNTRY = 3, SEQ_MAX = 99 };

static bool one_of(uint8_t c, const char *marks)
{
    return (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || (c && strchr(marks, c));
}

static bool chars_ok(struct slice s, size_t max, const char *marks)
{
    for (size_t i = 0; i < s.n; i++)
        if (!one_of(s.p[i], marks))
            return false;
    return s.n >= 1 && s.n <= max;
}

/* Printable ASCII without what JSON escapes: canonical as it is. */
static bool plain_ok(struct slice s, size_t max)
{
    for (size_t i = 0; i < s.n; i++)
        if (s.p[i] < ' ' || s.p[i] > '~' || s.p[i] == '"' || s.p[i] == '\\')
            return false;
    return s.n >= 1 && s.n <= max;
}

static bool dose_ok(const struct vds_dose *d)
{
    return d->date && d->seq >= 1 && d->seq <= SEQ_MAX && chars_ok(d->des, CODE_MAX, ".") && chars_ok(d->dis, CODE_MAX, ".") && plain_ok(d->nam, BRAND_MAX) &&
           plain_ok(d->lot, PLACE_MAX);
}

static bool seal_ok(const struct vds_seal *s)
{
    bool good = s->n >= 1 && s->n <= VDS_DOSES_MAX && s->birth && s->country.n == COUNTRY && chars_ok(s->country, COUNTRY, "") && chars_ok(s->uvci, VDS_UVCI_MAX, "") &&
                chars_ok(s->name, VDS_NAME_MAX, " '-()") && chars_ok(s->passport, VDS_PASSPORT_MAX, "") && plain_ok(s->authority, PLACE_MAX);
    for (size_t i = 0; good && i < s->n; i++)
        good = dose_ok(&s->doses[i]);
    return good;
}

/* ---- data; names in the order of RFC 8785 §3.2.3 ---- */

static void write_date(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void write_doses(struct jsonw *w, const struct vds_seal *s, size_t from, size_t to)
{
    jsonw_array(w, "vd");
    for (size_t i = from; i < to; i++) {
        jsonw_object(w, NULL);
        jsonw_str(w, "adm", s->authority);
        jsonw_str(w, "ctr", s->country);
        write_date(w, "dvc", s->doses[i].date);
        jsonw_str(w, "lot", s->doses[i].lot);
        jsonw_u64(w, "seq", s->doses[i].seq);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static bool same_vaccine(const struct vds_dose *a, const struct vds_dose *b) { return slice_eq(a->des, b->des) && slice_eq(a->dis, b->dis) && slice_eq(a->nam, b->nam); }

static void write_events(struct jsonw *w, const struct vds_seal *s)
{
    size_t to;
    jsonw_array(w, "ve");
    for (size_t from = 0; from < s->n; from = to) {
        for (to = from + 1; to < s->n && same_vaccine(&s->doses[from], &s->doses[to]); to++) {}
        jsonw_object(w, NULL);
        jsonw_str(w, "des", s->doses[from].des);
        jsonw_str(w, "dis", s->doses[from].dis);
        jsonw_str(w, "nam", s->doses[from].nam);
        write_doses(w, s, from, to);
        jsonw_end_object(w);
    }
    jsonw_end_array(w);
}

static void write_data(struct jsonw *w, const struct vds_seal *s)
{
    jsonw_object(w, NULL);
    jsonw_object(w, "hdr");
    jsonw_str(w, "is", s->country);
    jsonw_cstr(w, "t", "icao.vacc");
    jsonw_u64(w, "v", 1);
    jsonw_end_object(w);
    jsonw_object(w, "msg");
    jsonw_object(w, "pid");
    write_date(w, "dob", s->birth);
    jsonw_str(w, "i", s->passport);
    jsonw_str(w, "n", s->name);
    jsonw_end_object(w);
    jsonw_str(w, "uvci", s->uvci);
    write_events(w, s);
    jsonw_end_object(w);
    jsonw_end_object(w);
}

struct err vds_data(const struct vds_seal *s, struct buf *out, uint8_t ret_digest[static 32])
{
    struct jsonw w;
    size_t before = out->n;
    if (!seal_ok(s))
        return FAIL(E_FIELD);
    jsonw_init(&w, out);
    write_data(&w, s);
    TRY(buf_check(out));
    const struct slice data = slice_of(out->p + before, out->n - before);
    if (cert_has_twelve_digits(data))
        return FAIL(E_FIELD);
    return EVP_Digest(data.p, data.n, ret_digest, NULL, EVP_sha256(), NULL) == 1 ? OK : FAIL(E_CRYPTO);
}

struct err vds_sign(struct slice data, const uint8_t signature[static 64], struct slice cert, struct buf *out)
{
    if (cert.n > VDS_CERT_MAX)
        return FAIL(E_FULL);
    buf_puts(out, "{\"data\":");
    buf_put(out, data);
    buf_puts(out, ",\"sig\":{\"alg\":\"ES256\",\"cer\":\"");
    b64url_encode(cert, out);
    buf_puts(out, "\",\"sigvl\":\"");
    b64url_encode(slice_of(signature, 64), out);
    buf_puts(out, "\"}}");
    return buf_check(out);
}

void vds_uvci(char ret_uvci[static VDS_UVCI_MAX])
{
    static const char CHARS[] = "ABCDEFGHJKLMNPQRSTUVWXYZ23456789"; /* 32: none that is mistaken for another */
    uint8_t rnd[VDS_UVCI_MAX];
    do {
        rnd_bytes(rnd, sizeof rnd);
        for (size_t i = 0; i < sizeof rnd; i++)
            ret_uvci[i] = CHARS[rnd[i] & 31];
    } while (all_digits(slice_of(ret_uvci, VDS_UVCI_MAX)));
}
