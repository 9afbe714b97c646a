#ifndef GW_PORTAL_PORTAL_H
#define GW_PORTAL_PORTAL_H

/* The portal door: what the citizen portal may tell and ask. door_conf.ctx is a struct lookup_env. */

#include "gateway/serve/serve.h"

extern const struct route PORTAL_ROUTES[];
extern const size_t PORTAL_ROUTES_N;

/* POST /v1/portal/pseudonyms {"pmh_key","pseudonym"}: 204, also for a key that is not known yet, and again for the same pair.
 * CONFLICT when the pseudonym stands for another key, or the key has another pseudonym at this portal. */
void portal_link_pseudonym(struct req *r);
/* POST /v1/portal/eligibility {"pseudonym"}: the eligibility body, without a session. */
void portal_look_up(struct req *r);

/* What the citizen sees and does (docs/access.md). A silenced person is answered like one whom nobody has registered: NOTHING. */
void portal_list_consents(struct req *r);
/* NOTHING when the list has no such consent. */
void portal_withdraw_consents(struct req *r);
/* A session that is not in the list has ended: 200, and nothing is touched. */
void portal_end_sessions(struct req *r);
void portal_read_log(struct req *r);
/* NO_ROUTE where the settings name no key to sign with. */
void portal_issue_statement(struct req *r);

/* 予診票 (docs/vaccination.md): what can be answered and what was; a draft or the answers. */
void portal_list_questionnaires(struct req *r);
void portal_answer_questionnaire(struct req *r);

/* POST /v1/portal/immunizations, /v1/portal/tickets: what was given, and the tickets that are good today, of municipalities that the person has not left. */
void portal_own_immunizations(struct req *r);
void portal_own_tickets(struct req *r);
/* POST /v1/portal/notices: what happened to those records. */
void portal_own_notices(struct req *r);

/* Certificates of vaccination (docs/certificates.md). NO_ROUTE where the settings name no signer; a kiosk may issue too. */
void portal_issue_certificate(struct req *r);
void portal_list_certificates(struct req *r);
void portal_revoke_certificate(struct req *r);
/* For anyone. */
void portal_certificate_keys(struct req *r);
void portal_revoked_certificates(struct req *r);
/* The keys that sign messages to partners (gateway/courier): not those of certificates, so that neither is taken for the other. */
void portal_webhook_keys(struct req *r);

#endif
