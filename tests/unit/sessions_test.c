#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/tls/sessions.h"

enum { NOW = 1800000000, SLOTS = 8, NAMES = 256 };

/* The name of the session n, as it was given when it was put. */
static uint8_t names[NAMES][SESSION_ID];

static struct tls_session session_of(uint8_t n, int64_t until)
{
    struct tls_session s = { .n_key = 32, .cipher = { 0x13, 0x01 }, .born = NOW, .until = until, .caller = { .role = CALLER_CLINIC, .refusal = E_OK } };
    memset(s.key, n, s.n_key);
    s.caller.not_after = n;
    return s;
}

static bool there(struct tls_sessions *t, uint8_t n)
{
    struct tls_session s;
    return tls_sessions_find(t, LIT("clinic"), names[n], NOW, &s) && s.key[0] == n && s.key[31] == n && s.caller.not_after == n;
}

static void put(struct tls_sessions *t, uint8_t n, int64_t until)
{
    struct tls_session s = session_of(n, until);
    tls_sessions_name(t, names[n]);
    tls_sessions_put(t, LIT("clinic"), names[n], &s);
}

static void found_under_its_name_and_door_only(void **state)
{
    (void)state;
    struct tls_sessions *t;
    struct tls_session s;
    uint8_t other[SESSION_ID];
    assert_int_equal(tls_sessions_new(&t, 1000).code, E_OK);
    put(t, 1, NOW + 60);
    memcpy(other, names[1], sizeof other);
    assert_true(there(t, 1));
    assert_true(there(t, 1)); /* stays */
    assert_false(there(t, 2));
    other[31] ^= 1; /* the slot is found by the first bytes; the rest counts as well */
    assert_false(tls_sessions_find(t, LIT("clinic"), other, NOW, &s));
    assert_false(tls_sessions_find(t, LIT("portal"), names[1], NOW, &s));
    assert_true(there(t, 1));
    tls_sessions_clear(t);
    assert_false(there(t, 1));
    tls_sessions_free(t);
    tls_sessions_free(NULL);
}

static void its_time_is_over(void **state)
{
    (void)state;
    struct tls_sessions *t;
    struct tls_session s;
    assert_int_equal(tls_sessions_new(&t, 8).code, E_OK);
    put(t, 1, NOW + 60);
    assert_true(tls_sessions_find(t, LIT("clinic"), names[1], NOW + 60, &s));
    assert_false(tls_sessions_find(t, LIT("clinic"), names[1], NOW + 61, &s));
    assert_false(tls_sessions_find(t, LIT("clinic"), names[1], NOW, &s)); /* gone for good */
    put(t, 2, NOW + 60);
    assert_false(tls_sessions_find(t, LIT("clinic"), names[2], NOW - 1, &s)); /* the clock went back behind its birth */
    tls_sessions_free(t);
}

static void used_ones_go_first_then_the_oldest(void **state)
{
    (void)state;
    struct tls_sessions *t;
    assert_int_equal(tls_sessions_new(&t, SLOTS).code, E_OK);
    for (uint8_t n = 1; n <= SLOTS; n++)
        put(t, n, NOW + 100 + n);
    assert_true(there(t, 5)); /* resumed: its caller has a newer one */
    put(t, 100, NOW + 500);
    assert_false(there(t, 5));
    put(t, 101, NOW + 500);
    assert_false(there(t, 1));
    static const uint8_t LEFT[] = { 2, 3, 4, 6, 7, 8, 100, 101 };
    for (size_t i = 0; i < sizeof LEFT; i++)
        assert_true(there(t, LEFT[i]));
    tls_sessions_free(t);
}

static void a_certificate_is_no_session(void **state)
{
    (void)state;
    struct tls_sessions *t;
    struct tls_session s;
    struct caller who = { .role = CALLER_CLINIC, .not_after = 7 }, got;
    assert_int_equal(tls_sessions_new(&t, 8).code, E_OK);
    tls_sessions_name(t, names[1]);
    memcpy(who.cert_sha256, names[1], SESSION_ID);
    tls_sessions_put_certificate(t, LIT("clinic"), &who, NOW + 60);
    assert_false(tls_sessions_find(t, LIT("clinic"), names[1], NOW, &s));
    assert_true(tls_sessions_find_certificate(t, LIT("clinic"), names[1], NOW, &got));
    assert_int_equal(got.not_after, 7);
    assert_false(tls_sessions_find_certificate(t, LIT("portal"), names[1], NOW, &got));
    put(t, 2, NOW + 60);
    assert_false(tls_sessions_find_certificate(t, LIT("clinic"), names[2], NOW, &got));
    assert_false(tls_sessions_find_certificate(t, LIT("clinic"), names[1], NOW + 61, &got));
    tls_sessions_free(t);
}

