#include "tests/unit/ipc_bench.h"

/* ---- frames ---- */

static void frames_are_cut_and_refused(void **state)
{
    (void)state;
    static const struct { const char *name; struct slice in; enum ipc_frame_ev ev; } CASES[] = {
        { "nothing", { (const uint8_t *)"", 0 }, IPC_FRAME_NEED },
        { "half a head", LIT("\1\0\0\4"), IPC_FRAME_NEED },
        { "half a body", LIT("\1\0\0\4\0\0\0\7ab"), IPC_FRAME_NEED },
        { "request", LIT("\1\0\0\2\0\0\0\7ab"), IPC_FRAME_GOT },
        { "request without body", LIT("\177\0\0\0\0\0\0\7"), IPC_FRAME_GOT },
        { "reply", LIT("\1\1\0\2\0\0\0\7\0\0"), IPC_FRAME_GOT },
        { "unknown flag", LIT("\1\2\0\2\0\0\0\7ab"), IPC_FRAME_BAD },
        { "both flags", LIT("\1\3\0\2\0\0\0\7ab"), IPC_FRAME_BAD },
        { "type above 127", LIT("\200\0\0\0\0\0\0\7"), IPC_FRAME_BAD },
        { "too long, known from the head", LIT("\1\0\11\1\0\0\0\7"), IPC_FRAME_BAD },
        { "reply without code", LIT("\1\1\0\1\0\0\0\7\0"), IPC_FRAME_BAD },
        { "reply with unknown code", LIT("\1\1\0\2\0\0\0\7\377\0"), IPC_FRAME_BAD },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct slice in = CASES[i].in;
        struct ipc_frame f;
        enum ipc_frame_ev ev = ipc_frame_next(&in, &f);
        if (ev != CASES[i].ev)
            fail_msg("%s: %d", CASES[i].name, ev);
        assert_int_equal(in.n, ev == IPC_FRAME_GOT ? 0 : CASES[i].in.n);
        if (ev == IPC_FRAME_GOT)
            assert_int_equal(f.id, 7);
    }
}

/* ---- calls ---- */

static void a_call_is_answered_once_and_not_before_it_returns(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    struct stat st;
    assert_int_equal(stat(b->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_false(ipc_client_up(c));
    ipc_call(c, MSG_ECHO, LIT("hello"), in_ms(b, 2000), on_done, &r);
    assert_int_equal(r.times, 0);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e) && r.n == 5 && memcmp(r.body, "hello", 5) == 0);
    assert_true(ipc_client_up(c));
    turns_for(b, 20);
    assert_int_equal(r.times, 1);
    assert_int_equal(b->breaches, 0);
    ipc_client_close(c);
}

static void thousands_in_flight_and_one_too_many(void **state)
{
    struct bench *b = *state;
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    struct result *r = calloc(IPC_INFLIGHT_MAX + 1, sizeof *r);
    UNTIL(b, ipc_client_up(c));
    for (uint32_t i = 0; i <= IPC_INFLIGHT_MAX; i++)
        ipc_call(c, MSG_ECHO, slice_of(&i, sizeof i), in_ms(b, 4000 + i % 7), on_done, &r[i]);
    assert_int_equal(r[IPC_INFLIGHT_MAX].times, 0);
    UNTIL(b, r[IPC_INFLIGHT_MAX - 1].times == 1 && r[IPC_INFLIGHT_MAX].times == 1);
    assert_true(err_is(r[IPC_INFLIGHT_MAX].e, E_BUSY));
    for (uint32_t i = 0; i < IPC_INFLIGHT_MAX; i++)
        assert_true(r[i].times == 1 && err_ok(r[i].e) && r[i].n == sizeof i && memcmp(r[i].body, &i, sizeof i) == 0);
    assert_int_equal(b->echoed, IPC_INFLIGHT_MAX);
    free(r);
    ipc_client_close(c);
}

static void wrong_papers_never_get_in(void **state)
{
    struct bench *b = *state;
    static const uint8_t OTHER[IPC_CAP_BYTES] = "the capability of the tests, 32x";
    static const struct { const char *name; enum ipc_role role; const uint8_t *cap; } CASES[] = {
        { "wrong capability", IPC_INTAKE, OTHER },
        { "role that has none here", IPC_FRONT, CAP },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct result r = { 0 };
        unsigned before = b->breaches;
        struct ipc_client *c = client(b, CASES[i].role, CASES[i].cap);
        ipc_call(c, MSG_ECHO, LIT("x"), in_ms(b, 200), on_done, &r);
        UNTIL(b, r.times == 1);
        if (!err_is(r.e, E_VAULT_DOWN) || b->breaches == before || b->echoed)
            fail_msg("%s", CASES[i].name);
        assert_false(ipc_client_up(c));
        ipc_client_close(c);
        turns_for(b, 5);
    }
}

static void what_the_table_forbids_closes_the_connection(void **state)
{
    struct bench *b = *state;
    static const struct { const char *name; uint8_t type; struct slice body; } CASES[] = {
        { "type of another role", MSG_VAULT_ONLY, { 0, 0 } },
        { "unknown type", 99, { 0, 0 } },
        { "too short", MSG_HOLD, LIT("abc") },
        { "too long", MSG_HOLD, LIT("abcde") },
        { "refused by the handler", MSG_BAD, { 0, 0 } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct result r = { 0 };
        unsigned before = b->breaches;
        struct ipc_client *c = client(b, IPC_INTAKE, CAP);
        UNTIL(b, ipc_client_up(c));
        ipc_call(c, CASES[i].type, CASES[i].body, in_ms(b, 2000), on_done, &r);
        UNTIL(b, r.times == 1);
        if (!err_is(r.e, E_VAULT_DOWN) || b->breaches != before + 1)
            fail_msg("%s", CASES[i].name);
        ipc_client_close(c);
        turns_for(b, 5);
    }
    assert_int_equal(b->n_held, 0);
}

/* ---- a peer that speaks by hand ---- */

static int by_hand(struct bench *b)
{
    struct sockaddr_un a = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
    memcpy(a.sun_path, b->path, strlen(b->path));
    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof a), 0);
    return fd;
}

