#ifndef GW_BASIS_BASIS_H
#define GW_BASIS_BASIS_H

/* The register of legal bases: who may do what, about which kinds of data, for which purpose, and why (docs/legal-basis.md).
 * One YAML file, read once when a daemon starts; nothing that it does not name is allowed. */

#include "gateway/audit/audit.h"
#include "gateway/tls/tls.h"

enum {
    BASIS_FILE_MAX = 256 * 1024, BASIS_ROWS_MAX = 256, BASIS_OPERATIONS_MAX = 128, BASIS_PURPOSES_MAX = 64, BASIS_PROGRAMS_MAX = 32,
    BASIS_CALLERS_MAX = 16 /* of a row */, BASIS_SYSTEMS_MAX = 32 /* of a caller */, BASIS_ID_MAX = 9999, BASIS_WORD_MAX = 32, BASIS_TEXT_MAX = 600
};

struct basis_purpose { uint8_t id; const char *word, *ja, *en; };
struct basis_program { const char *word, *ja, *en; };           /* 自治体業務ID */

struct basis_operation {
    const char *name;                     /* as in the table of routes */
    const struct basis_program *program;  /* NULL: of no single program */
    const struct basis_purpose *purpose;  /* NULL: the link key says it */
    uint16_t items;                       /* AUDIT_ITEM_*: what it is about */
    enum audit_behalf behalf;
    bool inside;                          /* no route: an act of the gateway itself on behalf of a municipality */
};

struct basis_caller { enum caller_role role; const char *system; /* NULL: every one of the role */ };

struct basis_row {
    uint16_t id;                          /* 1 to BASIS_ID_MAX; stored in the audit log, never used for another */
    const char *law_ja, *law_en;
    bool cited;                           /* the text of the law is as the source has it; otherwise it is our assumption */
    const char *source;
    const struct basis_program *program;  /* NULL */
    const struct basis_purpose *purpose;
    const struct basis_caller *callers;
    size_t n_callers;
    const struct basis_operation **operations;
    size_t n_operations;
    uint16_t items;
    uint32_t retention_days;
    bool consent;                         /* holds only with the person's consent, which whoever acts has to confirm (inquiries) */
};

struct basis;

/* A fault of the file goes to standard error: file, line, column, what. CONFIG. */
ERR basis_load(struct basis **ret_b, const char *path);
/* From memory: the line is appended to *bad_line, without newline. CONFIG, NOMEM. */
ERR basis_parse(struct basis **ret_b, const char *file, struct slice yaml, struct buf *bad_line);
void basis_free(struct basis *b);

/* ---- the verdict ---- */

struct basis_fit {
    uint16_t id;     /* of the first row that fits; 0: none, refuse with BASIS */
    uint8_t purpose;
    uint16_t items;  /* that were asked for */
    enum audit_behalf behalf;
};

/* What is asked. system: SLICE_NONE stands for whatever system, for work whose caller was judged when it was ordered.
 * purpose: the word of the link key; SLICE_NONE: the operation's own (an operation that takes its purpose from a link key fits nothing then).
 * items: 0: the operation's own. Costs one hash of the operation's name and a look at the few rows that name it. */
struct basis_fit basis_judge(const struct basis *b, enum caller_role role, struct slice system, struct slice operation, struct slice purpose, unsigned items);
/* At the door, where a link key has not been read yet: some row names this caller and this operation. */
bool basis_may(const struct basis *b, enum caller_role role, struct slice system, struct slice operation);
/* The four columns of an audit record. */
void basis_note(struct audit_rec *rec, struct basis_fit fit);

/* The row of that id when it names this caller and this operation; NULL otherwise: for requests that say themselves on which basis they act. */
const struct basis_row *basis_named(const struct basis *b, unsigned id, enum caller_role role, struct slice system, struct slice operation);

/* The program that an operation belongs to; NULL: none, or no such operation. */
const char *basis_program(const struct basis *b, struct slice operation);
bool basis_has_program(const struct basis *b, struct slice word);

/* ---- for people and for walks ---- */

size_t basis_rows(const struct basis *b);
const struct basis_row *basis_row_at(const struct basis *b, size_t i);
const struct basis_row *basis_row_of(const struct basis *b, unsigned id);             /* NULL: no such row */
size_t basis_operations(const struct basis *b);
const struct basis_operation *basis_operation_at(const struct basis *b, size_t i);
const struct basis_operation *basis_operation_of(const struct basis *b, struct slice name);
size_t basis_purposes(const struct basis *b);
const struct basis_purpose *basis_purpose_at(const struct basis *b, size_t i);
const struct basis_purpose *basis_purpose_of(const struct basis *b, unsigned id);
const struct basis_purpose *basis_purpose_named(const struct basis *b, struct slice word);
size_t basis_programs(const struct basis *b);
const struct basis_program *basis_program_at(const struct basis *b, size_t i);

const char *basis_role_name(enum caller_role role);
/* Words of kinds of data, for listing: name of the bit 1 << i, NULL past the last. */
const char *basis_item_name(unsigned i);

#endif
