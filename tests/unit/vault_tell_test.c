/* TELL: a number for what its municipality has the gateway tell. PART: it stays under a ticket when its subject is erased, for what is taken back. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <signal.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/audit/audit_log.h"
#include "keys/vault/vault_decode.h"
#include "tests/unit/vault_ask.h"

#define N1 "123456789018"
#define N2 "234567890128"

static struct revealed tell_as(struct town *t, const char *muni, const struct nz_subject *subject, const struct nz_ticket *ticket, uint16_t basis, uint8_t purpose)
{
    struct revealed r = { 0 };
    struct nz_show s = { .subject = *subject, .basis = basis, .purpose = purpose, .request = { { 7 } } };
    nz_vault_tell(t->client, t->pool, muni, &s, ticket, loop_now(t->loop) + WAIT_MS, on_revealed, &r);
    assert_int_equal(r.done, 0);
    town_wait(t, &r.done, 1);
    return r;
}

static struct revealed tell(struct town *t, const char *muni, const struct nz_subject *subject, const struct nz_ticket *ticket)
{
    return tell_as(t, muni, subject, ticket, 116, 17);
}

struct flag { struct err e; bool is; int done; };

static void on_flag(void *arg, struct err e, bool is)
{
    struct flag *f = arg;
    f->e = e;
    f->is = is;
    f->done++;
}

static struct flag part(struct town *t, const char *muni, const struct nz_subject *subject, const struct nz_ticket *ticket)
{
    struct flag f = { 0 };
    nz_vault_part(t->client, muni, subject, ticket, loop_now(t->loop) + WAIT_MS, on_flag, &f);
    assert_int_equal(f.done, 0);
    town_wait(t, &f.done, 1);
    return f;
}

static void erase(struct town *t, const struct nz_subject *subject)
{
    struct flag f = { 0 };
    nz_vault_erase(t->client, "331007", subject, (struct req_id){ { 8 } }, loop_now(t->loop) + WAIT_MS, on_flag, &f);
    town_wait(t, &f.done, 1);
    assert_int_equal(f.e.code, E_OK);
    assert_true(f.is);
}

static struct nz_subject known(struct town *t, const char *digits)
{
    struct linked a = link_until_up(t, digits);
    assert_int_equal(a.e.code, E_OK);
    for (int i = 0; i < 100 && err_is(tell(t, "331007", &a.subject, NULL).e, E_AUDIT_DOWN); i++) /* the log daemon may still be starting */
        usleep(20000);
    return a.subject;
}

static void a_number_is_told_as_often_as_it_is_asked_for(void **state)
{
    struct town *t = *state;
    const struct nz_subject a = known(t, N1);
    for (int i = 0; i < 2; i++) {
        const struct revealed r = tell(t, "331007", &a, NULL);
        assert_int_equal(r.e.code, E_OK);
        assert_string_equal(r.digits, N1);
    }
    assert_int_equal(nz_pool_used(t->pool), 0);
}

static void nobody_elses_number_is_told(void **state)
{
    struct town *t = *state;
    const struct nz_subject a = known(t, N1), nobody = { { 9 } };
    const struct nz_ticket ticket = ticket_new();
    assert_int_equal(tell(t, "331007", &nobody, NULL).e.code, E_NOTHING);
    assert_int_equal(tell(t, "331007", &nobody, &ticket).e.code, E_NOTHING);
    assert_int_equal(tell(t, "999999", &a, NULL).e.code, E_FORBIDDEN); /* it has no key, or none any more */
    assert_int_equal(tell(t, "131016", &a, NULL).e.code, E_SEAL);      /* of another municipality: its key does not open it */
}

static void without_a_basis_or_a_purpose_nothing_is_told(void **state)
{
    struct town *t = *state;
    const struct nz_subject a = known(t, N1);
    assert_int_equal(tell_as(t, "331007", &a, NULL, 0, 17).e.code, E_PROTOCOL);
    assert_int_equal(tell_as(t, "331007", &a, NULL, 116, 0).e.code, E_PROTOCOL);
}

static void a_message_of_another_length_is_none(void **state)
{
    static const uint8_t BODY[NZ_TELL_BYTES + 1] = "331007aaaaaaaaaaaaaaaattttttttttttttttbbpRRRRRRRR";
    struct nz_show_msg m;
    struct nz_part_msg p;
    (void)state;
    assert_int_equal(nz_tell_decode(slice_of(BODY, NZ_TELL_BYTES), &m).code, E_OK);
    assert_int_equal(nz_part_decode(slice_of(BODY, NZ_PART_BYTES), &p).code, E_OK);
    for (size_t n = 0; n <= sizeof BODY; n++) {
        if (n != NZ_TELL_BYTES)
            assert_int_equal(nz_tell_decode(slice_of(BODY, n), &m).code, E_PROTOCOL);
        if (n != NZ_PART_BYTES)
            assert_int_equal(nz_part_decode(slice_of(BODY, n), &p).code, E_PROTOCOL);
    }
}

