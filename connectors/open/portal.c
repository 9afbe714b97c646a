/* A notice to the citizen, by the pseudonym that this portal has made itself. What the record says, the portal asks for when the person looks. */
#include "connectors/open/say.h"

enum { TAKEN_MAX = 1024 };

static ERR citizen(const struct open_case *c, struct arena *a, struct buf *body)
{
    static const char *const WORDS[NOTICE_WHAT__MAX] = { [NOTICE_NEW] = "immunization_recorded", [NOTICE_CHANGED] = "immunization_corrected",
                                                         [NOTICE_ENDED] = "immunization_cancelled" };
    struct jsonw w;
    (void)a;
    if (!c->pseudonym.n || !WORDS[c->n->what])
        return FAIL(E_FIELD);
    jsonw_init(&w, body);
    open_say_head(&w, c, WORDS);
    jsonw_str(&w, "pseudonym", c->pseudonym);
    jsonw_cstr(&w, "immunizationId", c->ref);
    return open_say_end(&w);
}

const struct open_connector open_citizen = { .kind = NOTICE_CITIZEN, .n_steps = 1, .step = { { OPEN_PORTAL, "/notices", false, TAKEN_MAX, citizen, open_judge_taken } } };
