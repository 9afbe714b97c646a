/* Lists of revoked certificates as they are held: what takes effect when, what may displace what, and what nobody knows. */

#include <setjmp.h>
#include <stdarg.h>
#include <fcntl.h>
#include <stddef.h>
#include <sys/stat.h>
#include <time.h>

#include <cmocka.h>

#include "gateway/tls/caller.h"
#include "gateway/base/file.h"
#include "gateway/tls/crl.h"
#include "gateway/tls/revoke.h"
#include "tests/unit/crls.h"
#include "tests/unit/tls_link.h"

enum { LONG_LIST = 100000, HOUR = 3600, WAIT_MS = 5000 };

struct bench {
    struct pki pki;
    struct pair clinic;
    struct loop *loop;
    struct revocations *rv;
    struct caller who;
    char crl[96];
    int64_t ahead_s;
    unsigned told, turns;
    uint64_t entries;
    struct revoke_hook hook;
};

static uint64_t bench_wall(void *ctx)
{
    struct clock real = clock_system();
    return clock_wall(&real) + (uint64_t)(((struct bench *)ctx)->ahead_s * 1000);
}

static uint64_t bench_mono(void *ctx)
{
    struct clock real = clock_system();
    (void)ctx;
    return clock_mono(&real);
}

static void on_taken(void *arg, uint64_t entries)
{
    struct bench *b = arg;
    b->told++;
    b->entries = entries;
}

static void on_turn(void *arg) { ((struct bench *)arg)->turns++; }

/* The caller as a door would know him. */
static void shake_hands(struct bench *b)
{
    struct tls_door *door;
    struct tls_door_conf conf = conf_of(&b->pki);
    struct link l;
    assert_int_equal(tls_door_new(&door, &conf).code, E_OK);
    link_begin(&l, door, &b->clinic, NULL);
    link_shake(&l, 0);
    b->who = *tls_caller(l.server);
    assert_int_equal(b->who.refusal, E_OK);
    assert_int_equal(b->who.n_certs, 1);
    link_end(&l);
    tls_door_free(door);
}

/* Written as an operator should: beside it, then renamed. */
static void put_file(struct bench *b, struct buf *text)
{
    char temp[128];
    snprintf(temp, sizeof temp, "%s.new", b->crl);
    FILE *f = fopen(temp, "w");
    must(f && fwrite(text->p, 1, text->n, f) == text->n && fclose(f) == 0 && rename(temp, b->crl) == 0);
    buf_done(text);
}

static void put_list(struct bench *b, struct crl_wish w)
{
    struct buf text;
    buf_init(&text, 64 << 20);
    crl_put(&text, &b->pki.issuer, w);
    put_file(b, &text);
}

static struct revocations_conf bench_conf(struct bench *b)
{
    return (struct revocations_conf){ .ca_path = b->pki.ca, .crl_path = b->crl, .look = true, .on_taken = on_taken, .arg = b };
}

static void bench_open(struct bench *b)
{
    struct revocations_conf conf = bench_conf(b);
    assert_int_equal(revocations_new(&b->rv, b->loop, &conf).code, E_OK);
    b->hook = (struct revoke_hook){ .fn = on_turn, .arg = b };
    revocations_hook(b->rv, &b->hook);
}

static int bench_begin(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    must(b != NULL);
    pki_begin(&b->pki);
    snprintf(b->crl, sizeof b->crl, "%s/crl.pem", b->pki.dir);
    b->clinic = client_new(&b->pki.issuer, "URI:pmhgw:clinic/3310010012");
    must(loop_new(&b->loop, (struct clock){ bench_wall, bench_mono, b }).code == E_OK);
    shake_hands(b);
    *state = b;
    return 0;
}

static int bench_end(void **state)
{
    struct bench *b = *state;
    revocations_unhook(b->rv, &b->hook);
    revocations_close(b->rv);
    loop_stop(b->loop);
    loop_run(b->loop, WAIT_MS);
    revocations_free(b->rv);
    loop_free(b->loop);
    unlink(b->crl);
    pair_free(&b->clinic);
    pki_end(&b->pki);
    free(b);
    return 0;
}

static uint64_t ms_now(void)
{
    struct clock c = clock_system();
    return clock_mono(&c);
}

