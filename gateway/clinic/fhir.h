#ifndef GW_CLINIC_FHIR_H
#define GW_CLINIC_FHIR_H

/* The FHIR view at the clinic door (docs/fhir.md): POST /fhir/{type}/_search with session=... in the body, by the same way and the same judgement as the
 * native routes (visit.h). Ids are of the session. */

#include "gateway/clinic/visit.h"
#include "gateway/fhir/fhir.h"

struct fhir_visit { /* the first member of the handler's own struct */
    struct visit v;
    struct fhir_form form;
    struct fhir f;
};

/* Reads the form and opens the visit. */
void fhir_visit_open(struct fhir_visit *x, struct req *r, enum link_kind kind, unsigned items, visit_fn *fn);
/* Begins the bundle in req_out(), which may be done again. */
void fhir_visit_begin(struct fhir_visit *x, enum fhir_type type);

void clinic_fhir_capabilities(struct req *r);
void clinic_fhir_patient(struct req *r);
void clinic_fhir_coverage(struct req *r);
void clinic_fhir_immunization(struct req *r);
void clinic_fhir_response(struct req *r);

#endif
