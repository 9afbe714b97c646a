/* What the console is told: numbers of the daemons are read one by one, hours add up whatever is handed in twice, and the backlog is of what the asker may see. */
#include "tests/unit/redis_bench.h"

#include "keys/console/backlog.h"
#include "keys/console/gauges.h"
#include "gateway/metrics/metrics.h"

enum { BATCH = 64 * 1024 };
#define NOW_MS (UINT64_C(1000) * NZ_HOUR_MS + 5)

/* ---- gauges ---- */

static void take(struct nz_gauges *g, const char *text, uint64_t v)
{
    const struct metrics_series s = { slice_str(text), METRIC_GAUGE, &v };
    nz_gauges_take(g, &s);
}

static void test_reads_what_it_knows(void **state)
{
    (void)state;
    struct nz_gauges *g = calloc(1, sizeof *g);
    take(g, "pmhgw_up{daemon=\"front\"}", 3);
    take(g, "pmhgw_up{daemon=\"nobody\"}", 3);
    take(g, "pmhgw_certificate_end_time_seconds{daemon=\"intake\",setting=\"door_cert\"}", 77);
    take(g, "pmhgw_certificate_end_time_seconds{daemon=\"intake\"}", 78);
    take(g, "pmhgw_certificate_end_time_seconds{daemon=\"intake\",setting=\"door_ca\"}", 0);
    take(g, "pmhgw_rows_total{daemon=\"intake\",municipality=\"331007\",result=\"registered\"}", 5);
    take(g, "pmhgw_rows_total{daemon=\"intake\",municipality=\"331007\",result=\"waiting\"}", 6);
    take(g, "pmhgw_told_total{daemon=\"front\",municipality=\"331007\",caller=\"clinic\"}", 7);
    take(g, "pmhgw_told_total{daemon=\"front\",municipality=\"331007\",caller=\"citizen\"}", 8);
    take(g, "pmhgw_told_total{daemon=\"front\",municipality=\"33100\",caller=\"clinic\"}", 9);
    take(g, "pmhgw_told_total{daemon=\"front\",xmunicipality=\"271403\",caller=\"clinic\"}", 9);
    take(g, "pmhgw_municipal_refused_total{daemon=\"intake\",municipality=\"331007\"}", 2);
    take(g, "pmhgw_revocation_list_end_time_seconds{daemon=\"front\"}", 50);
    take(g, "pmhgw_revocation_list_end_time_seconds{daemon=\"intake\"}", 40);
    take(g, "pmhgw_revocation_list_end_time_seconds{daemon=\"courier\"}", 0);
    take(g, "pmhgw_none", 1);
    take(g, "", 1);
    assert_int_equal(g->up[NZ_DAEMON_FRONT], 3);
    assert_int_equal(g->n_ends, 1);
    assert_string_equal(g->ends[0].setting, "door_cert");
    assert_int_equal(g->lists_end_s, 40);
    assert_int_equal(g->n_munis, 1);
    const struct nz_gauge_muni *m = nz_gauges_muni(g, "331007");
    assert_non_null(m);
    assert_int_equal(m->totals.n[NZ_HOUR_REGISTERED], 5);
    assert_int_equal(m->totals.n[NZ_HOUR_TOLD_CLINIC], 7);
    assert_int_equal(m->totals.n[NZ_HOUR_TOLD_CITIZEN], 8);
    assert_int_equal(m->totals.n[NZ_HOUR_TURNED_AWAY], 2);
    assert_null(nz_gauges_muni(g, "271403"));
    free(g);
}

static void test_takes_no_more_than_it_has_room_for(void **state)
{
    (void)state;
    struct nz_gauges *g = calloc(1, sizeof *g);
    char text[128];
    for (unsigned i = 0; i < NZ_GAUGE_MUNIS + 20; i++) {
        snprintf(text, sizeof text, "pmhgw_municipal_refused_total{daemon=\"intake\",municipality=\"%06u\"}", i);
        take(g, text, 1);
        snprintf(text, sizeof text, "pmhgw_certificate_end_time_seconds{daemon=\"intake\",setting=\"c%u\"}", i);
        take(g, text, 1);
    }
    assert_int_equal(g->n_munis, NZ_GAUGE_MUNIS);
    assert_int_equal(g->n_ends, NZ_GAUGE_ENDS);
    free(g);
}

/* ---- hours ---- */

struct told { bool done; struct err e; char text[8192]; };

static void hear(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct told *t = arg;
    struct buf out;
    struct jsonw w;
    buf_init(&out, sizeof t->text - 1);
    jsonw_init(&w, &out);
    jsonw_object(&w, NULL);
    t->e = err_ok(e) ? nz_hours_write(replies, n, NOW_MS, &w) : e;
    jsonw_end_object(&w);
    memcpy(t->text, out.p, out.n);
    t->text[out.n] = '\0';
    buf_done(&out);
    t->done = true;
}

static void hours(struct bench *b, const char *muni, uint64_t now_ms, struct told *t)
{
    struct redis_batch *q = redis_batch_new(BATCH);
    *t = (struct told){ .done = false };
    nz_hours_ask(q, muni, now_ms);
    redis_send(b->redis, q, in_ms(b, 2000), hear, t);
    UNTIL(b, t->done);
    assert_true(err_ok(t->e));
}

