/* POST /v1/portal/consents, and the list that every change of it answers with. */
#include "gateway/portal/consents.h"
#include "gateway/portal/portal.h"

struct form {
    struct field_value pseudonym;
};

static const struct field FORM[] = { CITIZEN_FIELD(form) };

struct list {
    struct citizen c;
    struct form form;
    struct consent_book book;
};

/* ---- writing ---- */

static void write_when(struct jsonw *w, const char *name, uint64_t ms)
{
    char at[24];
    clock_format_utc(ms, at);
    jsonw_str(w, name, ARR(at));
}

static void write_name(struct jsonw *w, const char *member, const struct consent_name *name)
{
    char hex[32];
    consent_name_hex(name, hex);
    jsonw_str(w, member, ARR(hex));
}

static void write_clinic(struct jsonw *w, const struct lookup_env *env, struct slice code, unsigned kinds)
{
    jsonw_str(w, "institution", institution_name(env->institutions, code, INSTITUTION_JA));
    jsonw_str(w, "institution_en", institution_name(env->institutions, code, INSTITUTION_EN));
    jsonw_str(w, "institutionCode", code);
    jsonw_array(w, "items");
    for (unsigned k = 0; k < LINK_KIND__MAX; k++)
        if (kinds & 1u << k)
            jsonw_cstr(w, NULL, link_kind_name((enum link_kind)k));
    jsonw_end_array(w);
}

static void write_purpose(struct jsonw *w, const struct lookup_env *env, const char *word, size_t n)
{
    struct slice s = slice_of(word, strnlen(word, n));
    const struct basis_purpose *p = basis_purpose_named(env->basis, s);
    jsonw_str(w, "purpose", s);
    if (p) {
        jsonw_cstr(w, "purpose_ja", p->ja);
        jsonw_cstr(w, "purpose_en", p->en);
    }
}

static void write_consent(struct jsonw *w, const struct lookup_env *env, const struct consent_entry *e)
{
    jsonw_object(w, NULL);
    write_name(w, "consent_id", &e->name);
    write_clinic(w, env, ARR(e->clinic), e->kinds);
    write_purpose(w, env, e->purpose, sizeof e->purpose);
    write_when(w, "given_at", e->given_s * 1000);
    write_when(w, "expires_at", e->until_ms);
    if (e->withdrawn_ms)
        write_when(w, "withdrawn_at", e->withdrawn_ms);
    jsonw_end_object(w);
}

static void write_session(struct jsonw *w, const struct lookup_env *env, const struct session_entry *n)
{
    jsonw_object(w, NULL);
    write_name(w, "session_id", &n->name);
    write_name(w, "consent_id", &n->consent.name);
    write_clinic(w, env, ARR(n->clinic), n->kinds);
    write_when(w, "opened_at", n->opened_ms);
    write_when(w, "expires_at", n->until_ms);
    jsonw_end_object(w);
}

struct err consents_write(struct citizen *c, const struct consent_book *b)
{
    struct jsonw w;
    const struct lookup_env *env = c->a.env;
    jsonw_init(&w, req_out(c->a.r));
    jsonw_object(&w, NULL);
    jsonw_array(&w, "consents");
    for (size_t i = 0; i < b->n_consents; i++)
        write_consent(&w, env, &b->consents[i]);
    jsonw_end_array(&w);
    jsonw_array(&w, "sessions");
    for (size_t i = 0; i < b->n_sessions; i++)
        write_session(&w, env, &b->sessions[i]);
    jsonw_end_array(&w);
    jsonw_end_object(&w);
    return buf_check(req_out(c->a.r));
}

/* ---- the list ---- */

static ERR give(struct list *l, const struct redis_reply *hash)
{
    struct citizen *c = &l->c;
    TRY(citizen_heard(c, hash));
    TRY(consent_read(c->a.env->store, &c->ps.person, hash, citizen_now_ms(c), &l->book));
    c->a.rec.count = (uint32_t)(l->book.n_consents + l->book.n_sessions);
    return consents_write(c, &l->book);
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    access_end(&c->a, err_ok(e) ? give((struct list *)c, hash) : e);
}

void portal_list_consents(struct req *r)
{
    struct list *l = access_new(r, sizeof *l);
    if (l && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &l->form))
        citizen_find(&l->c, r, AU_CONSENTS_READ, l->form.pseudonym.text, on_person);
}
