/* gateway/relay: addresses, answers of Sentinels and nodes, names for a Cluster. */

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "gateway/relay/names.h"
#include "gateway/relay/seek.h"
#include "gateway/relay/settings.h"

static void addresses_are_understood(void **state)
{
    (void)state;
    static const struct { const char *text; enum place_kind kind; bool tls; size_t n; const char *ip; unsigned port; const char *name; } CASES[] = {
        { "tcp://127.0.0.1:6379", PLACE_ONE, false, 1, "127.0.0.1", 6379, "" },
        { "tls://10.1.2.3:1", PLACE_ONE, true, 1, "10.1.2.3", 1, "" },
        { "tls://[fe80:0::1]:65535", PLACE_ONE, true, 1, "fe80::1", 65535, "" },
        { "sentinel://link@10.0.0.1:26379,10.0.0.2:26379,10.0.0.3:26379", PLACE_SENTINEL, false, 3, "10.0.0.1", 26379, "link" },
        { "sentinel+tls://l-1_x@10.0.0.1:1", PLACE_SENTINEL, true, 1, "10.0.0.1", 1, "l-1_x" },
        { "cluster+tls://10.0.0.1:7000,[::1]:7000", PLACE_CLUSTER, true, 2, "10.0.0.1", 7000, "" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct place p;
        if (!err_ok(place_parse(slice_str(CASES[i].text), &p)))
            fail_msg("%s", CASES[i].text);
        assert_int_equal(p.kind, CASES[i].kind);
        assert_int_equal(p.tls, CASES[i].tls);
        assert_int_equal(p.n, CASES[i].n);
        assert_string_equal(p.at[0].ip, CASES[i].ip);
        assert_int_equal(p.at[0].port, CASES[i].port);
        assert_string_equal(p.name, CASES[i].name);
    }
}

static void what_is_no_address_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "", "tcp", "tcp:", "tcp:/", "tcp://", "tcp://:1", "tcp://127.0.0.1", "tcp://127.0.0.1:", "tcp://127.0.0.1:0", "tcp://127.0.0.1:65536", "tcp://127.0.0.1:06379",
        "tcp://redis:6379", "tcp://127.0.0.1:1,127.0.0.1:2", "tcp://127.1:1", "tcp://::1:1", "tcp://[127.0.0.1]:1", "tcp://[::1]", "tcp://[::1]1", "tcp://[::1:1",
        "unix:///x", "sentinel://10.0.0.1:1", "sentinel://@10.0.0.1:1", "sentinel://a b@10.0.0.1:1", "sentinel://a@", "sentinel://a@10.0.0.1:1,", "sentinel://a@10.0.0.1:1,10.0.0.1:1",
        "cluster://10.0.0.1:1,[::1]:1,[0::1]:1", "cluster://1.1.1.1:1,1.1.1.1:2,1.1.1.1:3,1.1.1.1:4,1.1.1.1:5,1.1.1.1:6,1.1.1.1:7,1.1.1.1:8,1.1.1.1:9,1.1.1.1:10", "TCP://127.0.0.1:1",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct place p;
        if (err_ok(place_parse(slice_str(CASES[i]), &p)))
            fail_msg("taken: %s", CASES[i]);
    }
}

static void an_address_is_what_the_kernel_takes(void **state)
{
    (void)state;
    struct place_at at;
    struct sockaddr_storage to;
    assert_true(place_at_parse(LIT("10.1.2.3"), LIT("6379"), &at) && place_sockaddr(&at, &to));
    const struct sockaddr_in *v4 = (const struct sockaddr_in *)&to;
    assert_true(v4->sin_family == AF_INET && v4->sin_port == htons(6379) && v4->sin_addr.s_addr == htonl(0x0a010203));
    assert_true(place_at_parse(LIT("::1"), LIT("1"), &at) && place_sockaddr(&at, &to));
    const struct sockaddr_in6 *v6 = (const struct sockaddr_in6 *)&to;
    assert_true(v6->sin6_family == AF_INET6 && v6->sin6_port == htons(1) && v6->sin6_addr.s6_addr[15] == 1);
    assert_false(place_sockaddr(&(struct place_at){ .ip = "nowhere", .port = 1 }, &to));
}

