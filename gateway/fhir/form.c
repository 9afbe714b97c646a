/* The form of a search, read strictly: each name once, none that is not known, escapes of one byte each. */
#include "gateway/base/text.h"
#include "gateway/fhir/fhir_int.h"

enum { FORM_NAME_MAX = 32, VALUE_MAX = 512 };
enum part { P_WHO, P_COUNT, P_CURSOR, P_FORMAT, P__MAX };

struct reading {
    const struct fhir_ask *ask;
    struct arena *arena;
    struct field_report *report;
    bool in_url;
    bool seen[P__MAX];
    struct slice value[P__MAX];
    struct err failed;
};

static const char *name_of(const struct reading *r, enum part p)
{
    static const char *const NAMES[P__MAX] = { NULL, "_count", "_cursor", "_format" };
    return p == P_WHO ? r->ask->who : NAMES[p];
}

static int hex(uint8_t c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'A' && c <= 'F' ? c - 'A' + 10 : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* application/x-www-form-urlencoded, decoded into the arena. False: a malformed escape, or too long. */
static bool decode(struct reading *r, struct slice in, struct slice *ret)
{
    if (in.n > VALUE_MAX)
        return false;
    uint8_t *out = arena_get(r->arena, in.n + 1);
    size_t n = 0;
    if (!out) {
        r->failed = FAIL(E_NOMEM);
        return false;
    }
    for (size_t i = 0; i < in.n; i++) {
        uint8_t c = in.p[i];
        if (c == '%') {
            if (in.n - i < 3 || hex(in.p[i + 1]) < 0 || hex(in.p[i + 2]) < 0)
                return false;
            c = (uint8_t)(hex(in.p[i + 1]) * 16 + hex(in.p[i + 2]));
            i += 2;
        } else if (c == '+') {
            c = ' ';
        } else if (c <= ' ' || c > '~' || c == '=') {
            return false;
        }
        out[n++] = c;
    }
    *ret = slice_of(out, n);
    return true;
}

static bool take(void *to, struct slice name, struct slice value)
{
    struct reading *r = to;
    struct slice plain;
    if (name.n > FORM_NAME_MAX || !decode(r, name, &plain))
        plain = SLICE_NONE;
    for (enum part p = r->in_url ? P_COUNT : P_WHO; p < P__MAX; p++) {
        if (!slice_eq(plain, slice_str(name_of(r, p))))
            continue;
        if (r->seen[p])
            field_fault_add(r->report, name_of(r, p), FR_TWICE);
        else if (!decode(r, value, &r->value[p]))
            field_fault_add(r->report, name_of(r, p), FR_CLASS);
        r->seen[p] = true;
        return true;
    }
    if (r->in_url)
        return false; /* nothing else has a place in a URL, least of all who is asked about */
    field_fault_add(r->report, "", FR_UNKNOWN);
    return true;
}

static ERR take_pairs(struct reading *r, struct slice text, bool in_url)
{
    r->in_url = in_url;
    struct err e = text.n ? query_each(text, take, r) : OK;
    TRY(r->failed);
    if (err_ok(e) || in_url)
        return e;
    field_fault_add(r->report, "", FR_TYPE);
    return OK;
}

static void read_number(struct reading *r, enum part p, uint64_t max, uint64_t *io)
{
    if (!r->seen[p])
        return;
    uint64_t v;
    if (!u64_parse(r->value[p], &v))
        field_fault_add(r->report, name_of(r, p), FR_CLASS);
    else if (!v || v > max)
        field_fault_add(r->report, name_of(r, p), FR_RANGE);
    else
        *io = v;
}

static void read_who(struct reading *r, struct fhir_form *f)
{
    const struct slice s = r->value[P_WHO];
    if (!r->seen[P_WHO])
        field_fault_add(r->report, r->ask->who, FR_MISSING);
    else if (s.n < r->ask->min || s.n > r->ask->max)
        field_fault_add(r->report, r->ask->who, FR_LENGTH);
    else
        f->who = s;
    for (size_t i = 0; i < f->who.n; i++)
        if (f->who.p[i] <= ' ' || f->who.p[i] > '~') {
            field_fault_add(r->report, r->ask->who, FR_CLASS);
            return;
        }
}

static void read_format(struct reading *r)
{
    static const char *const FORMATS[] = { "json", "application/fhir+json", "application/json" };
    for (size_t i = 0; i < sizeof FORMATS / sizeof FORMATS[0]; i++)
        if (!r->seen[P_FORMAT] || slice_eq(r->value[P_FORMAT], slice_str(FORMATS[i])))
            return;
    field_fault_add(r->report, name_of(r, P_FORMAT), FR_CODE);
}

bool fhir_form_of(struct req *r, const struct fhir_ask *ask, struct fhir_form *ret_f)
{
    struct field_report report;
    struct err e = fhir_form_read(req_body(r), req_query(r), ask, req_arena(r), ret_f, &report);
    if (err_is(e, E_FIELD))
        req_problem(r, e, field_report_write, &report);
    else if (!err_ok(e))
        req_fail(r, e);
    return err_ok(e);
}

ERR fhir_form_read(struct slice body, struct slice query, const struct fhir_ask *ask, struct arena *a, struct fhir_form *ret_f, struct field_report *report)
{
    struct reading r = { .ask = ask, .arena = a, .report = report, .failed = OK };
    struct fhir_form f = { .count = FHIR_COUNT_MAX };
    uint64_t count = FHIR_COUNT_MAX;
    *report = (struct field_report){ 0 };
    TRY(take_pairs(&r, query, true));
    TRY(take_pairs(&r, body, false));
    read_who(&r, &f);
    read_number(&r, P_COUNT, FHIR_COUNT_MAX, &count);
    read_number(&r, P_CURSOR, UINT64_MAX, &f.cursor);
    read_format(&r);
    f.count = (unsigned)count;
    *ret_f = f;
    return report->n_faults ? FAIL(E_FIELD) : OK;
}