/* Whatever a writer has left in the middle of a slot: it is not found, and nothing worse. */
static void torn_slots_do_not_open(void **state)
{
    (void)state;
    struct tls_sessions *t;
    assert_int_equal(tls_sessions_new(&t, SLOTS).code, E_OK);
    struct slice memory = tls_sessions_memory(t);
    uint8_t *p = (uint8_t *)memory.p;
    const size_t slot = memory.n / (2 * SLOTS); /* as many of certificates */
    unsigned torn = 0;
    for (size_t at = 0; at < slot; at++) {
        tls_sessions_clear(t);
        put(t, 1, NOW + 60);
        for (size_t s = 0; s < SLOTS; s++) /* in whichever it is */
            p[s * slot + at] ^= 0x40;
        torn += !there(t, 1);
    }
    assert_true(torn > sizeof(struct tls_session)); /* all of the sealed bytes, and the name; not the rank */
    memset(p, 0xff, memory.n);
    assert_false(there(t, 1));
    put(t, 1, NOW + 60);
    assert_true(there(t, 1));
    tls_sessions_free(t);
}

/* In a child: all write over each other all the time. 1: something was found that nobody had put there. */
static int hammer(struct tls_sessions *t, unsigned seed, unsigned *ret_found)
{
    *ret_found = 0;
    for (unsigned i = 0; i < 20000; i++) {
        uint8_t n = (uint8_t)(1 + (seed + i / 3 * 7) % 12), older = (uint8_t)(1 + (seed + i) % 12);
        struct tls_session s;
        if (i % 3 == 0)
            put(t, n, NOW + 60);
        else if (tls_sessions_find(t, LIT("clinic"), names[i % 3 == 1 ? n : older], NOW, &s)) {
            (*ret_found)++;
            for (size_t k = 0; k < s.n_key; k++)
                if (s.key[k] != s.key[0])
                    return 1;
            if (s.caller.not_after != s.key[0] || s.key[0] != (i % 3 == 1 ? n : older))
                return 1;
        }
    }
    return 0;
}

static void processes_share_it_without_a_lock(void **state)
{
    (void)state;
    struct tls_sessions *t;
    enum { CHILDREN = 3 };
    pid_t pids[CHILDREN];
    assert_int_equal(tls_sessions_new(&t, SLOTS).code, E_OK);
    for (unsigned c = 0; c < CHILDREN; c++) {
        pids[c] = fork();
        assert_true(pids[c] >= 0);
        if (pids[c] == 0) {
            unsigned found = 0;
            int bad = hammer(t, c * 5, &found);
            _exit(bad ? 1 : found == 0 ? 2 : 0);
        }
    }
    for (unsigned c = 0; c < CHILDREN; c++) {
        int status = -1;
        assert_int_equal(waitpid(pids[c], &status, 0), pids[c]);
        assert_true(WIFEXITED(status));
        assert_int_equal(WEXITSTATUS(status), 0);
    }
    put(t, 3, NOW + 60);
    assert_true(there(t, 3));
    tls_sessions_free(t);
}

/* A child that has died in the middle of its work takes nothing with it, and what it had put is found by others. */
static void what_a_dead_process_put_is_there(void **state)
{
    (void)state;
    struct tls_sessions *t;
    assert_int_equal(tls_sessions_new(&t, 64).code, E_OK);
    struct tls_session of_child = session_of(9, NOW + 60);
    tls_sessions_name(t, names[9]);
    pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        tls_sessions_put(t, LIT("clinic"), names[9], &of_child);
        abort();
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    assert_true(WIFSIGNALED(status));
    assert_true(there(t, 9));
    tls_sessions_free(t);
}

