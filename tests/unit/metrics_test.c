/* What processes count, and what is told of all of them together. */
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "gateway/metrics/expose.h"
#include "gateway/metrics/families.h"

enum { NOW = 1795219200 };
#define NOW_MS (UINT64_C(1000) * NOW)

static char dir[64];

static int set_up(void **state)
{
    (void)state;
    snprintf(dir, sizeof dir, "/tmp/metrics_test_XXXXXX");
    return mkdtemp(dir) ? 0 : -1;
}

static int tear_down(void **state)
{
    (void)state;
    char path[128];
    static const char *const NAMES[] = { "front-0.m", "front-1.m", "front-2.m", "intake-0.m" };
    for (size_t i = 0; i < sizeof NAMES / sizeof NAMES[0]; i++) {
        snprintf(path, sizeof path, "%s/%s", dir, NAMES[i]);
        unlink(path);
    }
    return rmdir(dir);
}

static struct metrics *opened(struct lit daemon)
{
    struct metrics *m;
    assert_int_equal(metrics_open(&m, dir, daemon).code, E_OK);
    metrics_beat(m, NOW_MS);
    return m;
}

static metric *requests(struct metrics *m, struct lit class)
{
    return metrics_of(m, MF_REQUESTS, 2, (struct metric_label[]){ METRIC_LIT("operation", LITERAL("health")), METRIC_LIT("class", class) });
}

static void assert_told(const char *line, bool told)
{
    struct buf out;
    buf_init(&out, METRICS_EXPOSED_MAX);
    assert_int_equal(metrics_expose(dir, NOW_MS, &out).code, E_OK);
    if ((memmem(out.p ? out.p : (const uint8_t *)"", out.n, line, strlen(line)) != NULL) != told)
        fail_msg("%s is %stold in:\n%s", line, told ? "not " : "", buf_cstr(&out));
    buf_done(&out);
}

static void test_processes_of_one_daemon_are_added_up(void **state)
{
    (void)state;
    struct metrics *a = opened(LITERAL("front")), *b = opened(LITERAL("front")), *c = opened(LITERAL("intake"));
    metric_add(requests(a, LITERAL("2xx")), 3);
    metric_add(requests(b, LITERAL("2xx")), 4);
    metric_add(requests(c, LITERAL("2xx")), 5);
    metric_add(requests(a, LITERAL("4xx")), 1);
    assert_told("\npmhgw_requests_total{daemon=\"front\",operation=\"health\",class=\"2xx\"} 7\n", true);
    assert_told("\npmhgw_requests_total{daemon=\"front\",operation=\"health\",class=\"4xx\"} 1\n", true);
    assert_told("\npmhgw_requests_total{daemon=\"intake\",operation=\"health\",class=\"2xx\"} 5\n", true);
    assert_told("# TYPE pmhgw_requests_total counter\n", true);
    assert_told("\npmhgw_up{daemon=\"front\"} 2\n", true);
    metrics_close(a);
    metrics_close(b);
    metrics_close(c);
}

/* Of what will end the first; a process that has not told it yet does not count. */
static void test_of_several_ends_the_first_is_told(void **state)
{
    (void)state;
    struct metrics *m[3] = { opened(LITERAL("front")), opened(LITERAL("front")), opened(LITERAL("front")) };
    const uint64_t ends[3] = { 0, 1800000000, 1700000000 };
    for (size_t i = 0; i < 3; i++)
        metric_set(metrics_of(m[i], MF_LISTS_END, 0, NULL), ends[i]);
    assert_told("# TYPE pmhgw_revocation_list_end_time_seconds gauge\n", true);
    assert_told("\npmhgw_revocation_list_end_time_seconds{daemon=\"front\"} 1700000000\n", true);
    metric_set(metrics_of(m[1], MF_LISTS_END, 0, NULL), 0);
    metric_set(metrics_of(m[2], MF_LISTS_END, 0, NULL), 0);
    assert_told("\npmhgw_revocation_list_end_time_seconds{daemon=\"front\"} 0\n", true);
    for (size_t i = 0; i < 3; i++)
        metrics_close(m[i]);
}

static void test_the_same_place_is_given_again(void **state)
{
    (void)state;
    struct metrics *m = opened(LITERAL("front"));
    metric *first = requests(m, LITERAL("2xx"));
    assert_ptr_not_equal(first, requests(m, LITERAL("5xx")));
    assert_ptr_equal(first, requests(m, LITERAL("2xx")));
    metrics_close(m);
}

