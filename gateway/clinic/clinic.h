#ifndef GW_CLINIC_CLINIC_H
#define GW_CLINIC_CLINIC_H

/* The clinic door: what a 医療機関 may ask. door_conf.ctx is a struct lookup_env. */

#include "gateway/serve/serve.h"

extern const struct route CLINIC_ROUTES[];
extern const size_t CLINIC_ROUTES_N;

/* POST /v1/clinic/eligibility {"link_key"}: the link key is used up by the first call of its clinic, whoever the person is.
 * NOTHING for everything else that is not USED; opens a session. After a 503 the key may be used up or not (the store may have
 * been lost after the use was written): the clinic tries once more, and on USED starts again from card authentication. */
void clinic_look_up(struct req *r);
/* POST /v1/clinic/eligibility/list {"link_keys":[1..100]}: the same for each, in that order; one answer. */
void clinic_look_up_list(struct req *r);
/* POST /v1/clinic/session {"session"}: the same body, judged again. SESSION when it ended or is another clinic's. */
void clinic_read_session(struct req *r);

/* 予診票 (docs/vaccination.md), by a session that allows questionnaires: those that were submitted; the doctor's part of one. */
void clinic_read_questionnaires(struct req *r);
void clinic_complete_questionnaire(struct req *r);

/* POST /v1/clinic/immunizations {"session"}: what was given, by the municipalities that the person has not left. */
void clinic_read_immunizations(struct req *r);
/* POST /v1/clinic/immunizations/record, /correct: RULES with the rules that are broken, VERSION. The same requestId with the same content is answered as before. */
void clinic_record_immunization(struct req *r);
void clinic_correct_immunization(struct req *r);
/* POST /v1/clinic/tickets/read {"ticketLine","dateOfBirth"}: opens a session for that ticket. NOTHING for all that is wrong with it; TRIES after too much of that. */
void clinic_read_ticket(struct req *r);

#endif
