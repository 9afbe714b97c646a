/* 請求支払システム: takes what a municipality owes its clinics for a month, once, and counts it again before it believes it. The form of the file is ours. */
#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/check/field.h"
#include "mocks/partners.h"
#include "mocks/routes.h"

enum { COLUMNS = 12, MONTH_CHARS = 7, PROGRAM_MAX = 50, KEPT_LINE = 1024, YEN_MAX = 1000000, COUNT_MAX = 1000000, FILE_MAX = 16 << 20 };
enum column { C_MONTH, C_MUNI, C_CLINIC, C_PROGRAM, C_GIVEN, C_KIND, C_COUNT, C_PRICE, C_SHARE, C_AMOUNT, C_NOTE, C_STATE };
#define HEADER "claimMonth,municipalityCode,medicalInstitutionCode,vaccinationProgramId,vaccinationMonth,kind,count,unitPrice,ownShare,amount,note,state"

struct file { const char *muni; struct slice month; uint64_t rows; int64_t amount; };

static bool month_ok(struct slice s)
{
    ymd_t day;
    char text[MONTH_CHARS + 3 + 1] = "0000-00-01";
    if (s.n != MONTH_CHARS)
        return false;
    memcpy(text, s.p, MONTH_CHARS);
    return ymd_parse(slice_str(text), &day);
}

static bool number_read(struct slice s, bool negative, uint64_t max, int64_t *ret)
{
    uint64_t v;
    if (negative && (!s.n || s.p[0] != '-'))
        return false;
    if (negative)
        s = slice_of(s.p + 1, s.n - 1);
    if (!u64_parse(s, &v) || v > max)
        return false;
    *ret = negative ? -(int64_t)v : (int64_t)v;
    return true;
}

static bool cells_of(struct slice line, struct slice cell[static COLUMNS])
{
    struct slice rest = line;
    for (size_t i = 0; i + 1 < COLUMNS; i++)
        if (!slice_cut(rest, ',', &cell[i], &rest))
            return false;
    cell[COLUMNS - 1] = rest;
    return !memchr(rest.p, ',', rest.n);
}

static bool program_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++) {
        const uint8_t c = s.p[i], letter = c | 0x20;
        if (!(c >= '0' && c <= '9') && !(letter >= 'a' && letter <= 'z') && c != '-' && c != '_')
            return false;
    }
    return s.n && s.n <= PROGRAM_MAX;
}

static bool line_ok(struct slice line, struct file *f)
{
    struct slice c[COLUMNS];
    int64_t count, price, share, amount;
    if (!cells_of(line, c))
        return false;
    const bool back = slice_eq(c[C_KIND], LIT("cancellation"));
    if (!slice_eq(c[C_MONTH], f->month) || !slice_eq(c[C_MUNI], slice_str(f->muni)) || c[C_CLINIC].n != 10 || !all_digits(c[C_CLINIC]) || !check_payer(c[C_CLINIC]) ||
        !program_ok(c[C_PROGRAM]) || !month_ok(c[C_GIVEN]) || (!back && !slice_eq(c[C_KIND], LIT("charge"))) || !slice_eq(c[C_STATE], LIT("final")))
        return false;
    if (!number_read(c[C_COUNT], back, COUNT_MAX, &count) || !count || !number_read(c[C_PRICE], false, YEN_MAX, &price) || !number_read(c[C_SHARE], false, YEN_MAX, &share) ||
        share > price || !number_read(c[C_AMOUNT], back && price > share, UINT64_C(1) << 50, &amount) || amount != count * (price - share))
        return false;
    if (c[C_NOTE].n && !slice_eq(c[C_NOTE], LIT("no_price")) && !slice_eq(c[C_NOTE], LIT("unknown_reduction")))
        return false;
    f->rows++;
    f->amount += amount;
    return true;
}

