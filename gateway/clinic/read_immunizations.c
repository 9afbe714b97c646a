/* POST /v1/clinic/immunizations */
#include "gateway/clinic/clinic.h"
#include "gateway/clinic/visit.h"
#include "gateway/lookup/doses.h"

enum { TRIES_MAX = 3 };

struct form {
    struct field_value session;
};

static const struct field FORM[] = { VISIT_FIELD(form) };

struct reading {
    struct visit v;
    struct form form;
    struct immun_book book;
    unsigned tries;
};

static void on_person(struct visit *v, struct err e, const struct redis_reply *hash);

/* A session by a ticket is for its program; a record abroad or of another municipality of the same program belongs to the series. */
static bool is_for(void *arg, const struct immun *i)
{
    const struct session *s = arg;
    return session_is_for_program(s, i->program);
}

static struct doses_view view_of(struct reading *x) { return (struct doses_view){ IMMUN_VIEW_CLINIC, is_for, &x->v.session }; }

static ERR tell(struct reading *x)
{
    struct visit *v = &x->v;
    struct jsonw w;
    size_t n;
    const struct doses_view view = view_of(x);
    jsonw_init(&w, req_out(v->a.r));
    jsonw_object(&w, NULL);
    doses_write(&x->book, &v->judge, &view, &w, &n);
    jsonw_end_object(&w);
    v->a.rec.count = (uint32_t)n;
    return buf_check(req_out(v->a.r));
}

static void on_noted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct reading *x = arg;
    if (err_ok(e) && !doses_noted(replies, n)) { /* somebody wrote a record meanwhile: it is to be told too */
        if (++x->tries < TRIES_MAX) {
            buf_reset(req_out(x->v.a.r));
            visit_again(&x->v, on_person);
            return;
        }
        e = FAIL(E_BUSY);
    }
    access_end(&x->v.a, e);
}

static ERR give(struct reading *x, const struct redis_reply *hash, struct redis_batch **ret_b)
{
    struct visit *v = &x->v;
    const struct doses_view view = view_of(x);
    const struct doses_told told = { IMMUN_TO_CLINIC, slice_str(req_caller(v->a.r)->code), visit_now_ms(v) };
    if (!judge_lives(&v->judge, hash))
        return FAIL(E_NOTHING);
    TRY(immun_book_open(v->a.env->store, &v->person, hash, req_arena(v->a.r), &x->book));
    TRY(tell(x));
    return doses_note(v->a.env->store, &x->book, &v->judge, &view, &told, ret_b);
}

static void on_person(struct visit *v, struct err e, const struct redis_reply *hash)
{
    struct reading *x = (struct reading *)v;
    struct redis_batch *b = NULL;
    if (err_ok(e))
        e = give(x, hash, &b);
    if (b)
        access_send(&v->a, b, on_noted, x);
    else
        access_end(&v->a, e);
}

void clinic_read_immunizations(struct req *r)
{
    struct reading *x = access_new(r, sizeof *x);
    if (x && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &x->form))
        visit_open(&x->v, r, AU_IMMUNIZATIONS_READ, x->form.session.text, LINK_IMMUNIZATIONS, AUDIT_ITEM_VACCINATION, on_person);
}
