/* POST /v1/portal/tickets: tickets that are good today. */
#include <stdio.h>

#include "gateway/lookup/tickets.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"

struct form {
    struct field_value pseudonym;
};

static const struct field FORM[] = { CITIZEN_FIELD(form) };

struct own {
    struct citizen c;
    struct form form;
    struct judge judge;
    struct tickets tickets;
};

static void write_day(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void write_ticket(struct jsonw *w, const struct ticket *t)
{
    char dose[12];
    jsonw_object(w, NULL);
    jsonw_str(w, "municipalityCode", ARR(t->muni));
    jsonw_str(w, "vaccinationProgramId", t->program);
    jsonw_str(w, "ticketNumber", t->number);
    if (t->label.n)
        jsonw_str(w, "vaccineName", t->label);
    jsonw_str(w, "doseNumber", slice_of(dose, (size_t)snprintf(dose, sizeof dose, "%u", t->dose)));
    write_day(w, "validFrom", t->from);
    write_day(w, "validTo", t->to);
    jsonw_end_object(w);
}

static ERR give(struct own *o, const struct redis_reply *hash)
{
    struct citizen *c = &o->c;
    struct jsonw w;
    TRY(judge_heard(&o->judge, c->a.env->store, &c->ps.person, clock_date_jst(citizen_now_ms(c)), hash));
    if (!judge_lives(&o->judge, hash))
        return FAIL(E_NOTHING);
    TRY(tickets_valid(&o->judge, hash, req_arena(c->a.r), &o->tickets));
    jsonw_init(&w, req_out(c->a.r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "tickets");
    for (size_t i = 0; i < o->tickets.n; i++)
        write_ticket(&w, &o->tickets.t[i]);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    c->a.rec.count = (uint32_t)o->tickets.n;
    return buf_check(req_out(c->a.r));
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    access_end(&c->a, err_ok(e) ? give((struct own *)c, hash) : e);
}

void portal_own_tickets(struct req *r)
{
    struct own *o = access_new(r, sizeof *o);
    if (o && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &o->form))
        citizen_find(&o->c, r, AU_OWN_TICKETS_READ, o->form.pseudonym.text, on_person);
}
