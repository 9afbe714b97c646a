/* What the workers of the front say of each other. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/front/board.h"

enum { NOW = 1000000 };

static int begin(void **state)
{
    struct board *b;
    assert_int_equal(board_new(&b).code, E_OK);
    board_keep(b, NOW);
    *state = b;
    return 0;
}

static int end(void **state)
{
    board_free(*state);
    return 0;
}

static void state_is(const struct board *b, uint64_t now, enum err_code want, unsigned worker)
{
    unsigned said = 77;
    assert_int_equal(board_state(b, now, &said).code, want);
    assert_int_equal(said, want == E_OK ? 77 : worker);
}

static void all_who_have_to_be_there_are_asked(void **state)
{
    struct board *b = *state;
    state_is(b, NOW, E_OK, 0); /* nobody has to */
    board_seat(b, 3, BOARD_AWAY, 0, -1);
    state_is(b, NOW, E_WORKER, 0); /* not ready yet */
    board_tell(b, 3, OK, NOW);
    state_is(b, NOW, E_WORKER, 0);
    board_seat(b, 3, BOARD_SERVES, 0, -1);
    state_is(b, NOW, E_OK, 0);
    board_seat(b, 9, BOARD_SERVES, 1, -1);
    state_is(b, NOW, E_WORKER, 1); /* has said nothing */
    board_tell(b, 9, FAIL(E_STORE_DOWN), NOW);
    state_is(b, NOW, E_STORE_DOWN, 1);
    board_tell(b, 9, OK, NOW);
    state_is(b, NOW, E_OK, 0);
    board_seat(b, 9, BOARD_EMPTY, 1, -1);
    board_tell(b, 9, FAIL(E_STORE_DOWN), NOW); /* it leaves */
    state_is(b, NOW, E_OK, 0);
}

static void who_is_silent_is_down(void **state)
{
    struct board *b = *state;
    board_seat(b, 0, BOARD_SERVES, 0, -1);
    assert_int_equal(board_silent_ms(b, 0, NOW), 0);
    board_tell(b, 0, OK, NOW);
    board_keep(b, NOW + BOARD_SILENT_MS);
    state_is(b, NOW + BOARD_SILENT_MS - 1, E_OK, 0);
    state_is(b, NOW + BOARD_SILENT_MS, E_WORKER, 0);
    state_is(b, NOW + 2 * BOARD_SILENT_MS - 1, E_WORKER, 0);
    state_is(b, NOW + 2 * BOARD_SILENT_MS, E_OK, 0); /* nobody keeps the seats any more */
    state_is(b, NOW - 1, E_OK, 0); /* told by a clock that is read a moment later */
    assert_int_equal(board_silent_ms(b, 0, NOW + 5), 5);
    board_clear(b, 0);
    assert_int_equal(board_silent_ms(b, 0, NOW + 5), 0);
}

static void who_stands_in_counts(void **state)
{
    struct board *b = *state;
    board_seat(b, 0, BOARD_SERVES, 0, -1);
    board_tell(b, 0, OK, NOW);
    board_seat(b, 1, BOARD_AWAY, 1, 0);
    state_is(b, NOW, E_OK, 0);
    board_tell(b, 0, FAIL(E_AUDIT_DOWN), NOW);
    state_is(b, NOW, E_AUDIT_DOWN, 0);
    board_tell(b, 0, OK, NOW);
    board_seat(b, 0, BOARD_AWAY, 0, -1);
    state_is(b, NOW, E_WORKER, 0);
}

static void what_another_process_says_is_heard_and_nonsense_is_none(void **state)
{
    struct board *b = *state;
    board_seat(b, 0, BOARD_SERVES, 0, -1);
    const pid_t pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        board_tell(b, 0, FAIL(E_STORE_SILENT), NOW);
        _exit(0);
    }
    int status;
    assert_int_equal(waitpid(pid, &status, 0), pid);
    state_is(b, NOW, E_STORE_SILENT, 0);
    board_tell(b, 0, (struct err){ .code = (enum err_code)60000 }, NOW);
    state_is(b, NOW, E_WORKER, 0);
    board_seat(b, BOARD_SEATS, BOARD_SERVES, 1, -1); /* no such seat */
    board_tell(b, BOARD_SEATS, OK, NOW);
    board_tell(b, 0, OK, NOW);
    state_is(b, NOW, E_OK, 0);
    board_seat(NULL, 0, BOARD_SERVES, 0, -1);
    board_tell(NULL, 0, OK, NOW);
    state_is(NULL, NOW, E_OK, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(all_who_have_to_be_there_are_asked, begin, end),
        cmocka_unit_test_setup_teardown(who_is_silent_is_down, begin, end),
        cmocka_unit_test_setup_teardown(who_stands_in_counts, begin, end),
        cmocka_unit_test_setup_teardown(what_another_process_says_is_heard_and_nonsense_is_none, begin, end),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
