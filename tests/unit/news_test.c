/* Changed files reach a process that may open none: as descriptors over a socket, once for each change. */

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "gateway/base/file.h"
#include "gateway/front/news.h"

struct files { char dir[32], a[64], b[64]; struct news_group group; int line[2]; };

static void put(const char *path, const char *text)
{
    char tmp[80];
    snprintf(tmp, sizeof tmp, "%s.new", path);
    FILE *f = fopen(tmp, "w");
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0 && fclose(f) == 0 && rename(tmp, path) == 0);
}

static int set_up(void **state)
{
    static struct files f;
    memcpy(f.dir, "/tmp/news_test_XXXXXX", 22);
    assert_non_null(mkdtemp(f.dir));
    snprintf(f.a, sizeof f.a, "%s/a", f.dir);
    snprintf(f.b, sizeof f.b, "%s/b", f.dir);
    put(f.a, "one");
    put(f.b, "two");
    f.group = (struct news_group){ { f.a, f.b }, 2 };
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, f.line), 0);
    *state = &f;
    return 0;
}

static int tear_down(void **state)
{
    struct files *f = *state;
    unlink(f->a), unlink(f->b), rmdir(f->dir);
    close(f->line[0]), close(f->line[1]);
    return 0;
}

static void expect(int fd, const char *text)
{
    struct buf b;
    buf_init(&b, 64);
    assert_true(err_ok(fd_read_all(fd, &b)) && slice_eq(buf_slice(&b), slice_str(text)));
    buf_done(&b);
    close(fd);
}

static void a_change_is_seen_once(void **state)
{
    struct files *f = *state;
    struct news w;
    news_begin(&w, &f->group, 1);
    assert_false(news_changed(&w, 0));
    put(f->b, "three");
    assert_true(news_changed(&w, 0));
    assert_false(news_changed(&w, 0));
    put(f->b, "three"); /* the same content in a new file may be another ring */
    assert_true(news_changed(&w, 0));
    unlink(f->a);
    assert_true(news_changed(&w, 0));
    assert_false(news_changed(&w, 0));
}

static void descriptors_arrive_and_can_be_read(void **state)
{
    struct files *f = *state;
    struct news w;
    struct news_message m;
    news_begin(&w, &f->group, 1);
    assert_false(news_receive(f->line[1], &m));
    assert_true(news_send(f->line[0], &w, 0));
    put(f->a, "later"); /* what was sent stays what it was */
    assert_true(news_receive(f->line[1], &m));
    assert_true(m.group == 0 && m.n == 2);
    expect(m.fd[0], "one");
    expect(m.fd[1], "two");
    assert_false(news_receive(f->line[1], &m));
}

static void a_missing_file_is_not_sent(void **state)
{
    struct files *f = *state;
    struct news w;
    struct news_message m;
    news_begin(&w, &f->group, 1);
    unlink(f->b);
    assert_false(news_send(f->line[0], &w, 0));
    assert_false(news_receive(f->line[1], &m));
}

/* rsync and cp -p keep times, and a file that is written over keeps its number. */
static void content_of_the_same_length_and_time_is_seen(void **state)
{
    struct files *f = *state;
    struct news w;
    struct stat st;
    assert_int_equal(stat(f->a, &st), 0);
    news_begin(&w, &f->group, 1);
    FILE *over = fopen(f->a, "r+");
    assert_true(over && fputs("two", over) >= 0 && fclose(over) == 0);
    const struct timespec times[2] = { st.st_atim, st.st_mtim };
    usleep(20000); /* the clock of the file system has moved on */
    assert_int_equal(utimensat(AT_FDCWD, f->a, times, 0), 0);
    assert_true(news_changed(&w, 0));
}

static void who_could_not_take_it_up_asks_for_it_again(void **state)
{
    struct files *f = *state;
    size_t group = 99;
    assert_false(news_asked_again(f->line[0], &group));
    news_ask_again(f->line[1], 1);
    assert_true(news_asked_again(f->line[0], &group));
    assert_int_equal(group, 1);
    assert_false(news_asked_again(f->line[0], &group));
    news_ask_again(f->line[1], NEWS_GROUPS_MAX); /* no group of ours */
    assert_false(news_asked_again(f->line[0], &group));
}

static void a_line_that_is_full_or_gone_is_no_failure(void **state)
{
    struct files *f = *state;
    struct news w;
    struct news_message m;
    unsigned sent = 0;
    news_begin(&w, &f->group, 1);
    while (sent < 10000 && news_send(f->line[0], &w, 0))
        sent++;
    assert_in_range(sent, 1, 9999);
    for (unsigned i = 0; i < sent; i++) {
        assert_true(news_receive(f->line[1], &m));
        close(m.fd[0]), close(m.fd[1]);
    }
    assert_true(send(f->line[0], "x", 1, 0) == 1); /* without descriptors */
    assert_false(news_receive(f->line[1], &m));
    close(f->line[1]);
    assert_false(news_send(f->line[0], &w, 0));
    f->line[1] = dup(f->line[0]);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(a_change_is_seen_once), TEST(descriptors_arrive_and_can_be_read), TEST(a_missing_file_is_not_sent),
        TEST(content_of_the_same_length_and_time_is_seen), TEST(who_could_not_take_it_up_asks_for_it_again),
        TEST(a_line_that_is_full_or_gone_is_no_failure),
    };
    return cmocka_run_group_tests_name("news", tests, NULL, NULL);
}
