/* GET /fhir/metadata; POST /fhir/Patient/_search, /fhir/Coverage/_search, /fhir/Consent/_search, /fhir/AuditEvent/_search */
#include "gateway/portal/fhir.h"

#include "gateway/portal/log_page.h"
#include "gateway/portal/words.h"

const struct fhir_ask FHIR_PSEUDONYM = { .who = "pseudonym", .min = PSEUDONYM_MIN, .max = PSEUDONYM_MAX };

void fhir_citizen_begin(struct fhir *f, const struct citizen *c, enum fhir_type type, const struct fhir_form *form)
{
    const struct lookup_env *env = c->a.env;
    buf_reset(req_out(c->a.r));
    fhir_begin(f, req_out(c->a.r), env->store, type, form);
    f->world = (struct fhir_world){ env->vaccines, env->institutions, env->basis };
    fhir_scope(f, c->ps.portal, &c->ps.person);
}

void portal_fhir_capabilities(struct req *r)
{
    static const struct fhir_door DOOR = {
        .who = "pseudonym", .title_ja = "pmhgw ポータル向け FHIR 窓口", .title_en = "pmhgw FHIR view for portals", .types = (1u << FHIR_TYPE__MAX) - 1,
    };
    fhir_capabilities(&DOOR, req_out(r));
    req_json(r, 200, buf_slice(req_out(r)));
}

struct own { /* the first member of the others */
    struct citizen c;
    struct fhir_form form;
    struct fhir f;
};

static void begin(struct own *o, enum fhir_type type) { fhir_citizen_begin(&o->f, &o->c, type, &o->form); }

static void open_own(struct own *o, struct req *r, citizen_fn *fn)
{
    if (fhir_form_of(r, &FHIR_PSEUDONYM, &o->form))
        citizen_find(&o->c, r, AU_OWN_FHIR_READ, o->form.who, fn);
}

/* ---- Patient ---- */

static ERR tell_patient(struct own *o, const struct redis_reply *hash)
{
    TRY(citizen_heard(&o->c, hash));
    if (!judge_lives(&o->c.judge, hash))
        return FAIL(E_NOTHING);
    begin(o, FHIR_PATIENT);
    fhir_patient(&o->f);
    o->c.a.rec.count = (uint32_t)o->f.told;
    return fhir_end(&o->f);
}

static void on_patient(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    access_end(&c->a, err_ok(e) ? tell_patient((struct own *)c, hash) : e);
}

void portal_fhir_patient(struct req *r)
{
    struct own *o = access_new(r, sizeof *o);
    if (o)
        open_own(o, r, on_patient);
}

/* ---- Coverage: what lookUpByPseudonym answers, in other words ---- */

struct coverage {
    struct own o;
    struct slice native; /* what was judged, in the arena */
};

static struct err still_same(struct citizen *c, const struct redis_reply *hash)
{
    return access_judge_same(&c->a, ((struct coverage *)c)->native, &c->ps.person, hash);
}

static ERR judge_records(struct coverage *v, const struct redis_reply *hash)
{
    struct citizen *c = &v->o.c;
    struct buf body;
    buf_init(&body, req_out(c->a.r)->max);
    struct err e = access_judge_aside(&c->a, &body, &c->ps.person, hash);
    if (err_ok(e))
        v->native = arena_dup(req_arena(c->a.r), buf_slice(&body));
    buf_done(&body);
    TRY(e);
    c->also = still_same;
    return arena_check(req_arena(c->a.r));
}

static ERR tell_coverage(struct coverage *v, const struct redis_reply *hash)
{
    TRY(judge_records(v, hash));
    begin(&v->o, FHIR_COVERAGE);
    TRY(fhir_coverages(&v->o.f, req_arena(v->o.c.a.r), v->native));
    return fhir_end(&v->o.f);
}

static void on_coverage(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    access_end(&c->a, err_ok(e) ? tell_coverage((struct coverage *)c, hash) : e);
}

void portal_fhir_coverage(struct req *r)
{
    struct coverage *v = access_new(r, sizeof *v);
    if (v)
        open_own(&v->o, r, on_coverage);
}

/* ---- Consent ---- */

struct consents {
    struct own o;
    struct consent_book book;
};

static ERR tell_consents(struct consents *l, const struct redis_reply *hash)
{
    struct citizen *c = &l->o.c;
    TRY(citizen_heard(c, hash));
    TRY(consent_read(c->a.env->store, &c->ps.person, hash, citizen_now_ms(c), &l->book));
    begin(&l->o, FHIR_CONSENT);
    for (size_t i = 0; i < l->book.n_consents; i++)
        fhir_consent(&l->o.f, &l->book.consents[i]);
    c->a.rec.count = (uint32_t)l->o.f.told;
    return fhir_end(&l->o.f);
}

static void on_consents(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    access_end(&c->a, err_ok(e) ? tell_consents((struct consents *)c, hash) : e);
}

void portal_fhir_consent(struct req *r)
{
    struct consents *l = access_new(r, sizeof *l);
    if (l)
        open_own(&l->o, r, on_consents);
}

/* ---- AuditEvent: a page of the access log ---- */

struct events {
    struct log_page p;
    struct fhir_form form;
    struct fhir f;
};

static ERR tell_events(struct events *v)
{
    const struct log_page *p = &v->p;
    fhir_citizen_begin(&v->f, &p->c, FHIR_AUDIT_EVENT, &v->form);
    v->f.paged_elsewhere = true;
    v->f.next = p->next;
    for (size_t i = 0; i < p->n; i++) {
        const struct audit_rec *rec = &p->entry[i].rec;
        const struct words event = words_event(rec->event), result = words_result(rec->result);
        const struct fhir_event e = { p->entry[i].seq, rec, words_institution(rec), event.ja, event.en, result.ja, result.en };
        fhir_audit_event(&v->f, &e);
    }
    return fhir_end(&v->f);
}

static void on_page(struct log_page *p, struct err e)
{
    access_end(&p->c.a, err_ok(e) ? tell_events((struct events *)p) : e);
}

void portal_fhir_audit_event(struct req *r)
{
    struct events *v = access_new(r, sizeof *v);
    if (!v || !fhir_form_of(r, &FHIR_PSEUDONYM, &v->form))
        return;
    v->p.before = v->form.cursor ? v->form.cursor : UINT64_MAX;
    v->p.limit = v->form.count;
    log_page_find(&v->p, r, AU_OWN_FHIR_READ, v->form.who, on_page);
}