static void a_number_that_was_erased_is_told_under_its_ticket_alone(void **state)
{
    struct town *t = *state;
    const struct nz_subject a = known(t, N2), other = known(t, N1);
    const struct nz_ticket ticket = ticket_new(), wrong = ticket_new();
    struct flag f = part(t, "331007", &a, &ticket);
    assert_true(err_ok(f.e) && f.is);
    erase(t, &a);
    f = part(t, "331007", &a, &ticket); /* a repeat after a crash */
    assert_true(err_ok(f.e) && f.is);
    assert_int_equal(tell(t, "331007", &a, NULL).e.code, E_NOTHING);
    assert_int_equal(tell(t, "331007", &a, &wrong).e.code, E_NOTHING);
    assert_int_equal(tell(t, "131016", &a, &ticket).e.code, E_NOTHING);
    assert_string_equal(tell(t, "331007", &other, &ticket).digits, N1); /* its own, not the ticket's */
    for (int i = 0; i < 2; i++)
        assert_string_equal(tell(t, "331007", &a, &ticket).digits, N2);
    nz_vault_drop(t->client, &ticket, loop_now(t->loop) + WAIT_MS);
    assert_int_equal(tell(t, "331007", &a, &ticket).e.code, E_NOTHING);
}

static void nothing_is_kept_of_a_subject_that_is_not_there(void **state)
{
    struct town *t = *state;
    const struct nz_subject nobody = { { 3 } };
    const struct nz_ticket ticket = ticket_new(), none = { { 0 } };
    const struct flag f = part(t, "331007", &nobody, &ticket);
    assert_true(err_ok(f.e) && !f.is);
    assert_int_equal(part(t, "999999", &nobody, &ticket).e.code, E_FORBIDDEN);
    assert_int_equal(part(t, "331007", &nobody, &none).e.code, E_PROTOCOL);
}

static void a_ticket_of_part_is_none_for_reveal_and_the_other_way_round(void **state)
{
    struct town *t = *state;
    const struct nz_ticket kept = ticket_new(), asks = ticket_new(), next = ticket_new();
    const struct linked a = link_number(t, "331007", N1, &asks);
    assert_int_equal(a.e.code, E_OK);
    assert_true(part(t, "331007", &a.subject, &kept).is);
    assert_int_equal(REVEAL_CODE(t, "331007", &a.subject, &kept, &next), E_NOTHING);
    erase(t, &a.subject);
    assert_int_equal(tell(t, "331007", &a.subject, &asks).e.code, E_NOTHING);
    assert_string_equal(tell(t, "331007", &a.subject, &kept).digits, N1);
}

static void without_a_record_nothing_is_told(void **state)
{
    struct town *t = *state;
    const struct nz_subject a = known(t, N1);
    town_stop(t, T_AUDIT, SIGKILL);
    const struct revealed r = tell(t, "331007", &a, NULL);
    assert_int_equal(r.e.code, E_AUDIT_DOWN);
    assert_string_equal(r.digits, "");
    town_start(t, T_AUDIT);
    (void)known(t, N1); /* a daemon that is only just being started does not hear a signal */
}

struct tally { unsigned ok, nothing, failed; };

static bool count_entry(void *arg, const struct audit_entry *e)
{
    struct tally *n = arg;
    if (e->rec.event != AU_NUMBER_REVEALED || e->rec.basis != 116)
        return true;
    assert_int_equal(e->rec.behalf, AB_OWN);
    assert_int_equal(e->rec.items, AUDIT_ITEM_NUMBER);
    n->ok += e->rec.result == AR_OK;
    n->nothing += e->rec.result == AR_NOTHING;
    n->failed += e->rec.result == AR_FAILED;
    return true;
}

static void the_log_says_each_number_and_what_failed_after_all(void **state)
{
    struct town *t = *state;
    struct tally n = { 0 };
    struct audit_verdict v;
    town_stop(t, T_AUDIT, SIGTERM);
    assert_true(err_ok(audit_log_verify(town_path(t, "audit").s, count_entry, &n, &v)));
    assert_true(v.good);
    assert_int_equal(n.nothing, 7);
    assert_int_equal(n.failed, 1);
    assert_true(n.ok >= 6 + n.nothing + n.failed); /* each is announced before it is known to be there */
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
        cmocka_unit_test(a_number_is_told_as_often_as_it_is_asked_for), cmocka_unit_test(nobody_elses_number_is_told),
        cmocka_unit_test(without_a_basis_or_a_purpose_nothing_is_told), cmocka_unit_test(a_message_of_another_length_is_none),
        cmocka_unit_test(a_number_that_was_erased_is_told_under_its_ticket_alone), cmocka_unit_test(nothing_is_kept_of_a_subject_that_is_not_there),
        cmocka_unit_test(a_ticket_of_part_is_none_for_reveal_and_the_other_way_round), cmocka_unit_test(without_a_record_nothing_is_told),
        cmocka_unit_test(the_log_says_each_number_and_what_failed_after_all),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