static void test_counters_go_on_and_gauges_do_not(void **state)
{
    (void)state;
    struct metrics *m = opened(LITERAL("front"));
    metric_add(requests(m, LITERAL("2xx")), 3);
    metric_add(metrics_of(m, MF_CONNECTIONS, 0, NULL), 8);
    metrics_close(m);
    assert_told("pmhgw_connections{daemon=\"front\"}", false);
    m = opened(LITERAL("front"));
    metric_add(requests(m, LITERAL("2xx")), 1);
    metric_add(metrics_of(m, MF_CONNECTIONS, 0, NULL), 2);
    assert_told("class=\"2xx\"} 4\n", true);
    assert_told("\npmhgw_connections{daemon=\"front\"} 2\n", true);
    metrics_close(m);
}

/* Killed: nobody has closed its file. */
static void test_who_comes_after_one_that_was_killed_is_up(void **state)
{
    (void)state;
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        metric_add(requests(opened(LITERAL("front")), LITERAL("2xx")), 3);
        _exit(0);
    }
    assert_int_equal(waitpid(child, NULL, 0), child);
    assert_told("\npmhgw_up{daemon=\"front\"} 1\n", true);
    struct metrics *m;
    assert_int_equal(metrics_open(&m, dir, LITERAL("front")).code, E_OK);
    assert_told("pmhgw_up{daemon=\"front\"}", false);
    metrics_beat(m, NOW_MS);
    assert_told("\npmhgw_up{daemon=\"front\"} 1\n", true);
    char started[80];
    snprintf(started, sizeof started, "\npmhgw_start_time_seconds{daemon=\"front\"} %llu\n", (unsigned long long)(NOW_MS / 1000));
    assert_told(started, true);
    assert_told("class=\"2xx\"} 3\n", true);
    metrics_close(m);
}

static void test_gauges_of_who_is_silent_are_left_out(void **state)
{
    (void)state;
    struct metrics *m = opened(LITERAL("front"));
    metric_set(metrics_of(m, MF_CONNECTIONS, 0, NULL), 2);
    metrics_beat(m, NOW_MS - METRICS_FRESH_MS);
    assert_told("pmhgw_connections{daemon=\"front\"} 2\n", true);
    metrics_beat(m, NOW_MS - METRICS_FRESH_MS - 1);
    assert_told("pmhgw_connections{daemon=\"front\"}", false);
    assert_told("pmhgw_up{daemon=\"front\"}", false);
    metrics_close(m);
}

static void test_a_histogram_has_cumulative_buckets_in_seconds(void **state)
{
    (void)state;
    struct metrics *m = opened(LITERAL("front"));
    metric *at = metrics_of(m, MF_AUDIT_SECONDS, 0, NULL);
    assert_told("pmhgw_audit_duration_seconds_count", false);
    static const uint64_t TOOK_US[] = { 250, 251, 3000, 20000000 };
    for (size_t i = 0; i < sizeof TOOK_US / sizeof TOOK_US[0]; i++)
        metric_took(at, TOOK_US[i] * 1000);
    assert_told("pmhgw_audit_duration_seconds_bucket{daemon=\"front\",le=\"0.00025\"} 1\n", true);
    assert_told("pmhgw_audit_duration_seconds_bucket{daemon=\"front\",le=\"0.0005\"} 2\n", true);
    assert_told("pmhgw_audit_duration_seconds_bucket{daemon=\"front\",le=\"10\"} 3\n", true);
    assert_told("pmhgw_audit_duration_seconds_bucket{daemon=\"front\",le=\"+Inf\"} 4\n", true);
    assert_told("pmhgw_audit_duration_seconds_sum{daemon=\"front\"} 20.003501\n", true);
    assert_told("pmhgw_audit_duration_seconds_count{daemon=\"front\"} 4\n", true);
    metrics_close(m);
}

static void test_without_a_folder_everything_works_and_nothing_is_kept(void **state)
{
    (void)state;
    struct metrics *m;
    assert_int_equal(metrics_open(&m, "", LITERAL("front")).code, E_OK);
    metrics_beat(m, NOW_MS);
    metric_add(requests(m, LITERAL("2xx")), 1);
    metric_took(metrics_of(NULL, MF_AUDIT_SECONDS, 0, NULL), 1);
    metrics_close(m);
    assert_told("pmhgw", false);
}

static void test_a_full_file_is_no_fault(void **state)
{
    (void)state;
    struct metrics *m = opened(LITERAL("front"));
    for (unsigned i = 0; i < METRICS_ROWS + 10; i++) {
        struct metric_label muni = { .key = "municipality", .kind = MV_MUNI };
        char digits[7];
        snprintf(digits, sizeof digits, "%06u", i);
        memcpy(muni.v.muni, digits, sizeof muni.v.muni);
        metric_add(metrics_of(m, MF_ACCEPTED, 1, &muni), 1);
    }
    assert_told("municipality=\"000000\"} 1\n", true);
    assert_told("municipality=\"002050\"}", false);
    metrics_close(m);
}

