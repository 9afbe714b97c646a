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

enum nz_form { NZ_FORM_SUBJECT, NZ_FORM_HISTORY };

/* X(symbol, slug): what is to be done with a row. The slug is the `code` of the task's row. */
#define NZ_ROW_VERDICTS(X)                                                                            \
    X(NZ_ROW_OK, "ok")                                        /* apply it */                          \
    X(NZ_ROW_FIELD, "field_invalid")                          /* refused: see report */               \
    X(NZ_ROW_SAME_TWICE, "same_row_twice")                    /* unchanged: with_row came earlier */  \
    X(NZ_ROWS_CONTRADICT, "rows_contradict")                  /* refused: same certificate, other content */ \
    X(NZ_RESIDENT_TWO_NUMBERS, "resident_key_two_numbers")    /* refused */                           \
    X(NZ_NUMBER_TWO_RESIDENTS, "number_two_residents")        /* refused */                           \
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
    struct slice history_key;    /* historyKey; empty when absent */
    struct slice resident_key;   /* municipalityIdentityKey; empty when absent */
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
/* Gives the numbers back now; idempotent. NULL is fine. */
void nz_rows_free(struct nz_rows *rows);

#endif
