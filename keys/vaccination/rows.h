#ifndef GW_ZONE_NUMBER
#error "rows.h belongs to the number zone"
#endif
#ifndef KEYS_VACCINATION_ROWS_H
#define KEYS_VACCINATION_ROWS_H

/* What is asked of an export, and the rows of it. Sans I/O. UTF-8 without a mark, lines end with CR LF. */

#include "gateway/vaccine/table.h"
#include "keys/vaccination/person.h"

enum { NZ_LEDGER_COLUMNS = 17, NZ_STAT_CELLS_MAX = 1 << 16, NZ_STAT_MONTHS_MAX = 24, NZ_STAT_SMALL = 5 /* counts below are not told */,
       NZ_RECALL_DAYS = 30 /* due for so long: to be reminded */, NZ_ROW_MAX = 64 * 1024 };

enum nz_due_list { NZ_DUE_ALL, NZ_DUE_RECALL /* 勧奨 */, NZ_DUE_REDUCTION /* 減免 */ };

struct nz_vacc_ask {
    char program[VACCINE_ID_MAX + 1]; /* ledger, due; NUL-terminated */
    unsigned first;                   /* ledger: the dose in the first eight columns, the next one in the second; from 1 */
    bool header, aligned;             /* ledger */
    ymd_t on;                         /* due; 0: today */
    enum nz_due_list list;
    uint32_t from_month, to_month;    /* statistics: yyyymm, both included; 0: the twelve months that end with this one */
    bool exact;                       /* statistics: small counts too */
    uint32_t month;                   /* claims: yyyymm */
};

/* BAD_URL for anything that is not documented. program=ID [&first=N] [&header=yes] [&aligned=yes] */
ERR nz_ledger_ask_read(struct slice query, struct nz_vacc_ask *ret_a);
/* program=ID [&on=YYYY-MM-DD] [&list=recall|reduction] */
ERR nz_due_ask_read(struct slice query, struct nz_vacc_ask *ret_a);
/* [from=YYYY-MM&to=YYYY-MM] [&small=exact]; at most NZ_STAT_MONTHS_MAX months */
ERR nz_statistics_ask_read(struct slice query, struct nz_vacc_ask *ret_a);

/* month=YYYY-MM */
ERR nz_claims_ask_read(struct slice query, struct nz_vacc_ask *ret_a);

/* ---- recalls ---- */

ERR nz_recalls_ask_read(struct slice query, struct nz_vacc_ask *ret_a); /* nothing may be asked */
void nz_recalls_header(struct buf *out);
void nz_recalls_rows(const struct nz_vacc_person *p, struct buf *out, uint64_t *rows);

/* ---- VRS 予防接種台帳向け出力: 17 columns ---- */

void nz_ledger_header(struct buf *out);
/* One row, or none when neither dose is recorded. *ret_rows is raised. Cells are cut at the published lengths. */
void nz_ledger_row(const struct nz_vacc_ask *ask, const struct nz_vacc_person *p, struct buf *out, uint64_t *rows);

/* ---- who is due ---- */

/* The next dose of the program and the days on which it can be given, by the table; false: there is none (any more), or nothing can be said without a day of birth. */
struct nz_due { unsigned dose; ymd_t from, to /* 0: no end */, last /* dose before; 0 */; };
bool nz_due_of(const struct vaccine_program *v, const struct nz_vacc_person *p, ymd_t on, struct nz_due *ret_d);
void nz_due_header(struct buf *out);
void nz_due_row(const struct nz_vacc_ask *ask, const struct vaccine_program *v, const struct nz_vacc_person *p, struct buf *out, uint64_t *rows);

/* ---- statistics ---- */

struct nz_stat; /* counts by program, dose, age group and month */
struct nz_stat *nz_stat_new(void);   /* NULL: no memory */
void nz_stat_free(struct nz_stat *s);
/* FULL: more than NZ_STAT_CELLS_MAX cells; NOMEM. */
ERR nz_stat_add(struct nz_stat *s, const struct nz_vacc_ask *ask, const struct nz_vacc_person *p);
void nz_stat_write(const struct nz_stat *s, const struct nz_vacc_ask *ask, struct buf *out, uint64_t *rows);
/* Age groups: single years to 4, then five years each to 99, then all above; the last is "not known". */
enum { NZ_AGE_GROUPS = 26 };
unsigned nz_age_group(ymd_t birth, ymd_t on);
void nz_age_group_name(unsigned group, char out[static 16]);

#endif