static void add(struct bench *b, uint64_t now_ms, uint64_t registered, uint64_t oldest_s)
{
    struct redis_batch *q = redis_batch_new(BATCH);
    struct result r = { 0 };
    const struct nz_hour_totals t = { .n = { [NZ_HOUR_REGISTERED] = registered }, .oldest_s = oldest_s };
    nz_hours_add(q, "331007", now_ms, &t);
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e));
}

/* The last two values of an array. */
static void assert_ends(const char *text, const char *name, const char *want)
{
    char start[64];
    snprintf(start, sizeof start, "\"%s\":[", name);
    const char *at = strstr(text, start), *end = at ? strchr(at, ']') : NULL;
    assert_non_null(end);
    size_t n = strlen(want);
    if (strncmp(end - n, want, n) != 0)
        print_error("%s\n", at);
    assert_int_equal(strncmp(end - n, want, n), 0);
}

static void test_hours_add_up(void **state)
{
    struct bench *b = *state;
    struct told t;
    hours(b, "331007", NOW_MS, &t);
    assert_ends(t.text, "registered", ",null,null"); /* nobody has looked yet */
    add(b, NOW_MS - NZ_HOUR_MS, 100, 0);             /* where counting begins */
    add(b, NOW_MS - NZ_HOUR_MS, 107, 30);
    add(b, NOW_MS - NZ_HOUR_MS, 107, 20);
    add(b, NOW_MS, 107, 0);
    add(b, NOW_MS, 109, 0);
    add(b, NOW_MS, 109, 0); /* the same again */
    hours(b, "331007", NOW_MS, &t);
    assert_ends(t.text, "registered", ",null,7,2");
    assert_ends(t.text, "oldest_s", ",null,30,0");
    assert_ends(t.text, "told_clinic", ",null,0,0");
    add(b, NOW_MS, 4, 0); /* counted anew */
    hours(b, "331007", NOW_MS, &t);
    assert_ends(t.text, "registered", ",7,6");
    hours(b, "271403", NOW_MS, &t); /* another one's */
    assert_ends(t.text, "registered", ",null,null");
}

/* ---- backlog ---- */

struct waits { bool done; struct err e; struct nz_backlog_view v; };

static void on_waits(void *arg, struct err e, const struct redis_reply *const *replies, size_t n)
{
    struct waits *w = arg;
    w->e = err_ok(e) && n == 1 ? nz_backlog_heard(replies[0], &w->v) : e;
    w->done = true;
}

static struct nz_backlog_view look(struct bench *b, const char *muni, enum nz_form form)
{
    struct redis_batch *q = redis_batch_new(BATCH);
    struct waits w = { .done = false };
    struct nz_backlog_ask ask = { .muni = muni, .now_ms = 200000 };
    ask.sees[form] = true;
    nz_backlog_look(q, &ask);
    redis_send(b->redis, q, in_ms(b, 2000), on_waits, &w);
    UNTIL(b, w.done);
    assert_true(err_ok(w.e));
    return w.v;
}

static void test_backlog_is_of_what_may_be_seen(void **state)
{
    struct bench *b = *state;
    struct result r = { 0 };
    struct redis_batch *q = redis_batch_new(BATCH);
    const struct slice subsidy = slice_str(nz_form_info(NZ_FORM_SUBJECT)->operation), tickets = slice_str(nz_form_info(NZ_FORM_TICKET)->operation);
    REDIS_ADD(q, LIT("HSET"), LIT("t:331007:a"), LIT("op"), subsidy, LIT("rows"), LIT("10"), LIT("registered"), LIT("4"), LIT("quarantined"), LIT("1"), LIT("ms"), LIT("100000"),
              LIT("failed_ms"), LIT("2"), LIT("moved_ms"), LIT("1"));
    REDIS_ADD(q, LIT("HSET"), LIT("t:331007:b"), LIT("op"), tickets, LIT("rows"), LIT("3"), LIT("ms"), LIT("190000"));
    REDIS_ADD(q, LIT("ZADD"), LIT("tb:331007"), LIT("1"), LIT("a"), LIT("2"), LIT("b"));
    REDIS_ADD(q, LIT("ZADD"), LIT("tl:331007"), LIT("1"), LIT("a"), LIT("2"), LIT("b"));
    redis_send(b->redis, q, in_ms(b, 2000), on_done, &r);
    UNTIL(b, r.times == 1);
    assert_true(err_ok(r.e));
    struct nz_backlog_view v = look(b, "331007", NZ_FORM_SUBJECT);
    assert_int_equal(v.rows, 5);
    assert_int_equal(v.held, 1);
    assert_int_equal(v.stalled, 1);
    assert_int_equal(v.oldest_ms, 100000);
    assert_false(v.at_least);
    v = look(b, "331007", NZ_FORM_TICKET);
    assert_true(v.rows == 3 && v.held == 0 && v.stalled == 0 && v.oldest_ms == 190000);
    v = look(b, "271403", NZ_FORM_SUBJECT);
    assert_true(v.rows == 0 && v.held == 0 && v.oldest_ms == 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_reads_what_it_knows),
        cmocka_unit_test(test_takes_no_more_than_it_has_room_for),
        cmocka_unit_test_setup_teardown(test_hours_add_up, setup_link, teardown),
        cmocka_unit_test_setup_teardown(test_backlog_is_of_what_may_be_seen, setup_link, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