static bool ended(int fd)
{
    uint8_t x[4096];
    ssize_t n = recv(fd, x, sizeof x, 0);
    while (n > 0)
        n = recv(fd, x, sizeof x, 0);
    return n == 0;
}

static void put_hello(struct buf *out)
{
    buf_put(out, LIT("\0\0\0\41\0\0\0\0\0"));
    buf_put(out, ARR(CAP));
}

static void the_first_frame_is_hello_and_the_only_one(void **state)
{
    struct bench *b = *state;
    enum { CALL_FIRST, HELLO_TWICE, A_REPLY, SHORT_HELLO, ROLE_OUT_OF_RANGE, GARBAGE, CASES };
    for (int i = 0; i < CASES; i++) {
        struct buf out;
        buf_init(&out, 1024);
        if (i == CALL_FIRST)
            ipc_frame_put(&out, MSG_ECHO, 1, LIT("x"));
        if (i == SHORT_HELLO)
            ipc_frame_put(&out, IPC_HELLO, 0, LIT("\0abc"));
        if (i == ROLE_OUT_OF_RANGE) {
            put_hello(&out);
            out.p[IPC_HEAD_BYTES] = IPC__ROLES;
        }
        if (i == GARBAGE)
            buf_put(&out, LIT("GET / HTTP/1.1\r\n\r\n"));
        if (i == HELLO_TWICE || i == A_REPLY)
            put_hello(&out);
        if (i == HELLO_TWICE)
            put_hello(&out);
        if (i == A_REPLY)
            ipc_frame_put_reply(&out, MSG_ECHO, 1, E_OK, SLICE_NONE);
        unsigned before = b->breaches;
        int fd = by_hand(b);
        assert_int_equal(send(fd, out.p, out.n, MSG_NOSIGNAL), (ssize_t)out.n);
        UNTIL(b, b->breaches == before + 1);
        UNTIL(b, ended(fd));
        close(fd);
        buf_done(&out);
    }
    assert_int_equal(b->echoed, 0);
}

static void silence_is_cut_after_two_seconds(void **state)
{
    struct bench *b = *state;
    uint64_t start = loop_now(b->loop);
    int fd = by_hand(b);
    UNTIL(b, ended(fd));
    assert_in_range(loop_now(b->loop) - start, 1900, 4000);
    assert_int_equal(b->breaches, 0);
    close(fd);
}

static void no_more_connections_than_agreed(void **state)
{
    struct bench *b = *state;
    int fd[5];
    for (int i = 0; i < 5; i++) {
        fd[i] = by_hand(b);
        turns_for(b, 5);
    }
    assert_true(ended(fd[4]));
    assert_false(ended(fd[3]));
    for (int i = 0; i < 5; i++)
        close(fd[i]);
}

/* The peer sends and never reads: the server stops reading instead of collecting replies without end. */
static void a_peer_that_never_reads_is_not_read(void **state)
{
    struct bench *b = *state;
    struct buf out;
    uint8_t body[500] = { 0 };
    buf_init(&out, 1024 * 1024);
    put_hello(&out);
    for (int i = 0; i < 1000; i++)
        ipc_frame_put(&out, MSG_ECHO, (uint32_t)i, ARR(body));
    int fd = by_hand(b);
    assert_int_equal(send(fd, out.p, IPC_HEAD_BYTES + IPC_HELLO_BYTES, MSG_NOSIGNAL), IPC_HEAD_BYTES + IPC_HELLO_BYTES);
    struct slice rest = buf_slice(&out);
    size_t sent = 0, at = IPC_HEAD_BYTES + IPC_HELLO_BYTES;
    for (int i = 0; i < 4000; i++) {
        ssize_t k = send(fd, rest.p + at, rest.n - at, MSG_NOSIGNAL);
        if (k > 0) {
            sent += (size_t)k;
            at += (size_t)k;
        }
        if (at == rest.n)
            at = IPC_HEAD_BYTES + IPC_HELLO_BYTES;
        turn(b);
    }
    assert_true(sent < 4u * 1024 * 1024);
    unsigned stuck_at = b->echoed;
    assert_true(stuck_at > 1000 && stuck_at < 10000);
    uint8_t sink[65536];
    for (int i = 0; i < 4000; i++) { /* it reads at last: the server goes on */
        while (recv(fd, sink, sizeof sink, 0) > 0)
            ;
        turn(b);
    }
    assert_true(b->echoed > stuck_at);
    assert_int_equal(b->breaches, 0);
    close(fd);
    buf_done(&out);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(frames_are_cut_and_refused),
        T(a_call_is_answered_once_and_not_before_it_returns),
        T(thousands_in_flight_and_one_too_many),
        T(wrong_papers_never_get_in),
        T(what_the_table_forbids_closes_the_connection),
        T(the_first_frame_is_hello_and_the_only_one),
        T(silence_is_cut_after_two_seconds),
        T(no_more_connections_than_agreed),
        T(a_peer_that_never_reads_is_not_read),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
