#include "keys/vaccination/claims.h"

#include <stdio.h>
#include <stdlib.h>

#include "gateway/base/csv_write.h"
#include "gateway/base/text.h"
#include "gateway/vaccine/table.h"

enum { SLOTS = 2 * NZ_CLAIM_LINES_MAX, CLINIC_DIGITS = 10, MONTH_TEXT = 24 };
#define DAY_MS UINT64_C(86400000)
#define JAPAN_MS UINT64_C(32400000) /* nine hours */

/* What one dose costs, or gives back. */
struct line {
    char clinic[CLINIC_DIGITS];
    uint8_t n_program, note;
    char program[VACCINE_ID_MAX];
    bool back;              /* 取消 */
    uint32_t month;         /* of the dose, yyyymm */
    uint32_t price, share;
    uint32_t count;         /* 0: a free slot */
};
struct nz_claims { size_t n; struct line line[SLOTS]; };

struct nz_claims *nz_claims_new(void) { return calloc(1, sizeof(struct nz_claims)); }
void nz_claims_free(struct nz_claims *c) { free(c); }

static struct slice program_of(const struct line *l) { return slice_of(l->program, l->n_program); }

/* ---- one record ---- */

/* The first millisecond of a month in Japan; 0 for those that began before the clock did. */
static uint64_t begins(uint32_t month)
{
    enum { EPOCH = 19700101 };
    const int64_t days = (int64_t)day_number(100 * month + 1) - day_number(EPOCH);
    return days > 0 ? (uint64_t)days * DAY_MS - JAPAN_MS : 0;
}

static uint32_t next_month(uint32_t month) { return month % 100 == 12 ? month + 89 : month + 1; }

bool nz_claims_are_final(uint32_t month, uint64_t now_ms) { return now_ms >= NZ_CLAIMS_SETTLE_MS && month < clock_date_jst(now_ms - NZ_CLAIMS_SETTLE_MS) / 100; }

static const struct immun *version_before(const struct immun_record *rec, uint64_t ms)
{
    const struct immun *v = NULL;
    for (size_t i = 0; i < rec->n_versions && rec->versions[i].recorded_ms < ms; i++)
        v = &rec->versions[i];
    return v;
}

/* What the record costs as it was then. False: nothing: it was not there, or cancelled, or given abroad, or by nobody who is paid. */
static bool charge(const struct immun_record *rec, const struct nz_fees *f, uint64_t before_ms, struct line *ret)
{
    const struct immun *v = version_before(rec, before_ms);
    struct line l = { .count = 1 };
    if (!v || v->status != IMMUN_COMPLETED || v->overseas || v->clinic.n != CLINIC_DIGITS || v->program.n > sizeof l.program)
        return false;
    const struct nz_fee fee = nz_fee_of(f, v->muni, v->program, v->date, v->reduction);
    memcpy(l.clinic, v->clinic.p, CLINIC_DIGITS);
    memcpy(l.program, v->program.p, v->program.n);
    l.n_program = (uint8_t)v->program.n;
    l.month = v->date / 100;
    l.price = fee.price;
    l.share = fee.share;
    l.note = (uint8_t)fee.note;
    *ret = l;
    return true;
}

static int by_place(const struct line *a, const struct line *b)
{
    int r = memcmp(a->clinic, b->clinic, CLINIC_DIGITS);
    if (r == 0)
        r = memcmp(a->program, b->program, sizeof a->program); /* NULs behind the shorter one */
    if (r == 0)
        r = (a->month > b->month) - (a->month < b->month);
    if (r == 0)
        r = a->back - b->back;
    if (r == 0)
        r = (a->price > b->price) - (a->price < b->price);
    if (r == 0)
        r = (a->share > b->share) - (a->share < b->share);
    return r ? r : a->note - b->note;
}

/* ---- the lines ---- */

static uint32_t mix(uint32_t h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        h = (h ^ ((const uint8_t *)p)[i]) * 16777619u;
    return h;
}

static size_t place_of(const struct line *l)
{
    uint32_t h = mix(2166136261u, l->clinic, sizeof l->clinic);
    h = mix(h, l->program, sizeof l->program);
    h = mix(h, &l->month, sizeof l->month);
    h = mix(h, &l->price, sizeof l->price);
    h = mix(h, &l->share, sizeof l->share);
    return (h ^ (uint32_t)l->back ^ (uint32_t)l->note << 1) % SLOTS;
}

