/* POST /v1/portal/sessions/end */
#include "gateway/portal/consents.h"
#include "gateway/portal/portal.h"

struct form {
    struct field_value pseudonym, session_id, all;
};

static const struct field FORM[] = {
    CITIZEN_FIELD(form),
    { .name = "session_id", .offset = offsetof(struct form, session_id), .cls = FC_ALNUM, .min = 32, .max = 32 },
    { .name = "all", .offset = offsetof(struct form, all), .cls = FC_BOOL },
};

struct end {
    struct control t;
    struct form form;
};

/* Only what the person's own hash has: another's session cannot be ended by its name. A session that is not there has ended, which is what was wanted. */
static bool add(struct control *t, const struct redis_reply *hash, struct redis_batch *b, struct err *ret_e)
{
    struct citizen *c = &t->c;
    for (size_t i = 0; i < t->book.n_sessions; i++) {
        const struct session_entry *n = &t->book.sessions[i];
        if (!t->all && !slice_eq(ARR(n->name.b), ARR(t->name.b)))
            continue;
        t->ended[t->n_ended++] = *n;
        if (!t->all)
            *ret_e = session_add_end(&c->ps.person, &n->name, b);
    }
    if (t->all)
        *ret_e = session_add_end_of_all(&c->ps.person, hash, b);
    return true;
}

static size_t acts(struct control *t, size_t i, struct audit_rec *rec)
{
    if (i < t->n_ended) {
        memcpy(rec->ref, t->ended[i].name.b, sizeof rec->ref);
        rec->until_s = (uint32_t)(t->ended[i].until_ms / 1000 + 1);
        rec->count = 1;
        rec->result = AR_OK;
    }
    return t->n_ended ? t->n_ended : 1;
}

void portal_end_sessions(struct req *r)
{
    static const struct control_kind KIND = { .event = AU_SESSION_ENDED, .add = add, .acts = acts };
    struct end *x = access_new(r, sizeof *x);
    if (!x || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &x->form) ||
        !control_target(&x->t, r, "session_id", &x->form.session_id, &x->form.all))
        return;
    x->t.kind = &KIND;
    control_begin(&x->t, r, x->form.pseudonym.text);
}
