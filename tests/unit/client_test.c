#include "tests/unit/client_bench.h"

#include <arpa/inet.h>
#include <sys/socket.h>

enum { ANSWERS = 128 }; /* twice the queue of conf_of() */

/* ---- one loop and one client; the loop ends when every answer is there ---- */

struct bench {
    struct loop *loop;
    struct client *client;
    struct answer {
        struct bench *bench;
        unsigned times;
        enum err_code code;
        int status;
        char body[64];
        size_t n;
    } a[ANSWERS];
    size_t sent, got;
    bool sending; /* done() while this is set would be too early */
    const char *again; /* url that the first done() sends to */
    bool close_in_done;
};

static void bench_open(struct bench *b, const struct fixture *f)
{
    char paths[3][96];
    struct client_conf conf;
    memset(b, 0, sizeof *b);
    conf_of(f, paths, &conf);
    assert_true(err_ok(loop_new(&b->loop, clock_system())));
    assert_true(err_ok(client_new(&b->client, b->loop, &conf)));
}

static void send_to(struct bench *b, const struct client_req *req, const char *body);

static void on_done(void *arg, struct err e, int status, struct slice body)
{
    struct answer *a = arg;
    struct bench *b = a->bench;
    assert_false(b->sending);
    a->times++;
    a->code = e.code;
    a->status = status;
    a->n = body.n;
    assert_true(err_ok(e) || (body.n == 0 && status == 0));
    memcpy(a->body, body.p ? (const char *)body.p : "", body.n < sizeof a->body - 1 ? body.n : sizeof a->body - 1);
    b->got++;
    if (b->again) {
        struct client_req req = { .method = "GET", .url = b->again, .answer_max = 1000, .timeout_ms = 2000 };
        b->again = NULL;
        send_to(b, &req, NULL);
    }
    if (b->close_in_done || b->got == b->sent) {
        client_close(b->client);
        loop_stop(b->loop);
    }
}

static void send_to(struct bench *b, const struct client_req *req, const char *body)
{
    struct buf bytes;
    struct answer *a = &b->a[b->sent++];
    a->bench = b;
    buf_init(&bytes, 1 << 20);
    if (body)
        buf_puts(&bytes, body);
    b->sending = true;
    client_send(b->client, req, &bytes, on_done, a);
    b->sending = false;
    assert_null(bytes.p); /* taken */
}

static void bench_run(struct bench *b)
{
    loop_run(b->loop, 5000);
    loop_free(b->loop);
    assert_int_equal(b->got, b->sent);
    for (size_t i = 0; i < b->sent; i++)
        assert_int_equal(b->a[i].times, 1);
}

static struct answer ask(const struct fixture *f, const char *url, const char *method, const char *body, size_t max, unsigned ms)
{
    struct bench b;
    struct client_req req = { .method = method, .url = url, .content_type = "application/json", .bearer = "tok", .answer_max = max, .timeout_ms = ms };
    bench_open(&b, f);
    send_to(&b, &req, body);
    bench_run(&b);
    return b.a[0];
}

static struct answer ask_path(const struct fixture *f, const char *path)
{
    char url[96];
    url_of(url, f->good, path);
    return ask(f, url, "POST", "{}", 4096, 1000);
}

/* ---- tests ---- */

static void test_request(void **state)
{
    char url[96];
    url_of(url, ((struct fixture *)*state)->good, "about");
    struct answer a = ask(*state, url, "POST", "[1]", 4096, 2000);
    assert_int_equal(a.code, E_OK);
    assert_int_equal(a.status, 200);
    assert_string_equal(a.body, "POST|application/json|Bearer tok|None|gateway");
    a = ask(*state, url, "GET", NULL, 4096, 2000);
    assert_memory_equal(a.body, "GET|", 4);
    a = ask(*state, url, "PUT", "x", 4096, 2000);
    assert_memory_equal(a.body, "PUT|", 4);
    url_of(url, ((struct fixture *)*state)->good, "echo");
    a = ask(*state, url, "POST", "氏名", 4096, 2000);
    assert_string_equal(a.body, "氏名");
}

