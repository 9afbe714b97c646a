#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "keys/ctl/explain.h"

static struct audit_rec entry(enum audit_event event, const char *actor, enum err_code reason, uint16_t basis)
{
    struct audit_rec r = { .event = event, .reason = reason, .result = reason ? AR_REFUSED : AR_OK, .basis = basis };
    audit_set_actor(&r, slice_str(actor));
    return r;
}

/* The id of the rule that decided; "" when none did. */
static const char *decided(const struct explain *x)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->step[i].outcome == EXPLAIN_DECIDED)
            return explain_rule_id(x->step[i].rule);
    return "";
}

static enum explain_outcome outcome(const struct explain *x, enum explain_rule rule)
{
    for (size_t i = 0; i < x->n; i++)
        if (x->step[i].rule == rule)
            return x->step[i].outcome;
    fail_msg("%s is not asked at this door", explain_rule_id(rule));
    return EXPLAIN_NOT_ASKED;
}

#define CLINIC "clinic/3319900019"
#define PORTAL "portal/mynaportal"
#define MUNI "municipality/331007/kodomo"
#define STAFF "331007/officer/hanako"

static const struct { enum audit_event event; const char *actor; enum err_code reason; const char *rule, *of; } CASES[] = {
    { AU_CLINIC_LOOKUP, CLINIC, E_OK, "", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_TOKEN, "R3", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_FORBIDDEN, "R3", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_BASIS, "R2", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_USED, "R3", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_CONSENT, "R4", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_NOT_DISCLOSED, "R5", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_NOTHING, "R5", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_STORE_OLDER, "R6", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_STORE_DOWN, "R6", "clinic" },
    { AU_CLINIC_LOOKUP, CLINIC, E_INTERNAL, "R10", "clinic" },
    { AU_SESSION_READ, CLINIC, E_SESSION, "R3", "clinic" },
    { AU_SESSION_READ, CLINIC, E_CERT_REFUSED, "R3", "clinic" },
    { AU_REFUSED, CLINIC, E_CERT_REFUSED, "R1", "clinic" },
    { AU_REFUSED, CLINIC, E_FORBIDDEN, "R1", "clinic" },
    { AU_REFUSED, CLINIC, E_BASIS, "R2", "clinic" },
    { AU_REFUSED, CLINIC, E_FIELD, "R0", "clinic" },
    { AU_REFUSED, CLINIC, E_NO_ROUTE, "R0", "clinic" },
    { AU_REFUSED, "_", E_CERT_MISSING, "R1", "unknown" },
    { AU_CITIZEN_LOOKUP, PORTAL, E_NOTHING, "R5", "portal" },
    { AU_CITIZEN_LOOKUP, PORTAL, E_FORBIDDEN, "R5", "portal" },
    { AU_PSEUDONYM_LINKED, PORTAL, E_CONFLICT, "R9", "portal" },
    { AU_REFUSED, MUNI, E_TOKEN, "R8", "municipality" },
    { AU_REFUSED, MUNI, E_LOGIN, "R8", "municipality" },
    { AU_REFUSED, MUNI, E_TOO_LATE, "R9", "municipality" },
    { AU_REGISTRATION, MUNI, E_OK, "", "municipality" },
    { AU_ROW_RELEASED, STAFF, E_OK, "", "staff" },
    { AU_NUMBERING, "intake", E_OK, "", "gateway" },
    { AU_NUMBER_REVEALED, "vault", E_STORE_REFUSED, "R6", "gateway" },
};

static void every_reason_has_its_rule(void **state)
{
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof CASES / sizeof *CASES; i++) {
        struct audit_rec r = entry(CASES[i].event, CASES[i].actor, CASES[i].reason, 0);
        struct explain x;
        explain(&r, &x);
        if (strcmp(decided(&x), CASES[i].rule) != 0 || strcmp(explain_actor(&r), CASES[i].of) != 0 || x.refused != (CASES[i].reason != E_OK))
            wrong += 1, print_error("%s of %s: %s, %s\n", err_slug(CASES[i].reason), CASES[i].actor, decided(&x), explain_actor(&r));
    }
    assert_int_equal(wrong, 0);
}

/* Whatever an entry says: at most one rule decides, none that comes behind it was asked, and there is a text in both languages. */
static void explanations_hold_together(void **state)
{
    static const char *const ACTORS[] = { CLINIC, PORTAL, MUNI, STAFF, "intake", "vault", "front", "operator/local", "_", "nobody-knows", "331007/" };
    static const enum audit_event EVENTS[] = {
#define X(sym, number, name) AU_##sym,
#include "gateway/audit/events.def"
#undef X
    };
    (void)state;
    for (size_t a = 0; a < sizeof ACTORS / sizeof *ACTORS; a++)
        for (size_t v = 0; v < sizeof EVENTS / sizeof *EVENTS; v++)
            for (unsigned code = E_OK; code < E__MAX; code++) {
                struct audit_rec r = entry(EVENTS[v], ACTORS[a], (enum err_code)code, 0);
                struct explain x;
                size_t n = 0;
                explain(&r, &x);
                assert_true(x.n > 0 && x.n <= RULE__MAX);
                for (size_t i = 0; i < x.n; i++) {
                    assert_true(x.step[i].outcome != EXPLAIN_NOT_ASKED || n == 1);
                    n += x.step[i].outcome == EXPLAIN_DECIDED;
                }
                assert_int_equal(n, code != E_OK);
                assert_true(code == E_OK ? !*x.ja && !*x.en : *x.ja && *x.en);
                assert_true(outcome(&x, RULE_AUDIT) != EXPLAIN_NOT_ASKED);
            }
}

static void a_used_key_had_its_basis(void **state)
{
    struct audit_rec r = entry(AU_CLINIC_LOOKUP, CLINIC, E_USED, 20), of_other = entry(AU_CLINIC_LOOKUP, CLINIC, E_FORBIDDEN, 0);
    struct explain x;
    (void)state;
    explain(&r, &x);
    assert_int_equal(outcome(&x, RULE_BASIS), EXPLAIN_PASSED);
    assert_int_equal(outcome(&x, RULE_CONSENT), EXPLAIN_NOT_ASKED);
    explain(&of_other, &x);
    assert_int_equal(outcome(&x, RULE_BASIS), EXPLAIN_NOT_ASKED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_reason_has_its_rule),
        cmocka_unit_test(explanations_hold_together),
        cmocka_unit_test(a_used_key_had_its_basis),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
