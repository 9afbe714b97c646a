#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"

struct form {
    struct field_value pseudonym;
};

static const struct field FORM[] = { CITIZEN_FIELD(form) };

struct look_up {
    struct citizen c;
    struct form form;
};

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct jsonw w;
    if (err_ok(e))
        e = access_judge(&c->a, &w, &c->ps.person, hash);
    if (err_ok(e))
        jsonw_end_object(&w);
    access_end(&c->a, e);
}

void portal_look_up(struct req *r)
{
    struct look_up *l = access_new(r, sizeof *l);
    if (!l || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form))
        return;
    l->c.tells_records = true;
    citizen_find(&l->c, r, AU_CITIZEN_LOOKUP, l->form.pseudonym.text, on_person);
}