/* A conf as one of a file without the optional ones. */
static struct conf conf_of(const char *store, const char *pass)
{
    return (struct conf){ .relay_store = (char *)(uintptr_t)store, .relay_pass_file = (char *)(uintptr_t)pass, .relay_tag = (char *)(uintptr_t)"pmhgw", .relay_ca = (char *)(uintptr_t)"",
                          .relay_cert = (char *)(uintptr_t)"", .relay_key = (char *)(uintptr_t)"", .relay_name = (char *)(uintptr_t)"", .relay_sentinel_user = (char *)(uintptr_t)"",
                          .relay_sentinel_pass_file = (char *)(uintptr_t)"" };
}

static void settings_name_what_is_wrong_with_them(void **state)
{
    (void)state;
    char pass[] = "/tmp/pmhgw-relay-XXXXXX";
    const int fd = mkstemp(pass);
    assert_true(fd >= 0 && write(fd, "word", 4) == 4 && close(fd) == 0);
    static const struct { const char *store, *pass, *wrong; } CASES[] = {
        { "tcp://127.0.0.1:1", NULL, NULL }, { "redis", NULL, "relay_store" }, { "tls://127.0.0.1:1", NULL, "relay_store" }, { "tcp://10.0.0.1:1", NULL, "relay_store" },
        { "tcp://127.0.0.1:1", "/nowhere/pass", "relay_pass_file" },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct conf c = conf_of(CASES[i].store, CASES[i].pass ? CASES[i].pass : pass);
        struct relay_settings s = { 0 };
        struct relay_fault bad = { 0 };
        assert_int_equal(relay_settings_read(&c, &s, &bad).code, CASES[i].wrong ? E_CONFIG : E_OK);
        if (CASES[i].wrong)
            assert_string_equal(bad.setting, CASES[i].wrong);
        else
            assert_true(s.password && !s.secure && s.place.n == 1 && !bad.setting);
        relay_settings_done(&s);
        assert_null(s.password);
    }
    unlink(pass);
}

static void only_this_machine_is_loopback(void **state)
{
    (void)state;
    static const struct { const char *ip; bool is; } CASES[] = { { "127.0.0.1", true }, { "127.9.9.9", true }, { "::1", true }, { "10.0.0.1", false }, { "128.0.0.1", false }, { "::2", false } };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct place_at at;
        assert_true(place_at_parse(slice_str(CASES[i].ip), LIT("1"), &at));
        assert_int_equal(place_is_loopback(&at), CASES[i].is);
    }
}

/* ---- answers ---- */

struct heard { unsigned slot; bool sentinel, found; struct place_at at; unsigned n; };

static bool hear(void *arg, const struct redis_reply *reply)
{
    struct heard *h = arg;
    static const struct place_at FROM = { "10.9.9.9", 7000 };
    h->n++;
    h->found = h->sentinel ? seek_read_sentinel(reply, &h->at) : seek_read_slots(reply, h->slot, &FROM, &h->at);
    return true;
}

static struct heard answer(const char *text, bool sentinel, unsigned slot)
{
    struct heard h = { .slot = slot, .sentinel = sentinel };
    struct redis_reader *r = redis_reader_new();
    for (const char *p = text; *p; p++) /* in the smallest pieces */
        assert_true(redis_reader_feed(r, slice_of(p, 1), hear, &h));
    redis_reader_free(r);
    assert_int_equal(h.n, 1);
    return h;
}

static void a_sentinel_names_the_master_or_nobody(void **state)
{
    (void)state;
    struct heard h = answer("*2\r\n$8\r\n10.0.0.7\r\n$4\r\n6379\r\n", true, 0);
    assert_true(h.found);
    assert_string_equal(h.at.ip, "10.0.0.7");
    assert_int_equal(h.at.port, 6379);
    static const char *const NOBODY[] = {
        "*-1\r\n", "$-1\r\n", "-NOAUTH x\r\n", "+OK\r\n", ":1\r\n", "*0\r\n", "*1\r\n$8\r\n10.0.0.7\r\n", "*2\r\n$5\r\nredis\r\n$4\r\n6379\r\n",
        "*2\r\n$8\r\n10.0.0.7\r\n$1\r\n0\r\n", "*2\r\n$-1\r\n$4\r\n6379\r\n", "*2\r\n*0\r\n*0\r\n",
    };
    for (size_t i = 0; i < sizeof NOBODY / sizeof NOBODY[0]; i++)
        if (answer(NOBODY[i], true, 0).found)
            fail_msg("%zu", i);
}

