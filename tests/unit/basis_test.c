#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>

#include "gateway/basis/basis.h"
#include "gateway/basis/institutions.h"

#define HEAD                                                                                                              \
    "purposes:\n- { id: 1, name: treatment, ja: 診療, en: treatment }\n- { id: 2, name: registration, ja: 登録, en: registration }\n" \
    "- { id: 3, name: immunization, ja: 接種, en: immunization }\n"                                                       \
    "programs:\n- { name: subsidy, ja: 助成, en: subsidy }\n- { name: vaccines, ja: 接種, en: vaccines }\n"
#define OPERATIONS                                                                                                        \
    "operations:\n- { name: postSubsidies, program: subsidy, purpose: registration, items: [eligibility, number] }\n"     \
    "- { name: postTickets, program: vaccines, purpose: registration, items: [ticket, number] }\n"                        \
    "- { name: getTask, purpose: registration, items: [resident] }\n"                                                     \
    "- { name: lookUp, purpose: link_key, items: [eligibility], behalf: own }\n"                                          \
    "- { name: ownData, purpose: treatment, items: [eligibility], behalf: citizen }\n"
#define LAW "law: { ja: 法, en: law }, standing: assumed, source: 仮定"
#define ROW_1 "- { id: 11, " LAW ", program: subsidy, purpose: registration, callers: [{ role: municipality, systems: [kodomo] }], operations: [postSubsidies], items: [eligibility, number], retention_days: 10 }\n"
#define ROW_2 "- { id: 12, " LAW ", program: vaccines, purpose: registration, callers: [{ role: municipality, systems: [yobo, kenko-2] }], operations: [postTickets], items: [ticket, number], retention_days: 10 }\n"
#define ROW_3 "- { id: 13, " LAW ", purpose: registration, callers: [{ role: municipality, systems: [\"*\"] }], operations: [getTask], items: [resident], retention_days: 10 }\n"
#define ROW_4 "- { id: 20, " LAW ", purpose: treatment, callers: [{ role: clinic }], operations: [lookUp], items: [eligibility], retention_days: 10 }\n"
#define ROW_5 "- { id: 21, " LAW ", purpose: immunization, callers: [{ role: clinic }], operations: [lookUp], items: [vaccination, questionnaire], retention_days: 10 }\n"
#define ROW_6 "- { id: 30, " LAW ", purpose: treatment, callers: [{ role: portal, systems: [mynaportal] }], operations: [ownData], items: [eligibility], retention_days: 10 }\n"
#define GOOD HEAD OPERATIONS "bases:\n" ROW_1 ROW_2 ROW_3 ROW_4 ROW_5 ROW_6

static struct basis *good(void)
{
    struct basis *b = NULL;
    struct buf line;
    buf_init(&line, 8192);
    struct err e = basis_parse(&b, "x.yaml", LIT(GOOD), &line);
    if (!err_ok(e))
        fail_msg("%s", buf_cstr(&line));
    buf_done(&line);
    return b;
}

static struct basis_fit ask(const struct basis *b, enum caller_role role, const char *system, const char *operation, const char *purpose, unsigned items)
{
    return basis_judge(b, role, slice_str(system), slice_str(operation), slice_str(purpose), items);
}

static void a_row_that_fits_says_its_id_purpose_and_items(void **state)
{
    (void)state;
    struct basis *b = good();
    struct basis_fit f = ask(b, CALLER_MUNICIPALITY, "kodomo", "postSubsidies", NULL, 0);
    assert_int_equal(f.id, 11);
    assert_int_equal(f.purpose, 2);
    assert_int_equal(f.items, AUDIT_ITEM_ELIGIBILITY | AUDIT_ITEM_NUMBER);
    assert_int_equal(f.behalf, AB_OWN);
    assert_int_equal(ask(b, CALLER_PORTAL, "mynaportal", "ownData", NULL, 0).behalf, AB_CITIZEN);
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", "immunization", AUDIT_ITEM_VACCINATION).id, 21);
    basis_free(b);
}