/* Every line, the last one too, ends with CR LF; none is there twice. */
static bool file_ok(struct slice body, struct file *f)
{
    struct slice line, before = SLICE_NONE;
    for (bool first = true; body.n; first = false) {
        if (!slice_cut(body, '\n', &line, &body) || !line.n || line.p[line.n - 1] != '\r')
            return false;
        line.n--;
        if (first ? !slice_eq(line, LIT(HEADER)) : !line_ok(line, f) || slice_eq(line, before))
            return false;
        before = line;
    }
    return before.n > 0;
}

static void put_amount(struct jsonw *w, int64_t yen)
{
    struct buf b;
    buf_init(&b, 24);
    buf_i64(&b, yen);
    jsonw_raw(w, "amount", buf_slice(&b));
    buf_done(&b);
}

static void receipt_write(const struct file *f, const char *sum, struct buf *out)
{
    struct jsonw w;
    jsonw_init(&w, out);
    jsonw_object(&w, NULL);
    jsonw_cstr(&w, "municipalityCode", f->muni);
    jsonw_str(&w, "month", f->month);
    jsonw_u64(&w, "rows", f->rows);
    put_amount(&w, f->amount);
    jsonw_cstr(&w, "sha256", sum);
    jsonw_end_object(&w);
}

static bool begins(const char *line, struct slice with) { return slice_starts(slice_str(line), with); }

/* The same file again has the same receipt; another one for a month that was taken is a contradiction. */
static ERR take(struct partners *p, const struct file *f, struct slice receipt)
{
    char head[KEPT_LINE];
    const int n = snprintf(head, sizeof head, "{\"municipalityCode\":\"%s\",\"month\":\"%.*s\",", f->muni, MONTH_CHARS, (const char *)f->month.p);
    for (size_t i = 0; i < p->claims.files.n; i++) {
        if (!begins(p->claims.files.line[i], slice_of(head, (size_t)n)))
            continue;
        return slice_eq(slice_str(p->claims.files.line[i]), receipt) ? OK : FAIL(E_CONFLICT);
    }
    return kept_add(&p->claims.files, receipt);
}

static ERR claim_read(struct req *r, struct file *f, struct buf *receipt)
{
    uint8_t sum[SHA256_BYTES];
    struct buf hex;
    const struct slice body = req_body(r);
    if (!month_ok(f->month) || !file_ok(body, f))
        return FAIL(E_FIELD);
    TRY(sha256(1, &body, sum));
    buf_init(&hex, 2 * SHA256_BYTES + 1);
    buf_hex(&hex, ARR(sum));
    receipt_write(f, buf_cstr(&hex), receipt);
    buf_done(&hex);
    return buf_check(receipt);
}

static void claims_put(struct req *r)
{
    struct nation *n = req_ctx(r);
    struct file f = { .muni = req_caller(r)->code, .month = req_param(r) };
    struct buf receipt;
    const struct fault fx = faults_take(&n->faults, SYSTEM_CLAIMS);
    n->partners->claims.requests++;
    if (partner_stopped(n, r, &fx))
        return;
    buf_init(&receipt, KEPT_LINE);
    struct err e = claim_read(r, &f, &receipt);
    if (err_ok(e))
        e = take(n->partners, &f, buf_slice(&receipt));
    if (err_ok(e)) {
        answer_send(n, r, &fx, 200, &receipt);
    } else {
        n->partners->claims.refused++;
        answer_fail(n, r, &fx, e);
    }
    buf_done(&receipt);
}

const struct route CLAIMS_ROUTES[] = {
    { M_PUT, "/claims/v1/claims/{month}", { "takeClaims" }, CALLER_BIT(CALLER_MUNICIPALITY), false, FILE_MAX, "text/csv", 130000, claims_put },
    { M_GET, "/health", { "health" }, 0, false, 0, NULL, 1000, health_get },
};
const size_t CLAIMS_ROUTES_N = sizeof CLAIMS_ROUTES / sizeof *CLAIMS_ROUTES;
