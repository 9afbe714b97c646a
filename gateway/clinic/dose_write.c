#include "gateway/clinic/dose_write.h"

#include "gateway/cert/stored.h"
#include "gateway/lookup/birth.h"
#include "gateway/notice/notice.h"
#include "gateway/questionnaire/sheet.h"
#include "gateway/vaccine/ticket.h"
#include "gateway/vaccine/subject.h"

enum { TRIES_MAX = 4, BATCH_MAX = 2 * IMMUN_SWAP_MAX };

static ymd_t today(const struct dose_write *w) { return clock_date_jst(visit_now_ms(&w->v)); }
static struct arena *arena_of(const struct dose_write *w) { return req_arena(w->v.a.r); }
static struct slice clinic_of(const struct req *r) { return slice_str(req_caller(r)->code); }

/* ---- what was sent ---- */

static bool take_gs1_text(struct req *r, json_t *body, struct slice *ret_gs1)
{
    json_t *v = json_object_get(body, "gs1");
    *ret_gs1 = SLICE_NONE;
    if (!v)
        return true;
    if (!json_is_string(v) || json_string_length(v) == 0) {
        access_refuse_field(r, "gs1", json_is_string(v) ? FR_LENGTH : FR_TYPE);
        return false;
    }
    *ret_gs1 = arena_dup(req_arena(r), slice_of(json_string_value(v), json_string_length(v)));
    json_object_del(body, "gs1");
    return true;
}

bool dose_body(struct req *r, const struct field *table, size_t n, void *target, struct slice *ret_gs1)
{
    json_t *body;
    struct field_report report;
    struct err e = json_in_object(&body, req_arena(r), req_body(r));
    if (!err_ok(e)) {
        req_fail(r, e);
        return false;
    }
    if (!take_gs1_text(r, body, ret_gs1))
        return false;
    if (fields_read(body, table, n, NULL, target, &report))
        return true;
    req_problem(r, FAIL(E_FIELD), field_report_write, &report);
    return false;
}

static void write_report(struct jsonw *w, void *arg)
{
    struct dose_write *x = arg;
    field_report_write(w, &x->report);
    if (x->gs1_fault != GS1_OK)
        jsonw_cstr(w, "gs1_fault", gs1_fault_slug(x->gs1_fault));
}

static void agree(struct dose_write *w, const char *field, struct slice *said, struct slice scanned)
{
    if (!scanned.n)
        return;
    if (said->n && !slice_eq(*said, scanned))
        field_fault_add(&w->report, field, FR_RANGE);
    *said = scanned;
}

static void take_gs1(struct dose_write *w, struct req *r, struct slice text)
{
    struct gs1 g;
    struct immun *i = &w->dose;
    w->gs1_fault = gs1_parse(text, clock_date_jst(clock_wall(loop_clock(req_loop(r)))), &g);
    if (w->gs1_fault != GS1_OK) {
        field_fault_add(&w->report, "gs1", w->gs1_fault == GS1_GTIN_CHECK ? FR_CHECK_DIGIT : FR_CLASS);
        return;
    }
    w->made = g.made;
    if (immun_holds_number(g.lot))
        field_fault_add(&w->report, "gs1", FR_NUMBER_INSIDE);
    agree(w, "gtin", &i->gtin, arena_dup(req_arena(r), ARR(g.gtin)));
    agree(w, "lotNumber", &i->lot, g.lot);
    if (g.expiry && i->expiry && i->expiry != g.expiry)
        field_fault_add(&w->report, "expirationDate", FR_RANGE);
    if (g.expiry)
        i->expiry = g.expiry;
}

/* A GTIN of twelve digits looks like an individual number: it is one only of a product that is known. */
static bool may_be_number(const struct vaccine_table *t, struct slice gtin) { return slice_starts(gtin, LIT("00")) && !vaccine_product(t, gtin); }

bool dose_read(struct dose_write *w, struct req *r, json_t *immunization, struct slice gs1)
{
    const struct lookup_env *env = req_ctx(r);
    struct immun *i = &w->dose;
    if (!env->vaccines) {
        req_fail(r, FAIL(E_NO_ROUTE));
        return false;
    }
    if (immun_read_value(immunization, req_arena(r), i, &w->report) && gs1.n)
        take_gs1(w, r, gs1);
    if (!w->report.n_faults && may_be_number(env->vaccines, i->gtin))
        field_fault_add(&w->report, "gtin", FR_NUMBER_INSIDE);
    if (!w->report.n_faults && !vaccine_program(env->vaccines, i->program))
        field_fault_add(&w->report, "vaccinationProgramId", FR_CODE);
    if (!w->report.n_faults && i->clinic.n && !slice_eq(i->clinic, clinic_of(r)))
        field_fault_add(&w->report, "medicalInstitutionCode", FR_RANGE);
    if (w->report.n_faults) {
        req_problem(r, FAIL(E_FIELD), write_report, w);
        return false;
    }
    i->clinic = clinic_of(r);
    w->names_ticket = i->ticket.n > 0;
    return true;
}

