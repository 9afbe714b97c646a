/* POST /v1/clinic/immunizations/record */
#include "gateway/clinic/clinic.h"
#include "gateway/clinic/dose_write.h"

struct form {
    struct field_value session, request, immunization;
};

static const struct field FORM[] = {
    VISIT_FIELD(form),
    { .name = "requestId", .offset = offsetof(struct form, request), .cls = FC_ALNUM, .min = DOSE_REQUEST_MIN, .max = DOSE_REQUEST_MAX, .required = true },
    { .name = "immunization", .offset = offsetof(struct form, immunization), .cls = FC_ANY_OBJECT, .min = 1, .max = 64, .required = true },
};

static ERR place(struct dose_write *w, const struct redis_reply *hash)
{
    const struct slice clinic = slice_str(req_caller(w->v.a.r)->code);
    (void)hash;
    for (size_t i = 0; i < w->book.n; i++) {
        const struct immun *first = &w->book.at[i].rec->versions[0];
        if (slice_eq(first->request, w->request) && slice_eq(first->writer, clinic))
            return dose_was_written(w, &w->book.at[i], 1);
    }
    if (!immun_book_has_room(&w->book, true))
        return FAIL(E_CONFLICT);
    return immun_book_add(&w->book, req_arena(w->v.a.r), w->dose.muni, &w->place);
}

void clinic_record_immunization(struct req *r)
{
    static const struct dose_kind KIND = { AU_IMMUNIZATION_RECORDED, VACCINE_RECORDED, place };
    struct form form;
    struct slice gs1;
    struct dose_write *w = access_new(r, sizeof *w);
    if (!w || !dose_body(r, FORM, sizeof FORM / sizeof FORM[0], &form, &gs1) || !dose_read(w, r, form.immunization.json, gs1))
        return;
    w->kind = &KIND;
    w->session = form.session.text;
    w->request = form.request.text;
    dose_write_open(w, r);
}
