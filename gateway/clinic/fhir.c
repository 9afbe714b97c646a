/* GET /fhir/metadata; POST /fhir/Patient/_search, /fhir/Coverage/_search */
#include "gateway/clinic/fhir.h"

void fhir_visit_open(struct fhir_visit *x, struct req *r, enum link_kind kind, unsigned items, visit_fn *fn)
{
    static const struct fhir_ask ASK = { .who = "session", .min = SESSION_TOKEN_CHARS, .max = SESSION_TOKEN_CHARS };
    if (fhir_form_of(r, &ASK, &x->form))
        visit_open(&x->v, r, AU_FHIR_READ, x->form.who, kind, items, fn);
}

void fhir_visit_begin(struct fhir_visit *x, enum fhir_type type)
{
    const struct visit *v = &x->v;
    const struct lookup_env *env = v->a.env;
    buf_reset(req_out(v->a.r));
    fhir_begin(&x->f, req_out(v->a.r), env->store, type, &x->form);
    x->f.world = (struct fhir_world){ env->vaccines, env->institutions, env->basis };
    fhir_scope(&x->f, ARR(v->session.open.name.b), &v->person);
}

void clinic_fhir_capabilities(struct req *r)
{
    static const struct fhir_door DOOR = {
        .who = "session", .title_ja = "pmhgw 医療機関向け FHIR 窓口", .title_en = "pmhgw FHIR view for clinics",
        .types = 1u << FHIR_PATIENT | 1u << FHIR_COVERAGE | 1u << FHIR_IMMUNIZATION | 1u << FHIR_QUESTIONNAIRE_RESPONSE,
    };
    fhir_capabilities(&DOOR, req_out(r));
    req_json(r, 200, buf_slice(req_out(r)));
}

/* ---- Patient: whatever the session is for ---- */

static ERR tell_patient(struct fhir_visit *x, const struct redis_reply *hash)
{
    if (!judge_lives(&x->v.judge, hash))
        return FAIL(E_NOTHING);
    fhir_visit_begin(x, FHIR_PATIENT);
    fhir_patient(&x->f);
    x->v.a.rec.count = (uint32_t)x->f.told;
    return fhir_end(&x->f);
}

static void on_patient(struct visit *v, struct err e, const struct redis_reply *hash)
{
    access_end(&v->a, err_ok(e) ? tell_patient((struct fhir_visit *)v, hash) : e);
}

void clinic_fhir_patient(struct req *r)
{
    struct fhir_visit *x = access_new(r, sizeof *x);
    if (x)
        fhir_visit_open(x, r, LINK_KIND__MAX, 0, on_patient);
}

/* ---- Coverage: what readSession answers, in other words ---- */

struct coverage {
    struct fhir_visit x;
    struct slice native; /* what was judged, in the arena */
};

static struct err still_same(struct visit *v, const struct redis_reply *hash)
{
    return access_judge_same(&v->a, ((struct coverage *)v)->native, &v->person, hash);
}

static ERR judge_records(struct coverage *c, const struct redis_reply *hash)
{
    struct visit *v = &c->x.v;
    struct buf body;
    buf_init(&body, req_out(v->a.r)->max);
    v->a.fields = v->session.held.fields;
    struct err e = access_judge_aside(&v->a, &body, &v->person, hash);
    if (err_ok(e))
        c->native = arena_dup(req_arena(v->a.r), buf_slice(&body));
    buf_done(&body);
    TRY(e);
    v->also = still_same;
    return arena_check(req_arena(v->a.r));
}

static ERR tell_coverage(struct coverage *c, const struct redis_reply *hash)
{
    TRY(judge_records(c, hash));
    fhir_visit_begin(&c->x, FHIR_COVERAGE);
    TRY(fhir_coverages(&c->x.f, req_arena(c->x.v.a.r), c->native));
    return fhir_end(&c->x.f);
}

static void on_coverage(struct visit *v, struct err e, const struct redis_reply *hash)
{
    access_end(&v->a, err_ok(e) ? tell_coverage((struct coverage *)v, hash) : e);
}

void clinic_fhir_coverage(struct req *r)
{
    struct coverage *c = access_new(r, sizeof *c);
    if (c)
        fhir_visit_open(&c->x, r, LINK_ELIGIBILITY, AUDIT_ITEM_ELIGIBILITY, on_coverage);
}
