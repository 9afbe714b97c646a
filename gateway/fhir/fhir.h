#ifndef GW_FHIR_FHIR_H
#define GW_FHIR_FHIR_H

/* The FHIR R4 view (JP Core) of what the native routes tell: docs/fhir.md. Writers and the form of a search; sans I/O, and without any judgement: what is handed
 * in may be told.
 *
 * Ids are letters only, a MAC over the scope (a session, or a portal), the type and the name of what it is: the same within the scope, unlike in every other,
 * and never taken for a number. An identifier with twelve digits in a row is not written: bundle.c. */

#include "gateway/audit/audit.h"
#include "gateway/basis/basis.h"
#include "gateway/basis/institutions.h"
#include "gateway/check/field.h"
#include "gateway/consent/consent.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/serve/serve.h"
#include "gateway/vaccine/immun.h"
#include "gateway/vaccine/table.h"

enum fhir_type { FHIR_PATIENT, FHIR_COVERAGE, FHIR_IMMUNIZATION, FHIR_QUESTIONNAIRE_RESPONSE, FHIR_CONSENT, FHIR_AUDIT_EVENT, FHIR_TYPE__MAX };
const char *fhir_type_name(enum fhir_type t); /* "Patient" */

enum { FHIR_ID_CHARS = 32, FHIR_COUNT_MAX = 50 /* of a page, also when nothing is said */ };

/* For door_conf: application/fhir+json, and OperationOutcome instead of a problem document. */
extern const struct dialect FHIR_DIALECT;
#define FHIR_FORM_MEDIA "application/x-www-form-urlencoded"

/* ---- what is asked: form.c ---- */

struct fhir_ask { const char *who; /* "session" or "pseudonym" */ size_t min, max; /* its characters */ };
struct fhir_form {
    struct slice who;  /* in the arena */
    unsigned count;    /* 1 to FHIR_COUNT_MAX */
    uint64_t cursor;   /* 0: from the beginning */
};
/* The body, and the query, in which only _count, _cursor and _format may stand. Each name once, none that is not known. BAD_URL: anything else in the query,
 * above all the name of a session or a person; FIELD with *report. */
ERR fhir_form_read(struct slice body, struct slice query, const struct fhir_ask *ask, struct arena *a, struct fhir_form *ret_f, struct field_report *report);

/* The same of a request; false: it has been answered. */
__attribute__((warn_unused_result)) bool fhir_form_of(struct req *r, const struct fhir_ask *ask, struct fhir_form *ret_f);

/* ---- a searchset ---- */

struct fhir_world { /* what names are looked up in; each may be NULL */
    const struct vaccine_table *vaccines;
    const struct institutions *institutions;
    const struct basis *basis;
};

struct fhir {
    struct jsonw w;
    struct store *store;
    struct fhir_world world;
    struct slice scope;
    enum fhir_type type;
    const struct fhir_form *form;
    bool paged_elsewhere;        /* the caller hands in one page; how many there are in all is not told */
    uint64_t total, told, next;  /* next: cursor behind this page, 0: it is the last one */
    bool open;                   /* "entry":[ */
    bool withheld;               /* an identifier was not written */
    struct err failed;
    char patient[FHIR_ID_CHARS];
};

/* Begins in out. scope: the 16 bytes of a session's name, or a portal's name; person: p:{h}. All are borrowed. */
void fhir_begin(struct fhir *f, struct buf *out, struct store *store, enum fhir_type type, const struct fhir_form *form);
void fhir_scope(struct fhir *f, struct slice scope, const struct store_name *person);
/* The last brackets. Whatever went wrong on the way. */
ERR fhir_end(struct fhir *f);

/* One that matches: written when it is on the page that was asked for. False: it is not. */
bool fhir_patient(struct fhir *f);
/* Each object of {"eligibility":[...]} as access_judge() writes it. SEAL when it is something else, and as json_in_object(). */
ERR fhir_coverages(struct fhir *f, struct arena *a, struct slice body);
bool fhir_immunization(struct fhir *f, const struct immun_record *rec);
/* t: NULL: not at hand; answers are texts then. */
bool fhir_response(struct fhir *f, const struct sheet *s, const struct qtemplate *t);
bool fhir_consent(struct fhir *f, const struct consent_entry *e);
/* Words of the portal (a higher layer). */
struct fhir_event { uint64_t seq; const struct audit_rec *rec; struct slice who /* code of the institution */; const char *event_ja, *event_en, *result_ja, *result_en; };
bool fhir_audit_event(struct fhir *f, const struct fhir_event *e);

/* ---- about the door ---- */

struct fhir_door { const char *who; const char *title_ja, *title_en; unsigned types; /* 1 << enum fhir_type */ };
void fhir_capabilities(const struct fhir_door *d, struct buf *out);

#endif