/* ---- the same again ---- */

/* A ticket that nobody named was found then (ticket_of()). */
ERR dose_was_written(struct dose_write *w, struct immun_place *p, size_t version)
{
    const struct immun *i = &p->rec->versions[version - 1];
    struct immun said = w->dose;
    if (!w->names_ticket)
        said.ticket = i->ticket;
    if (!immun_same(i, &said) || !slice_eq(i->reason, w->dose.reason))
        return FAIL(E_CONFLICT);
    w->again = true;
    w->place = p;
    w->version = version;
    return OK;
}

/* ---- the rules ---- */

static ERR end_of(const struct dose_write *w, const struct redis_reply *hash, ymd_t *ret_day)
{
    const struct visit *v = &w->v;
    struct store_name field;
    struct store_end end;
    struct buf plain;
    *ret_day = 0;
    store_field_end(w->dose.muni, &field);
    const struct slice sealed = hash_find(hash, store_name_slice(&field));
    if (!sealed.n)
        return OK;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(v->a.env->store, ARR(w->dose.muni), &v->person, store_name_slice(&field), sealed, &plain);
    if (err_ok(e))
        e = store_end_decode(buf_slice(&plain), &end);
    buf_done(&plain);
    TRY(e);
    *ret_day = end.from;
    return OK;
}

/* 消除 as a registration of vaccinations says it: from that day on the subject is none of the municipality's. */
static ERR removal_of(const struct dose_write *w, const struct redis_reply *hash, ymd_t *io_day)
{
    const struct visit *v = &w->v;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        enum store_kind kind;
        struct slice muni;
        struct record rec;
        struct buf plain;
        if (!store_field_kind(field, &kind, &muni) || kind != STORE_VACCINATION || !slice_eq(muni, ARR(w->dose.muni)))
            continue;
        buf_init(&plain, STORE_RECORD_MAX);
        struct err e = store_open(v->a.env->store, muni, &v->person, field, redis_reply_str(redis_reply_at(hash, i + 1)), &plain);
        if (err_ok(e))
            e = record_decode(buf_slice(&plain), &rec);
        if (err_ok(e) && rec.ended && (!*io_day || rec.ended < *io_day))
            *io_day = rec.ended;
        buf_done(&plain);
        TRY(e);
    }
    return OK;
}

static ERR questionnaire_says(const struct dose_write *w, const struct redis_reply *hash, bool *ret_unfit)
{
    const struct immun *i = &w->dose;
    const struct sheet_question q = { i->muni, i->program, i->dose, i->date };
    struct sheet_finding f;
    TRY(sheet_verdict(w->v.a.env->store, &w->v.person, hash, &q, &f));
    *ret_unfit = f.said == SHEET_SAID_UNFIT;
    return OK;
}

static size_t others_of(const struct dose_write *w, const struct immun *others[static IMMUN_BOOK_MAX])
{
    size_t n = 0;
    for (size_t i = 0; i < w->book.n; i++) {
        const struct immun_record *rec = w->book.at[i].rec;
        if (rec->n_versions > 0 && rec != w->corrected && immun_now(rec)->status == IMMUN_COMPLETED) /* the one that is being written has none */
            others[n++] = immun_now(rec);
    }
    return n;
}

static void write_rules(struct jsonw *w, void *arg)
{
    const struct dose_write *x = arg;
    jsonw_array(w, "rules");
    vaccine_rules_write(w, x->rules);
    jsonw_end_array(w);
}