/* Runs the loop until the caller is judged so; how long that took, WAIT_MS when it never came. */
static uint64_t wait_for(struct bench *b, enum err_code want)
{
    uint64_t from = ms_now();
    while (ms_now() - from < WAIT_MS && revocations_judge(b->rv, &b->who).code != want)
        uv_run(loop_uv(b->loop), UV_RUN_ONCE);
    return ms_now() - from;
}

static void run_for(struct bench *b, uint64_t ms)
{
    for (uint64_t from = ms_now(); ms_now() - from < ms;)
        uv_run(loop_uv(b->loop), UV_RUN_ONCE);
}

static uint64_t serial(const struct bench *b) { return b->who.certs[0].serial.w[2]; }

static void a_new_list_takes_effect_within_a_second(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .number = 1 });
    bench_open(b);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    assert_int_equal(b->told, 0); /* not before the loop runs */
    put_list(b, (struct crl_wish){ .number = 2, .serials = { serial(b) }, .n = 1 });
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 1000);
    assert_true(b->turns > 0);
    run_for(b, 400);
    assert_int_equal(b->entries, 1);
    unsigned told = b->told;
    assert_in_range(told, 1, 2);
    must(chmod(b->crl, 0640) == 0); /* it is read again, and is the same: nothing to tell */
    run_for(b, 700);
    assert_int_equal(b->told, told);
    put_list(b, (struct crl_wish){ .number = 3 });
    assert_in_range(wait_for(b, E_OK), 0, 1000);
}

static void a_list_that_is_missing_at_the_start_refuses_everybody_until_it_comes(void **state)
{
    struct bench *b = *state;
    bench_open(b);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_REVOCATION);
    assert_int_equal(revocations_state(b->rv).code, E_REVOCATION);
    struct caller nobody = { .role = CALLER_NONE, .refusal = E_CERT_MISSING };
    assert_int_equal(revocations_judge(b->rv, &nobody).code, E_OK);
    put_list(b, (struct crl_wish){ .number = 1, .serials = { serial(b) + 1 }, .n = 1 });
    assert_in_range(wait_for(b, E_OK), 0, 1000);
    assert_int_equal(revocations_state(b->rv).code, E_OK);
}

static void a_bad_file_changes_nothing_while_the_held_list_lasts(void **state)
{
    struct bench *b = *state;
    struct buf text;
    put_list(b, (struct crl_wish){ .number = 5, .to_s = HOUR, .serials = { serial(b) + 1 }, .n = 1 });
    bench_open(b);
    const struct crl_wish BAD[] = {
        { .number = 4, .serials = { serial(b) }, .n = 1 },                                      /* older */
        { .number = 6, .from_s = -2 * HOUR, .to_s = -HOUR, .serials = { serial(b) }, .n = 1 },  /* ended */
        { .number = 6, .from_s = 2 * HOUR, .to_s = 3 * HOUR, .serials = { serial(b) }, .n = 1 }, /* of a time to come */
        { .number = 6, .delta = true, .serials = { serial(b) }, .n = 1 },
        { .number = 6, .altered = true, .serials = { serial(b) }, .n = 1 },
    };
    for (size_t i = 0; i < sizeof BAD / sizeof *BAD; i++) {
        put_list(b, BAD[i]);
        run_for(b, 400);
        if (revocations_judge(b->rv, &b->who).code != E_OK)
            fail_msg("case %zu", i);
    }
    buf_init(&text, 64);
    buf_puts(&text, "no list\n");
    put_file(b, &text);
    run_for(b, 400);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    unlink(b->crl);
    run_for(b, 400);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    assert_int_equal(revocations_state(b->rv).code, E_OK);
    unsigned turns = b->turns;
    b->ahead_s = HOUR + 1; /* now it has ended */
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_REVOCATION);
    run_for(b, 400);
    assert_true(b->turns > turns); /* streams are told */
    put_list(b, (struct crl_wish){ .number = 7, .to_s = 3 * HOUR });
    assert_in_range(wait_for(b, E_OK), 0, 1000);
}

static void a_list_of_a_time_to_come_takes_effect_then(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .number = 1, .to_s = 9 * HOUR });
    bench_open(b);
    put_list(b, (struct crl_wish){ .number = 2, .from_s = HOUR, .to_s = 9 * HOUR, .serials = { serial(b) }, .n = 1 });
    run_for(b, 600);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    b->ahead_s = HOUR;
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 1000);
}