static void test_paths(void **state)
{
    static const struct {
        const char *path;
        enum err_code code;
        int status;
    } CASES[] = {
        { "s500", E_OK, 500 },           { "redirect", E_OK, 302 },        { "gzip", E_OK, 200 },
        { "slow", E_UPSTREAM_DOWN, 0 },  { "drip", E_UPSTREAM_DOWN, 0 },   { "reset", E_UPSTREAM_DOWN, 0 },
        { "hangup", E_UPSTREAM_DOWN, 0 },{ "cut", E_UPSTREAM_DOWN, 0 },    { "big", E_UPSTREAM_BAD, 0 },
        { "endless", E_UPSTREAM_BAD, 0 },{ "nothttp", E_UPSTREAM_BAD, 0 },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct answer a = ask_path(*state, CASES[i].path);
        if (a.code != CASES[i].code || a.status != CASES[i].status)
            fail_msg("%s: %s %d", CASES[i].path, err_slug(a.code), a.status);
    }
    assert_string_equal(ask_path(*state, "hits").body, "1 0"); /* the redirect was not followed */
}

static void test_answer_max(void **state)
{
    char url[96];
    url_of(url, ((struct fixture *)*state)->good, "big");
    assert_int_equal(ask(*state, url, "POST", "", 5000, 2000).n, 5000);
    assert_int_equal(ask(*state, url, "POST", "", 4999, 2000).code, E_UPSTREAM_BAD);
}

static int closed_port(void)
{
    struct sockaddr_in in = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
    socklen_t n = sizeof in;
    int fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(fd, (struct sockaddr *)&in, sizeof in), 0);
    assert_int_equal(getsockname(fd, (struct sockaddr *)&in, &n), 0);
    close(fd);
    return ntohs(in.sin_port);
}

static void test_who_answers(void **state)
{
    struct fixture *f = *state;
    char url[96];
    url_of(url, f->other_ca, "echo");
    assert_int_equal(ask(f, url, "GET", NULL, 100, 2000).code, E_UPSTREAM_DOWN);
    url_of(url, f->tls12, "echo");
    assert_int_equal(ask(f, url, "GET", NULL, 100, 2000).code, E_UPSTREAM_DOWN);
    snprintf(url, sizeof url, "https://localhost:%d/echo", f->good.port); /* the certificate names the address only */
    assert_int_equal(ask(f, url, "GET", NULL, 100, 2000).code, E_UPSTREAM_DOWN);
    url_of(url, (struct peer){ 0, closed_port() }, "echo");
    assert_int_equal(ask(f, url, "GET", NULL, 100, 2000).code, E_UPSTREAM_DOWN);
}

static void test_urls(void **state)
{
    static const char *const BAD[] = { "http://127.0.0.1/", "file:///etc/passwd", "", "HTTPS://127.0.0.1/", "ftp://127.0.0.1/" };
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++)
        assert_int_equal(ask(*state, BAD[i], "GET", NULL, 100, 1000).code, E_CONFIG);
    assert_int_equal(ask(*state, "https://", "GET", NULL, 100, 1000).code, E_CONFIG);
}

static void test_header_injection(void **state)
{
    struct bench b;
    char url[96];
    url_of(url, ((struct fixture *)*state)->good, "about");
    struct client_req req = { .method = "GET", .url = url, .bearer = "t\r\nX: y", .answer_max = 100, .timeout_ms = 1000 };
    bench_open(&b, *state);
    send_to(&b, &req, NULL);
    bench_run(&b);
    assert_int_equal(b.a[0].code, E_INTERNAL);
}

static void test_environment_is_ignored(void **state)
{
    setenv("https_proxy", "http://127.0.0.1:1", 1);
    setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
    assert_int_equal(ask_path(*state, "echo").code, E_OK);
    unsetenv("https_proxy");
    unsetenv("ALL_PROXY");
    assert_int_not_equal(access("/tmp/client_test.keylog", F_OK), 0); /* main() had asked for it */
}

static void test_keep_alive(void **state)
{
    struct bench b;
    char url[96];
    url_of(url, ((struct fixture *)*state)->good, "port");
    struct client_req req = { .method = "GET", .url = url, .answer_max = 100, .timeout_ms = 2000 };
    bench_open(&b, *state);
    b.again = url;
    send_to(&b, &req, NULL);
    bench_run(&b);
    assert_int_equal(b.sent, 2);
    assert_int_equal(b.a[1].code, E_OK);
    assert_string_equal(b.a[0].body, b.a[1].body);
}