#define NODE(ip, port) "*4\r\n" ip ":" port "\r\n$2\r\nid\r\n*0\r\n"
static void a_node_names_the_owner_of_the_slot(void **state)
{
    (void)state;
    const char *two = "*2\r\n*4\r\n:0\r\n:99\r\n" NODE("$8\r\n10.0.0.1\r\n", "7001") NODE("$8\r\n10.0.0.2\r\n", "7002") "*3\r\n:100\r\n:16383\r\n" NODE("$0\r\n\r\n", "7003");
    assert_string_equal(answer(two, false, 99).at.ip, "10.0.0.1");
    assert_int_equal(answer(two, false, 99).at.port, 7001);
    assert_string_equal(answer(two, false, 100).at.ip, "10.9.9.9"); /* itself */
    assert_int_equal(answer(two, false, 16383).at.port, 7003);
    static const char *const NOBODY[] = {
        "*0\r\n", "-CLUSTERDOWN x\r\n", "*1\r\n*2\r\n:0\r\n:16383\r\n", "*1\r\n*3\r\n:0\r\n:10\r\n" NODE("$8\r\n10.0.0.1\r\n", "7001"), "*1\r\n*3\r\n:0\r\n:16383\r\n*0\r\n",
        "*1\r\n*3\r\n:0\r\n:16383\r\n" NODE("$8\r\n10.0.0.1\r\n", "-1"), "*1\r\n*3\r\n:0\r\n:16383\r\n" NODE("$5\r\nredis\r\n", "7001"), "*1\r\n:1\r\n",
    };
    for (size_t i = 0; i < sizeof NOBODY / sizeof NOBODY[0]; i++)
        if (answer(NOBODY[i], false, 99).found)
            fail_msg("%zu", i);
}

static void slots_are_those_of_redis(void **state)
{
    (void)state;
    /* CLUSTER KEYSLOT says so */
    assert_int_equal(seek_slot_of(LIT("123456789")), 12739);
    assert_int_equal(seek_slot_of(LIT("foo")), 12182);
    assert_int_equal(seek_slot_of(LIT("pmhgw")), 5077);
}

/* ---- names ---- */

static void put(struct buf *b, const char *const *args, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        if (i == 0) {
            buf_putc(b, '*');
            buf_u64(b, n);
            buf_puts(b, "\r\n");
        }
        buf_putc(b, '$');
        buf_u64(b, strlen(args[i]));
        buf_puts(b, "\r\n");
        buf_puts(b, args[i]);
        buf_puts(b, "\r\n");
    }
}

enum { ARGS = 9, ROOM = 4096 };

static void named(const char *const *in, const char *const *want, size_t step)
{
    struct buf from, to, expected;
    size_t n = 0;
    while (n < ARGS && in[n])
        n++;
    buf_init(&from, ROOM), buf_init(&to, ROOM), buf_init(&expected, ROOM);
    put(&from, in, n);
    put(&from, in, n); /* and once more behind it */
    put(&expected, want, n);
    put(&expected, want, n);
    struct names *x = names_new(LIT("t"));
    for (size_t i = 0; i < from.n; i += step)
        assert_true(names_feed(x, slice_of(from.p + i, from.n - i < step ? from.n - i : step), &to));
    names_free(x);
    if (!slice_eq(buf_slice(&to), buf_slice(&expected)))
        fail_msg("%s: %s", in[0], buf_cstr(&to));
    buf_done(&from), buf_done(&to), buf_done(&expected);
}

