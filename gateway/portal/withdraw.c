/* POST /v1/portal/consents/withdraw */
#include "gateway/portal/consents.h"
#include "gateway/portal/portal.h"

struct form {
    struct field_value pseudonym, consent_id, all;
};

static const struct field FORM[] = {
    CITIZEN_FIELD(form),
    { .name = "consent_id", .offset = offsetof(struct form, consent_id), .cls = FC_ALNUM, .min = 32, .max = 32 },
    { .name = "all", .offset = offsetof(struct form, all), .cls = FC_BOOL },
};

struct withdraw {
    struct control t;
    struct form form;
};

static const struct consent_entry *named(const struct control *t)
{
    for (size_t i = 0; i < t->book.n_consents; i++)
        if (slice_eq(ARR(t->book.consents[i].name.b), ARR(t->name.b)))
            return &t->book.consents[i];
    return NULL;
}

/* What was withdrawn before is withdrawn again: the record of the first time may be missing. */
static bool add(struct control *t, const struct redis_reply *hash, struct redis_batch *b, struct err *ret_e)
{
    struct access *a = &t->c.a;
    struct store *s = a->env->store;
    const struct consent_entry *e = t->all ? NULL : named(t);
    if (!t->all && !e)
        return false;
    a->rec.until_s = (uint32_t)(consent_withdrawal_until_ms(t->now_ms) / 1000 + 1);
    if (t->all) {
        a->rec.count = (uint32_t)t->book.n_consents;
        *ret_e = consent_add_withdrawal_of_all(s, &t->c.ps.person, hash, t->now_ms, b);
        return true;
    }
    a->rec.count = e->version;
    memcpy(a->rec.ref, t->name.b, sizeof a->rec.ref);
    *ret_e = consent_add_withdrawal(s, &t->c.ps.person, hash, &t->book, e, t->now_ms, b);
    return true;
}

static bool left(const struct control *t)
{
    const struct consent_entry *e = named(t);
    if (!t->all)
        return e && !e->withdrawn_ms;
    for (size_t i = 0; i < t->book.n_consents; i++)
        if (!t->book.consents[i].withdrawn_ms)
            return true;
    return false;
}

/* Too many withdrawals have become one of all: the record says what was done. */
static size_t acts(struct control *t, size_t i, struct audit_rec *rec)
{
    (void)i;
    if (t->first_ms && t->book.all_until_ms >= t->first_ms)
        memset(rec->ref, 0, sizeof rec->ref);
    return 1;
}

void portal_withdraw_consents(struct req *r)
{
    static const struct control_kind KIND = { .event = AU_CONSENT_WITHDRAWN, .add = add, .left = left, .acts = acts };
    struct withdraw *w = access_new(r, sizeof *w);
    if (!w || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &w->form) ||
        !control_target(&w->t, r, "consent_id", &w->form.consent_id, &w->form.all))
        return;
    w->t.kind = &KIND;
    control_begin(&w->t, r, w->form.pseudonym.text);
}