static void test_many_and_busy(void **state)
{
    struct bench b;
    char url[96];
    url_of(url, ((struct fixture *)*state)->good, "echo");
    struct client_req req = { .method = "POST", .url = url, .answer_max = 100, .timeout_ms = 20000 };
    bench_open(&b, *state);
    for (int i = 0; i < ANSWERS / 2 + 10; i++)
        send_to(&b, &req, "x");
    bench_run(&b);
    size_t ok = 0, busy = 0;
    for (size_t i = 0; i < b.sent; i++) {
        ok += b.a[i].code == E_OK;
        busy += b.a[i].code == E_BUSY;
    }
    assert_int_equal(ok, ANSWERS / 2);
    assert_int_equal(busy, 10);
}

static void test_close_cancels(void **state)
{
    struct bench b;
    char url[96];
    url_of(url, ((struct fixture *)*state)->good, "slow");
    struct client_req req = { .method = "POST", .url = url, .answer_max = 100, .timeout_ms = 20000 };
    bench_open(&b, *state);
    for (int i = 0; i < 8; i++)
        send_to(&b, &req, "x");
    client_close(b.client);
    client_close(b.client);
    assert_int_equal(b.got, 0);
    bench_run(&b);
    for (size_t i = 0; i < b.sent; i++)
        assert_int_equal(b.a[i].code, E_CANCELED);
}

static void test_close_inside_done(void **state)
{
    struct bench b;
    char url[96], slow[96];
    url_of(url, ((struct fixture *)*state)->good, "echo");
    url_of(slow, ((struct fixture *)*state)->good, "slow");
    struct client_req req = { .method = "POST", .url = url, .answer_max = 100, .timeout_ms = 20000 };
    struct client_req late = { .method = "POST", .url = slow, .answer_max = 100, .timeout_ms = 20000 };
    bench_open(&b, *state);
    b.close_in_done = true;
    send_to(&b, &late, "x");
    send_to(&b, &req, "x");
    send_to(&b, &late, "x");
    bench_run(&b);
    assert_int_equal(b.a[0].code, E_CANCELED);
    assert_int_equal(b.a[1].code, E_OK);
    assert_int_equal(b.a[2].code, E_CANCELED);
}

static void test_refuse(void **state)
{
    struct bench b;
    bench_open(&b, *state);
    b.a[0].bench = &b;
    b.sent = 1;
    b.sending = true;
    client_refuse(b.client, FAIL(E_NOMEM), on_done, &b.a[0]);
    b.sending = false;
    bench_run(&b);
    assert_int_equal(b.a[0].code, E_NOMEM);
}

static void test_conf(void **state)
{
    struct fixture *f = *state;
    char paths[3][96], loose[96];
    struct client_conf good, conf;
    struct loop *l;
    struct client *c = NULL;
    conf_of(f, paths, &good);
    assert_true(err_ok(loop_new(&l, clock_system())));
    conf = good, conf.ca_path = "/nonexistent";
    assert_int_equal(client_new(&c, l, &conf).code, E_CONFIG);
    conf = good, conf.cert_path = "/dev/null";
    assert_int_equal(client_new(&c, l, &conf).code, E_CONFIG);
    conf = good, conf.key_path = "/nonexistent";
    assert_int_equal(client_new(&c, l, &conf).code, E_CONFIG);
    snprintf(loose, sizeof loose, "%s/loose.key", f->dir);
    conf = good, conf.key_path = loose;
    assert_int_equal(client_new(&c, l, &conf).code, E_CONFIG);
    assert_null(c);
    client_close(NULL);
    loop_free(l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_request), cmocka_unit_test(test_paths), cmocka_unit_test(test_answer_max), cmocka_unit_test(test_who_answers),
        cmocka_unit_test(test_urls), cmocka_unit_test(test_header_injection), cmocka_unit_test(test_environment_is_ignored),
        cmocka_unit_test(test_keep_alive), cmocka_unit_test(test_many_and_busy), cmocka_unit_test(test_close_cancels),
        cmocka_unit_test(test_close_inside_done), cmocka_unit_test(test_refuse), cmocka_unit_test(test_conf),
    };
    setenv("SSLKEYLOGFILE", "/tmp/client_test.keylog", 1);
    if (!err_ok(client_setup()))
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
