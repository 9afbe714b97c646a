/* What one program hands to the next: numbers as text, of which nothing but the whole is taken. Sockets that are somebody's, whoever comes and goes. */

#include <arpa/inet.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/front/over.h"

static void fill(struct over *o)
{
    *o = (struct over){ .back = true, .exe = 9, .life = { 3, 4 }, .ready = { 5, 6 }, .sockets = { .doors = 2, .n = 2, .fd = { { 10, 11 }, { 12, 13 } } }, .n = 2 };
    o->child[0].pid = 4711;
    o->child[0].name = 7;
    o->child[0].news = 20;
    o->child[1].pid = 4712;
    o->child[1].number = 1;
    o->child[1].name = 127;
    o->child[1].news = -1;
}

static void what_was_written_is_read(void **state)
{
    (void)state;
    struct over in, out;
    struct buf text;
    fill(&in);
    buf_init(&text, OVER_TEXT_MAX);
    over_write(&in, &text);
    assert_true(over_read(buf_slice(&text), &out));
    assert_true(out.back);
    assert_int_equal(out.exe, 9);
    assert_int_equal(out.life[1], 4);
    assert_int_equal(out.ready[0], 5);
    assert_int_equal(out.sockets.fd[1][1], 13);
    assert_int_equal(out.n, 2);
    assert_int_equal(out.child[0].pid, 4711);
    assert_int_equal(out.child[1].name, 127);
    assert_int_equal(out.child[1].news, -1);
    buf_done(&text);
}

static void a_piece_is_not_taken(void **state)
{
    (void)state;
    struct over in, out;
    struct buf text;
    fill(&in);
    buf_init(&text, OVER_TEXT_MAX);
    over_write(&in, &text);
    for (size_t n = 0; n < text.n; n++)
        assert_false(over_read(slice_of(text.p, n), &out));
    buf_puts(&text, "1 ");
    assert_false(over_read(buf_slice(&text), &out));
    buf_done(&text);
}

static void what_is_out_of_range_is_not_taken(void **state)
{
    (void)state;
    static const char *const BAD[] = {
        "", " ", "x", "2 0 0 1 1 1 1 0 0 0 ",                                 /* another version */
        "1 2 0 1 1 1 1 0 0 0 ", "1 0 0 1 1 1 1 3 0 0 ", "1 0 0 1 1 1 1 2 65 0 ", /* back, doors, sockets */
        "1 0 0 1 1 1 1 0 0 129 ", "1 0 0 1 1 1 1 0 0 1 1 0 0 0 ",               /* children; init is no child of ours */
        "1 0 0 1 1 1 1 0 0 1 50 64 0 0 ", "1 0 0 1 1 1 1 0 0 1 50 0 128 0 ", "1 0 0 1 1 1 1 0 0 -1 ", "1 0 0 1 1 1 1 0 0 99999999999999999999 " };
    struct over out;
    assert_true(over_read(LIT("1 0 0 1 1 1 1 0 0 0 "), &out));
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_false(over_read(slice_str(BAD[i]), &out));
}

static void each_socket_is_one_workers(void **state)
{
    (void)state;
    struct sockets s = { .doors = 1, .n = 5, .fd = { { 10, 11, 12, 13, 14 } } };
    for (unsigned n = 1; n <= 6; n++) {
        unsigned seen = 0, all = 0;
        for (unsigned i = 0; i < n; i++) {
            int mine[SOCKETS_MAX];
            unsigned k = sockets_of(&s, 0, i, n, mine);
            all += k;
            for (unsigned j = 0; j < k; j++)
                seen |= 1u << (mine[j] - 10);
        }
        assert_int_equal(all, 5);
        assert_int_equal(seen, 31);
    }
}

static void sockets_grow_and_share_a_port_and_a_stranger_is_noticed(void **state)
{
    (void)state;
    struct sockets s = { .doors = 2 };
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof a;
    uint64_t port[2];
    for (int i = 0; i < 2; i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        a.sin_port = 0;
        assert_int_equal(bind(fd, (struct sockaddr *)&a, sizeof a), 0);
        assert_int_equal(getsockname(fd, (struct sockaddr *)&a, &n), 0);
        port[i] = ntohs(a.sin_port);
        close(fd);
    }
    const struct door_at at[DOORS_MAX] = { { "127.0.0.1", port[0] }, { "127.0.0.1", port[1] } };
    assert_int_equal(sockets_taken(&at[0]), 0);
    assert_int_equal(sockets_grow(&s, at, 2).code, E_OK);
    int first = s.fd[0][0];
    assert_int_equal(sockets_grow(&s, at, 4).code, E_OK);
    assert_int_equal(s.n, 4);
    assert_int_equal(s.fd[0][0], first);
    assert_int_equal(sockets_grow(&s, at, 1).code, E_OK);
    assert_int_equal(s.n, 4);
    assert_int_equal(listen(first, 1), 0);
    assert_int_not_equal(sockets_taken(&at[0]), 0);
    sockets_leave(&s, 1, 2);
    assert_int_equal(fcntl(s.fd[0][0], F_GETFD), -1);
    assert_int_not_equal(fcntl(s.fd[0][1], F_GETFD), -1);
    close(s.fd[0][1]);
    close(s.fd[0][3]);
    close(s.fd[1][1]);
    close(s.fd[1][3]);
    assert_int_not_equal(sockets_taken(&(struct door_at){ "nowhere", 1 }), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_written_is_read),
        cmocka_unit_test(a_piece_is_not_taken),
        cmocka_unit_test(what_is_out_of_range_is_not_taken),
        cmocka_unit_test(each_socket_is_one_workers),
        cmocka_unit_test(sockets_grow_and_share_a_port_and_a_stranger_is_noticed),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
