#include "tests/unit/client_bench.h"

#include "connectors/number/pmh.h"
#include "gateway/check/json_in.h"

struct run {
    struct loop *loop;
    struct client *client;
    struct nz_pmh_row rows[2];
    enum err_code code;
    unsigned times;
    bool sending;
};

static void on_done(void *arg, struct err e)
{
    struct run *r = arg;
    assert_false(r->sending);
    r->code = e.code;
    r->times++;
    client_close(r->client);
    loop_stop(r->loop);
}

struct wire_case {
    const char *path;
    enum err_code code;
    enum nz_pmh_outcome outcome[2];
};

static void run_case(const struct fixture *f, const struct wire_case *c)
{
    char paths[3][96], url[96];
    struct client_conf conf;
    struct run r = { .sending = true };
    struct nz_pool *pool;
    struct nz_mynum *number[2];
    conf_of(f, paths, &conf);
    url_of(url, f->good, c->path);
    assert_true(err_ok(nz_pool_new(&pool, 2)));
    assert_true(err_ok(nz_mynum_new(&number[0], pool, LIT("123456789018"))));
    assert_true(err_ok(nz_mynum_new(&number[1], pool, LIT("983205673214"))));
    for (int i = 0; i < 2; i++)
        r.rows[i] = (struct nz_pmh_row){ .number = number[i], .outcome = NZ_PMH_KEY, .pmh_key = "stale" };
    assert_true(err_ok(loop_new(&r.loop, clock_system())));
    assert_true(err_ok(client_new(&r.client, r.loop, &conf)));
    nz_pmh_number(r.client, url, 1000, r.rows, 2, on_done, &r);
    r.sending = false;
    loop_run(r.loop, 5000);
    loop_free(r.loop);
    assert_int_equal(r.times, 1);
    if (r.code != c->code || r.rows[0].outcome != c->outcome[0] || r.rows[1].outcome != c->outcome[1])
        fail_msg("%s: %s %d %d", c->path, err_slug(r.code), (int)r.rows[0].outcome, (int)r.rows[1].outcome);
    for (int i = 0; i < 2; i++) {
        assert_true((r.rows[i].outcome == NZ_PMH_KEY) == (r.rows[i].pmh_key[0] != 0));
        nz_mynum_free(number[i]);
    }
    if (strcmp(c->path, "pmh/ok") == 0) {
        assert_string_equal(r.rows[0].pmh_key, "key-018");
        assert_string_equal(r.rows[1].pmh_key, "key-214");
    }
    nz_pool_free(pool);
}

static void test_wire(void **state)
{
    static const struct wire_case CASES[] = {
        { "pmh/ok", E_OK, { NZ_PMH_KEY, NZ_PMH_KEY } },
        { "pmh/one", E_OK, { NZ_PMH_KEY, NZ_PMH_RETRY } },
        { "pmh/garbage", E_UPSTREAM_BAD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/long", E_UPSTREAM_BAD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/429", E_UPSTREAM_DOWN, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "s500", E_UPSTREAM_DOWN, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/400", E_FIELD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/401", E_FORBIDDEN, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/408", E_UPSTREAM_DOWN, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/422", E_FIELD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/404", E_UPSTREAM_BAD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "pmh/201", E_UPSTREAM_BAD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "redirect", E_UPSTREAM_BAD, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "reset", E_UPSTREAM_DOWN, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
        { "slow", E_UPSTREAM_DOWN, { NZ_PMH_RETRY, NZ_PMH_RETRY } },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++)
        run_case(*state, &CASES[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = { cmocka_unit_test(test_wire) };
    json_in_setup();
    if (!err_ok(client_setup()))
        return 1;
    return cmocka_run_group_tests(tests, setup, teardown);
}
