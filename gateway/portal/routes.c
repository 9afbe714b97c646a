#include "gateway/lookup/access.h"
#include "gateway/portal/portal.h"

enum { BODY_MAX = 2 * 1024, DEADLINE_MS = 2000, LOG_DEADLINE_MS = 4000 /* many questions to the audit log */, ANSWERS_MAX = 192 * 1024, APPLICATION_MAX = 8 * 1024 };

const struct route PORTAL_ROUTES[] = {
    { .method = M_POST, .path = "/v1/portal/pseudonyms", .operation = { "linkPseudonym" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_link_pseudonym },
    { .method = M_POST, .path = "/v1/portal/eligibility", .operation = { "lookUpByPseudonym" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_look_up },
    { .method = M_POST, .path = "/v1/portal/consents", .operation = { "listConsents" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_list_consents },
    { .method = M_POST, .path = "/v1/portal/consents/withdraw", .operation = { "withdrawConsents" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_withdraw_consents },
    { .method = M_POST, .path = "/v1/portal/sessions/end", .operation = { "endSessions" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_end_sessions },
    { .method = M_POST, .path = "/v1/portal/access-log", .operation = { "readAccessLog" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = LOG_DEADLINE_MS, .handler = portal_read_log },
    { .method = M_POST, .path = "/v1/portal/access-log/statement", .operation = { "issueStatement" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = LOG_DEADLINE_MS, .handler = portal_issue_statement },
    { .method = M_POST, .path = "/v1/portal/questionnaires", .operation = { "listOwnQuestionnaires" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_list_questionnaires },
    { .method = M_POST, .path = "/v1/portal/questionnaires/answer", .operation = { "answerQuestionnaire" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = ANSWERS_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_answer_questionnaire },
    { .method = M_POST, .path = "/v1/portal/immunizations", .operation = { "readOwnImmunizations" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_own_immunizations },
    { .method = M_POST, .path = "/v1/portal/tickets", .operation = { "readOwnTickets" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_own_tickets },
    { .method = M_POST, .path = "/v1/portal/certificates", .operation = { "listOwnCertificates" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_list_certificates },
    { .method = M_POST, .path = "/v1/portal/certificates/issue", .operation = { "issueCertificate" },
      .callers = CALLER_BIT(CALLER_PORTAL) | CALLER_BIT(CALLER_KIOSK), .body_max = APPLICATION_MAX, .media = "application/json", .deadline_ms = LOG_DEADLINE_MS,
      .handler = portal_issue_certificate },
    { .method = M_POST, .path = "/v1/portal/certificates/revoke", .operation = { "revokeCertificate" }, .callers = CALLER_BIT(CALLER_PORTAL),
      .body_max = BODY_MAX, .media = "application/json", .deadline_ms = DEADLINE_MS, .handler = portal_revoke_certificate },
    { .method = M_GET, .path = "/.well-known/jwks.json", .operation = { "readCertificateKeys" }, .deadline_ms = DEADLINE_MS, .handler = portal_certificate_keys },
    { .method = M_GET, .path = "/.well-known/crl/{kid}.json", .operation = { "readRevokedCertificates" }, .deadline_ms = DEADLINE_MS,
      .handler = portal_revoked_certificates },
    { .method = M_GET, .path = "/health", .operation = { "health" }, .deadline_ms = DEADLINE_MS, .handler = access_health },
};
const size_t PORTAL_ROUTES_N = sizeof PORTAL_ROUTES / sizeof PORTAL_ROUTES[0];
