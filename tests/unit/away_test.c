#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/base/slice.h"
#include "gateway/loop/away.h"

enum { CALLERS = 5 };

struct host {
    union { uv_stream_t stream; uv_tcp_t tcp; uv_pipe_t pipe; } s;
    struct away away;
    unsigned heard, close_at, gone; /* close_at: the listener closes with that connection; 0: not by itself */
    char path[64];
};

static void on_gone(void *owner)
{
    struct host *h = owner;
    assert_false(h->away.open);
    h->gone++;
}

static void on_closed(uv_handle_t *handle)
{
    struct host *h = handle->data;
    away_end(&h->away, on_gone, h);
}

static void on_connection(uv_stream_t *s, int status)
{
    struct host *h = s->data;
    assert_int_equal(status, 0);
    away_turn(&h->away, s);
    if (++h->heard == h->close_at)
        uv_close((uv_handle_t *)s, on_closed);
}

static int call_tcp(struct host *h)
{
    struct sockaddr_storage to;
    int n = sizeof to, fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(uv_tcp_getsockname(&h->s.tcp, (struct sockaddr *)&to, &n), 0);
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&to, (socklen_t)n) == 0);
    return fd;
}

static int call_pipe(struct host *h)
{
    struct sockaddr_un to = { .sun_family = AF_UNIX };
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    snprintf(to.sun_path, sizeof to.sun_path, "%s", h->path);
    assert_true(fd >= 0 && connect(fd, (struct sockaddr *)&to, sizeof to) == 0);
    return fd;
}

static void listen_tcp(struct host *h, uv_loop_t *l)
{
    struct sockaddr_in at;
    assert_int_equal(uv_ip4_addr("127.0.0.1", 0, &at), 0);
    assert_int_equal(uv_tcp_init(l, &h->s.tcp), 0);
    assert_int_equal(uv_tcp_bind(&h->s.tcp, (struct sockaddr *)&at, 0), 0);
}

static void listen_pipe(struct host *h, uv_loop_t *l)
{
    snprintf(h->path, sizeof h->path, "/tmp/away_test_%d", (int)getpid());
    unlink(h->path);
    assert_int_equal(uv_pipe_init(l, &h->s.pipe, 0), 0);
    assert_int_equal(uv_pipe_bind(&h->s.pipe, h->path), 0);
}

static const struct { void (*listen)(struct host *h, uv_loop_t *l); int (*call)(struct host *h); } KINDS[] = { { listen_tcp, call_tcp }, { listen_pipe, call_pipe } };

/* True when nobody has them any more. */
static bool all_ended(const int *fds)
{
    char c;
    for (size_t i = 0; i < CALLERS; i++)
        if (recv(fds[i], &c, 1, MSG_DONTWAIT) != 0)
            return false;
    return true;
}

static void run(size_t kind, unsigned close_at, struct host *h)
{
    uv_loop_t l;
    int fds[CALLERS];
    *h = (struct host){ .close_at = close_at };
    assert_int_equal(uv_loop_init(&l), 0);
    KINDS[kind].listen(h, &l);
    h->s.stream.data = h;
    assert_int_equal(uv_listen(&h->s.stream, CALLERS, on_connection), 0);
    for (size_t i = 0; i < CALLERS; i++)
        fds[i] = KINDS[kind].call(h);
    for (unsigned i = 0; i < 50 && !close_at && !all_ended(fds); i++)
        uv_run(&l, UV_RUN_NOWAIT);
    assert_true(close_at || all_ended(fds));
    if (!close_at)
        uv_close((uv_handle_t *)&h->s.stream, on_closed);
    uv_run(&l, UV_RUN_DEFAULT);
    for (size_t i = 0; i < CALLERS; i++)
        close(fds[i]);
    assert_int_equal(uv_loop_close(&l), 0);
}

static void everybody_is_turned_away_and_the_next_one_is_heard(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < sizeof KINDS / sizeof *KINDS; kind++) {
        struct host h;
        run(kind, 0, &h);
        assert_int_equal(h.heard, CALLERS);
        assert_int_equal(h.gone, 1);
    }
}

static void a_listener_that_closes_meanwhile_goes_once(void **state)
{
    (void)state;
    for (size_t kind = 0; kind < sizeof KINDS / sizeof *KINDS; kind++)
        for (unsigned at = 1; at <= 3; at++) {
            struct host h;
            run(kind, at, &h);
            assert_int_equal(h.heard, at);
            assert_int_equal(h.gone, 1);
        }
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(everybody_is_turned_away_and_the_next_one_is_heard), cmocka_unit_test(a_listener_that_closes_meanwhile_goes_once) };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