/* A list with a time to come waits. A newer one that counts already takes its place: the waiting one must not bring the revoked back to life when its time comes. */
static void a_list_that_waited_too_long_is_older_than_the_one_that_is_held(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .number = 1, .to_s = 9 * HOUR });
    bench_open(b);
    put_list(b, (struct crl_wish){ .number = 5, .from_s = HOUR, .to_s = 9 * HOUR });
    run_for(b, 600);
    put_list(b, (struct crl_wish){ .number = 7, .to_s = 9 * HOUR, .serials = { serial(b) }, .n = 1 });
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 1000);
    b->ahead_s = HOUR;
    run_for(b, 600);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_CERT_REFUSED);
}

/* Of two that wait, the one with the greater number: also when the file is put back. */
static void of_two_lists_that_wait_the_newer_one_stays(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .number = 1, .to_s = 9 * HOUR });
    bench_open(b);
    put_list(b, (struct crl_wish){ .number = 6, .from_s = HOUR, .to_s = 9 * HOUR, .serials = { serial(b) }, .n = 1 });
    run_for(b, 600);
    put_list(b, (struct crl_wish){ .number = 5, .from_s = HOUR, .to_s = 9 * HOUR });
    run_for(b, 600);
    b->ahead_s = HOUR;
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 1000);
}

/* Made twice within a second by an issuer that numbers nothing: as many entries, but others. */
static void a_list_that_differs_in_an_entry_alone_is_another_one(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .serials = { serial(b) + 1 }, .n = 1, .to_s = HOUR });
    bench_open(b);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    put_list(b, (struct crl_wish){ .serials = { serial(b) }, .n = 1, .to_s = HOUR });
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 1000);
}

/* Nobody hands the file over a second time. */
static void a_file_that_could_not_be_read_is_tried_again(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .number = 1 });
    bench_open(b);
    run_for(b, 300);
    struct buf text;
    char path[128];
    snprintf(path, sizeof path, "%s.other", b->crl);
    buf_init(&text, 1 << 20);
    crl_put(&text, &b->pki.issuer, (struct crl_wish){ .number = 2, .serials = { serial(b) }, .n = 1 });
    FILE *f = fopen(path, "w");
    must(f && fwrite(text.p, 1, text.n, f) == text.n && fclose(f) == 0);
    buf_done(&text);
    int unreadable = open(path, O_WRONLY | O_CLOEXEC), good = open(path, O_RDONLY | O_CLOEXEC);
    must(unreadable >= 0 && good >= 0);
    revocations_take_fd(b->rv, unreadable);
    run_for(b, 500);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    must(dup2(good, unreadable) == unreadable); /* the disk has recovered */
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 3000);
    run_for(b, 300);
    assert_int_equal(fcntl(unreadable, F_GETFD), -1); /* not kept for longer than it has to be */
    close(good);
    unlink(path);
}

static void who_was_revoked_stays_so_after_the_end_of_the_list(void **state)
{
    struct bench *b = *state;
    put_list(b, (struct crl_wish){ .number = 1, .from_s = -2 * HOUR, .to_s = -HOUR, .serials = { serial(b) }, .n = 1 });
    bench_open(b);
    assert_int_equal(revocations_state(b->rv).code, E_REVOCATION);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_CERT_REFUSED);
}

/* Two issuers: the number that one revokes is another certificate of the other; one list alone is not enough. */
static void each_issuer_has_a_list_of_its_own(void **state)
{
    struct bench *b = *state;
    struct pair second = ca_new();
    struct buf text;
    FILE *f = fopen(b->pki.ca, "a");
    must(f && PEM_write_X509(f, second.cert) && fclose(f) == 0);
    put_list(b, (struct crl_wish){ .number = 1 });
    bench_open(b);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK); /* his issuer's list is there */
    assert_int_equal(revocations_state(b->rv).code, E_REVOCATION); /* the other's is not */
    buf_init(&text, 1 << 20);
    crl_put(&text, &b->pki.issuer, (struct crl_wish){ .number = 1 });
    crl_put(&text, &second, (struct crl_wish){ .number = 9, .serials = { serial(b) }, .n = 1 });
    put_file(b, &text);
    run_for(b, 700);
    assert_int_equal(revocations_state(b->rv).code, E_OK);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK);
    pair_free(&second);
}

