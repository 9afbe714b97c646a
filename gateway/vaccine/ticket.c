#include "gateway/vaccine/ticket.h"

#include "gateway/check/field.h"

struct values {
    struct field_value muni, program, number, label, dose, from, to, forced;
};

#define AT(member) offsetof(struct values, member)

static const struct field FIELDS[] = {
    { "municipalityCode", AT(muni), FC_DIGITS, 6, 6, true, CK_NONE, NULL, NULL, 0 },
    { "vaccinationProgramId", AT(program), FC_ALNUM, 1, 50, true, CK_NONE, NULL, NULL, 0 },
    { "ticketNumber", AT(number), FC_DIGITS, 10, 10, true, CK_NONE, NULL, NULL, 0 },
    { "vaccineName", AT(label), FC_TEXT, 0, 100, false, CK_NONE, NULL, NULL, 0 },
    { "doseNumber", AT(dose), FC_DIGITS, 1, 2, false, CK_NONE, NULL, NULL, 0 },
    { "validFrom", AT(from), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "validTo", AT(to), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
    { "forcedExpiryDate", AT(forced), FC_DATE, 10, 10, false, CK_NONE, NULL, NULL, 0 },
};

static unsigned small_number(struct slice digits)
{
    unsigned n = 0;
    for (size_t i = 0; i < digits.n; i++)
        n = 10 * n + (unsigned)(digits.p[i] - '0');
    return n;
}

ERR ticket_read(const struct record *rec, struct arena *a, struct ticket *ret_t)
{
    json_t *obj;
    struct values v;
    struct field_report report = { 0 };
    struct err e = json_in_object(&obj, a, rec->eligibility);
    if (err_is(e, E_NOMEM))
        return e;
    if (!err_ok(e) || !fields_read(obj, FIELDS, sizeof FIELDS / sizeof FIELDS[0], NULL, &v, &report))
        return FAIL(E_SEAL);
    struct ticket t = { .program = v.program.text, .number = v.number.text, .label = v.label.text, .dose = small_number(v.dose.text),
                        .from = rec->from, .to = rec->to };
    memcpy(t.muni, v.muni.text.p, sizeof t.muni);
    *ret_t = t;
    return OK;
}
