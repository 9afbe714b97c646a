/* POST /fhir/Immunization/_search, /fhir/QuestionnaireResponse/_search */
#include "gateway/lookup/doses.h"
#include "gateway/lookup/tickets.h"
#include "gateway/portal/fhir.h"

enum { TRIES_MAX = 3, BATCH_MAX = 16 * 1024 };

/* ---- Immunization ---- */

struct doses {
    struct citizen c;
    struct fhir_form form;
    struct fhir f;
    struct immun_book book;
    size_t n_told;
    const struct immun *told[FHIR_COUNT_MAX]; /* those on the page */
    unsigned tries;
};

static void on_doses(struct citizen *c, struct err e, const struct redis_reply *hash);

static bool was_told(void *arg, const struct immun *i)
{
    const struct doses *d = arg;
    for (size_t k = 0; k < d->n_told; k++)
        if (d->told[k] == i)
            return true;
    return false;
}

static void on_noted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct doses *d = arg;
    if (err_ok(e) && !doses_noted(replies, n)) { /* somebody wrote a record meanwhile: it is to be told too */
        if (++d->tries < TRIES_MAX) {
            citizen_again(&d->c, on_doses);
            return;
        }
        e = FAIL(E_BUSY);
    }
    access_end(&d->c.a, e);
}

static ERR write_page(struct doses *d)
{
    static const struct doses_view ALL = { .view = IMMUN_VIEW_CITIZEN };
    struct immun_place *picked[IMMUN_BOOK_MAX];
    const size_t n = doses_pick(&d->book, &d->c.judge, &ALL, picked);
    d->n_told = 0;
    fhir_citizen_begin(&d->f, &d->c, FHIR_IMMUNIZATION, &d->form);
    for (size_t i = 0; i < n; i++)
        if (fhir_immunization(&d->f, picked[i]->rec))
            d->told[d->n_told++] = immun_now(picked[i]->rec);
    d->c.a.rec.count = (uint32_t)d->n_told;
    return fhir_end(&d->f);
}

static ERR give_doses(struct doses *d, const struct redis_reply *hash, struct redis_batch **ret_b)
{
    struct citizen *c = &d->c;
    const struct doses_view on_page = { IMMUN_VIEW_CITIZEN, was_told, d };
    const struct doses_told told = { IMMUN_TO_CITIZEN, SLICE_NONE, citizen_now_ms(c) };
    TRY(citizen_heard(c, hash));
    if (!judge_lives(&c->judge, hash))
        return FAIL(E_NOTHING);
    TRY(immun_book_open(c->a.env->store, &c->ps.person, hash, req_arena(c->a.r), &d->book));
    TRY(write_page(d));
    return doses_note(c->a.env->store, &d->book, &c->judge, &on_page, &told, ret_b);
}

static void on_doses(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct doses *d = (struct doses *)c;
    struct redis_batch *b = NULL;
    if (err_ok(e))
        e = give_doses(d, hash, &b);
    if (b)
        access_send(&c->a, b, on_noted, d);
    else
        access_end(&c->a, e);
}

void portal_fhir_immunization(struct req *r)
{
    struct doses *d = access_new(r, sizeof *d);
    if (d && fhir_form_of(r, &FHIR_PSEUDONYM, &d->form))
        citizen_find(&d->c, r, AU_OWN_FHIR_READ, d->form.who, on_doses);
}

/* ---- QuestionnaireResponse: also what the person has not submitted yet ---- */

struct sheets {
    struct citizen c;
    struct fhir_form form;
    struct fhir f;
    struct sheet_book book;
    struct template_set set;
};

static ERR write_sheets(struct sheets *l)
{
    struct audit_rec *rec = &l->c.a.rec;
    fhir_citizen_begin(&l->f, &l->c, FHIR_QUESTIONNAIRE_RESPONSE, &l->form);
    for (size_t i = l->book.n; i-- > 0;) { /* newest first */
        const struct sheet *s = l->book.kept[i].s;
        if (fhir_response(&l->f, s, template_set_find(&l->set, s->muni, s->template_id, s->template_version)))
            memcpy(rec->muni, s->muni, sizeof rec->muni);
    }
    rec->count = (uint32_t)l->f.told;
    return fhir_end(&l->f);
}

static void on_templates(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sheets *l = arg;
    struct access *a = &l->c.a;
    if (err_ok(e))
        e = template_set_take(&l->set, a->env->store, req_arena(a->r), replies, n);
    access_end(a, err_ok(e) ? write_sheets(l) : e);
}

static ERR give_sheets(struct sheets *l, const struct redis_reply *hash)
{
    struct arena *a = req_arena(l->c.a.r);
    TRY(citizen_heard(&l->c, hash));
    TRY(sheets_keep(&l->c.judge, hash, a, &l->book));
    for (size_t i = 0; i < l->book.n; i++) {
        const struct sheet *s = l->book.kept[i].s;
        TRY(template_set_add(&l->set, a, s->muni, s->template_id, s->template_version));
    }
    if (!l->set.n) {
        access_end(&l->c.a, write_sheets(l));
        return OK;
    }
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    template_set_ask(&l->set, b);
    access_send(&l->c.a, b, on_templates, l);
    return OK;
}

static void on_sheets(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    if (err_ok(e))
        e = give_sheets((struct sheets *)c, hash);
    if (!err_ok(e))
        access_end(&c->a, e);
}

void portal_fhir_response(struct req *r)
{
    struct sheets *l = access_new(r, sizeof *l);
    if (l && fhir_form_of(r, &FHIR_PSEUDONYM, &l->form))
        citizen_find(&l->c, r, AU_OWN_FHIR_READ, l->form.who, on_sheets);
}