/* Of a caller whose issuer is not the root, both certificates are looked up, each in the list of its own issuer. */
static void an_issuer_in_between_can_be_revoked(void **state)
{
    struct bench *b = *state;
    const struct pair *root = &b->pki.issuer;
    struct pair between = pair_new(root, (struct wish){ .ca = true }), leaf = client_new(&between, "URI:pmhgw:clinic/3310010012");
    STACK_OF(X509) *sent = issuers_of(&between, NULL);
    X509_STORE *trusted = X509_STORE_new();
    struct cert_serial middle;
    must(trusted && X509_STORE_add_cert(trusted, root->cert) && crl_serial(X509_get0_serialNumber(between.cert), &middle));
    caller_judge(&b->who, trusted, leaf.cert, sent);
    assert_int_equal(b->who.refusal, E_OK);
    assert_int_equal(b->who.n_certs, 2);
    for (int listed = 0; listed < 2; listed++) { /* door_ca names the one in between, or does not */
        struct buf text;
        buf_init(&text, 1 << 20);
        crl_put(&text, root, (struct crl_wish){ .number = 1 });
        crl_put(&text, &between, (struct crl_wish){ .number = 1 });
        put_file(b, &text);
        FILE *f = fopen(b->pki.ca, "a");
        must(f && (!listed || PEM_write_X509(f, between.cert)) && fclose(f) == 0);
        struct revocations_conf conf = bench_conf(b);
        assert_int_equal(revocations_new(&b->rv, b->loop, &conf).code, E_OK);
        assert_int_equal(revocations_judge(b->rv, &b->who).code, listed ? E_OK : E_REVOCATION);
        if (!listed) {
            revocations_close(b->rv);
            revocations_free(b->rv);
        }
    }
    put_list(b, (struct crl_wish){ .number = 2, .serials = { middle.w[2] }, .n = 1 });
    assert_in_range(wait_for(b, E_CERT_REFUSED), 0, 1000);
    X509_STORE_free(trusted);
    sk_X509_free(sent);
    pair_free(&leaf);
    pair_free(&between);
}

/* A list of 100,000 is parsed beside the loop. */
static void a_long_list_does_not_hold_the_loop_up(void **state)
{
    struct bench *b = *state;
    struct buf text;
    put_list(b, (struct crl_wish){ .number = 1 });
    bench_open(b);
    run_for(b, 50);
    buf_init(&text, 64 << 20);
    crl_put(&text, &b->pki.issuer, (struct crl_wish){ .number = 2, .serials = { serial(b) }, .n = 1, .many = LONG_LIST });
    put_file(b, &text);
    struct timespec from, to;
    uint64_t longest = 0, began = ms_now();
    while (ms_now() - began < 2 * WAIT_MS && revocations_judge(b->rv, &b->who).code != E_CERT_REFUSED) {
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
        uv_run(loop_uv(b->loop), UV_RUN_ONCE);
        clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
        uint64_t us = (uint64_t)(to.tv_sec - from.tv_sec) * 1000000 + (uint64_t)(to.tv_nsec / 1000) - (uint64_t)(from.tv_nsec / 1000);
        longest = us > longest ? us : longest;
    }
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_CERT_REFUSED);
    run_for(b, 400);
    assert_int_equal(b->entries, LONG_LIST + 1);
    print_message("list of %d: in effect after %llu ms, the loop was busy for %llu us at most\n", LONG_LIST, (unsigned long long)(ms_now() - began - 400), (unsigned long long)longest);
    assert_in_range(longest, 0, 20000);
}

static void a_fifo_or_a_link_is_no_file(void **state)
{
    struct bench *b = *state;
    char other[128];
    must(mkfifo(b->crl, 0600) == 0);
    bench_open(b);
    assert_int_equal(revocations_state(b->rv).code, E_REVOCATION);
    put_list(b, (struct crl_wish){ .number = 1 });
    assert_in_range(wait_for(b, E_OK), 0, 1000);
    snprintf(other, sizeof other, "%s.real", b->crl);
    put_list(b, (struct crl_wish){ .number = 2, .serials = { serial(b) }, .n = 1 });
    must(rename(b->crl, other) == 0 && symlink(other, b->crl) == 0);
    run_for(b, 600);
    int judged = revocations_judge(b->rv, &b->who).code;
    unlink(other);
    assert_true(judged == E_OK || judged == E_CERT_REFUSED); /* taken before it became a link, or not */
}

