/* POST /v1/clinic/questionnaires/complete: the doctor's part. A submitted questionnaire becomes a completed one; who completed it may correct that.
 *
 * Read, judge, write while nothing of the person's vaccination data has changed: a record that is written at the same moment sees 接種不可, or this waits. */
#include "gateway/clinic/clinic.h"
#include "gateway/clinic/visit.h"
#include "gateway/lookup/tickets.h"

enum { ASK_MAX = 1024, ROUNDS_MAX = 4, WRITTEN = 2 /* script, epoch */ };

struct form { struct field_value session, request, sheet, version, answers, name, unfit, explained, consented, remarks; };
static const struct field FORM[] = {
    VISIT_FIELD(form),
    { .name = "requestId", .offset = offsetof(struct form, request), .cls = FC_ALNUM, .min = SHEET_REQUEST_MIN, .max = SHEET_REQUEST_MAX, .required = true },
    { .name = "questionnaireId", .offset = offsetof(struct form, sheet), .cls = FC_ALNUM, .min = 2 * SHEET_ID_BYTES, .max = 2 * SHEET_ID_BYTES, .required = true },
    { .name = "version", .offset = offsetof(struct form, version), .cls = FC_DIGITS, .min = 1, .max = 5, .required = true },
    { .name = "answers", .offset = offsetof(struct form, answers), .cls = FC_ARRAY, .min = 0, .max = QT_ITEMS_MAX },
    { .name = "doctorName", .offset = offsetof(struct form, name), .cls = FC_TEXT, .min = 1, .max = SHEET_NAME_MAX, .required = true },
    { .name = "isUnfit", .offset = offsetof(struct form, unfit), .cls = FC_BOOL, .required = true },
    { .name = "isExplained", .offset = offsetof(struct form, explained), .cls = FC_BOOL, .required = true },
    { .name = "isConsented", .offset = offsetof(struct form, consented), .cls = FC_BOOL, .required = true },
    { .name = "remarks", .offset = offsetof(struct form, remarks), .cls = FC_TEXT, .min = 0, .max = SHEET_VALUE_MAX },
};

struct complete {
    struct visit v;
    struct form form;
    uint8_t sheet_id[SHEET_ID_BYTES];
    uint8_t request[SHEET_REQUEST_BYTES];
    unsigned rounds;
    /* of this round */
    struct sheet_stand stand;
    struct sheet_book book;
    const struct sheet_kept *kept;
    struct sheet sheet;
    struct qt_report report;
    struct template_set set;
};

static struct arena *arena_of(struct complete *x) { return req_arena(x->v.a.r); }

static void end(struct complete *x, struct err e)
{
    if (err_is(e, E_FIELD)) {
        x->v.a.extra = qt_report_write;
        x->v.a.extra_arg = &x->report;
    }
    access_end(&x->v.a, e);
}

static void round_go(struct visit *v, struct err e, const struct redis_reply *hash);

static void give(struct complete *x)
{
    struct jsonw w;
    struct access *a = &x->v.a;
    const struct sheet *s = &x->sheet;
    jsonw_init(&w, req_out(a->r));
    sheet_write(s, template_set_find(&x->set, s->muni, s->template_id, s->template_version), SHEET_VIEW_CLINIC, &w);
    memcpy(a->rec.ref, s->id, sizeof a->rec.ref);
    a->rec.until_s = 0;
    memcpy(a->rec.muni, s->muni, sizeof a->rec.muni);
    a->rec.count = s->version;
}

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct complete *x = arg;
    if (err_ok(e) && n != WRITTEN)
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(replies[0]) != 1) {
        if (++x->rounds < ROUNDS_MAX)
            visit_again(&x->v, round_go);
        else
            end(x, FAIL(E_BUSY));
        return;
    }
    if (err_ok(e)) {
        x->v.a.rec.epoch = (uint64_t)redis_reply_int(replies[1]);
        give(x);
    }
    end(x, e);
}

/* ---- what it shall be ---- */

static void refuse(struct complete *x, const char *field, enum field_rule rule) { qt_fault_add(&x->report, QT_NO_ITEM, field, rule); }

/* Consent comes after the explanation, and not to what the doctor advises against. */
static ERR check_form(struct complete *x)
{
    const struct form *f = &x->form;
    if (f->consented.flag && (!f->explained.flag || f->unfit.flag))
        refuse(x, "isConsented", FR_RANGE);
    if (qt_twelve_digits(f->name.text))
        refuse(x, "doctorName", FR_NUMBER_INSIDE);
    if (qt_twelve_digits(f->remarks.text))
        refuse(x, "remarks", FR_NUMBER_INSIDE);
    return x->report.n ? FAIL(E_FIELD) : OK;
}

