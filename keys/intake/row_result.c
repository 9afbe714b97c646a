#include "keys/intake/row_result.h"

enum { FORM_VERSION = 1, HEAD_BYTES = 9 };

static const struct { const char *name; } RESULTS[NZ_RESULT__MAX] = {
#define X(sym, number, name) [number] = { name },
    NZ_RESULTS(X)
#undef X
};

static const struct { const char *slug, *ja, *en; } CODES[NZ_CODE__MAX] = {
#define X(sym, number, slug, ja, en) [number] = { slug, ja, en },
    NZ_CODES(X)
#undef X
};

const char *nz_result_name(enum nz_result r) { return (unsigned)r < NZ_RESULT__MAX ? RESULTS[r].name : ""; }
const char *nz_code_slug(enum nz_code c) { return (unsigned)c < NZ_CODE__MAX ? CODES[c].slug : ""; }
const char *nz_code_ja(enum nz_code c) { return (unsigned)c < NZ_CODE__MAX ? CODES[c].ja : ""; }
const char *nz_code_en(enum nz_code c) { return (unsigned)c < NZ_CODE__MAX ? CODES[c].en : ""; }

/* ---- from the parser's verdict ---- */

static const struct { enum nz_result result; enum nz_code code; } OF_VERDICT[NZ_ROW__MAX] = {
    [NZ_ROW_OK] = { NZ_WAITING, NZ_CODE_NONE },
    [NZ_ROW_FIELD] = { NZ_REFUSED, NZ_CODE_FIELD },
    [NZ_ROW_SAME_TWICE] = { NZ_UNCHANGED, NZ_CODE_SAME_TWICE },
    [NZ_ROWS_CONTRADICT] = { NZ_REFUSED, NZ_CODE_CONTRADICT },
    [NZ_RESIDENT_TWO_NUMBERS] = { NZ_QUARANTINED, NZ_CODE_RESIDENT_TWO },
    [NZ_NUMBER_TWO_RESIDENTS] = { NZ_QUARANTINED, NZ_CODE_NUMBER_TWO },
    [NZ_PERSON_MISMATCH] = { NZ_QUARANTINED, NZ_CODE_MISMATCH },
};

static unsigned copy_faults(struct nz_fault *to, const struct field_fault *from, unsigned n)
{
    unsigned k = n < FIELD_FAULTS_MAX ? n : FIELD_FAULTS_MAX;
    for (unsigned i = 0; i < k; i++)
        to[i] = (struct nz_fault){ slice_str(from[i].field), from[i].rule };
    return k;
}

void nz_row_result_of(const struct nz_row *row, struct nz_row_result *ret_r)
{
    *ret_r = (struct nz_row_result){
        .result = OF_VERDICT[row->verdict].result,
        .code = OF_VERDICT[row->verdict].code,
        .with_row = row->with_row,
    };
    ret_r->n_faults = copy_faults(ret_r->faults, row->report.faults, row->report.n_faults);
    ret_r->n_warnings = copy_faults(ret_r->warnings, row->report.warnings, row->report.n_warnings);
}

/* ---- stored form: version u8 | result u8 | code u8 | with_row u32 | faults u8 | warnings u8 | (len u8 field | len u8 rule)* ----
 * Rules are kept by their slug, so that the order of the rule table is free to change. */

static void put_text(struct buf *out, struct slice s)
{
    size_t n = s.n < UINT8_MAX ? s.n : UINT8_MAX;
    buf_putc(out, (uint8_t)n);
    buf_put(out, slice_of(s.p, n));
}

static void put_faults(struct buf *out, const struct nz_fault *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        put_text(out, f[i].field);
        put_text(out, slice_str(field_rule_slug(f[i].rule)));
    }
}

void nz_row_result_encode(const struct nz_row_result *r, struct buf *out)
{
    buf_putc(out, FORM_VERSION);
    buf_putc(out, (uint8_t)r->result);
    buf_putc(out, (uint8_t)r->code);
    buf_be32(out, r->with_row);
    buf_putc(out, (uint8_t)r->n_faults);
    buf_putc(out, (uint8_t)r->n_warnings);
    put_faults(out, r->faults, r->n_faults);
    put_faults(out, r->warnings, r->n_warnings);
}

static bool take_text(struct slice *in, struct slice *ret)
{
    struct slice len;
    return slice_take(in, 1, &len) && slice_take(in, len.p[0], ret);
}

static bool rule_of(struct slice slug, enum field_rule *ret)
{
    for (int r = FR_NONE + 1; r < FR__MAX; r++) {
        if (slice_eq(slug, slice_str(field_rule_slug((enum field_rule)r)))) {
            *ret = (enum field_rule)r;
            return true;
        }
    }
    return false;
}

static bool take_faults(struct slice *in, struct nz_fault *f, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        struct slice slug;
        if (!take_text(in, &f[i].field) || !take_text(in, &slug) || !rule_of(slug, &f[i].rule))
            return false;
    }
    return true;
}

ERR nz_row_result_decode(struct slice stored, struct nz_row_result *ret_r)
{
    struct nz_row_result r = { 0 };
    struct slice h;
    if (!slice_take(&stored, HEAD_BYTES, &h) || h.p[0] != FORM_VERSION || h.p[1] >= NZ_RESULT__MAX || h.p[2] >= NZ_CODE__MAX ||
        h.p[7] > FIELD_FAULTS_MAX || h.p[8] > FIELD_FAULTS_MAX)
        return FAIL(E_SEAL);
    r.result = (enum nz_result)h.p[1];
    r.code = (enum nz_code)h.p[2];
    r.with_row = (uint32_t)h.p[3] << 24 | (uint32_t)h.p[4] << 16 | (uint32_t)h.p[5] << 8 | h.p[6];
    r.n_faults = h.p[7];
    r.n_warnings = h.p[8];
    if (!take_faults(&stored, r.faults, r.n_faults) || !take_faults(&stored, r.warnings, r.n_warnings) || stored.n)
        return FAIL(E_SEAL);
    *ret_r = r;
    return OK;
}

/* ---- JSON ---- */

static void json_faults(struct jsonw *w, const char *name, const struct nz_fault *f, unsigned n)
{
    if (!n)
        return;
    jsonw_array(w, name);
    for (unsigned i = 0; i < n; i++)
        field_fault_write(w, f[i].field, f[i].rule);
    jsonw_end_array(w);
}

void nz_row_result_json(const struct nz_row_result *r, uint32_t row, struct jsonw *w)
{
    jsonw_object(w, NULL);
    jsonw_u64(w, "row", row);
    jsonw_cstr(w, "result", nz_result_name(r->result));
    if (r->code != NZ_CODE_NONE) {
        jsonw_cstr(w, "code", nz_code_slug(r->code));
        jsonw_cstr(w, "message_ja", nz_code_ja(r->code));
        jsonw_cstr(w, "message_en", nz_code_en(r->code));
    }
    if (r->with_row) {
        jsonw_array(w, "with_rows");
        jsonw_u64(w, NULL, r->with_row);
        jsonw_end_array(w);
    }
    json_faults(w, "errors", r->faults, r->n_faults);
    json_faults(w, "warnings", r->warnings, r->n_warnings);
    jsonw_end_object(w);
}