static void names_of_keys_get_the_tag_and_nothing_else_does(void **state)
{
    (void)state;
    static const struct { const char *in[ARGS], *want[ARGS]; } CASES[] = {
        { { "GET", "ep" }, { "GET", "{t}ep" } },
        { { "hset", "p:{x}", "f", "v" }, { "hset", "{t}p:{x}", "f", "v" } },
        { { "DEL", "a", "b", "" }, { "DEL", "{t}a", "{t}b", "{t}" } },
        { { "MSET", "a", "1", "b", "2" }, { "MSET", "{t}a", "1", "{t}b", "2" } },
        { { "MGET", "a", "b" }, { "MGET", "{t}a", "{t}b" } },
        { { "WATCH", "a", "b" }, { "WATCH", "{t}a", "{t}b" } },
        { { "MULTI" }, { "MULTI" } },
        { { "AUTH", "front", "pass" }, { "AUTH", "front", "pass" } },
        { { "WAIT", "1", "500" }, { "WAIT", "1", "500" } },
        { { "SET", "k", "a\r\n*1\r\n$4\r\nPING\r\n" }, { "SET", "{t}k", "a\r\n*1\r\n$4\r\nPING\r\n" } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        for (size_t step = 1; step < 40; step += 7)
            named(CASES[i].in, CASES[i].want, step);
}

static void scripts_get_the_tag_where_they_name_keys(void **state)
{
    (void)state;
    const char *text = "*6\r\n$4\r\nEVAL\r\n$8\r\nreturn 1\r\n$1\r\n2\r\n$1\r\na\r\n$1\r\nb\r\n$1\r\nc\r\n";
    struct buf to;
    buf_init(&to, ROOM);
    struct names *x = names_new(LIT("t"));
    assert_true(names_feed(x, slice_str(text), &to));
    names_free(x);
    const char *got = buf_cstr(&to);
    assert_non_null(strstr(got, "r,P=redis,'{t}' "));
    assert_non_null(strstr(got, "end)() return 1\r\n$1\r\n2\r\n$4\r\n{t}a\r\n$4\r\n{t}b\r\n$1\r\nc\r\n"));
    buf_done(&to);
}

static void lines_of_words_are_commands_too(void **state)
{
    (void)state;
    struct buf to;
    buf_init(&to, ROOM);
    struct names *x = names_new(LIT("t"));
    assert_true(names_feed(x, LIT("EXISTS nb\r\nPING\n"), &to));
    assert_string_equal(buf_cstr(&to), "*2\r\n$6\r\nEXISTS\r\n$5\r\n{t}nb\r\n*1\r\n$4\r\nPING\r\n");
    names_free(x);
    buf_done(&to);
}

static void what_has_unknown_names_is_refused(void **state)
{
    (void)state;
    static const char *const CASES[] = {
        "*2\r\n$4\r\nSORT\r\n$1\r\na\r\n", "KEYS *\r\n", "*1\r\n$8\r\nFLUSHALL\r\n", "*0\r\n", "*-1\r\n", "*x\r\n", "*2\n", "*2\r\n+3\r\n", "*2\r\n$-1\r\n", "\r\n", "\n",
        "*2\r\n$24\r\n", "*3\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$1\r\n1\r\n", "*3\r\n$4\r\nEVAL\r\n$1\r\nx\r\n$1\r\n-\r\n", "*1048577\r\n",
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        struct buf to;
        buf_init(&to, ROOM);
        struct names *x = names_new(LIT("t"));
        if (names_feed(x, slice_str(CASES[i]), &to) || names_feed(x, LIT("PING\r\n"), &to))
            fail_msg("taken: %s", CASES[i]);
        names_free(x);
        buf_done(&to);
    }
    static const char *const TAGS[] = { "", "a}", "a b", "123456789012345678901234567890123" };
    for (size_t i = 0; i < sizeof TAGS / sizeof TAGS[0]; i++) {
        struct buf to;
        buf_init(&to, ROOM);
        struct names *x = names_new(slice_str(TAGS[i]));
        assert_false(names_feed(x, LIT("PING\r\n"), &to));
        names_free(x);
        buf_done(&to);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(addresses_are_understood), cmocka_unit_test(what_is_no_address_is_refused), cmocka_unit_test(only_this_machine_is_loopback),
        cmocka_unit_test(an_address_is_what_the_kernel_takes), cmocka_unit_test(settings_name_what_is_wrong_with_them),
        cmocka_unit_test(a_sentinel_names_the_master_or_nobody), cmocka_unit_test(a_node_names_the_owner_of_the_slot), cmocka_unit_test(slots_are_those_of_redis),
        cmocka_unit_test(names_of_keys_get_the_tag_and_nothing_else_does), cmocka_unit_test(scripts_get_the_tag_where_they_name_keys),
        cmocka_unit_test(lines_of_words_are_commands_too), cmocka_unit_test(what_has_unknown_names_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