static ERR read_answers(struct complete *x, const struct qtemplate *t)
{
    struct sheet *s = &x->sheet;
    struct answers *with = arena_get(arena_of(x), sizeof *with), *now = arena_get(arena_of(x), sizeof *now);
    if (!with || !now)
        return FAIL(E_NOMEM);
    with->n = s->n_answers;
    memcpy(with->a, s->answers, sizeof with->a);
    TRY(answers_read(x->form.answers.json, t, SHEET_BY_DOCTOR, true, with, now, &x->report));
    s->n_answers = now->n;
    memcpy(s->answers, now->a, sizeof s->answers);
    return OK;
}

static ERR change(struct complete *x)
{
    const struct form *f = &x->form;
    struct sheet *s = &x->sheet;
    const struct qtemplate *t = template_set_find(&x->set, s->muni, s->template_id, s->template_version);
    uint64_t now = visit_now_ms(&x->v);
    struct redis_batch *b;
    if (!t)
        return FAIL(E_SEAL); /* versions are kept */
    TRY(check_form(x));
    TRY(read_answers(x, t));
    bool before = s->status == SHEET_COMPLETED && s->doctor.consented;
    s->doctor = (struct sheet_doctor){ .name = f->name.text, .fit = !f->unfit.flag, .explained = f->explained.flag, .consented = f->consented.flag,
                                       .consented_ms = !f->consented.flag ? 0 : before ? s->doctor.consented_ms : now, .remarks = f->remarks.text, .at_ms = now };
    memcpy(s->doctor.clinic, req_caller(x->v.a.r)->code, sizeof s->doctor.clinic);
    sheet_step(s, SHEET_COMPLETED, x->request, now);
    TRY(sheet_write_batch(x->v.a.env->store, &x->v.person, s, x->kept->sealed, &x->stand, &b));
    access_send(&x->v.a, b, on_written, x);
    return OK;
}

static void on_template(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct complete *x = arg;
    if (err_ok(e))
        e = template_set_take(&x->set, x->v.a.env->store, arena_of(x), replies, n);
    if (err_ok(e) && sheet_was_asked(&x->sheet, x->request)) {
        give(x);
        end(x, OK);
        return;
    }
    if (err_ok(e))
        e = change(x);
    if (!err_ok(e))
        end(x, e);
}

/* ---- what is there ---- */

static unsigned number(struct slice digits)
{
    unsigned v = 0;
    for (size_t i = 0; i < digits.n; i++)
        v = 10 * v + (unsigned)(digits.p[i] - '0');
    return v;
}

static ERR check(const struct complete *x)
{
    const struct sheet *s = &x->sheet;
    if (sheet_was_asked(s, x->request))
        return OK;
    if (s->status == SHEET_COMPLETED && !slice_eq(ARR(s->doctor.clinic), slice_str(req_caller(x->v.a.r)->code)))
        return FAIL(E_CONFLICT);
    return number(x->form.version.text) == s->version ? OK : FAIL(E_VERSION);
}

static ERR judge(struct complete *x, const struct redis_reply *hash)
{
    struct arena *a = arena_of(x);
    x->report = (struct qt_report){ 0 };
    x->set.n = 0;
    TRY(sheets_keep(&x->v.judge, hash, a, &x->book));
    x->kept = sheets_find(&x->book, x->sheet_id);
    if (!x->kept || x->kept->s->status == SHEET_DRAFT || !session_is_for(&x->v.session, ARR(x->kept->s->muni), x->kept->s->program))
        return FAIL(E_NOTHING);
    x->sheet = *x->kept->s;
    TRY(sheet_stand_of(hash, x->sheet.muni, a, &x->stand));
    TRY(check(x));
    TRY(template_set_add(&x->set, a, x->sheet.muni, x->sheet.template_id, x->sheet.template_version));
    struct redis_batch *b = redis_batch_new(ASK_MAX);
    if (!b)
        return FAIL(E_NOMEM);
    template_set_ask(&x->set, b);
    access_send(&x->v.a, b, on_template, x);
    return OK;
}

static void round_go(struct visit *v, struct err e, const struct redis_reply *hash)
{
    struct complete *x = (struct complete *)v;
    if (err_ok(e))
        e = judge(x, hash);
    if (!err_ok(e))
        end(x, e);
}

void clinic_complete_questionnaire(struct req *r)
{
    struct complete *x = access_new(r, sizeof *x);
    if (!x || !access_body(r, FORM, sizeof FORM / sizeof FORM[0], &x->form))
        return;
    if (!sheet_id_parse(x->form.sheet.text, x->sheet_id)) {
        access_refuse_field(r, "questionnaireId", FR_CLASS);
        return;
    }
    struct err e = sheet_request(x->form.request.text, x->request);
    if (err_ok(e))
        visit_open(&x->v, r, AU_QUESTIONNAIRE_COMPLETED, x->form.session.text, LINK_QUESTIONNAIRE, AUDIT_ITEM_QUESTIONNAIRE, round_go);
    else
        req_fail(r, e);
}
