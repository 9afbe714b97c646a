#include "gateway/clinic/clinic.h"
#include "gateway/clinic/fhir.h"
#include "gateway/lookup/access.h"

enum { BODY_MAX = 8 * 1024, FORM_MAX = 1024, DOCTOR_MAX = 192 * 1024 /* answers to all items */, LIST_MAX = 256 * 1024 /* a key has 0.7 KiB as a rule; with more, the route would be one of bulk */, DEADLINE_MS = 2000 };

const struct route CLINIC_ROUTES[] = {
    { .method = M_POST, .path = "/v1/clinic/eligibility", .operation = { "lookUpEligibility" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_look_up },
    { .method = M_POST, .path = "/v1/clinic/eligibility/list", .operation = { "lookUpEligibilityList" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = LIST_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_look_up_list },
    { .method = M_POST, .path = "/v1/clinic/session", .operation = { "readSession" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_read_session },
    { .method = M_POST, .path = "/v1/clinic/questionnaires", .operation = { "readQuestionnaires" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_read_questionnaires },
    { .method = M_POST, .path = "/v1/clinic/questionnaires/complete", .operation = { "completeQuestionnaire" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = DOCTOR_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_complete_questionnaire },
    { .method = M_POST, .path = "/v1/clinic/tickets/read", .operation = { "readTicket" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_read_ticket },
    { .method = M_POST, .path = "/v1/clinic/immunizations", .operation = { "readImmunizations" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_read_immunizations },
    { .method = M_POST, .path = "/v1/clinic/immunizations/record", .operation = { "recordImmunization" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_record_immunization },
    { .method = M_POST, .path = "/v1/clinic/immunizations/correct", .operation = { "correctImmunization" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = clinic_correct_immunization },
    { .method = M_GET, .path = "/fhir/metadata", .operation = { "readCapabilities" }, .deadline_ms = DEADLINE_MS, .handler = clinic_fhir_capabilities },
    { .method = M_POST, .path = "/fhir/Patient/_search", .operation = { "searchPatient" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = FORM_MAX, .media = FHIR_FORM_MEDIA, .deadline_ms = DEADLINE_MS, .handler = clinic_fhir_patient },
    { .method = M_POST, .path = "/fhir/Coverage/_search", .operation = { "searchCoverage" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = FORM_MAX, .media = FHIR_FORM_MEDIA, .deadline_ms = DEADLINE_MS, .handler = clinic_fhir_coverage },
    { .method = M_POST, .path = "/fhir/Immunization/_search", .operation = { "searchImmunization" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = FORM_MAX, .media = FHIR_FORM_MEDIA, .deadline_ms = DEADLINE_MS, .handler = clinic_fhir_immunization },
    { .method = M_POST, .path = "/fhir/QuestionnaireResponse/_search", .operation = { "searchQuestionnaireResponse" }, .callers = CALLER_BIT(CALLER_CLINIC),
      .body_max = FORM_MAX, .media = FHIR_FORM_MEDIA, .deadline_ms = DEADLINE_MS, .handler = clinic_fhir_response },
    { .method = M_GET, .path = "/health", .operation = { "health" }, .deadline_ms = DEADLINE_MS, .handler = access_health },
};
const size_t CLINIC_ROUTES_N = sizeof CLINIC_ROUTES / sizeof CLINIC_ROUTES[0];
