/* POST /v1/portal/questionnaires/answer: a draft, or the answers for the clinic. Read, judge by ticket and template, write while nothing has changed.
 *
 * The same requestId again is answered with the questionnaire as it is now, and changes nothing. */
#include "gateway/lookup/tickets.h"
#include "gateway/portal/citizen.h"
#include "gateway/portal/portal.h"
#include "gateway/redis/swap.h"

enum { ASK_MAX = 2048, ROUNDS_MAX = 4, ASKED = 2 /* index, template */, WRITTEN = 2 /* script, epoch */ };

struct form { struct field_value pseudonym, request, sheet, version, muni, ticket, template, template_version, answers, submit; };
static const struct field FORM[] = {
    CITIZEN_FIELD(form),
    { .name = "requestId", .offset = offsetof(struct form, request), .cls = FC_ALNUM, .min = SHEET_REQUEST_MIN, .max = SHEET_REQUEST_MAX, .required = true },
    { .name = "questionnaireId", .offset = offsetof(struct form, sheet), .cls = FC_ALNUM, .min = 2 * SHEET_ID_BYTES, .max = 2 * SHEET_ID_BYTES },
    { .name = "version", .offset = offsetof(struct form, version), .cls = FC_DIGITS, .min = 1, .max = 5 },
    { .name = "municipalityCode", .offset = offsetof(struct form, muni), .cls = FC_DIGITS, .min = 6, .max = 6, .required = true },
    { .name = "ticketNumber", .offset = offsetof(struct form, ticket), .cls = FC_DIGITS, .min = 10, .max = 10, .required = true },
    { .name = "templateId", .offset = offsetof(struct form, template), .cls = FC_ALNUM, .min = 1, .max = QT_ID_MAX, .required = true },
    { .name = "templateVersion", .offset = offsetof(struct form, template_version), .cls = FC_DIGITS, .min = 1, .max = 4, .required = true },
    { .name = "answers", .offset = offsetof(struct form, answers), .cls = FC_ARRAY, .min = 0, .max = QT_ITEMS_MAX, .required = true },
    { .name = "submit", .offset = offsetof(struct form, submit), .cls = FC_BOOL, .required = true },
};

struct answer {
    struct citizen c;
    struct form form;
    uint8_t sheet_id[SHEET_ID_BYTES]; /* form.sheet */
    uint8_t request[SHEET_REQUEST_BYTES];
    unsigned rounds;
    /* of this round */
    struct tickets tickets;
    const struct ticket *ticket;
    struct sheet_stand stand;
    struct consent_clinics clinics; /* that have the person open */
    struct sheet_book own;
    const struct sheet_kept *kept;    /* as it was read; NULL: it is new */
    struct sheet sheet;               /* as it shall be; borrows from the arena and the body */
    struct qt_report report;
    struct qt_index *index;
    struct template_set set;
};

static struct arena *arena_of(struct answer *x) { return req_arena(x->c.a.r); }
static struct store *store_of(const struct answer *x) { return x->c.a.env->store; }

static void end(struct answer *x, struct err e)
{
    if (err_is(e, E_FIELD)) {
        x->c.a.extra = qt_report_write;
        x->c.a.extra_arg = &x->report;
    }
    access_end(&x->c.a, e);
}

static void round_go(struct citizen *c, struct err e, const struct redis_reply *hash);

/* ---- the answer ---- */

static void give(struct answer *x)
{
    struct jsonw w;
    struct access *a = &x->c.a;
    jsonw_init(&w, req_out(a->r));
    sheet_write(&x->sheet, NULL, SHEET_VIEW_CITIZEN, &w);
    memcpy(a->rec.ref, x->sheet.id, sizeof a->rec.ref);
    memcpy(a->rec.muni, x->sheet.muni, sizeof a->rec.muni);
    a->rec.count = x->sheet.version;
}

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct answer *x = arg;
    if (err_ok(e) && n != WRITTEN)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) == REDIS_SWAP_FULL)
        e = FAIL(E_OUTBOX_FULL);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1) {
        if (++x->rounds < ROUNDS_MAX)
            citizen_again(&x->c, round_go);
        else
            end(x, FAIL(E_BUSY));
        return;
    }
    if (err_ok(e)) {
        x->c.a.rec.epoch = (uint64_t)redis_reply_int(replies[1]);
        give(x);
    }
    end(x, e);
}

