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
/* POST /v1/clinic/session {"session"}: the same body, judged again. SESSION when it ended or is another clinic's. */
void clinic_read_session(struct req *r);

/* 予診票 (docs/vaccination.md), by a session that allows questionnaires: those that were submitted; the doctor's part of one. */
void clinic_read_questionnaires(struct req *r);
void clinic_complete_questionnaire(struct req *r);

#endif
