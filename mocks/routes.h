#ifndef MOCKS_ROUTES_H
#define MOCKS_ROUTES_H

/* The table of routes of every system's door. */

#include "mocks/nation.h"

extern const struct route PMH_ROUTES[], INTERMEDIARY_ROUTES[], ONSHI_ROUTES[], PORTAL_ROUTES[], VRS_ROUTES[], CLINIC_APP_ROUTES[], ID5_ROUTES[],
    DATABASE_ROUTES[], CLAIMS_ROUTES[], CONTROL_ROUTES[];
extern const size_t PMH_ROUTES_N, INTERMEDIARY_ROUTES_N, ONSHI_ROUTES_N, PORTAL_ROUTES_N, VRS_ROUTES_N, CLINIC_APP_ROUTES_N, ID5_ROUTES_N, DATABASE_ROUTES_N,
    CLAIMS_ROUTES_N, CONTROL_ROUTES_N;


/* Rows that stand at two doors: what citizens ask of the portal, also for its page; what a clinic's tablet asks of its own system. */
#define PORTAL_QUESTIONS \
    { M_POST, "/portal/v1/eligibility", { "askMyEligibility" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/consents", { "askMyConsents" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/consents/withdraw", { "withdrawMyConsents" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/sessions/end", { "endMySessions" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/access-log", { "askWhoAsked" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/access-log/statement", { "askStatement" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/immunizations", { "askMyImmunizations" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/tickets", { "askMyTickets" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/my-notices", { "askMyNotices" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/questionnaires", { "askMyQuestionnaires" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/questionnaires/answer", { "answerMyQuestionnaire" }, 0, false, 65536, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/certificates", { "askMyCertificates" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/certificates/issue", { "applyForCertificate" }, 0, false, 4096, "application/json", 130000, portal_question }, \
    { M_POST, "/portal/v1/certificates/revoke", { "revokeMyCertificate" }, 0, false, 4096, "application/json", 130000, portal_question }
#define CLINIC_ERRANDS \
    { M_POST, "/clinic/v1/{clinic}/consents", { "giveConsentAtClinic" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/eligibility", { "askEligibility" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/eligibility/list", { "askDayList" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/session", { "askSession" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/tickets/read", { "askTicket" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/immunizations", { "askImmunizations" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/immunizations/record", { "recordDose" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/immunizations/correct", { "correctDose" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/questionnaires", { "askQuestionnaires" }, 0, false, 65536, "application/json", 30000, clinic_ask }, \
    { M_POST, "/clinic/v1/{clinic}/questionnaires/complete", { "completeSheet" }, 0, false, 65536, "application/json", 30000, clinic_ask }

handler_fn portal_question;

/* The control door's: CONTROL_ROUTES and the files of the pages, in memory that is the caller's. NOMEM. */
ERR control_routes(struct route **ret_routes, size_t *ret_n);

#endif