/* Another program takes the table over: what was there is found, under the same door only; certificates are not, for it verifies them itself. */
static void handed_on_to_the_next_program(void **state)
{
    (void)state;
    struct tls_sessions *t, *next, *after;
    struct tls_handed h;
    struct caller who = { .role = CALLER_CLINIC }, found;
    memset(who.cert_sha256, 7, sizeof who.cert_sha256);
    assert_int_equal(tls_sessions_new(&t, 64).code, E_OK);
    tls_sessions_name(t, names[4]);
    put(t, 4, NOW + 60);
    tls_sessions_put_certificate(t, LIT("clinic"), &who, NOW + 60);
    assert_true(tls_sessions_find_certificate(t, LIT("clinic"), who.cert_sha256, NOW, &found));
    assert_int_equal(tls_sessions_hand(t, &h).code, E_OK);
    assert_int_equal(fcntl(h.table, F_GETFD), FD_CLOEXEC);
    assert_int_equal(fcntl(h.keys, F_GETFD), FD_CLOEXEC);
    assert_int_equal(tls_sessions_take(&next, &h).code, E_OK);
    assert_int_equal(tls_sessions_memory(next).n, tls_sessions_memory(t).n);
    assert_true(there(next, 4));
    assert_false(tls_sessions_find_certificate(next, LIT("clinic"), who.cert_sha256, NOW, &found));
    tls_sessions_name(t, names[5]); /* workers of the program before go on for a while */
    put(t, 5, NOW + 60);
    assert_true(there(next, 5));
    tls_sessions_free(t);
    assert_true(there(next, 4));
    assert_int_equal(tls_sessions_hand(next, &h).code, E_OK); /* and on */
    assert_int_equal(tls_sessions_take(&after, &h).code, E_OK);
    assert_true(there(after, 4));
    tls_sessions_free(next);
    tls_sessions_stay(after);
    assert_int_equal(tls_sessions_hand(after, &h).code, E_IO);
    assert_true(there(after, 4));
    tls_sessions_free(after);
}

/* Another layout, too little, memory of another size or that can be cut: nothing of it is used, and nothing stays open. */
static void what_is_handed_on_wrong_is_not_taken(void **state)
{
    (void)state;
    enum { LAYOUT_AT = 0, SIZE_AT = 8, BYTES = 80 };
    struct tls_sessions *t, *next = NULL;
    assert_int_equal(tls_sessions_new(&t, 64).code, E_OK);
    for (int wrong = 0; wrong < 6; wrong++) {
        struct tls_handed h;
        uint8_t bytes[BYTES];
        int line[2];
        assert_int_equal(tls_sessions_hand(t, &h).code, E_OK);
        assert_int_equal(read(h.keys, bytes, sizeof bytes), BYTES);
        close(h.keys);
        assert_int_equal(pipe2(line, O_CLOEXEC | O_NONBLOCK), 0);
        bytes[LAYOUT_AT] ^= wrong == 1;
        bytes[SIZE_AT] = wrong == 2 ? 32 : wrong == 3 ? 63 : bytes[SIZE_AT];
        assert_int_equal(write(line[1], bytes, wrong == 4 ? BYTES - 1 : BYTES), wrong == 4 ? BYTES - 1 : BYTES);
        close(line[1]);
        if (wrong == 5) { /* the same size, but anybody may cut it */
            const int fd = memfd_create("other", MFD_CLOEXEC | MFD_ALLOW_SEALING);
            assert_int_equal(ftruncate(fd, lseek(h.table, 0, SEEK_END)), 0);
            close(h.table);
            h.table = fd;
        }
        h.keys = line[0];
        assert_int_equal(tls_sessions_take(&next, &h).code, wrong ? E_CONFIG : E_OK);
        assert_int_equal(fcntl(h.keys, F_GETFD), -1);
        assert_int_equal(fcntl(h.table, F_GETFD), wrong ? -1 : FD_CLOEXEC);
        if (!wrong)
            tls_sessions_free(next);
    }
    tls_sessions_free(t);
}

/* Whoever has no key sees nothing of the order in a name. */
static void names_tell_nothing(void **state)
{
    (void)state;
    struct tls_sessions *t;
    assert_int_equal(tls_sessions_new(&t, 1000).code, E_OK);
    for (unsigned i = 0; i < NAMES; i++) {
        tls_sessions_name(t, names[i]);
        for (unsigned k = 0; k < i; k++)
            assert_true(memcmp(names[i], names[k], 8) != 0);
    }
    unsigned zeros = 0;
    for (unsigned i = 0; i < NAMES; i++)
        for (unsigned k = 0; k < SESSION_ID; k++)
            zeros += names[i][k] == 0;
    assert_true(zeros < NAMES); /* 32 are to be expected of random ones */
    tls_sessions_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(found_under_its_name_and_door_only),
        cmocka_unit_test(names_tell_nothing),
        cmocka_unit_test(handed_on_to_the_next_program),
        cmocka_unit_test(what_is_handed_on_wrong_is_not_taken),
        cmocka_unit_test(its_time_is_over),
        cmocka_unit_test(used_ones_go_first_then_the_oldest),
        cmocka_unit_test(a_certificate_is_no_session),
        cmocka_unit_test(torn_slots_do_not_open),
        cmocka_unit_test(processes_share_it_without_a_lock),
        cmocka_unit_test(what_a_dead_process_put_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
