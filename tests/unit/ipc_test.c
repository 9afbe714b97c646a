#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "gateway/ipc/frame.h"
#include "gateway/ipc/ipc.h"

/* ---- a server and clients in one process, on one loop ---- */

enum { MSG_ECHO = 1, MSG_HOLD = 2, MSG_VAULT_ONLY = 3, MSG_BAD = 4, HELD_MAX = 64, PATIENCE_MS = 5000 };

struct bench {
    struct loop *loop;
    struct ipc_server *server;
    struct ipc_call *held[HELD_MAX];
    size_t n_held;
    unsigned echoed, breaches;
    char dir[64], path[128];
};

struct result {
    unsigned times;
    struct err e;
    uint8_t body[IPC_BODY_MAX];
    size_t n;
};

static const uint8_t CAP[IPC_CAP_BYTES] = "the capability of the tests, 32b";

static struct secret *cap_of(const uint8_t *bytes)
{
    struct secret *s = NULL;
    assert_true(err_ok(secret_new(&s, slice_of(bytes, IPC_CAP_BYTES))));
    return s;
}

static void on_echo(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)from;
    ((struct bench *)ctx)->echoed++;
    ipc_reply(call, OK, body);
}

static void on_hold(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    struct bench *b = ctx;
    (void)from, (void)body;
    assert_true(b->n_held < HELD_MAX);
    b->held[b->n_held++] = call;
}

static void on_bad(void *ctx, struct ipc_call *call, enum ipc_role from, struct slice body)
{
    (void)ctx, (void)from, (void)body;
    ipc_breach(call);
}

static void on_breach(void *ctx) { ((struct bench *)ctx)->breaches++; }

static const struct ipc_rule RULES[] = {
    { MSG_ECHO, IPC_BIT(IPC_INTAKE) | IPC_BIT(IPC_CTL), 0, 510, on_echo },
    { MSG_HOLD, IPC_BIT(IPC_INTAKE), 4, 4, on_hold },
    { MSG_VAULT_ONLY, IPC_BIT(IPC_VAULT), 0, 0, on_echo },
    { MSG_BAD, IPC_BIT(IPC_INTAKE), 0, 0, on_bad },
};

static void server_start(struct bench *b)
{
    struct ipc_server_conf conf = { .path = b->path, .rules = RULES, .n_rules = sizeof RULES / sizeof RULES[0],
                                    .conns_max = 4, .on_breach = on_breach, .ctx = b };
    conf.caps[IPC_INTAKE] = cap_of(CAP);
    conf.caps[IPC_CTL] = cap_of(CAP);
    assert_true(err_ok(ipc_server_new(&b->server, b->loop, conf)));
}

static void server_stop(struct bench *b)
{
    ipc_server_close(b->server);
    b->server = NULL;
}

static int setup(void **state)
{
    struct bench *b = calloc(1, sizeof *b);
    snprintf(b->dir, sizeof b->dir, "/tmp/pmhgw-ipc-XXXXXX");
    assert_non_null(mkdtemp(b->dir));
    snprintf(b->path, sizeof b->path, "%s/s", b->dir);
    assert_true(err_ok(loop_new(&b->loop, clock_system())));
    server_start(b);
    *state = b;
    return 0;
}

static void turn(struct bench *b) { uv_run(loop_uv(b->loop), UV_RUN_NOWAIT); }

static void turns_for(struct bench *b, uint64_t ms)
{
    for (uint64_t end = loop_now(b->loop) + ms; loop_now(b->loop) < end; usleep(500))
        turn(b);
}

#define UNTIL(b, cond)                                                       \
    do {                                                                     \
        uint64_t end_ = loop_now((b)->loop) + PATIENCE_MS;                   \
        while (!(cond) && loop_now((b)->loop) < end_) {                      \
            turn(b);                                                         \
            usleep(200);                                                     \
        }                                                                    \
        assert_true(cond);                                                   \
    } while (0)

static int teardown(void **state)
{
    struct bench *b = *state;
    server_stop(b);
    turns_for(b, 5);
    for (size_t i = 0; i < b->n_held; i++)
        ipc_reply(b->held[i], OK, SLICE_NONE);
    loop_free(b->loop);
    unlink(b->path);
    assert_int_equal(rmdir(b->dir), 0);
    free(b);
    return 0;
}

static struct ipc_client *client(struct bench *b, enum ipc_role role, const uint8_t *cap)
{
    struct ipc_client *c = NULL;
    struct ipc_client_conf conf = { .path = b->path, .role = role, .cap = cap_of(cap), .down = E_VAULT_DOWN };
    assert_true(err_ok(ipc_client_new(&c, b->loop, conf)));
    return c;
}