/* ---- other issuers, while it works ---- */

static void read_ca(struct bench *b, struct buf *to)
{
    buf_init(to, 1 << 16);
    assert_int_equal(file_read(b->pki.ca, to).code, E_OK);
}

/* Beside the old one: the old one's list goes on at once, the new one's is read again by itself. */
static void a_new_issuer_comes_with_its_list_and_the_old_one_stays(void **state)
{
    struct bench *b = *state;
    struct pair second = ca_new(), of_second = client_new(&second, "URI:pmhgw:clinic/3310010020");
    struct caller newcomer;
    struct buf text, ca;
    buf_init(&text, 1 << 20);
    crl_put(&text, &b->pki.issuer, (struct crl_wish){ .number = 1 });
    crl_put(&text, &second, (struct crl_wish){ .number = 1, .serials = { (uint64_t)ASN1_INTEGER_get(X509_get0_serialNumber(of_second.cert)) + 1 }, .n = 1 });
    put_file(b, &text);
    bench_open(b);
    X509_STORE *trusted = X509_STORE_new();
    must(trusted && X509_STORE_add_cert(trusted, second.cert));
    caller_judge(&newcomer, trusted, of_second.cert, NULL);
    assert_int_equal(newcomer.refusal, E_OK);
    assert_int_equal(revocations_judge(b->rv, &newcomer).code, E_REVOCATION);
    FILE *f = fopen(b->pki.ca, "a");
    must(f && PEM_write_X509(f, second.cert) && fclose(f) == 0);
    read_ca(b, &ca);
    assert_int_equal(revocations_may_renew(buf_slice(&ca)).code, E_OK);
    assert_int_equal(revocations_renew(b->rv, buf_slice(&ca)).code, E_OK);
    assert_int_equal(revocations_judge(b->rv, &b->who).code, E_OK); /* without a moment in between */
    const struct caller old = b->who;
    b->who = newcomer;
    assert_in_range(wait_for(b, E_OK), 0, 1000);
    assert_int_equal(revocations_judge(b->rv, &old).code, E_OK);
    assert_int_equal(revocations_state(b->rv).code, E_OK);
    assert_int_equal(revocations_may_renew(LIT("nothing")).code, E_CONFIG);
    assert_int_equal(revocations_renew(b->rv, LIT("nothing")).code, E_CONFIG);
    assert_int_equal(revocations_judge(b->rv, &newcomer).code, E_OK);
    X509_STORE_free(trusted);
    buf_done(&ca);
    pair_free(&of_second);
    pair_free(&second);
}

int main(void)
{
#define HELD(test) cmocka_unit_test_setup_teardown(test, bench_begin, bench_end)
    const struct CMUnitTest tests[] = {
        HELD(a_new_list_takes_effect_within_a_second),
        HELD(a_list_that_is_missing_at_the_start_refuses_everybody_until_it_comes),
        HELD(a_bad_file_changes_nothing_while_the_held_list_lasts),
        HELD(a_list_of_a_time_to_come_takes_effect_then),
        HELD(a_list_that_waited_too_long_is_older_than_the_one_that_is_held),
        HELD(of_two_lists_that_wait_the_newer_one_stays),
        HELD(a_list_that_differs_in_an_entry_alone_is_another_one),
        HELD(a_file_that_could_not_be_read_is_tried_again),
        HELD(who_was_revoked_stays_so_after_the_end_of_the_list),
        HELD(each_issuer_has_a_list_of_its_own),
        HELD(an_issuer_in_between_can_be_revoked),
        HELD(a_long_list_does_not_hold_the_loop_up),
        HELD(a_fifo_or_a_link_is_no_file),
        HELD(a_new_issuer_comes_with_its_list_and_the_old_one_stays),
    };
    return cmocka_run_group_tests_name("revoke", tests, NULL, NULL);
}
