/* A record as JSON, in and out. */
#include <stdio.h>

#include "gateway/base/text.h"
#include "gateway/check/digit_mark.h"
#include "gateway/vaccine/gs1.h"
#include "gateway/vaccine/immun.h"

enum { NAME_CHARS = 100, LONG_CHARS = 200, SHORT_CHARS = 30, AMOUNT_CHARS = 8, NUMBER_DIGITS = 12, AMOUNT_MAX_UL = 100000, UL = 1000 };

struct form {
    struct field_value muni, program, dose, date, ticket, gtin, vaccine, product, maker, lot, expiry, amount, unit, site, route, clinic, doctor, place, kind,
        segment, consented, overseas, caution, special;
};
#define AT(member) offsetof(struct form, member)
#define TEXT(n, member, chars) { .name = (n), .offset = AT(member), .cls = FC_TEXT, .min = 1, .max = (chars) }

static const struct field FORM[] = {
    { .name = "municipalityCode", .offset = AT(muni), .cls = FC_DIGITS, .min = 6, .max = 6, .required = true, .check = CK_MUNI },
    { .name = "vaccinationProgramId", .offset = AT(program), .cls = FC_ALNUM, .min = 1, .max = 50, .required = true },
    { .name = "doseNumber", .offset = AT(dose), .cls = FC_DIGITS, .min = 1, .max = 2, .required = true },
    { .name = "vaccinationDate", .offset = AT(date), .cls = FC_DATE, .required = true },
    { .name = "ticketNumber", .offset = AT(ticket), .cls = FC_DIGITS, .min = 10, .max = 10 },
    { .name = "gtin", .offset = AT(gtin), .cls = FC_DIGITS, .min = 8, .max = 14 },
    TEXT("vaccineName", vaccine, NAME_CHARS),
    TEXT("productName", product, NAME_CHARS),
    TEXT("manufacturer", maker, NAME_CHARS),
    TEXT("lotNumber", lot, GS1_VALUE_MAX),
    { .name = "expirationDate", .offset = AT(expiry), .cls = FC_DATE },
    TEXT("doseQuantity", amount, AMOUNT_CHARS),
    { .name = "doseUnit", .offset = AT(unit), .cls = FC_CODE, .words = "mL" },
    TEXT("site", site, SHORT_CHARS),
    TEXT("route", route, SHORT_CHARS),
    { .name = "medicalInstitutionCode", .offset = AT(clinic), .cls = FC_DIGITS, .min = 10, .max = 10, .check = CK_INSTITUTION },
    TEXT("doctorName", doctor, NAME_CHARS),
    TEXT("place", place, NAME_CHARS),
    TEXT("implementationSegment", kind, SHORT_CHARS),
    TEXT("vaccinationSegment", segment, SHORT_CHARS),
    { .name = "isConsented", .offset = AT(consented), .cls = FC_BOOL, .required = true },
    { .name = "isOverseas", .offset = AT(overseas), .cls = FC_BOOL },
    { .name = "isCautionRequired", .offset = AT(caution), .cls = FC_BOOL },
    TEXT("specialCircumstances", special, LONG_CHARS),
};

/* What is free text, and where it goes. */
static const struct { const char *name; size_t from, to; } TEXTS[] = {
    { "vaccineName", AT(vaccine), offsetof(struct immun, vaccine) }, { "productName", AT(product), offsetof(struct immun, product) },
    { "manufacturer", AT(maker), offsetof(struct immun, maker) },    { "lotNumber", AT(lot), offsetof(struct immun, lot) },
    { "site", AT(site), offsetof(struct immun, site) },              { "route", AT(route), offsetof(struct immun, route) },
    { "doctorName", AT(doctor), offsetof(struct immun, doctor) },    { "place", AT(place), offsetof(struct immun, place) },
    { "implementationSegment", AT(kind), offsetof(struct immun, kind) }, { "vaccinationSegment", AT(segment), offsetof(struct immun, segment) },
    { "specialCircumstances", AT(special), offsetof(struct immun, special) }, { "vaccinationProgramId", AT(program), offsetof(struct immun, program) },
};