static void on_done(void *arg, struct err e, struct slice body)
{
    struct result *r = arg;
    r->times++;
    r->e = e;
    r->n = body.n;
    if (body.n)
        memcpy(r->body, body.p, body.n);
}

static uint64_t in_ms(struct bench *b, uint64_t ms) { return loop_now(b->loop) + ms; }

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
        { "too long, known from the head", LIT("\1\0\2\1\0\0\0\7"), IPC_FRAME_BAD },
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
    assert_in_range(loop_now(b->loop) - start, 1900, 2600);
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

/* ---- trouble ---- */

static void calls_wait_for_a_server_that_is_not_there_yet(void **state)
{
    struct bench *b = *state;
    struct result late = { 0 }, good = { 0 };
    server_stop(b);
    turns_for(b, 5);
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_ECHO, LIT("a"), in_ms(b, 50), on_done, &late);
    ipc_call(c, MSG_ECHO, LIT("b"), in_ms(b, 4000), on_done, &good);
    UNTIL(b, late.times == 1);
    assert_true(err_is(late.e, E_VAULT_DOWN));
    server_start(b);
    UNTIL(b, good.times == 1);
    assert_true(err_ok(good.e) && good.body[0] == 'b');
    assert_int_equal(b->echoed, 1); /* the call that was late is not sent any more */
    ipc_client_close(c);
}

static void a_lost_server_ends_what_was_sent_and_comes_back(void **state)
{
    struct bench *b = *state;
    struct result r[8] = { 0 }, again = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    for (int i = 0; i < 8; i++)
        ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 4000), on_done, &r[i]);
    UNTIL(b, b->n_held == 8);
    server_stop(b);
    UNTIL(b, r[7].times == 1);
    for (int i = 0; i < 8; i++)
        assert_true(r[i].times == 1 && err_is(r[i].e, E_VAULT_DOWN));
    assert_false(ipc_client_up(c));
    for (int i = 0; i < 8; i++) /* nobody hears them; they must not disturb */
        ipc_reply(b->held[i], OK, LIT("late"));
    b->n_held = 0;
    server_start(b);
    ipc_call(c, MSG_ECHO, LIT("again"), in_ms(b, 4000), on_done, &again);
    UNTIL(b, again.times == 1);
    assert_true(err_ok(again.e));
    for (int i = 0; i < 8; i++)
        assert_int_equal(r[i].times, 1);
    ipc_client_close(c);
}

static void a_late_reply_finds_nobody(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 }, next = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    UNTIL(b, ipc_client_up(c));
    uint64_t start = loop_now(b->loop);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 100), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_in_range(loop_now(b->loop) - start, 95, 400);
    assert_true(err_is(r.e, E_VAULT_DOWN));
    ipc_call(c, MSG_ECHO, LIT("next"), in_ms(b, 2000), on_done, &next); /* takes the same slot */
    ipc_reply(b->held[--b->n_held], OK, LIT("late"));
    UNTIL(b, next.times == 1);
    assert_true(err_ok(next.e) && next.n == 4 && memcmp(next.body, "next", 4) == 0);
    turns_for(b, 20);
    assert_int_equal(r.times, 1);
    assert_true(ipc_client_up(c));
    ipc_client_close(c);
}

static void an_error_reply_has_its_code_and_no_body(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 2000), on_done, &r);
    UNTIL(b, b->n_held == 1);
    ipc_reply(b->held[--b->n_held], FAIL(E_NOTHING), LIT("must not be seen"));
    UNTIL(b, r.times == 1);
    assert_true(err_is(r.e, E_NOTHING) && r.n == 0);
    ipc_client_close(c);
}

static void close_cancels_what_is_pending_from_the_loop(void **state)
{
    struct bench *b = *state;
    struct result sent = { 0 }, waiting = { 0 };
    struct ipc_client *c = client(b, IPC_INTAKE, CAP);
    ipc_call(c, MSG_HOLD, LIT("hold"), in_ms(b, 2000), on_done, &sent);
    UNTIL(b, b->n_held == 1);
    ipc_call(c, MSG_ECHO, LIT("x"), in_ms(b, 2000), on_done, &waiting);
    ipc_client_close(c);
    assert_true(sent.times == 0 && waiting.times == 0);
    UNTIL(b, sent.times == 1 && waiting.times == 1);
    assert_true(err_is(sent.e, E_CANCELED) && err_is(waiting.e, E_CANCELED));
}

