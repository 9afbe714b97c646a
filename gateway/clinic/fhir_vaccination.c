/* POST /fhir/Immunization/_search, /fhir/QuestionnaireResponse/_search */
#include "gateway/clinic/fhir.h"
#include "gateway/lookup/doses.h"
#include "gateway/lookup/tickets.h"

enum { TRIES_MAX = 3, BATCH_MAX = 16 * 1024 };

/* ---- Immunization ---- */

struct doses {
    struct fhir_visit x;
    struct immun_book book;
    size_t n_told;
    const struct immun *told[FHIR_COUNT_MAX]; /* those on the page */
    unsigned tries;
};

static void on_doses(struct visit *v, struct err e, const struct redis_reply *hash);

/* As in read_immunizations.c: a session by a ticket is for its program. */
static bool is_for(void *arg, const struct immun *i)
{
    const struct session *s = arg;
    return session_is_for_program(s, i->program);
}

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
            visit_again(&d->x.v, on_doses);
            return;
        }
        e = FAIL(E_BUSY);
    }
    access_end(&d->x.v.a, e);
}

static ERR write_page(struct doses *d)
{
    struct visit *v = &d->x.v;
    struct immun_place *picked[IMMUN_BOOK_MAX];
    const struct doses_view view = { IMMUN_VIEW_CLINIC, is_for, &v->session };
    const size_t n = doses_pick(&d->book, &v->judge, &view, picked);
    d->n_told = 0;
    fhir_visit_begin(&d->x, FHIR_IMMUNIZATION);
    for (size_t i = 0; i < n; i++)
        if (fhir_immunization(&d->x.f, picked[i]->rec))
            d->told[d->n_told++] = immun_now(picked[i]->rec);
    v->a.rec.count = (uint32_t)d->n_told;
    return fhir_end(&d->x.f);
}

static ERR give_doses(struct doses *d, const struct redis_reply *hash, struct redis_batch **ret_b)
{
    struct visit *v = &d->x.v;
    const struct doses_view on_page = { IMMUN_VIEW_CLINIC, was_told, d };
    const struct doses_told told = { IMMUN_TO_CLINIC, slice_str(req_caller(v->a.r)->code), visit_now_ms(v) };
    if (!judge_lives(&v->judge, hash))
        return FAIL(E_NOTHING);
    TRY(immun_book_open(v->a.env->store, &v->person, hash, req_arena(v->a.r), &d->book));
    TRY(write_page(d));
    return doses_note(v->a.env->store, &d->book, &v->judge, &on_page, &told, ret_b);
}

static void on_doses(struct visit *v, struct err e, const struct redis_reply *hash)
{
    struct doses *d = (struct doses *)v;
    struct redis_batch *b = NULL;
    if (err_ok(e))
        e = give_doses(d, hash, &b);
    if (b)
        access_send(&v->a, b, on_noted, d);
    else
        access_end(&v->a, e);
}

void clinic_fhir_immunization(struct req *r)
{
    struct doses *d = access_new(r, sizeof *d);
    if (d)
        fhir_visit_open(&d->x, r, LINK_IMMUNIZATIONS, AUDIT_ITEM_VACCINATION, on_doses);
}

/* ---- QuestionnaireResponse ---- */

struct sheets {
    struct fhir_visit x;
    struct sheet_book book;
    struct template_set set;
};

/* As in questionnaires.c: drafts are the citizen's own. */
static bool may_see(const struct sheets *l, const struct sheet *s)
{
    return s->status != SHEET_DRAFT && session_is_for(&l->x.v.session, ARR(s->muni), s->program);
}

static ERR write_sheets(struct sheets *l)
{
    struct audit_rec *rec = &l->x.v.a.rec;
    fhir_visit_begin(&l->x, FHIR_QUESTIONNAIRE_RESPONSE);
    for (size_t i = l->book.n; i-- > 0;) { /* newest first */
        const struct sheet *s = l->book.kept[i].s;
        if (may_see(l, s) && fhir_response(&l->x.f, s, template_set_find(&l->set, s->muni, s->template_id, s->template_version)))
            memcpy(rec->muni, s->muni, sizeof rec->muni);
    }
    rec->count = (uint32_t)l->x.f.told;
    return fhir_end(&l->x.f);
}

static void on_templates(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct sheets *l = arg;
    struct access *a = &l->x.v.a;
    if (err_ok(e))
        e = template_set_take(&l->set, a->env->store, req_arena(a->r), replies, n);
    access_end(a, err_ok(e) ? write_sheets(l) : e);
}

static ERR ask_templates(struct sheets *l, const struct redis_reply *hash)
{
    struct access *acc = &l->x.v.a;
    struct arena *a = req_arena(acc->r);
    TRY(sheets_keep(&l->x.v.judge, hash, a, &l->book));
    for (size_t i = 0; i < l->book.n; i++) {
        const struct sheet *s = l->book.kept[i].s;
        if (may_see(l, s))
            TRY(template_set_add(&l->set, a, s->muni, s->template_id, s->template_version));
    }
    if (!l->set.n) {
        access_end(acc, write_sheets(l));
        return OK;
    }
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    template_set_ask(&l->set, b);
    access_send(acc, b, on_templates, l);
    return OK;
}

static void on_sheets(struct visit *v, struct err e, const struct redis_reply *hash)
{
    if (err_ok(e))
        e = ask_templates((struct sheets *)v, hash);
    if (!err_ok(e))
        access_end(&v->a, e);
}

void clinic_fhir_response(struct req *r)
{
    struct sheets *l = access_new(r, sizeof *l);
    if (l)
        fhir_visit_open(&l->x, r, LINK_QUESTIONNAIRE, AUDIT_ITEM_QUESTIONNAIRE, on_sheets);
}