static const struct field_value *value_at(const struct form *f, size_t offset) { return (const struct field_value *)((const uint8_t *)f + offset); }

bool immun_holds_number(struct slice s)
{
    size_t run = 0;
    struct slice used;
    while (s.n) {
        const size_t digit = digit_mark(s), gap = digit ? 0 : *s.p == '.' || *s.p == '_' ? 1 : gap_mark(s);
        run = digit ? run + 1 : gap ? run : 0;
        if (run == NUMBER_DIGITS || !slice_take(&s, digit ? digit : gap ? gap : 1, &used))
            return run == NUMBER_DIGITS;
    }
    return false;
}

/* "0.5": up to three places behind the point. */
static bool amount_parse(struct slice s, uint32_t *ret_ul)
{
    uint32_t whole = 0, part = 0, scale = UL;
    size_t i = 0;
    for (; i < s.n && s.p[i] >= '0' && s.p[i] <= '9'; i++)
        whole = whole * 10 + (uint32_t)(s.p[i] - '0');
    if (i == 0 || (i > 1 && s.p[0] == '0') || whole > AMOUNT_MAX_UL / UL)
        return false;
    if (i < s.n && s.p[i++] != '.')
        return false;
    if (i == s.n && s.p[i - 1] == '.')
        return false;
    for (; i < s.n; i++) {
        if (s.p[i] < '0' || s.p[i] > '9' || scale == 1)
            return false;
        scale /= 10;
        part += scale * (uint32_t)(s.p[i] - '0');
    }
    *ret_ul = whole * UL + part;
    return *ret_ul > 0 && *ret_ul <= AMOUNT_MAX_UL;
}

static struct slice digits_14(struct slice gtin, struct arena *a)
{
    char full[GS1_GTIN];
    return gtin_14(gtin, full) ? arena_dup(a, ARR(full)) : SLICE_NONE;
}

static void judge_form(const struct form *f, const struct immun *i, struct field_report *r)
{
    for (size_t k = 0; k < sizeof TEXTS / sizeof TEXTS[0]; k++)
        if (immun_holds_number(value_at(f, TEXTS[k].from)->text))
            field_fault_add(r, TEXTS[k].name, FR_NUMBER_INSIDE);
    if (f->gtin.present && !i->gtin.n)
        field_fault_add(r, "gtin", FR_LENGTH);
    if (i->dose == 0)
        field_fault_add(r, "doseNumber", FR_CODE);
    if (f->amount.present && !i->amount_ul)
        field_fault_add(r, "doseQuantity", FR_CLASS);
    if (f->amount.present != f->unit.present)
        field_fault_add(r, "doseUnit", f->amount.present ? FR_MISSING : FR_RANGE);
}

bool immun_read_value(json_t *v, struct arena *a, struct immun *ret_i, struct field_report *report)
{
    static const struct check_levels LEVELS = { .by_check = { [CK_MUNI] = CHECK_REJECT, [CK_INSTITUTION] = CHECK_REJECT } };
    struct form f;
    struct immun i = { .status = IMMUN_COMPLETED };
    if (!fields_read(v, FORM, sizeof FORM / sizeof FORM[0], &LEVELS, &f, report))
        return false;
    for (size_t k = 0; k < sizeof TEXTS / sizeof TEXTS[0]; k++)
        *(struct slice *)((uint8_t *)&i + TEXTS[k].to) = value_at(&f, TEXTS[k].from)->text;
    memcpy(i.muni, f.muni.text.p, sizeof i.muni);
    for (size_t k = 0; k < f.dose.text.n; k++)
        i.dose = i.dose * 10 + (unsigned)(f.dose.text.p[k] - '0');
    i.date = f.date.date;
    i.expiry = f.expiry.date;
    i.ticket = f.ticket.text;
    i.clinic = f.clinic.text;
    i.gtin = digits_14(f.gtin.text, a);
    if (f.amount.present && !amount_parse(f.amount.text, &i.amount_ul))
        i.amount_ul = 0;
    i.consented = f.consented.flag;
    i.overseas = f.overseas.flag;
    i.caution = f.caution.flag;
    judge_form(&f, &i, report);
    if (report->n_faults)
        return false;
    *ret_i = i;
    return true;
}

