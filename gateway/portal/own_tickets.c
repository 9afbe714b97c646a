/* POST /v1/portal/tickets: tickets that are good today, with the line that a venue reads, and on demand its QR code. */
#include <stdio.h>

#include "gateway/cert/qr.h"
#include "gateway/lookup/tickets.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"
#include "gateway/vaccine/ticket_line.h"

/* The values of 券種 are not published: the first digit is ours, and readers take any. */
enum { TICKET_KIND = '1' };

struct form {
    struct field_value pseudonym, qr;
};

static const struct field FORM[] = { CITIZEN_FIELD(form), { .name = "qr", .offset = offsetof(struct form, qr), .cls = FC_BOOL } };

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

static ERR write_picture(struct jsonw *w, struct slice line)
{
    struct qr *q;
    struct buf svg;
    TRY(qr_of_bytes(&q, line));
    buf_init(&svg, QR_SVG_MAX);
    struct err e = qr_svg(q, &svg);
    if (err_ok(e))
        jsonw_str(w, "ticketQr", buf_slice(&svg));
    buf_done(&svg);
    qr_free(q);
    return e;
}

/* A dose that is not told, or has two digits, has no place in the line. */
static ERR write_line(struct jsonw *w, const struct ticket *t, bool picture)
{
    char line[TICKET_LINE_CHARS];
    if (t->dose < 1 || t->dose > 9)
        return OK;
    line[0] = TICKET_KIND;
    line[1] = (char)('0' + t->dose);
    memcpy(line + 2, t->muni, sizeof t->muni);
    memcpy(line + 2 + sizeof t->muni, t->number.p, TICKET_NUMBER_CHARS);
    jsonw_str(w, "ticketLine", ARR(line));
    return picture ? write_picture(w, ARR(line)) : OK;
}

static ERR write_ticket(struct jsonw *w, const struct ticket *t, bool picture)
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
    TRY(write_line(w, t, picture));
    jsonw_end_object(w);
    return OK;
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
        TRY(write_ticket(&w, &o->tickets.t[i], o->form.qr.flag));
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
