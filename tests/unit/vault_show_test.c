/* SHOW: a number for a member of staff. What leaves, what is refused, and what the log says. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/audit/audit_log.h"
#include "tests/unit/vault_ask.h"

#define N1 "123456789018"

static const uint8_t USER[NZ_USER_REF_BYTES] = "user-of-a-town";

static struct revealed show(struct town *t, const char *muni, const struct nz_subject *subject, uint16_t basis, uint8_t purpose)
{
    struct revealed r = { 0 };
    struct nz_show s = { .subject = *subject, .basis = basis, .purpose = purpose, .request = { { 7 } } };
    memcpy(s.user, USER, sizeof s.user);
    nz_vault_show(t->client, t->pool, muni, &s, loop_now(t->loop) + WAIT_MS, on_revealed, &r);
    assert_int_equal(r.done, 0);
    town_wait(t, &r.done, 1);
    return r;
}

/* The log daemon may still be starting. */
static void show_until_recorded(struct town *t, const struct nz_subject *subject)
{
    for (int i = 0; i < 100 && err_is(show(t, "331007", subject, 12, 17).e, E_AUDIT_DOWN); i++)
        usleep(20000);
}

static void a_number_is_shown_as_often_as_it_is_asked_for(void **state)
{
    struct town *t = *state;
    struct linked a = link_until_up(t, N1);
    assert_int_equal(a.e.code, E_OK);
    show_until_recorded(t, &a.subject);
    for (int i = 0; i < 2; i++) {
        struct revealed r = show(t, "331007", &a.subject, 12, 17);
        assert_int_equal(r.e.code, E_OK);
        assert_string_equal(r.digits, N1);
    }
    assert_int_equal(nz_pool_used(t->pool), 0);
}

static void nobody_elses_number_is_shown(void **state)
{
    struct town *t = *state;
    struct linked a = link_number(t, "331007", N1, NULL);
    assert_int_equal(a.e.code, E_OK);
    struct nz_subject nobody = { { 9 } };
    assert_int_equal(show(t, "331007", &nobody, 12, 17).e.code, E_NOTHING);
    assert_int_equal(show(t, "999999", &a.subject, 12, 17).e.code, E_FORBIDDEN);
    struct revealed r = show(t, "131016", &a.subject, 12, 17); /* of another municipality: its key does not open it */
    assert_int_equal(r.e.code, E_SEAL);
    assert_string_equal(r.digits, "");
}

static void without_a_basis_nothing_is_shown(void **state)
{
    struct town *t = *state;
    struct linked a = link_number(t, "331007", N1, NULL);
    assert_int_equal(a.e.code, E_OK);
    assert_int_equal(show(t, "331007", &a.subject, 0, 17).e.code, E_PROTOCOL);
    assert_int_equal(show(t, "331007", &a.subject, 12, 0).e.code, E_PROTOCOL);
}

static void without_a_record_nothing_is_shown(void **state)
{
    struct town *t = *state;
    struct linked a = link_number(t, "331007", N1, NULL);
    assert_int_equal(a.e.code, E_OK);
    town_stop(t, T_AUDIT, SIGKILL);
    struct revealed r = show(t, "331007", &a.subject, 12, 17);
    assert_int_equal(r.e.code, E_AUDIT_DOWN);
    assert_string_equal(r.digits, "");
    town_start(t, T_AUDIT);
    show_until_recorded(t, &a.subject); /* a daemon that is only just being started does not hear a signal */
}

struct tally { unsigned ok, nothing, failed; };

static bool count_entry(void *arg, const struct audit_entry *e)
{
    struct tally *n = arg;
    if (e->rec.event != AU_NUMBER_REVEALED)
        return true;
    assert_int_equal(e->rec.behalf, AB_STAFF);
    assert_int_equal(e->rec.basis, 12);
    assert_int_equal(e->rec.purpose, 17);
    assert_int_equal(e->rec.items, AUDIT_ITEM_NUMBER);
    assert_memory_equal(e->rec.ref, USER, sizeof USER);
    n->ok += e->rec.result == AR_OK;
    n->nothing += e->rec.result == AR_NOTHING;
    n->failed += e->rec.result == AR_FAILED;
    return true;
}

static void the_log_says_who_and_why_and_what_failed_after_all(void **state)
{
    struct town *t = *state;
    struct tally n = { 0 };
    struct audit_verdict v;
    town_stop(t, T_AUDIT, SIGTERM);
    assert_true(err_ok(audit_log_verify(town_path(t, "audit").s, count_entry, &n, &v)));
    assert_true(v.good);
    assert_in_range(n.ok, 6, 9); /* four shown, two announced and then not; perhaps some while the log came up or went down */
    assert_int_equal(n.nothing, 1);
    assert_int_equal(n.failed, 1);
}

static int setup(void **state)
{
    static struct town t;
    town_open(&t);
    *state = &t;
    return 0;
}

static int teardown(void **state)
{
    town_close(*state);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_number_is_shown_as_often_as_it_is_asked_for), cmocka_unit_test(nobody_elses_number_is_shown),
        cmocka_unit_test(without_a_basis_nothing_is_shown), cmocka_unit_test(without_a_record_nothing_is_shown),
        cmocka_unit_test(the_log_says_who_and_why_and_what_failed_after_all),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
