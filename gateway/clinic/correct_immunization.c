/* POST /v1/clinic/immunizations/correct */
#include "gateway/base/text.h"
#include "gateway/clinic/clinic.h"
#include "gateway/clinic/dose_write.h"

enum { REASON_MAX = 32, VERSION_DIGITS = 5 };

struct form {
    struct field_value session, request, id, version, immunization, cancel, reason;
};

static const struct field FORM[] = {
    VISIT_FIELD(form),
    { .name = "requestId", .offset = offsetof(struct form, request), .cls = FC_ALNUM, .min = DOSE_REQUEST_MIN, .max = DOSE_REQUEST_MAX, .required = true },
    { .name = "immunizationId", .offset = offsetof(struct form, id), .cls = FC_ALNUM, .min = 2 * IMMUN_ID_BYTES, .max = 2 * IMMUN_ID_BYTES, .required = true },
    { .name = "version", .offset = offsetof(struct form, version), .cls = FC_DIGITS, .min = 1, .max = VERSION_DIGITS, .required = true },
    { .name = "immunization", .offset = offsetof(struct form, immunization), .cls = FC_ANY_OBJECT, .min = 1, .max = 64 },
    { .name = "cancel", .offset = offsetof(struct form, cancel), .cls = FC_BOOL },
    { .name = "reason", .offset = offsetof(struct form, reason), .cls = FC_ALNUM, .min = 1, .max = REASON_MAX, .required = true },
};

struct correct {
    struct dose_write w;
    uint8_t id[IMMUN_ID_BYTES];
    unsigned version;
    bool cancel;
    struct slice reason;
};

static bool reason_ok(struct slice s)
{
    for (size_t i = 0; i < s.n; i++)
        if (!(s.p[i] >= 'a' && s.p[i] <= 'z') && s.p[i] != '_')
            return false;
    return s.n > 0;
}

/* A version that this request wrote; 0: none. */
static size_t version_of(const struct dose_write *w, const struct immun_record *rec, struct slice clinic)
{
    for (size_t i = 1; i < rec->n_versions; i++)
        if (slice_eq(rec->versions[i].request, w->request) && slice_eq(rec->versions[i].writer, clinic))
            return i + 1;
    return 0;
}

/* Only the clinic that wrote the record, and by a ticket only what is of its program; of any other it says nothing. */
static ERR place(struct dose_write *w, const struct redis_reply *hash)
{
    struct correct *c = (struct correct *)w;
    const struct slice clinic = slice_str(req_caller(w->v.a.r)->code);
    struct immun_place *p = immun_book_find(&w->book, c->id);
    (void)hash;
    if (!p || !slice_eq(p->rec->versions[0].writer, clinic) || !session_is_for(&w->v.session, ARR(p->muni), immun_now(p->rec)->program))
        return FAIL(E_NOTHING);
    const size_t again = version_of(w, p->rec, clinic);
    if (c->cancel) {
        w->dose = *immun_now(p->rec);
        w->dose.status = IMMUN_CANCELLED;
        w->dose.warnings = 0;
    }
    w->dose.reason = c->reason;
    if (again)
        return dose_was_written(w, p, again);
    if (c->version != p->rec->n_versions)
        return FAIL(E_VERSION);
    if (immun_now(p->rec)->status == IMMUN_CANCELLED || p->rec->n_versions == IMMUN_VERSIONS_MAX || (!c->cancel && !immun_book_has_room(&w->book, false)))
        return FAIL(E_CONFLICT);
    if (!slice_eq(ARR(w->dose.muni), ARR(p->muni))) {
        field_fault_add(&w->report, "municipalityCode", FR_RANGE);
        return FAIL(E_FIELD);
    }
    w->place = p;
    w->corrected = p->rec;
    w->judged = !c->cancel;
    return OK;
}

static const struct dose_kind CORRECT = { AU_IMMUNIZATION_CORRECTED, VACCINE_CORRECTED, place };
static const struct dose_kind CANCEL = { AU_IMMUNIZATION_CORRECTED, VACCINE_CANCELLED, place };

static bool read_form(struct correct *c, struct req *r, const struct form *f, struct slice gs1)
{
    if (!hex_decode(f->id.text, c->id, sizeof c->id)) {
        access_refuse_field(r, "immunizationId", FR_CLASS);
        return false;
    }
    if (!reason_ok(f->reason.text)) {
        access_refuse_field(r, "reason", FR_CLASS);
        return false;
    }
    c->cancel = f->cancel.flag;
    if (c->cancel == f->immunization.present) { /* one of both */
        access_refuse_field(r, "cancel", FR_RANGE);
        return false;
    }
    for (size_t i = 0; i < f->version.text.n; i++)
        c->version = c->version * 10 + (unsigned)(f->version.text.p[i] - '0');
    c->reason = f->reason.text;
    return c->cancel || dose_read(&c->w, r, f->immunization.json, gs1);
}

void clinic_correct_immunization(struct req *r)
{
    struct form form;
    struct slice gs1;
    struct correct *c = access_new(r, sizeof *c);
    if (!c || !dose_body(r, FORM, sizeof FORM / sizeof FORM[0], &form, &gs1) || !read_form(c, r, &form, gs1))
        return;
    c->w.kind = c->cancel ? &CANCEL : &CORRECT;
    c->w.session = form.session.text;
    c->w.request = form.request.text;
    dose_write_open(&c->w, r);
}