static ERR judge(struct dose_write *w, const struct redis_reply *hash)
{
    const struct immun *others[IMMUN_BOOK_MAX];
    const struct vaccine_table *table = w->v.a.env->vaccines;
    struct vaccine_case c = { .table = table, .program = vaccine_program(table, w->dose.program), .dose = &w->dose, .others = others, .made = w->made,
                              .today = today(w) };
    c.n_others = others_of(w, others);
    TRY(birth_of(&w->v.judge, hash, ARR(w->dose.muni), &c.birth));
    TRY(end_of(w, hash, &c.ended));
    TRY(removal_of(w, hash, &c.ended));
    TRY(questionnaire_says(w, hash, &c.unfit));
    const struct vaccine_verdict v = vaccine_judge(&c);
    w->dose.warnings = v.warned;
    w->rules = v.rejected;
    return v.rejected ? FAIL(E_RULES) : OK;
}

/* ---- written ---- */

static void on_person(struct visit *v, struct err e, const struct redis_reply *hash);

static ERR answer(struct dose_write *w)
{
    struct access *a = &w->v.a;
    struct jsonw out;
    jsonw_init(&out, req_out(a->r));
    jsonw_object(&out, NULL);
    jsonw_array(&out, "immunizations");
    immun_write(w->place->rec, w->version, IMMUN_VIEW_CLINIC, &out);
    jsonw_end_array(&out);
    jsonw_array(&out, "warnings");
    vaccine_rules_write(&out, w->place->rec->versions[w->version - 1].warnings);
    jsonw_end_array(&out);
    jsonw_end_object(&out);
    memcpy(a->rec.ref, w->place->rec->id, sizeof a->rec.ref);
    memcpy(a->rec.muni, w->place->muni, sizeof a->rec.muni);
    a->rec.until_s = 0;
    a->rec.count = (uint32_t)w->version;
    return buf_check(req_out(a->r));
}

static void on_written(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct dose_write *w = arg;
    const struct redis_reply *exec = err_ok(e) && n ? replies[n - 1] : NULL;
    if (err_ok(e) && (!exec || redis_reply_len(exec) != 2))
        e = FAIL(E_STORE_REFUSED);
    if (err_ok(e) && redis_reply_int(redis_reply_at(exec, 0)) == REDIS_SWAP_FULL)
        e = FAIL(E_OUTBOX_FULL);
    if (err_ok(e) && redis_reply_int(redis_reply_at(exec, 0)) != 1) { /* another clinic was first: what is so now is judged */
        if (++w->tries < TRIES_MAX) {
            visit_again(&w->v, on_person);
            return;
        }
        e = FAIL(E_BUSY);
    }
    if (err_ok(e))
        w->v.a.rec.epoch = (uint64_t)redis_reply_int(redis_reply_at(exec, 1));
    if (err_ok(e))
        e = answer(w);
    access_end(&w->v.a, e);
}

static ERR fill(struct dose_write *w, const struct redis_reply *hash, struct redis_swap *swap)
{
    struct visit *v = &w->v;
    struct store *s = v->a.env->store;
    struct immun_record *rec = w->place->rec;
    const struct vaccine_event event = { .what = w->kind->what, .person = &v->session.person, .place = w->place, .hash = hash, .now_ms = visit_now_ms(v),
                                         .to_vrs = v->a.env->to_vrs };
    size_t superseded;
    w->dose.recorded_ms = event.now_ms;
    w->dose.request = w->request;
    w->dose.writer = clinic_of(v->a.r);
    TRY(subject_reduction(s, w->place->muni, &v->person, hash, arena_of(w), &w->dose.reduction));
    rec->versions[rec->n_versions++] = w->dose;
    w->version = rec->n_versions;
    immun_note_recipient(rec, IMMUN_TO_CLINIC, clinic_of(v->a.r), event.now_ms);
    immun_swap_turn(&w->book, &v->person, swap);
    notice_room(swap, v->a.env->outbox_max);
    TRY(immun_swap_record(s, &v->person, w->place, swap));
    if (w->version > 1)
        TRY(cert_supersede_add(s, &v->person, hash, w->place->muni, rec->id, (uint16_t)w->version, event.now_ms, swap, &superseded));
    return vaccine_consequences_add(s, &event, swap);
}

/* Record, index, notices and what was superseded in one script; the epoch is raised beside it, so that a store that came back without them is noticed. */
static ERR write_all(struct dose_write *w, const struct redis_reply *hash)
{
    struct redis_swap *swap = redis_swap_new(IMMUN_SWAP_MAX);
    struct redis_batch *b = redis_batch_new(BATCH_MAX);
    struct err e = swap && b ? fill(w, hash, swap) : FAIL(E_NOMEM);
    if (err_ok(e)) {
        REDIS_ADD(b, LIT("MULTI"));
        e = redis_swap_put(swap, b);
    }
    redis_swap_free(swap);
    if (!err_ok(e)) {
        redis_batch_free(b);
        return e;
    }
    redis_raise(b, STORE_EPOCH);
    REDIS_ADD(b, LIT("EXEC"));
    access_send(&w->v.a, b, on_written, w);
    return OK;
}