static void a_system_has_the_operations_of_its_program_only(void **state)
{
    (void)state;
    struct basis *b = good();
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "yobo", "postTickets", NULL, 0).id, 12);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "kenko-2", "postTickets", NULL, 0).id, 12);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "yobo", "postSubsidies", NULL, 0).id, 0);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "kodomo", "postTickets", NULL, 0).id, 0);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "kodom", "postSubsidies", NULL, 0).id, 0);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "kodomo2", "postSubsidies", NULL, 0).id, 0);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "anything", "getTask", NULL, 0).id, 13);
    assert_string_equal(basis_program(b, LIT("postTickets")), "vaccines");
    assert_null(basis_program(b, LIT("getTask")));
    assert_null(basis_program(b, LIT("nothing")));
    assert_true(basis_has_program(b, LIT("subsidy")));
    assert_false(basis_has_program(b, LIT("subsid")));
    basis_free(b);
}

static void work_that_was_ordered_is_not_asked_for_its_system(void **state)
{
    (void)state;
    struct basis *b = good();
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, NULL, "postTickets", NULL, 0).id, 12);
    assert_int_equal(ask(b, CALLER_CLINIC, NULL, "postTickets", NULL, 0).id, 0);
    basis_free(b);
}

static void the_purpose_of_a_link_key_decides(void **state)
{
    (void)state;
    struct basis *b = good();
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", "treatment", 0).id, 20);
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", "immunization", 0).id, 0);   /* eligibility is not in that row */
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", "treatment", AUDIT_ITEM_VACCINATION).id, 0);
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", "registration", 0).id, 0);
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", "research", 0).id, 0);
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUp", NULL, 0).id, 0);             /* not known yet */
    assert_true(basis_may(b, CALLER_CLINIC, SLICE_NONE, LIT("lookUp")));
    assert_false(basis_may(b, CALLER_PORTAL, SLICE_NONE, LIT("lookUp")));
    assert_false(basis_may(b, CALLER_CLINIC, SLICE_NONE, LIT("lookup")));
    basis_free(b);
}

/* ---- every cell, both ways ---- */

/* What the register says, read naively from its rows. */
static unsigned naive(const struct basis *b, enum caller_role role, const char *system, const struct basis_operation *op, const struct basis_purpose *p, unsigned items)
{
    for (size_t i = 0; i < basis_rows(b); i++) {
        const struct basis_row *row = basis_row_at(b, i);
        bool caller = false, names = false;
        for (size_t k = 0; k < row->n_callers; k++)
            caller = caller || (row->callers[k].role == role && (!row->callers[k].system || strcmp(row->callers[k].system, system) == 0));
        for (size_t k = 0; k < row->n_operations; k++)
            names = names || row->operations[k] == op;
        if (caller && names && row->purpose == p && (items & ~(unsigned)row->items) == 0)
            return row->id;
    }
    return 0;
}

static void matrix(const struct basis *b, const char *const *systems, size_t n_systems, unsigned *ret_yes, unsigned *ret_no)
{
    for (unsigned role = CALLER_NONE; role < CALLER__MAX; role++)
        for (size_t s = 0; s < n_systems; s++)
            for (size_t o = 0; o < basis_operations(b); o++)
                for (size_t p = 0; p < basis_purposes(b); p++)
                    for (unsigned i = 0; basis_item_name(i); i++) {
                        const struct basis_operation *op = basis_operation_at(b, o);
                        const struct basis_purpose *purpose = basis_purpose_at(b, p);
                        unsigned want = naive(b, (enum caller_role)role, systems[s], op, purpose, 1u << i);
                        struct basis_fit f = ask(b, (enum caller_role)role, systems[s], op->name, purpose->word, 1u << i);
                        assert_int_equal(f.id, want);
                        assert_int_equal(f.purpose, want ? purpose->id : 0);
                        *(want ? ret_yes : ret_no) += 1;
                    }
}

static void every_cell_of_the_register_is_judged_as_it_says(void **state)
{
    static const char *const SYSTEMS[] = { "kodomo", "yobo", "kenko-2", "mynaportal", "other", "" };
    (void)state;
    struct basis *b = good(), *shipped = NULL;
    unsigned yes = 0, no = 0;
    matrix(b, SYSTEMS, 5, &yes, &no);
    assert_int_equal(yes, 2 + 2 * 2 + 5 + 5 * (1 + 2) + 1); /* items of the rows, times the systems among the five */
    assert_true(no > 1000);
    basis_free(b);
    assert_true(err_ok(basis_load(&shipped, SHIPPED)));
    yes = no = 0;
    matrix(shipped, SYSTEMS, 5, &yes, &no);
    assert_true(yes > 100 && no > 10000);
    basis_free(shipped);
}

