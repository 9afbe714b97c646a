#include "keys/vaccination/person.h"

#include <stdlib.h>

#include "gateway/check/field.h"
#include "gateway/consent/consent.h"

struct look {
    struct store *s;
    const char *muni;
    const struct store_name *person;
    ymd_t day;
    struct arena *a;
    struct nz_vacc_person *p;
};

struct values { struct field_value muni, guardian, recovery, number, segment, reduction, name, kana, address, birth, sex; };
#define AT(member) offsetof(struct values, member)
static const struct field SUBJECT[] = {
    { "municipalityCode", AT(muni), FC_DIGITS, 6, 6, true, CK_NONE, NULL, NULL, 0 },
    { "guardianName", AT(guardian), FC_TEXT, 0, 100, false, CK_NONE, NULL, NULL, 0 },
    { "isRecovery", AT(recovery), FC_BOOL, 0, 0, false, CK_NONE, NULL, NULL, 0 },
    { "vaccinationSubjectNumber", AT(number), FC_ALNUM, 0, 50, false, CK_NONE, NULL, NULL, 0 },
    { "subjectSegment", AT(segment), FC_TEXT, 0, 100, false, CK_NONE, NULL, NULL, 0 },
    { "reductionSegment", AT(reduction), FC_TEXT, 0, 100, false, CK_NONE, NULL, NULL, 0 },
};
static const struct field BASIC[] = {
    { "name", AT(name), FC_TEXT, 0, 1000, false, CK_NONE, NULL, NULL, 0 },
    { "nameKana", AT(kana), FC_TEXT, 0, 1000, false, CK_NONE, NULL, NULL, 0 },
    { "address", AT(address), FC_TEXT, 0, 1000, false, CK_NONE, NULL, NULL, 0 },
    { "dateOfBirth", AT(birth), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "sex", AT(sex), FC_TEXT, 0, 10, false, CK_NONE, NULL, NULL, 0 },
};
#define COUNT(a) (sizeof(a) / sizeof(a)[0])

/* JSON of our own making. */
static ERR read_own(struct arena *a, struct slice json, const struct field *table, size_t n, struct values *ret_v)
{
    json_t *obj;
    struct field_report report = { 0 };
    struct err e = json_in_object(&obj, a, json);
    if (err_is(e, E_NOMEM))
        return e;
    return err_ok(e) && fields_read(obj, table, n, NULL, ret_v, &report) ? OK : FAIL(E_SEAL);
}

/* ---- fields ---- */

/* A flag silences towards others. It does not take a resident out of its own municipality's lists. */
static bool valid_here(const struct record *rec, ymd_t day)
{
    struct record r = *rec;
    r.not_disclosed = r.viewing_stopped = r.recovery = false;
    return record_valid_on(&r, day);
}

static ERR take_basic(struct look *k, const struct record *rec)
{
    struct values v;
    if (k->p->name.n || !rec->basic.n)
        return OK;
    TRY(read_own(k->a, rec->basic, BASIC, COUNT(BASIC), &v));
    k->p->name = v.name.text;
    k->p->kana = v.kana.text;
    k->p->birth = v.birth.date;
    return OK;
}

static ERR take_subject(struct look *k, const struct record *rec)
{
    struct values v;
    k->p->silent |= record_silences(rec);
    TRY(take_basic(k, rec));
    if (!rec->eligibility.n)
        return OK;
    TRY(read_own(k->a, rec->eligibility, SUBJECT, COUNT(SUBJECT), &v));
    k->p->guardian = v.guardian.text;
    k->p->number = v.number.text;
    k->p->segment = v.segment.text;
    k->p->reduction = v.reduction.text;
    k->p->subject = valid_here(rec, k->day);
    return OK;
}

static ERR take_ticket(struct look *k, const struct record *rec)
{
    TRY(take_basic(k, rec));
    if (!valid_here(rec, k->day) || !rec->eligibility.n)
        return OK;
    if (k->p->n_tickets == NZ_VACC_TICKETS_MAX)
        return OK; /* one resident's many tickets do not keep the others' rows back */
    return ticket_read(rec, k->a, &k->p->tickets[k->p->n_tickets++]);
}

static ERR take_record(struct look *k, enum store_kind kind, struct slice plain)
{
    struct record rec;
    TRY(record_decode(plain, &rec));
    return kind == STORE_VACCINATION ? take_subject(k, &rec) : kind == STORE_TICKET ? take_ticket(k, &rec) : OK;
}

static ERR take_immun(struct look *k, struct slice plain)
{
    struct immun_record *rec = arena_get(k->a, sizeof *rec);
    struct slice kept = arena_dup(k->a, plain);
    TRY(arena_check(k->a));
    TRY(immun_decode(kept, rec));
    const struct immun *now = &rec->versions[rec->n_versions - 1];
    if (k->p->n_records == NZ_VACC_DOSES_MAX)
        return FAIL(E_FULL);
    k->p->records[k->p->n_records++] = rec;
    if (now->status != IMMUN_COMPLETED)
        return OK;
    k->p->doses[k->p->n_doses++] = *now;
    return OK;
}

static ERR take_end(struct look *k, struct slice plain)
{
    struct store_end end;
    TRY(store_end_decode(plain, &end));
    k->p->left = k->day >= end.from;
    return OK;
}

static ERR take_field(struct look *k, struct slice field, struct slice sealed)
{
    struct slice muni = SLICE_NONE;
    enum store_kind kind = STORE_KIND__MAX;
    struct control_flags flags;
    uint8_t id[IMMUN_ID_BYTES];
    bool immun = immun_field_is(field, &muni, id), end = !immun && store_field_is_end(field, &muni);
    if (!immun && !end && flags_field_is(field, &muni)) {
        if (!slice_eq(muni, slice_of(k->muni, 6)))
            return OK;
        TRY(flags_open(k->s, k->person, field, sealed, &flags));
        k->p->silent |= flags.bits != 0;
        return OK;
    }
    if (!immun && !end && (!store_field_kind(field, &kind, &muni) || (kind != STORE_VACCINATION && kind != STORE_TICKET)))
        return OK;
    if (!slice_eq(muni, slice_of(k->muni, 6)))
        return OK;
    struct buf plain;
    buf_init(&plain, 1 << 20);
    struct err e = store_open(k->s, muni, k->person, field, sealed, &plain);
    if (err_ok(e))
        e = immun ? take_immun(k, buf_slice(&plain)) : end ? take_end(k, buf_slice(&plain)) : take_record(k, kind, buf_slice(&plain));
    buf_done(&plain);
    return e;
}

static int by_date(const void *a, const void *b)
{
    const struct immun *x = a, *y = b;
    return x->date != y->date ? (x->date > y->date) - (x->date < y->date) : (x->recorded_ms > y->recorded_ms) - (x->recorded_ms < y->recorded_ms);
}

ERR nz_vacc_person_read(struct store *s, const char muni[static 6], const struct store_name *person, const struct redis_reply *hash, ymd_t day, struct arena *a,
                        struct nz_vacc_person *ret_p)
{
    struct look k = { s, muni, person, day, a, ret_p };
    memset(ret_p, 0, sizeof *ret_p);
    for (size_t i = 0; i + 1 < redis_reply_len(hash); i += 2)
        TRY(take_field(&k, redis_reply_str(redis_reply_at(hash, i)), redis_reply_str(redis_reply_at(hash, i + 1))));
    qsort(ret_p->doses, ret_p->n_doses, sizeof *ret_p->doses, by_date);
    return arena_check(a);
}