/* ---- what it shall be ---- */

static ERR refuse(struct answer *x, const char *field, enum field_rule rule)
{
    qt_fault_add(&x->report, QT_NO_ITEM, field, rule);
    return FAIL(E_FIELD);
}

static unsigned number(struct slice digits)
{
    unsigned v = 0;
    for (size_t i = 0; i < digits.n; i++)
        v = 10 * v + (unsigned)(digits.p[i] - '0');
    return v;
}

static ERR check_template(struct answer *x, const struct qtemplate **ret_t)
{
    const struct form *f = &x->form;
    const struct qt_entry *newest = qt_index_find(x->index, f->template.text);
    *ret_t = template_set_find(&x->set, x->ticket->muni, f->template.text, number(f->template_version.text));
    if (!newest || !*ret_t)
        return refuse(x, "templateId", FR_CODE);
    if (newest->version != (*ret_t)->version)
        return FAIL(E_VERSION);
    if (!template_is_for(*ret_t, x->ticket->program) || !template_open_on(*ret_t, clock_date_jst(citizen_now_ms(&x->c))))
        return refuse(x, "templateId", FR_RANGE);
    return OK;
}

static ERR change(struct answer *x)
{
    const struct qtemplate *t;
    struct answers *a = arena_get(arena_of(x), sizeof *a);
    struct sheet *s = &x->sheet;
    if (!a)
        return FAIL(E_NOMEM);
    TRY(check_template(x, &t));
    TRY(answers_read(x->form.answers.json, t, SHEET_BY_CITIZEN, x->form.submit.flag, NULL, a, &x->report));
    if (!x->kept) {
        *s = (struct sheet){ .program = x->ticket->program, .ticket = x->ticket->number, .dose = x->ticket->dose };
        memcpy(s->muni, x->ticket->muni, sizeof s->muni);
        rnd_bytes(s->id, sizeof s->id);
    }
    s->template_id = t->id;
    s->template_version = t->version;
    s->n_answers = a->n;
    memcpy(s->answers, a->a, sizeof s->answers);
    sheet_step(s, x->form.submit.flag ? SHEET_SUBMITTED : SHEET_DRAFT, x->request, citizen_now_ms(&x->c));
    struct redis_batch *b;
    TRY(sheet_write_batch(store_of(x), &x->c.ps.person, s, x->kept ? x->kept->sealed : SLICE_NONE, &x->stand, &b));
    access_send(&x->c.a, b, on_written, x);
    return OK;
}

static void on_template(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct answer *x = arg;
    if (err_ok(e) && n != ASKED)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e))
        e = template_index_open(store_of(x), x->ticket->muni, replies[0], arena_of(x), x->index);
    if (err_ok(e))
        e = template_set_take(&x->set, store_of(x), arena_of(x), replies + 1, 1);
    if (err_ok(e))
        e = change(x);
    if (!err_ok(e))
        end(x, e);
}

static ERR ask_template(struct answer *x)
{
    struct store_name key;
    struct redis_batch *b = redis_batch_new(ASK_MAX);
    x->index = arena_get(arena_of(x), sizeof *x->index);
    x->set.n = 0;
    if (!b || !x->index) {
        redis_batch_free(b);
        return FAIL(E_NOMEM);
    }
    template_key(x->ticket->muni, &key);
    REDIS_ADD(b, LIT("HGET"), store_name_slice(&key), QT_INDEX);
    struct err e = template_set_add(&x->set, arena_of(x), x->ticket->muni, x->form.template.text, number(x->form.template_version.text));
    template_set_ask(&x->set, b);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    access_send(&x->c.a, b, on_template, x);
    return OK;
}