static void the_shipped_register_lets_an_operation_of_its_own_purpose_through(void **state)
{
    (void)state;
    struct basis *b = NULL;
    assert_true(err_ok(basis_load(&b, SHIPPED)));
    for (size_t i = 0; i < basis_operations(b); i++) {
        const struct basis_operation *op = basis_operation_at(b, i);
        bool any = false;
        for (unsigned role = 0; role < CALLER__MAX; role++)
            any = any || (op->purpose ? basis_judge(b, (enum caller_role)role, SLICE_NONE, slice_str(op->name), SLICE_NONE, 0).id != 0
                                      : basis_may(b, (enum caller_role)role, SLICE_NONE, slice_str(op->name)));
        if (!any)
            fail_msg("%s", op->name);
    }
    assert_int_equal(ask(b, CALLER_CLINIC, "", "lookUpEligibility", "treatment", AUDIT_ITEM_ELIGIBILITY).id, 20);
    assert_int_equal(ask(b, CALLER_MUNICIPALITY, "kodomo", "lookUpEligibility", "treatment", 0).id, 0);
    assert_int_equal(ask(b, CALLER_CLINIC, "", "postRegistrationTasks", NULL, 0).id, 0);
    basis_free(b);
}

/* ---- faults ---- */

struct bad_case { const char *name, *yaml, *at, *says; };

#define BASES(text) HEAD OPERATIONS "bases:\n" text
#define WITH(field) "- { id: 1, " LAW ", purpose: registration, " field ", retention_days: 1 }\n"

static const struct bad_case BAD[] = {
    { "empty", "", "x.yaml:1:1:", "name: value" },
    { "no bases", HEAD OPERATIONS, "x.yaml:1:1:", "\"bases\" is needed" },
    { "two documents", GOOD "---\na: b\n", "x.yaml:22:1:", "only one document" },
    { "unknown section", GOOD "more: 1\n", "x.yaml:21:1:", "no such name" },
    { "section twice", GOOD "programs: []\n", "x.yaml:21:1:", "given twice" },
    { "unknown member", BASES("- { id: 1, colour: red }\n"), "x.yaml:15:12:", "no such name" },
    { "member twice", BASES("- { id: 1, id: 2 }\n"), "x.yaml:15:12:", "given twice" },
    { "member missing", BASES("- { id: 1 }\n"), "x.yaml:15:3:", "\"law\" is needed" },
    { "id 0", BASES("- { id: 0 }\n"), "x.yaml:15:9:", "in range" },
    { "id too great", BASES("- { id: 10000 }\n"), "x.yaml:15:9:", "in range" },
    { "id is no number", BASES("- { id: -1 }\n"), "x.yaml:15:9:", "in range" },
    { "id of another", BASES(ROW_3 "- { id: 13 }\n"), "x.yaml:16:9:", "another basis" },
    { "purpose id out of range", "purposes: [{ id: 256 }]\n", "x.yaml:1:18:", "in range" },
    { "purpose id twice", "purposes: [{ id: 1, name: a, ja: a, en: a }, { id: 1 }]\n", "x.yaml:1:52:", "another purpose" },
    { "purpose name twice", "purposes: [{ id: 1, name: a, ja: a, en: a }, { id: 2, name: a }]\n", "x.yaml:1:61:", "another purpose" },
    { "reserved purpose", "purposes: [{ id: 1, name: link_key }]\n", "x.yaml:1:27:", "cannot be the name" },
    { "purpose is no word", "purposes: [{ id: 1, name: Treat ment }]\n", "x.yaml:1:27:", "lower-case" },
    { "text with nothing", "purposes: [{ id: 1, name: a, ja: \"\" }]\n", "x.yaml:1:34:", "not empty" },
    { "operation twice", HEAD "operations:\n- { name: a, purpose: treatment, items: [] }\n- { name: a }\n", "x.yaml:10:11:", "given twice" },
    { "operation with a bad name", HEAD "operations:\n- { name: a/b }\n", "x.yaml:9:11:", "letters and digits" },
    { "operation of no purpose", HEAD "operations:\n- { name: a, purpose: fun }\n", "x.yaml:9:23:", "no such purpose" },
    { "operation of no program", HEAD "operations:\n- { name: a, program: fun }\n", "x.yaml:9:23:", "no such program" },
    { "no kind of data", HEAD "operations:\n- { name: a, items: [blood] }\n", "x.yaml:9:22:", "no such kind" },
    { "kind of data twice", HEAD "operations:\n- { name: a, items: [number, number] }\n", "x.yaml:9:30:", "given twice" },
    { "behalf of whom", HEAD "operations:\n- { name: a, behalf: king }\n", "x.yaml:9:22:", "own or citizen" },
    { "dangling operation", BASES(WITH("operations: [getTasks]")), "x.yaml:15:104:", "no such operation" },
    { "operation that nobody may use", BASES(ROW_1 ROW_2 ROW_4 ROW_5 ROW_6), "x.yaml:11:3:", "no basis names this operation" },
    { "operation for another purpose", BASES(WITH("operations: [ownData]")), "x.yaml:15:104:", "another purpose" },
    { "operation of another program", BASES(WITH("program: vaccines, operations: [postSubsidies]")), "x.yaml:15:123:", "another program" },
    { "purpose after the operations", BASES("- { id: 1, operations: [getTask] }\n"), "x.yaml:15:24:", "purpose comes first" },
    { "role that does not exist", BASES("- { id: 1, callers: [{ role: king }] }\n"), "x.yaml:15:30:", "one of municipality" },
    { "system before its role", BASES("- { id: 1, callers: [{ systems: [a] }] }\n"), "x.yaml:15:34:", "role comes first" },
    { "system with a bad name", BASES("- { id: 1, callers: [{ role: clinic, systems: [A/b] }] }\n"), "x.yaml:15:48:", "a system is" },
    { "caller twice", BASES("- { id: 1, callers: [{ role: clinic }, { role: clinic, systems: [a] }] }\n"), "x.yaml:15:66:", "there already" },
    { "no callers", BASES(WITH("callers: [], operations: [getTask], items: [resident]")), "x.yaml:15:3:", "cannot be empty" },
    { "items that do not suffice", BASES(WITH("callers: [{ role: clinic }], operations: [getTask], items: [number]")), "x.yaml:15:3:", "needs more items" },
    { "standing is neither", BASES("- { id: 1, standing: official }\n"), "x.yaml:15:22:", "cited or assumed" },
    { "retention of nothing", BASES("- { id: 1, retention_days: 0 }\n"), "x.yaml:15:28:", "in range" },
    { "list where a mapping belongs", "- a\n", "x.yaml:1:1:", "name: value" },
    { "mapping where a list belongs", "purposes: { a: b }\n", "x.yaml:1:11:", "a list belongs" },
    { "not YAML", "purposes: [\n", "x.yaml:2:1:", "not valid YAML" },
    { "not UTF-8", "purposes: \xff\n", "x.yaml:1:", "not valid YAML" },
};

