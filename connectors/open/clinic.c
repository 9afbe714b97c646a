/* Webhooks of clinic apps: what happened to something that the clinic has been told of, by the id under which it was. Nothing about the person. */
#include "connectors/open/say.h"

enum { TAKEN_MAX = 1024 };

static ERR tell(const struct open_case *c, struct buf *body, const char *const words[static NOTICE_WHAT__MAX], const char *ref_name)
{
    struct jsonw w;
    if (!words[c->n->what])
        return FAIL(E_FIELD);
    jsonw_init(&w, body);
    open_say_head(&w, c, words);
    if (ref_name)
        jsonw_cstr(&w, ref_name, c->ref);
    if (c->session[0])
        jsonw_cstr(&w, "sessionId", c->session);
    if (c->n->version)
        open_say_number(&w, "version", c->n->version);
    return open_say_end(&w);
}

static ERR questionnaire(const struct open_case *c, struct arena *a, struct buf *body)
{
    static const char *const WORDS[NOTICE_WHAT__MAX] = { [NOTICE_NEW] = "questionnaire_submitted" };
    (void)a;
    return tell(c, body, WORDS, "questionnaireId");
}

static ERR eligibility(const struct open_case *c, struct arena *a, struct buf *body)
{
    static const char *const WORDS[NOTICE_WHAT__MAX] = { [NOTICE_CHANGED] = "eligibility_changed", [NOTICE_ENDED] = "eligibility_revoked" };
    (void)a;
    return c->session[0] ? tell(c, body, WORDS, NULL) : FAIL(E_FIELD);
}

static ERR record(const struct open_case *c, struct arena *a, struct buf *body)
{
    static const char *const WORDS[NOTICE_WHAT__MAX] = { [NOTICE_NEW] = "record_confirmed", [NOTICE_CHANGED] = "record_corrected", [NOTICE_ENDED] = "record_cancelled" };
    (void)a;
    return tell(c, body, WORDS, "immunizationId");
}

#define WEBHOOK(build) .n_steps = 1, .step = { { OPEN_CLINIC, "", true, TAKEN_MAX, build, open_judge_taken } }
const struct open_connector open_questionnaire = { .kind = NOTICE_QUESTIONNAIRE, WEBHOOK(questionnaire) };
const struct open_connector open_eligibility = { .kind = NOTICE_ELIGIBILITY, WEBHOOK(eligibility) };
const struct open_connector open_record = { .kind = NOTICE_RECORD, WEBHOOK(record) };