/* What another process could have written into its own file. */
static void spoil(void (*how)(struct metrics_file *f), const char *line)
{
    char path[128];
    struct metrics *m = opened(LITERAL("front"));
    metric_add(requests(m, LITERAL("2xx")), 3);
    struct metrics_file *f = malloc(sizeof *f);
    assert_non_null(f);
    snprintf(path, sizeof path, "%s/front-0.m", dir);
    int fd = open(path, O_RDWR);
    assert_int_equal(pread(fd, f, sizeof *f, 0), sizeof *f);
    how(f);
    assert_int_equal(pwrite(fd, f, sizeof *f, 0), sizeof *f);
    close(fd);
    free(f);
    assert_told(line, false);
    metrics_close(m);
    m = opened(LITERAL("front")); /* and who takes the file up begins anew when it is no good */
    metric_add(requests(m, LITERAL("2xx")), 1);
    assert_told("class=\"2xx\"}", true);
    metrics_close(m);
    unlink(path);
}

static void no_magic(struct metrics_file *f) { f->magic = 1; }
static void many_rows(struct metrics_file *f) { f->n_rows = UINT32_MAX; }
static void text_behind(struct metrics_file *f) { for (unsigned i = 0; i < f->n_rows; i++) f->rows[i].text = METRICS_TEXTS; }
static void long_text(struct metrics_file *f) { for (unsigned i = 0; i < f->n_rows; i++) f->rows[i].text_n = UINT32_MAX; }
static void value_behind(struct metrics_file *f) { for (unsigned i = 0; i < f->n_rows; i++) f->rows[i].value = METRICS_VALUES; }
static void odd_kind(struct metrics_file *f) { for (unsigned i = 0; i < f->n_rows; i++) f->rows[i].kind = 9; }
static void new_line(struct metrics_file *f) { for (unsigned i = 0; i < f->n_rows; i++) f->texts[f->rows[i].text + 3] = '\n'; }
static void no_brace(struct metrics_file *f) { memset(f->texts, 'a', sizeof f->texts); }

static void test_a_file_is_not_believed(void **state)
{
    (void)state;
    static void (*const HOW[])(struct metrics_file *) = { no_magic, many_rows, text_behind, long_text, value_behind, odd_kind, new_line, no_brace };
    for (size_t i = 0; i < sizeof HOW / sizeof HOW[0]; i++)
        spoil(HOW[i], "pmhgw_requests_total{");
}

static void place(char to[static 128], const char *name) { snprintf(to, 128, "%s/%s", dir, name); }

/* What is no file of a daemon keeps nobody waiting who reads them all, and no daemon from having one. */
static void test_a_pipe_holds_nobody_up(void **state)
{
    (void)state;
    char pipe[128], link[128], file[128];
    place(pipe, "front-0.m");
    place(link, "front-1.m");
    place(file, "front-2.m");
    assert_int_equal(mkfifo(pipe, 0666), 0);
    assert_int_equal(symlink("/dev/null", link), 0);
    alarm(5);
    assert_told("pmhgw_up", false);
    struct metrics *m = opened(LITERAL("front"));
    alarm(0);
    assert_int_equal(access(file, F_OK), 0);
    metrics_close(m);
}

static void test_a_file_of_another_user_is_left_alone(void **state)
{
    (void)state;
    char theirs[128];
    struct stat st;
    if (geteuid() != 0)
        skip();
    place(theirs, "front-0.m");
    int fd = open(theirs, O_RDWR | O_CREAT | O_EXCL, 0666);
    assert_true(fd >= 0 && fchown(fd, 65534, 65534) == 0 && fchmod(fd, 0666) == 0);
    struct metrics *m = opened(LITERAL("front"));
    metric_add(requests(m, LITERAL("2xx")), 1);
    assert_int_equal(fstat(fd, &st), 0);
    assert_int_equal(st.st_size, 0); /* its owner could cut it under whoever maps it */
    assert_told("class=\"2xx\"} 1\n", true);
    close(fd);
    metrics_close(m);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_processes_of_one_daemon_are_added_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_of_several_ends_the_first_is_told, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_the_same_place_is_given_again, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_counters_go_on_and_gauges_do_not, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_who_comes_after_one_that_was_killed_is_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_gauges_of_who_is_silent_are_left_out, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_histogram_has_cumulative_buckets_in_seconds, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_without_a_folder_everything_works_and_nothing_is_kept, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_full_file_is_no_fault, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_is_not_believed, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_pipe_holds_nobody_up, set_up, tear_down),
        cmocka_unit_test_setup_teardown(test_a_file_of_another_user_is_left_alone, set_up, tear_down),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
