/* POST /v1/portal/questionnaires: the person's own, what it could answer for the tickets that are good today, and the templates of both.
 *
 *   HGETALL p:{h} -> own questionnaires, tickets -> HGET qt:<muni> ix of each municipality -> which templates -> HGET of those -> answer */
#include <stdio.h>

#include "gateway/lookup/tickets.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"

enum { BATCH_MAX = 16 * 1024 };

struct form { struct field_value pseudonym; };
static const struct field FORM[] = { CITIZEN_FIELD(form) };

struct list {
    struct citizen c;
    struct form form;
    struct jsonw w;
    struct tickets tickets;
    const struct qt_entry *of_ticket[TICKETS_MAX];
    size_t n_munis;
    char munis[TEMPLATE_MUNIS_MAX][6];
    struct template_set set;
};

static struct arena *arena_of(struct list *l) { return req_arena(l->c.a.r); }

static void put_day(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void put_number(struct jsonw *w, const char *name, unsigned v)
{
    char digits[16];
    snprintf(digits, sizeof digits, "%u", v);
    jsonw_cstr(w, name, digits);
}

/* ---- the end: templates ---- */

static void write_templates(struct list *l)
{
    jsonw_array(&l->w, "templates");
    for (size_t i = 0; i < l->set.n; i++) {
        const struct template_want *t = &l->set.want[i];
        if (!t->t)
            continue;
        jsonw_object(&l->w, NULL);
        jsonw_str(&l->w, "municipalityCode", ARR(t->muni));
        template_write(t->t, QT_VIEW_CITIZEN, "template", &l->w);
        jsonw_end_object(&l->w);
    }
    jsonw_end_array(&l->w);
    jsonw_end_object(&l->w);
}

static void on_templates(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    if (err_ok(e))
        e = template_set_take(&l->set, l->c.a.env->store, arena_of(l), replies, n);
    if (err_ok(e))
        write_templates(l);
    access_end(&l->c.a, e);
}

/* ---- which templates ---- */

static void write_tickets(struct list *l)
{
    jsonw_array(&l->w, "tickets");
    for (size_t i = 0; i < l->tickets.n; i++) {
        const struct ticket *t = &l->tickets.t[i];
        jsonw_object(&l->w, NULL);
        jsonw_str(&l->w, "municipalityCode", ARR(t->muni));
        jsonw_str(&l->w, "vaccinationProgramId", t->program);
        jsonw_str(&l->w, "ticketNumber", t->number);
        if (t->dose)
            put_number(&l->w, "doseNumber", t->dose);
        if (t->label.n)
            jsonw_str(&l->w, "vaccineName", t->label);
        put_day(&l->w, "validFrom", t->from);
        put_day(&l->w, "validTo", t->to);
        if (l->of_ticket[i]) {
            jsonw_str(&l->w, "templateId", l->of_ticket[i]->id);
            put_number(&l->w, "templateVersion", l->of_ticket[i]->version);
        }
        jsonw_end_object(&l->w);
    }
    jsonw_end_array(&l->w);
}

static ERR choose(struct list *l, const struct redis_reply *const *replies)
{
    ymd_t today = clock_date_jst(citizen_now_ms(&l->c));
    struct arena *a = arena_of(l);
    for (size_t m = 0; m < l->n_munis; m++) {
        struct qt_index *x = arena_get(a, sizeof *x);
        if (!x)
            return FAIL(E_NOMEM);
        TRY(template_index_open(l->c.a.env->store, l->munis[m], replies[m], a, x));
        for (size_t i = 0; i < l->tickets.n; i++) {
            const struct ticket *t = &l->tickets.t[i];
            if (!slice_eq(ARR(t->muni), ARR(l->munis[m])))
                continue;
            l->of_ticket[i] = template_for(x, t->program, today);
            if (l->of_ticket[i])
                TRY(template_set_add(&l->set, a, t->muni, l->of_ticket[i]->id, l->of_ticket[i]->version));
        }
    }
    write_tickets(l);
    return OK;
}

static ERR ask_templates(struct list *l)
{
    if (!l->set.n) {
        write_templates(l);
        access_end(&l->c.a, OK);
        return OK;
    }
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    template_set_ask(&l->set, b);
    access_send(&l->c.a, b, on_templates, l);
    return OK;
}

static void on_indexes(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    if (err_ok(e) && n != l->n_munis)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = choose(l, replies);
    if (err_ok(e))
        e = ask_templates(l);
    if (!err_ok(e))
        access_end(&l->c.a, e);
}

/* ---- the person ---- */

static ERR write_own(struct list *l, const struct redis_reply *hash)
{
    struct sheet_book *book = arena_get(arena_of(l), sizeof *book);
    struct audit_rec *rec = &l->c.a.rec;
    if (!book)
        return FAIL(E_NOMEM);
    TRY(sheets_keep(&l->c.judge, hash, arena_of(l), book));
    jsonw_array(&l->w, "questionnaires");
    for (size_t i = 0; i < book->n; i++) {
        const struct sheet *s = book->kept[i].s;
        TRY(template_set_add(&l->set, arena_of(l), s->muni, s->template_id, s->template_version));
        sheet_write(s, NULL, SHEET_VIEW_CITIZEN, &l->w);
        memcpy(rec->muni, s->muni, sizeof rec->muni);
    }
    jsonw_end_array(&l->w);
    rec->count = (uint32_t)book->n;
    return OK;
}

static void note_munis(struct list *l)
{
    for (size_t i = 0; i < l->tickets.n; i++) {
        size_t k = 0;
        while (k < l->n_munis && !slice_eq(ARR(l->munis[k]), ARR(l->tickets.t[i].muni)))
            k++;
        if (k == l->n_munis && k < TEMPLATE_MUNIS_MAX)
            memcpy(l->munis[l->n_munis++], l->tickets.t[i].muni, sizeof l->munis[0]);
    }
}

static ERR ask_indexes(struct list *l)
{
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct store_name key;
    if (!b)
        return FAIL(E_NOMEM);
    for (size_t i = 0; i < l->n_munis; i++) {
        template_key(l->munis[i], &key);
        REDIS_ADD(b, LIT("HGET"), store_name_slice(&key), QT_INDEX);
    }
    access_send(&l->c.a, b, on_indexes, l);
    return OK;
}

static ERR give(struct list *l, const struct redis_reply *hash)
{
    struct citizen *c = &l->c;
    TRY(citizen_heard(c, hash));
    jsonw_init(&l->w, req_out(c->a.r));
    jsonw_object(&l->w, NULL);
    TRY(write_own(l, hash));
    TRY(tickets_valid(&c->judge, hash, arena_of(l), &l->tickets));
    note_munis(l);
    if (l->n_munis)
        return ask_indexes(l);
    write_tickets(l);
    return ask_templates(l);
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    if (err_ok(e))
        e = give((struct list *)c, hash);
    if (!err_ok(e))
        access_end(&c->a, e);
}

void portal_list_questionnaires(struct req *r)
{
    struct list *l = access_new(r, sizeof *l);
    if (l && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form))
        citizen_find(&l->c, r, AU_QUESTIONNAIRES_LISTED, l->form.pseudonym.text, on_person);
}