/* ---- what is there ---- */

static bool repeated(struct answer *x)
{
    for (size_t i = 0; i < x->own.n; i++) {
        if (!sheet_was_asked(x->own.kept[i].s, x->request))
            continue;
        x->sheet = *x->own.kept[i].s;
        return true;
    }
    return false;
}

static ERR check_new(const struct answer *x)
{
    const struct form *f = &x->form;
    if (f->version.present && number(f->version.text))
        return FAIL(E_VERSION);
    for (size_t i = 0; i < x->own.n; i++) {
        const struct sheet *s = x->own.kept[i].s;
        if (s->status != SHEET_COMPLETED && slice_eq(ARR(s->muni), f->muni.text) && slice_eq(s->ticket, f->ticket.text))
            return FAIL(E_VERSION); /* one is begun already */
    }
    return x->own.n < SHEET_PERSON_MAX ? OK : FAIL(E_CONFLICT);
}

static ERR check_old(const struct answer *x)
{
    const struct form *f = &x->form;
    if (!x->kept || !slice_eq(ARR(x->sheet.muni), f->muni.text) || !slice_eq(x->sheet.ticket, f->ticket.text))
        return FAIL(E_NOTHING);
    if (x->sheet.status == SHEET_COMPLETED)
        return FAIL(E_CONFLICT);
    return f->version.present && number(f->version.text) == x->sheet.version ? OK : FAIL(E_VERSION);
}

static ERR judge(struct answer *x, const struct redis_reply *hash, bool *ret_repeated)
{
    struct citizen *c = &x->c;
    TRY(citizen_heard(c, hash));
    x->report = (struct qt_report){ 0 };
    TRY(sheet_stand_of(hash, (const char *)x->form.muni.text.p, arena_of(x), &x->stand));
    TRY(consent_clinics_open(store_of(x), &c->ps.person, hash, 1u << LINK_QUESTIONNAIRE, citizen_now_ms(c), &x->clinics));
    x->stand.tell = &x->clinics;
    x->stand.outbox_max = x->c.a.env->outbox_max;
    TRY(sheets_keep(&c->judge, hash, arena_of(x), &x->own));
    TRY(arena_check(arena_of(x)));
    if ((*ret_repeated = repeated(x)))
        return OK;
    x->kept = x->form.sheet.present ? sheets_find(&x->own, x->sheet_id) : NULL;
    if (x->kept)
        x->sheet = *x->kept->s;
    TRY(x->form.sheet.present ? check_old(x) : check_new(x));
    TRY(tickets_valid(&c->judge, hash, arena_of(x), &x->tickets));
    x->ticket = tickets_find(&x->tickets, x->form.muni.text, x->form.ticket.text);
    return x->ticket ? ask_template(x) : FAIL(E_NOTHING);
}

static void round_go(struct citizen *c, struct err e, const struct redis_reply *hash)
{
    struct answer *x = (struct answer *)c;
    bool again = false;
    if (err_ok(e))
        e = judge(x, hash, &again);
    if (err_ok(e) && again) {
        give(x);
        end(x, OK);
    } else if (!err_ok(e)) {
        end(x, e);
    }
}

void portal_answer_questionnaire(struct req *r)
{
    struct answer *x = access_new(r, sizeof *x);
    if (!x || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &x->form))
        return;
    if (x->form.sheet.present && !sheet_id_parse(x->form.sheet.text, x->sheet_id)) {
        access_refuse_field(r, "questionnaireId", FR_CLASS);
        return;
    }
    struct err e = sheet_request(x->form.request.text, x->request);
    if (!err_ok(e)) {
        req_fail(r, e);
        return;
    }
    citizen_find(&x->c, r, AU_QUESTIONNAIRE_ANSWERED, x->form.pseudonym.text, round_go);
}