static void faults_are_told_with_their_place(void **state)
{
    unsigned wrong = 0;
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        struct basis *b = NULL;
        struct buf line;
        buf_init(&line, 8192);
        struct err e = basis_parse(&b, "x.yaml", slice_str(BAD[i].yaml), &line);
        const char *text = buf_cstr(&line);
        if (e.code != E_CONFIG || !text || !strstr(text, BAD[i].says) || strncmp(text, BAD[i].at, strlen(BAD[i].at)) != 0)
            wrong += 1, print_error("%s: %s: %s\n", BAD[i].name, err_slug(e.code), text ? text : "");
        assert_null(b);
        buf_done(&line);
    }
    assert_int_equal(wrong, 0);
}

static void a_register_has_its_limits(void **state)
{
    (void)state;
    struct basis *b = NULL;
    struct buf yaml, line;
    buf_init(&yaml, 2 * BASIS_FILE_MAX);
    buf_init(&line, 8192);
    buf_puts(&yaml, "purposes: [");
    for (unsigned i = 0; i <= BASIS_PURPOSES_MAX; i++)
        buf_puts(&yaml, "a,");
    buf_puts(&yaml, "]\n");
    assert_int_equal(basis_parse(&b, "x.yaml", buf_slice(&yaml), &line).code, E_CONFIG);
    assert_non_null(strstr(buf_cstr(&line), "too long"));
    buf_reset(&yaml);
    buf_reset(&line);
    while (yaml.n <= BASIS_FILE_MAX)
        buf_puts(&yaml, "# a line of a file that is far too long for what it says\n");
    assert_int_equal(basis_parse(&b, "x.yaml", buf_slice(&yaml), &line).code, E_CONFIG);
    assert_non_null(strstr(buf_cstr(&line), "too large"));
    buf_done(&yaml);
    buf_done(&line);
}

