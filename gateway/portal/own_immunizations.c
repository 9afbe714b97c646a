/* POST /v1/portal/immunizations */
#include "gateway/lookup/doses.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"

enum { TRIES_MAX = 3 };

struct form {
    struct field_value pseudonym;
};

static const struct field FORM[] = { CITIZEN_FIELD(form) };

struct own {
    struct citizen c;
    struct form form;
    struct judge judge;
    struct immun_book book;
    unsigned tries;
};

static const struct doses_view VIEW = { .view = IMMUN_VIEW_CITIZEN };

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash);

static void on_noted(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct own *o = arg;
    if (err_ok(e) && !doses_noted(replies, n)) { /* somebody wrote a record meanwhile: it is to be told too */
        if (++o->tries < TRIES_MAX) {
            buf_reset(req_out(o->c.a.r));
            citizen_again(&o->c, on_person);
            return;
        }
        e = FAIL(E_BUSY);
    }
    access_end(&o->c.a, e);
}

static ERR give(struct own *o, const struct redis_reply *hash, struct redis_batch **ret_b)
{
    struct citizen *c = &o->c;
    struct store *s = c->a.env->store;
    struct jsonw w;
    size_t n;
    const struct doses_told told = { IMMUN_TO_CITIZEN, SLICE_NONE, citizen_now_ms(c) };
    TRY(judge_heard(&o->judge, s, &c->ps.person, clock_date_jst(citizen_now_ms(c)), hash));
    if (!judge_lives(&o->judge, hash))
        return FAIL(E_NOTHING);
    TRY(immun_book_open(s, &c->ps.person, hash, req_arena(c->a.r), &o->book));
    jsonw_init(&w, req_out(c->a.r));
    jsonw_object(&w, NULL);
    doses_write(&o->book, &o->judge, &VIEW, &w, &n);
    jsonw_end_object(&w);
    c->a.rec.count = (uint32_t)n;
    TRY(buf_check(req_out(c->a.r)));
    return doses_note(s, &o->book, &o->judge, &VIEW, &told, ret_b);
}

static void on_person(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct own *o = (struct own *)c;
    struct redis_batch *b = NULL;
    if (err_ok(e))
        e = give(o, hash, &b);
    if (b)
        access_send(&c->a, b, on_noted, o);
    else
        access_end(&c->a, e);
}

void portal_own_immunizations(struct req *r)
{
    struct own *o = access_new(r, sizeof *o);
    if (o && access_body(r, FORM, sizeof FORM / sizeof FORM[0], &o->form))
        citizen_find(&o->c, r, AU_OWN_IMMUNIZATIONS_READ, o->form.pseudonym.text, on_person);
}
