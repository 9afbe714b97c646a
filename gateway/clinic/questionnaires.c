/* POST /v1/clinic/questionnaires: what the person has answered and submitted, with the templates that it was asked by. Drafts are the citizen's own. */
#include "gateway/clinic/clinic.h"
#include "gateway/clinic/visit.h"
#include "gateway/lookup/tickets.h"

enum { BATCH_MAX = 16 * 1024 };

struct form { struct field_value session; };
static const struct field FORM[] = { VISIT_FIELD(form) };

struct list {
    struct visit v;
    struct form form;
    struct sheet_book book;
    struct template_set set;
};

/* Drafts are the citizen's own; a session by a ticket is for its program. */
static bool may_see(const struct list *l, const struct sheet *s)
{
    return s->status != SHEET_DRAFT && session_is_for(&l->v.session, ARR(s->muni), s->program);
}

static ERR tell(struct list *l)
{
    struct jsonw w;
    struct audit_rec *rec = &l->v.a.rec;
    jsonw_init(&w, req_out(l->v.a.r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "questionnaires");
    for (size_t i = 0; i < l->book.n; i++) {
        const struct sheet *s = l->book.kept[i].s;
        if (!may_see(l, s))
            continue;
        sheet_write(s, template_set_find(&l->set, s->muni, s->template_id, s->template_version), SHEET_VIEW_CLINIC, &w);
        memcpy(rec->muni, s->muni, sizeof rec->muni);
        rec->count++;
    }
    jsonw_end_array(&w);
    jsonw_array(&w, "templates");
    for (size_t i = 0; i < l->set.n; i++) {
        if (!l->set.want[i].t)
            continue;
        jsonw_object(&w, NULL);
        jsonw_str(&w, "municipalityCode", ARR(l->set.want[i].muni));
        template_write(l->set.want[i].t, QT_VIEW_WHOLE, "template", &w);
        jsonw_end_object(&w);
    }
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return OK;
}

static void on_templates(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct list *l = arg;
    if (err_ok(e))
        e = template_set_take(&l->set, l->v.a.env->store, req_arena(l->v.a.r), replies, n);
    access_end(&l->v.a, err_ok(e) ? tell(l) : e);
}

static ERR ask(struct list *l, const struct redis_reply *hash)
{
    struct arena *a = req_arena(l->v.a.r);
    TRY(sheets_keep(&l->v.judge, hash, a, &l->book));
    for (size_t i = 0; i < l->book.n; i++) {
        const struct sheet *s = l->book.kept[i].s;
        if (may_see(l, s))
            TRY(template_set_add(&l->set, a, s->muni, s->template_id, s->template_version));
    }
    if (!l->set.n) {
        access_end(&l->v.a, tell(l));
        return OK;
    }
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    template_set_ask(&l->set, b);
    access_send(&l->v.a, b, on_templates, l);
    return OK;
}

static void on_person(struct visit *v, struct err e, const struct redis_reply *hash)
{
    if (err_ok(e))
        e = ask((struct list *)v, hash);
    if (!err_ok(e))
        access_end(&v->a, e);
}

void clinic_read_questionnaires(struct req *r)
{
    struct list *l = access_new(r, sizeof *l);
    if (l && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form))
        visit_open(&l->v, r, AU_QUESTIONNAIRES_READ, l->form.session.text, LINK_QUESTIONNAIRE, AUDIT_ITEM_QUESTIONNAIRE, on_person);
}
