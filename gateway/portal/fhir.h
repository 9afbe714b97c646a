#ifndef GW_PORTAL_FHIR_H
#define GW_PORTAL_FHIR_H

/* The FHIR view at the portal door (docs/fhir.md): POST /fhir/{type}/_search with pseudonym=... in the body, by the same way and the same judgement as the
 * native routes (citizen.h). Ids are of the portal. */

#include "gateway/fhir/fhir.h"
#include "gateway/portal/citizen.h"

extern const struct fhir_ask FHIR_PSEUDONYM;

/* Begins the bundle in req_out(), which may be done again. */
void fhir_citizen_begin(struct fhir *f, const struct citizen *c, enum fhir_type type, const struct fhir_form *form);

void portal_fhir_capabilities(struct req *r);
void portal_fhir_patient(struct req *r);
void portal_fhir_coverage(struct req *r);
void portal_fhir_immunization(struct req *r);
void portal_fhir_response(struct req *r);
void portal_fhir_consent(struct req *r);
void portal_fhir_audit_event(struct req *r);

#endif