/* ---- the ticket ---- */

struct ticket_search { size_t named, fits; struct slice number; };

static void weigh(const struct dose_write *w, const struct record *rec, const struct ticket *t, struct ticket_search *f)
{
    const struct immun *i = &w->dose;
    if (w->names_ticket) {
        f->named += slice_eq(t->number, i->ticket);
    } else if (slice_eq(t->program, i->program) && (!t->dose || t->dose == i->dose) && record_valid_on(rec, i->date)) {
        f->fits++;
        f->number = t->number;
    }
}

static ERR look_at_ticket(const struct dose_write *w, struct slice field, struct slice sealed, struct ticket_search *f)
{
    struct record rec;
    struct ticket t;
    struct buf plain;
    buf_init(&plain, STORE_RECORD_MAX);
    struct err e = store_open(w->v.a.env->store, ARR(w->dose.muni), &w->v.person, field, sealed, &plain);
    if (err_ok(e))
        e = record_decode(buf_slice(&plain), &rec);
    if (err_ok(e) && rec.eligibility.n) {
        e = ticket_read(&rec, arena_of(w), &t);
        if (err_ok(e))
            weigh(w, &rec, &t, f);
    }
    buf_done(&plain);
    return e;
}

/* The number of somebody else's ticket does not get into a record, and the ledger. Of a dose without one: the ticket for it that was good on that day, if it is one alone. */
static ERR ticket_of(struct dose_write *w, const struct redis_reply *hash)
{
    struct ticket_search f = { 0 };
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2) {
        const struct slice field = redis_reply_str(redis_reply_at(hash, i));
        enum store_kind kind;
        struct slice muni;
        if (store_field_kind(field, &kind, &muni) && kind == STORE_TICKET && slice_eq(muni, ARR(w->dose.muni)))
            TRY(look_at_ticket(w, field, redis_reply_str(redis_reply_at(hash, i + 1)), &f));
    }
    if (w->names_ticket && !f.named) {
        field_fault_add(&w->report, "ticketNumber", FR_RANGE);
        return FAIL(E_FIELD);
    }
    if (!w->names_ticket)
        w->dose.ticket = f.fits == 1 ? f.number : SLICE_NONE;
    return OK;
}

/* ---- judged ---- */

/* What the clinic names must be a municipality of the person, left or not; a session by a ticket is for its own program. */
static bool registered_in(const struct dose_write *w, const struct redis_reply *hash)
{
    enum store_kind kind;
    struct slice of;
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        if (store_field_kind(redis_reply_str(redis_reply_at(hash, i)), &kind, &of) && slice_eq(of, ARR(w->dose.muni)))
            return true;
    return false;
}

static ERR work(struct dose_write *w, const struct redis_reply *hash)
{
    struct visit *v = &w->v;
    w->again = false;
    w->place = NULL;
    w->corrected = NULL;
    w->judged = true;
    w->report = (struct field_report){ 0 };
    TRY(immun_book_open(v->a.env->store, &v->person, hash, arena_of(w), &w->book));
    TRY(w->kind->place(w, hash));
    if (!session_is_for(&v->session, ARR(w->dose.muni), w->dose.program))
        return FAIL(E_NOTHING);
    if (w->again)
        return answer(w);
    if (!registered_in(w, hash))
        return FAIL(E_NOTHING);
    memcpy(v->a.rec.muni, w->dose.muni, sizeof v->a.rec.muni);
    if (w->judged)
        TRY(ticket_of(w, hash));
    if (w->judged)
        TRY(judge(w, hash));
    return write_all(w, hash);
}

static void on_person(struct visit *v, struct err e, const struct redis_reply *hash)
{
    struct dose_write *w = (struct dose_write *)v;
    if (err_ok(e))
        e = work(w, hash);
    v->a.extra = err_is(e, E_RULES) ? write_rules : err_is(e, E_FIELD) ? write_report : NULL;
    v->a.extra_arg = w;
    if (!err_ok(e) || w->again)
        access_end(&v->a, e);
}

void dose_write_open(struct dose_write *w, struct req *r)
{
    visit_open(&w->v, r, w->kind->event, w->session, LINK_IMMUNIZATIONS, AUDIT_ITEM_VACCINATION, on_person);
}
