#include "gateway/base/csv_write.h"
#include "keys/vaccination/rows.h"

enum { FISCAL_MONTH = 4 };

static const char *const COLUMNS[] = { "vaccinationSubjectNumber", "ticketNumber", "name", "nameKana", "dateOfBirth", "guardianName", "vaccinationProgramId", "doseNumber",
                                       "from", "to", "lastVaccinationDate", "subjectSegment", "reductionSegment", "recall", "notDisclosed" };

void nz_due_header(struct buf *out)
{
    for (size_t i = 0; i < sizeof COLUMNS / sizeof *COLUMNS; i++) {
        if (i)
            buf_putc(out, ',');
        buf_puts(out, COLUMNS[i]);
    }
    buf_puts(out, "\r\n");
}

static ymd_t year_begins(ymd_t on)
{
    unsigned y = on / 10000 - (on / 100 % 100 < FISCAL_MONTH);
    return y * 10000 + FISCAL_MONTH * 100 + 1;
}

static ymd_t later(ymd_t a, ymd_t b) { return a > b ? a : b; }
static bool has(struct span s) { return s.months || s.days; }

bool nz_due_of(const struct vaccine_program *v, const struct nz_vacc_person *p, ymd_t on, struct nz_due *ret_d)
{
    struct nz_due d = { 0 };
    ymd_t begins = v->yearly ? year_begins(on) : 0;
    unsigned given = 0;
    for (size_t i = 0; i < p->n_doses; i++) {
        const struct immun *x = &p->doses[i];
        if (!slice_eq(x->program, slice_str(v->id)) || x->date < begins || x->date > on)
            continue;
        given = x->dose > given ? x->dose : given;
        d.last = later(d.last, x->date);
    }
    if (given >= v->n_doses)
        return false;
    const struct vaccine_dose *next = &v->dose[given];
    if ((has(next->from) || has(next->to)) && !p->birth)
        return false;
    d.dose = given + 1;
    d.from = later(begins, p->birth ? p->birth : 0);
    if (has(next->from))
        d.from = later(d.from, age_reached(p->birth, next->from));
    if (d.last && has(next->after))
        d.from = later(d.from, interval_over(d.last, next->after));
    if (has(next->to))
        d.to = age_reached(p->birth, next->to);
    *ret_d = d;
    return true;
}

static const struct ticket *ticket_of(const struct vaccine_program *v, const struct nz_vacc_person *p, unsigned dose)
{
    for (size_t i = 0; i < p->n_tickets; i++)
        if (slice_eq(p->tickets[i].program, slice_str(v->id)) && (p->tickets[i].dose == dose || !p->tickets[i].dose))
            return &p->tickets[i];
    return NULL;
}

static void put_text(struct buf *out, struct slice s)
{
    if (s.n)
        csv_text(out, s);
    buf_putc(out, ',');
}

static void put_day(struct buf *out, ymd_t d)
{
    char text[10];
    if (d) {
        ymd_format(d, text);
        buf_put(out, ARR(text));
    }
    buf_putc(out, ',');
}

static bool recalled(const struct nz_due *d, ymd_t on) { return d->from && day_number(on) - day_number(d->from) >= NZ_RECALL_DAYS; }

void nz_due_row(const struct nz_vacc_ask *ask, const struct vaccine_program *v, const struct nz_vacc_person *p, struct buf *out, uint64_t *rows)
{
    struct nz_due d;
    if (!p->subject || p->left || !nz_due_of(v, p, ask->on, &d) || d.from > ask->on || (d.to && d.to < ask->on))
        return;
    if ((ask->list == NZ_DUE_RECALL && !recalled(&d, ask->on)) || (ask->list == NZ_DUE_REDUCTION && !p->reduction.n))
        return;
    const struct ticket *t = ticket_of(v, p, d.dose);
    put_text(out, p->number);
    buf_put(out, t ? t->number : SLICE_NONE);
    buf_putc(out, ',');
    put_text(out, p->name);
    put_text(out, p->kana);
    put_day(out, p->birth);
    put_text(out, p->guardian);
    put_text(out, slice_str(v->id));
    buf_u64(out, d.dose);
    buf_putc(out, ',');
    put_day(out, d.from);
    put_day(out, d.to);
    put_day(out, d.last);
    put_text(out, p->segment);
    put_text(out, p->reduction);
    buf_puts(out, recalled(&d, ask->on) ? "1," : "0,");
    buf_puts(out, p->silent ? "1" : "0");
    buf_puts(out, "\r\n");
    ++*rows;
}
