#ifndef GW_ZONE_NUMBER
#error "registration.h belongs to the number zone"
#endif
#ifndef KEYS_REGISTRATION_REGISTRATION_H
#define KEYS_REGISTRATION_REGISTRATION_H

/* The body of a registration, read into rows. Sans I/O: bytes in, rows with verdicts out.
 *
 * Two published forms (docs/interfaces.md), each a JSON array of objects:
 *   NZ_FORM_SUBJECT  医療費助成対象者情報登録 (postRegistrationTasks)
 *   NZ_FORM_HISTORY  医療費助成対象者差分履歴情報 登録 (postHistoryRegistrationTasks)
 * A number is taken out of the JSON into locked memory; nothing else of a row may hold it (rule number_inside), so
 * that what goes downstream cannot carry it. */

#include "gateway/check/field.h"
#include "gateway/store/store.h"
#include "keys/number/mynum.h"

/* X(symbol, operation, path of the door, layout of its CSV form, kind of what is stored)
 * The first three are published; of the others see docs/interfaces.md for what is. The order is stored: append only. */
#define NZ_FORMS(X)                                                                                                              \
    X(NZ_FORM_SUBJECT, "postRegistrationTasks", "/v1/medical-subsidy/registration-tasks", "child-medical-subsidy", STORE_SUBSIDY) \
    X(NZ_FORM_HISTORY, "postHistoryRegistrationTasks", "/v1/medical-subsidy/history-registration-tasks", "subsidy-history", STORE_SUBSIDY) \
    X(NZ_FORM_CHECKUP, "postMunicipalCheckupRegistrationTasks", "/v1/municipal-checkup/registration-tasks", "municipal-checkup", STORE_CHECKUP) \
    X(NZ_FORM_VACCINATION, "postVaccinationSubjectRegistrationTasks", "/v1/vaccination/subject-registration-tasks", "vaccination-subjects", STORE_VACCINATION) \
    X(NZ_FORM_TICKET, "postVaccinationTicketRegistrationTasks", "/v1/vaccination/ticket-registration-tasks", "vaccination-tickets", STORE_TICKET) \
    X(NZ_FORM_CHANGE, "postResidentChangeTasks", "/v1/residents/change-tasks", "resident-changes", STORE_CHANGE) \
    X(NZ_FORM_INQUIRY, "postInquiries", "/v1/vaccination/inquiries", "", STORE_CHANGE)

enum nz_form {
#define X(sym, operation, path, layout, kind) sym,
    NZ_FORMS(X)
#undef X
    NZ_FORM__MAX
};
struct nz_form_info { const char *operation, *path, *layout; enum store_kind kind; };
const struct nz_form_info *nz_form_info(enum nz_form form); /* never NULL */
bool nz_form_by_operation(struct slice operation, enum nz_form *ret_form);

/* X(symbol, slug): what is to be done with a row. The slug is the `code` of the task's row. */
#define NZ_ROW_VERDICTS(X)                                                                            \
    X(NZ_ROW_OK, "ok")                                        /* apply it */                          \
    X(NZ_ROW_FIELD, "field_invalid")                          /* refused: see report */               \
    X(NZ_ROW_SAME_TWICE, "same_row_twice")                    /* unchanged: with_row came earlier */  \
    X(NZ_ROWS_CONTRADICT, "rows_contradict")                  /* refused: same certificate, other content */ \
    X(NZ_RESIDENT_TWO_NUMBERS, "resident_key_two_numbers")    /* quarantined */                       \
    X(NZ_NUMBER_TWO_RESIDENTS, "number_two_residents")        /* quarantined */                       \
    X(NZ_PERSON_MISMATCH, "person_mismatch")                  /* quarantined: other name and other birth date */

enum nz_row_verdict {
#define X(sym, slug) sym,
    NZ_ROW_VERDICTS(X)
#undef X
    NZ_ROW__MAX
};
const char *nz_row_slug(enum nz_row_verdict v);

struct nz_row {
    unsigned row;                /* from 1, the position in the request */
    enum nz_row_verdict verdict;
    unsigned with_row;           /* SAME_TWICE: the earlier row; contradictions: another row of the group; else 0 */
    struct field_report report;  /* faults when FIELD; warnings in every case */
    /* Set unless FIELD: */
    struct nz_mynum *number;     /* owned by the rows; may be taken out: set it to NULL */
    struct slice type_id;        /* orgSpecificCertificateTypeId, 1..50 */
    struct slice history_key;    /* historyKey; empty when absent. Other forms: what, with type_id, tells two records of a person apart */
    struct slice resident_key;   /* municipalityIdentityKey; empty when absent. FIELD: set too, when it is good itself and no number can be in it */
    bool has_resident_key;
    struct record record;        /* eligibility (wire-ready) and basic, from, to, not_disclosed, deleted; task, row, stored_ms, updated: the caller's */
};

struct nz_rows {
    size_t n;
    struct nz_row *row;
};

/* body: the whole request body. pool: room for rows_max + 1 numbers. levels: how check digits are judged. muni: 6 digits, written
 * into every record. Errors are of the whole body: BAD_UTF8, BAD_JSON, JSON_DEPTH, JSON_DUPLICATE, JSON_SHAPE (not an array, or
 * an empty one), TOO_MANY_ROWS, FULL (arena or pool), NOMEM, CRYPTO. Otherwise every row has its verdict.
 * The rows and their slices live in the arena; the numbers go back to the pool with the arena's reset (or nz_rows_free). */
ERR nz_registration_parse(struct nz_rows **ret_rows, struct arena *a, struct nz_pool *pool, enum nz_form form, struct slice body,
                          size_t rows_max, const char muni[static 6], const struct check_levels *levels);
/* ---- one row at a time, of a file ---- */

struct nz_layout;
struct nz_linkage_row;

/* What a form needs to read rows: the field tables, the layout's columns found in them, working buffers. */
struct nz_row_reader;
/* layout: NULL for JSON; borrowed. CONFIG when it names a field that the form does not have. */
ERR nz_row_reader_new(struct nz_row_reader **ret_r, enum nz_form form, const struct nz_layout *layout, const char muni[static 6],
                      const struct check_levels *levels, struct nz_pool *pool);
void nz_row_reader_free(struct nz_row_reader *r);
/* Judges one row by itself; verdict OK or FIELD (a JSON text that is not one good object: FIELD with rule TYPE and the field ""). The rules
 * between rows are the caller's. Slices of the row live in the arena; the number is the caller's to free. FULL, NOMEM, CRYPTO. */
ERR nz_row_read(struct nz_row_reader *r, const struct nz_linkage_row *in, struct arena *a, struct nz_row *ret_row);

/* Gives the numbers back now; idempotent. NULL is fine. */
void nz_rows_free(struct nz_rows *rows);

#endif