static ERR put(struct nz_claims *c, struct line l, bool back)
{
    l.back = back;
    for (size_t i = place_of(&l), n = 0; n < SLOTS; i = (i + 1) % SLOTS, n++) {
        struct line *at = &c->line[i];
        if (at->count && by_place(at, &l) != 0)
            continue;
        if (!at->count && c->n == NZ_CLAIM_LINES_MAX)
            return FAIL(E_FULL);
        if (!at->count) {
            c->n++;
            *at = l;
        } else if (at->count == UINT32_MAX) {
            return FAIL(E_FULL);
        } else {
            at->count++;
        }
        return OK;
    }
    return FAIL(E_FULL);
}

ERR nz_claims_add(struct nz_claims *c, const struct nz_fees *f, uint32_t month, const struct nz_vacc_person *p)
{
    for (size_t i = 0; i < p->n_records; i++) {
        struct line then, now;
        const bool was = charge(p->records[i], f, begins(month), &then), is = charge(p->records[i], f, begins(next_month(month)), &now);
        if (was && is && by_place(&then, &now) == 0)
            continue;
        if (was)
            TRY(put(c, then, true));
        if (is)
            TRY(put(c, now, false));
    }
    return OK;
}

/* ---- writing ---- */

static void put_month(struct buf *out, uint32_t month)
{
    char text[MONTH_TEXT];
    snprintf(text, sizeof text, "%04u-%02u", month / 100, month % 100);
    buf_puts(out, text);
}

static void put_program(struct buf *out, struct slice id)
{
    for (size_t i = 0; i < id.n; i++) {
        const uint8_t ch = id.p[i], letter = ch | 0x20;
        if (!(ch >= '0' && ch <= '9') && !(letter >= 'a' && letter <= 'z') && ch != '-' && ch != '_') {
            csv_text(out, id); /* of no table that was ever read */
            return;
        }
    }
    if (id.n && id.p[0] == '-')
        csv_text(out, id);
    else
        buf_put(out, id);
}

static void put_line(const struct line *l, const char muni[static 6], uint32_t month, bool final, struct buf *out)
{
    static const char *const NOTES[NZ_FEE__MAX] = { [NZ_FEE_PLAIN] = "", [NZ_FEE_NO_PRICE] = "no_price", [NZ_FEE_UNKNOWN_REDUCTION] = "unknown_reduction" };
    const int64_t count = l->back ? -(int64_t)l->count : (int64_t)l->count;
    put_month(out, month);
    buf_putc(out, ',');
    buf_put(out, slice_of(muni, 6));
    buf_putc(out, ',');
    buf_put(out, ARR(l->clinic));
    buf_putc(out, ',');
    put_program(out, program_of(l));
    buf_putc(out, ',');
    put_month(out, l->month);
    buf_puts(out, l->back ? ",cancellation," : ",charge,");
    buf_i64(out, count);
    buf_putc(out, ',');
    buf_u64(out, l->price);
    buf_putc(out, ',');
    buf_u64(out, l->share);
    buf_putc(out, ',');
    buf_i64(out, count * ((int64_t)l->price - l->share));
    buf_putc(out, ',');
    buf_puts(out, NOTES[l->note]);
    buf_puts(out, final ? ",final\r\n" : ",provisional\r\n");
}

static int sorted_by_place(const void *a, const void *b) { return by_place(*(const struct line *const *)a, *(const struct line *const *)b); }

void nz_claims_write(const struct nz_claims *c, const char muni[static 6], uint32_t month, bool final, struct buf *out, uint64_t *rows)
{
    const struct line **sorted = calloc(c->n ? c->n : 1, sizeof *sorted);
    size_t n = 0;
    buf_puts(out, "claimMonth,municipalityCode,medicalInstitutionCode,vaccinationProgramId,vaccinationMonth,kind,count,unitPrice,ownShare,amount,note,state\r\n");
    if (!sorted) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (c->line[i].count)
            sorted[n++] = &c->line[i];
    qsort(sorted, n, sizeof *sorted, sorted_by_place);
    for (size_t i = 0; i < n; i++)
        put_line(sorted[i], muni, month, final, out);
    *rows += n;
    free(sorted);
}
