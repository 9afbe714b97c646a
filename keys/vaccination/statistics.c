/* Cells in an open table of a bounded size; written sorted, so that the same data give the same file. */
#include "gateway/base/csv_write.h"
#include "keys/vaccination/rows.h"

#include <stdio.h>
#include <stdlib.h>

enum { SLOTS = 2 * NZ_STAT_CELLS_MAX, SINGLE_YEARS = 5, FIVE_TO = 100, UNKNOWN_AGE = NZ_AGE_GROUPS - 1 };

struct cell {
    uint32_t count; /* 0: free */
    uint32_t month;
    uint8_t dose, group, n_program;
    char program[VACCINE_ID_MAX];
};
struct nz_stat { size_t n; struct cell cell[SLOTS]; };

struct nz_stat *nz_stat_new(void) { return calloc(1, sizeof(struct nz_stat)); }
void nz_stat_free(struct nz_stat *s) { free(s); }

/* ---- age ---- */

static unsigned years(ymd_t birth, ymd_t on)
{
    unsigned n = 0;
    for (; n < 150; n++) {
        ymd_t next = age_reached(birth, (struct span){ .months = (uint16_t)(12 * (n + 1)) });
        if (!next || next > on)
            break;
    }
    return n;
}

unsigned nz_age_group(ymd_t birth, ymd_t on)
{
    if (!birth || birth > on)
        return UNKNOWN_AGE;
    unsigned n = years(birth, on);
    if (n < SINGLE_YEARS)
        return n;
    return n >= FIVE_TO ? UNKNOWN_AGE - 1 : SINGLE_YEARS + (n - SINGLE_YEARS) / 5;
}

void nz_age_group_name(unsigned group, char out[static 16])
{
    unsigned from = SINGLE_YEARS + 5 * (group - SINGLE_YEARS);
    if (group == UNKNOWN_AGE)
        snprintf(out, 16, "unknown");
    else if (group == UNKNOWN_AGE - 1)
        snprintf(out, 16, "%u..", (unsigned)FIVE_TO);
    else if (group < SINGLE_YEARS)
        snprintf(out, 16, "%u", group);
    else
        snprintf(out, 16, "%u..%u", from, from + 4);
}

/* ---- counting ---- */

static bool same(const struct cell *a, const struct cell *b)
{
    return a->month == b->month && a->dose == b->dose && a->group == b->group && slice_eq(slice_of(a->program, a->n_program), slice_of(b->program, b->n_program));
}

static size_t place_of(const struct cell *c)
{
    uint32_t h = 2166136261u;
    for (size_t i = 0; i < c->n_program; i++)
        h = (h ^ (uint8_t)c->program[i]) * 16777619u;
    h = (h ^ c->dose) * 16777619u;
    h = (h ^ c->group) * 16777619u;
    h = (h ^ c->month) * 16777619u;
    return h % SLOTS;
}

static ERR count(struct nz_stat *s, const struct cell *c)
{
    for (size_t i = place_of(c), n = 0; n < SLOTS; i = (i + 1) % SLOTS, n++) {
        struct cell *at = &s->cell[i];
        if (!at->count) {
            if (s->n == NZ_STAT_CELLS_MAX)
                return FAIL(E_FULL);
            s->n++;
            *at = *c;
        }
        if (same(at, c)) {
            at->count++;
            return OK;
        }
    }
    return FAIL(E_FULL);
}

ERR nz_stat_add(struct nz_stat *s, const struct nz_vacc_ask *ask, const struct nz_vacc_person *p)
{
    for (size_t i = 0; i < p->n_doses; i++) {
        const struct immun *d = &p->doses[i];
        struct cell c = { .month = d->date / 100, .dose = (uint8_t)d->dose, .group = (uint8_t)nz_age_group(p->birth, d->date) };
        if (c.month < ask->from_month || c.month > ask->to_month || d->program.n > sizeof c.program)
            continue;
        c.n_program = (uint8_t)d->program.n;
        memcpy(c.program, d->program.p, d->program.n);
        TRY(count(s, &c));
    }
    return OK;
}

/* ---- writing ---- */

static int by_place(const void *a, const void *b)
{
    const struct cell *x = *(const struct cell *const *)a, *y = *(const struct cell *const *)b;
    size_t n = x->n_program < y->n_program ? x->n_program : y->n_program;
    int r = memcmp(x->program, y->program, n);
    if (r == 0)
        r = (x->n_program > y->n_program) - (x->n_program < y->n_program);
    if (r == 0)
        r = (x->dose > y->dose) - (x->dose < y->dose);
    if (r == 0)
        r = (x->group > y->group) - (x->group < y->group);
    return r ? r : (x->month > y->month) - (x->month < y->month);
}

static void put_cell(const struct cell *c, bool exact, struct buf *out)
{
    char group[16], month[24];
    nz_age_group_name(c->group, group);
    snprintf(month, sizeof month, "%04u-%02u", c->month / 100, c->month % 100);
    csv_text(out, slice_of(c->program, c->n_program));
    buf_putc(out, ',');
    buf_u64(out, c->dose);
    buf_putc(out, ',');
    buf_puts(out, group);
    buf_putc(out, ',');
    buf_puts(out, month);
    buf_putc(out, ',');
    if (exact || c->count >= NZ_STAT_SMALL)
        buf_u64(out, c->count);
    else
        buf_puts(out, "*");
    buf_puts(out, "\r\n");
}

void nz_stat_write(const struct nz_stat *s, const struct nz_vacc_ask *ask, struct buf *out, uint64_t *rows)
{
    const struct cell **sorted = calloc(s->n ? s->n : 1, sizeof *sorted);
    size_t n = 0;
    buf_puts(out, "vaccinationProgramId,doseNumber,ageGroup,month,count\r\n");
    if (!sorted) {
        out->failed = true;
        return;
    }
    for (size_t i = 0; i < SLOTS; i++)
        if (s->cell[i].count)
            sorted[n++] = &s->cell[i];
    qsort(sorted, n, sizeof *sorted, by_place);
    for (size_t i = 0; i < n; i++)
        put_cell(sorted[i], ask->exact, out);
    *rows += n;
    free(sorted);
}