static void a_fit_is_noted_whole(void **state)
{
    (void)state;
    struct audit_rec rec = { .event = AU_CLINIC_LOOKUP, .count = 7 };
    basis_note(&rec, (struct basis_fit){ 21, 3, AUDIT_ITEM_VACCINATION, AB_CITIZEN });
    assert_int_equal(rec.basis, 21);
    assert_int_equal(rec.purpose, 3);
    assert_int_equal(rec.items, AUDIT_ITEM_VACCINATION);
    assert_int_equal(rec.behalf, AB_CITIZEN);
    assert_int_equal(rec.count, 7);
}

/* ---- institutions ---- */

static void assert_name(const struct institutions *i, const char *code, enum institution_lang lang, const char *want)
{
    struct slice got = institution_name(i, slice_str(code), lang);
    if (!slice_eq(got, slice_str(want)))
        fail_msg("%s: %.*s", code, (int)got.n, (const char *)got.p);
}

static void institutions_have_names_or_are_their_codes(void **state)
{
    (void)state;
    struct institutions *i = NULL;
    assert_true(err_ok(institutions_load(&i, INSTITUTIONS)));
    assert_true(institutions_count(i) >= 3);
    assert_name(i, "331007", INSTITUTION_JA, "岡山市");
    assert_name(i, "331007", INSTITUTION_EN, "Okayama City");
    assert_name(i, "3319900019", INSTITUTION_EN, "Mock Children's Clinic");
    assert_name(i, "33100", INSTITUTION_JA, "33100");
    assert_name(i, "3310070", INSTITUTION_JA, "3310070");
    assert_name(i, "", INSTITUTION_JA, "");
    assert_name(NULL, "331007", INSTITUTION_JA, "331007");
    institutions_free(i);
}

static void bad_institutions_are_refused(void **state)
{
    static const struct bad_case CASES[] = {
        { "no list", "institutions: 1\n", "x.yaml:1:15:", "a list belongs" },
        { "code twice", "institutions: [{ code: a, ja: a, en: a }, { code: a, ja: b, en: b }]\n", "x.yaml:1:1:", "given twice" },
        { "bad code", "institutions: [{ code: A }]\n", "x.yaml:1:24:", "a code is" },
        { "terminal escape", "institutions: [{ code: a, ja: \"\\e[31m\" }]\n", "x.yaml:1:31:", "control" },
        { "newline", "institutions: [{ code: a, ja: \"a\\nb\" }]\n", "x.yaml:1:31:", "control" },
        { "C1 control", "institutions: [{ code: a, ja: \"\\x9b\" }]\n", "x.yaml:1:31:", "control" },
        { "no English name", "institutions: [{ code: a, ja: a }]\n", "x.yaml:1:16:", "\"en\" is needed" },
    };
    (void)state;
    for (size_t k = 0; k < sizeof CASES / sizeof *CASES; k++) {
        struct institutions *i = NULL;
        struct buf line;
        buf_init(&line, 8192);
        struct err e = institutions_parse(&i, "x.yaml", slice_str(CASES[k].yaml), &line);
        const char *text = buf_cstr(&line);
        if (e.code != E_CONFIG || !text || !strstr(text, CASES[k].says) || strncmp(text, CASES[k].at, strlen(CASES[k].at)) != 0)
            fail_msg("%s: %s: %s", CASES[k].name, err_slug(e.code), text ? text : "");
        assert_null(i);
        buf_done(&line);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_row_that_fits_says_its_id_purpose_and_items),
        cmocka_unit_test(a_system_has_the_operations_of_its_program_only),
        cmocka_unit_test(work_that_was_ordered_is_not_asked_for_its_system),
        cmocka_unit_test(the_purpose_of_a_link_key_decides),
        cmocka_unit_test(every_cell_of_the_register_is_judged_as_it_says),
        cmocka_unit_test(the_shipped_register_lets_an_operation_of_its_own_purpose_through),
        cmocka_unit_test(faults_are_told_with_their_place),
        cmocka_unit_test(a_register_has_its_limits),
        cmocka_unit_test(a_fit_is_noted_whole),
        cmocka_unit_test(institutions_have_names_or_are_their_codes),
        cmocka_unit_test(bad_institutions_are_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