struct closer {
    struct ipc_client *c;
    unsigned times;
};

static void close_inside(void *arg, struct err e, struct slice body)
{
    struct closer *x = arg;
    (void)e, (void)body;
    x->times++;
    ipc_client_close(x->c);
}

static void close_from_inside_a_callback(void **state)
{
    struct bench *b = *state;
    struct closer x = { client(b, IPC_INTAKE, CAP), 0 };
    for (int i = 0; i < 3; i++)
        ipc_call(x.c, MSG_ECHO, LIT("x"), in_ms(b, 2000), close_inside, &x);
    UNTIL(b, x.times == 3);
    struct closer y = { client(b, IPC_INTAKE, CAP), 0 };
    for (int i = 0; i < 3; i++)
        ipc_call(y.c, MSG_HOLD, LIT("hold"), in_ms(b, 2000), close_inside, &y);
    UNTIL(b, b->n_held == 3);
    server_stop(b); /* now the callbacks run in the loss */
    UNTIL(b, y.times == 3);
}

static void paths_that_do_not_fit_are_refused(void **state)
{
    struct bench *b = *state;
    char longer[200];
    memset(longer, 'a', sizeof longer - 1);
    longer[sizeof longer - 1] = 0;
    struct ipc_client *c = NULL;
    struct ipc_server *s = NULL;
    struct ipc_client_conf conf = { .path = longer, .cap = cap_of(CAP), .down = E_VAULT_DOWN };
    assert_true(err_is(ipc_client_new(&c, b->loop, conf), E_CONFIG));
    struct ipc_server_conf sc = { .path = longer };
    assert_true(err_is(ipc_server_new(&s, b->loop, sc), E_CONFIG));
    sc.path = "/nonexistent-directory/s";
    assert_true(err_is(ipc_server_new(&s, b->loop, sc), E_IO));
    turns_for(b, 5);
}

/* ---- the blocking helper, against a server in a thread of its own loop turn ---- */

struct once {
    struct bench *b;
    const uint8_t *cap;
    enum ipc_role role;
    uint8_t type;
    struct err e;
    uint8_t body[16];
    size_t n;
    volatile bool ended;
};

static void once_run(void *arg)
{
    struct once *o = arg;
    struct secret *cap = cap_of(o->cap);
    o->e = ipc_call_once(o->b->path, o->role, cap, o->type, LIT("ping"), 300, o->body, sizeof o->body, &o->n);
    secret_free(cap);
    o->ended = true;
}

static void the_blocking_call(void **state)
{
    struct bench *b = *state;
    static const uint8_t OTHER[IPC_CAP_BYTES] = { 1 };
    static const struct { const char *name; enum ipc_role role; const uint8_t *cap; uint8_t type; enum err_code code; } CASES[] = {
        { "good", IPC_CTL, CAP, MSG_ECHO, E_OK },
        { "wrong capability", IPC_CTL, OTHER, MSG_ECHO, E_IO },
        { "forbidden type", IPC_CTL, CAP, MSG_HOLD, E_IO },
        { "never answered", IPC_INTAKE, CAP, MSG_HOLD, E_DEADLINE },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct once o = { .b = b, .cap = CASES[i].cap, .role = CASES[i].role, .type = CASES[i].type };
        uv_thread_t t;
        assert_int_equal(uv_thread_create(&t, once_run, &o), 0);
        UNTIL(b, o.ended);
        uv_thread_join(&t);
        if (o.e.code != CASES[i].code)
            fail_msg("%s: %s", CASES[i].name, err_slug(o.e.code));
        if (err_ok(o.e))
            assert_true(o.n == 4 && memcmp(o.body, "ping", 4) == 0);
    }
    struct secret *cap = cap_of(CAP);
    uint8_t body[4];
    size_t n;
    assert_true(err_is(ipc_call_once("/nonexistent", IPC_CTL, cap, MSG_ECHO, SLICE_NONE, 100, body, sizeof body, &n), E_IO));
    secret_free(cap);
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
        T(calls_wait_for_a_server_that_is_not_there_yet),
        T(a_lost_server_ends_what_was_sent_and_comes_back),
        T(a_late_reply_finds_nobody),
        T(an_error_reply_has_its_code_and_no_body),
        T(close_cancels_what_is_pending_from_the_loop),
        T(close_from_inside_a_callback),
        T(paths_that_do_not_fit_are_refused),
        T(the_blocking_call),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