ERR immun_read(struct slice json, struct arena *a, struct immun *ret_i, struct field_report *report)
{
    json_t *v;
    *report = (struct field_report){ 0 };
    TRY(json_in_object(&v, a, json));
    bool good = immun_read_value(v, a, ret_i, report);
    TRY(arena_check(a));
    return good ? OK : FAIL(E_FIELD);
}

/* ---- out ---- */

static void put(struct jsonw *w, const char *name, struct slice text)
{
    if (text.n)
        jsonw_str(w, name, text);
}

static void put_date(struct jsonw *w, const char *name, ymd_t d)
{
    char text[10];
    if (!d)
        return;
    ymd_format(d, text);
    jsonw_str(w, name, ARR(text));
}

static void put_amount(struct jsonw *w, uint32_t ul)
{
    char text[16];
    if (!ul)
        return;
    size_t n = (size_t)snprintf(text, sizeof text, "%u.%03u", ul / UL, ul % UL);
    while (text[n - 1] == '0')
        n--;
    n -= text[n - 1] == '.';
    jsonw_str(w, "doseQuantity", slice_of(text, n));
    jsonw_cstr(w, "doseUnit", "mL");
}

static void put_when(struct jsonw *w, const char *name, uint64_t ms)
{
    char text[24];
    clock_format_utc(ms, text);
    jsonw_str(w, name, ARR(text));
}

static void put_given(const struct immun *i, enum immun_view view, struct jsonw *w)
{
    char dose[12];
    jsonw_str(w, "municipalityCode", ARR(i->muni));
    put(w, "vaccinationProgramId", i->program);
    jsonw_str(w, "doseNumber", slice_of(dose, (size_t)snprintf(dose, sizeof dose, "%u", i->dose)));
    put_date(w, "vaccinationDate", i->date);
    if (view == IMMUN_VIEW_MUNICIPALITY)
        put(w, "ticketNumber", i->ticket);
    put(w, "gtin", i->gtin);
    put(w, "vaccineName", i->vaccine);
    put(w, "productName", i->product);
    put(w, "manufacturer", i->maker);
    put(w, "lotNumber", i->lot);
    put_date(w, "expirationDate", i->expiry);
    put_amount(w, i->amount_ul);
    put(w, "site", i->site);
    put(w, "route", i->route);
    put(w, "medicalInstitutionCode", i->clinic);
    put(w, "doctorName", i->doctor);
    put(w, "place", i->place);
    put(w, "implementationSegment", i->kind);
    put(w, "vaccinationSegment", i->segment);
    jsonw_bool(w, "isConsented", i->consented);
    jsonw_bool(w, "isOverseas", i->overseas);
    jsonw_bool(w, "isCautionRequired", i->caution);
    put(w, "specialCircumstances", i->special);
}

void immun_write(const struct immun_record *rec, size_t v, enum immun_view view, struct jsonw *w)
{
    static const char HEX[] = "0123456789abcdef";
    const struct immun *i = &rec->versions[v - 1];
    char id[2 * IMMUN_ID_BYTES], version[24];
    for (size_t k = 0; k < IMMUN_ID_BYTES; k++) {
        id[2 * k] = HEX[rec->id[k] >> 4];
        id[2 * k + 1] = HEX[rec->id[k] & 15];
    }
    jsonw_object(w, NULL);
    jsonw_str(w, "immunizationId", ARR(id));
    jsonw_str(w, "version", slice_of(version, (size_t)snprintf(version, sizeof version, "%zu", v)));
    jsonw_cstr(w, "status", i->status == IMMUN_CANCELLED ? "cancelled" : "completed");
    put_given(i, view, w);
    put(w, "reason", i->reason);
    put_when(w, "recordedAt", rec->versions[0].recorded_ms);
    put_when(w, "updatedAt", i->recorded_ms);
    jsonw_end_object(w);
}
