#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "gateway/conf/daemon.h"
#include "gateway/conf/hup.h"
#include "gateway/conf/setting.h"

#define AUDIT                                                             \
    "audit_socket: /run/a.sock\naudit_dir: /var/a\n"                      \
    "audit_cap_intake_file: /k/i\naudit_cap_front_file: /k/f\n"           \
    "audit_cap_vault_file: /k/v\naudit_cap_ctl_file: /k/c\n"            \
    "audit_sign_key: /k/s\n"

static struct err parse(struct conf *c, enum conf_daemon who, struct slice yaml, struct buf *line)
{
    buf_init(line, 8192);
    return conf_parse(c, who, "x.yaml", yaml, line);
}

static void good_file_is_read(void **state)
{
    (void)state;
    struct conf c;
    struct buf line;
    assert_int_equal(parse(&c, CONF_A, LIT("# comment\n" AUDIT "log_level: 3\nuid: '7'\n"), &line).code, E_OK);
    assert_string_equal(c.audit_socket, "/run/a.sock");
    assert_string_equal(c.audit_cap_ctl_file, "/k/c");
    assert_int_equal(c.log_level, 3);
    assert_int_equal(c.uid, 7);
    assert_null(c.vault_socket);
    assert_int_equal(line.n, 0);
    conf_free(&c);
    assert_null(c.audit_socket);
}

static void defaults_are_set(void **state)
{
    (void)state;
    struct conf c;
    struct buf line;
    assert_int_equal(parse(&c, CONF_A, LIT(AUDIT), &line).code, E_OK);
    assert_int_equal(c.log_level, 1);
    assert_int_equal(c.uid, 0);
    assert_int_equal(c.workers, 0); /* the front's, not the audit's */
    assert_null(c.door_host);
    conf_free(&c);
}

struct bad_case {
    const char *name, *yaml, *at, *says;
};

static const struct bad_case BAD[] = {
    { "unknown setting", AUDIT "audit_sockets: /x\n", "x.yaml:8:1: audit_sockets:", "no such setting" },
    { "unknown setting that could be a value is not shown", AUDIT "123456789012: /x\n", "x.yaml:8:1: -:", "no such setting" },
    { "setting of another daemon", AUDIT "vault_master: /x\n", "x.yaml:8:1: vault_master:", "another daemon" },
    { "twice", AUDIT "audit_dir: /x\n", "x.yaml:8:1: audit_dir:", "given twice" },
    { "list as value", AUDIT "log_level: [1]\n", "x.yaml:8:12: log_level:", "one text or number" },
    { "mapping as value", AUDIT "log_level:\n  a: 1\n", "x.yaml:9:3: log_level:", "one text or number" },
    { "above the range", AUDIT "log_level: 4\n", "x.yaml:8:12: log_level:", "[0..3 0-3]" },
    { "not a number", AUDIT "uid: root\n", "x.yaml:8:6: uid:", "whole number" },
    { "negative", AUDIT "uid: -1\n", "x.yaml:8:6: uid:", "whole number" },
    { "leading zero", AUDIT "uid: 010\n", "x.yaml:8:6: uid:", "whole number" },
    { "too large for 64 bits", AUDIT "uid: 99999999999999999999\n", "x.yaml:8:6: uid:", "whole number" },
    { "number left out", AUDIT "uid:\n", "x.yaml:8:5: uid:", "whole number" },
    { "text left out", "audit_dir:\n", "x.yaml:1:11: audit_dir:", "empty" },
    { "empty text", "audit_dir: \"\"\n", "x.yaml:1:12: audit_dir:", "empty" },
    { "control character", "audit_dir: \"/a\\0b\"\n", "x.yaml:1:12: audit_dir:", "not allowed" },
    { "required is missing", "log_level: 1\n", "x.yaml:1:1: audit_socket:", "required" },
    { "alias", "audit_dir: &a /x\n", "x.yaml:1:12: audit_dir:", "anchors" },
    { "tag", "audit_dir: !!str /x\n", "x.yaml:1:12: audit_dir:", "anchors" },
    { "undefined alias", "audit_dir: *a\n", "x.yaml:1:12: audit_dir:", "anchors" },
    { "anchor on the name", "&a audit_dir: /x\n", "x.yaml:1:1: -:", "anchors" },
    { "list as name", "? [a]\n: b\n", "x.yaml:1:3: -:", "flat list" },
    { "list at the top", "- a\n", "x.yaml:1:1: -:", "flat list" },
    { "text at the top", "hello\n", "x.yaml:1:1: -:", "flat list" },
    { "empty file", "", "x.yaml:1:1: -:", "flat list" },
    { "two documents", AUDIT "---\n" AUDIT, "x.yaml:8:1: -:", "flat list" },
    { "broken YAML", "audit_dir: \"abc\n", "x.yaml:2:1: -:", "not valid YAML" },
    { "not UTF-8", "audit_dir: \xff\n", "x.yaml:1:1: -:", "not valid YAML" },
};

static void bad_files_are_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof BAD / sizeof BAD[0]; i++) {
        struct conf c;
        struct buf line;
        struct err e = parse(&c, CONF_A, slice_str(BAD[i].yaml), &line);
        const char *said = buf_cstr(&line);
        if (e.code != E_CONFIG || strncmp(said, BAD[i].at, strlen(BAD[i].at)) != 0 || !strstr(said, BAD[i].says))
            fail_msg("%s: code %s, said \"%s\"", BAD[i].name, err_slug(e.code), said ? said : "");
        assert_null(strchr(said, '\n'));
        buf_done(&line);
    }
}

static void values_are_not_repeated(void **state)
{
    (void)state;
    struct conf c;
    struct buf line;
    assert_int_equal(parse(&c, CONF_A, LIT(AUDIT "uid: 123456789018\n"), &line).code, E_CONFIG);
    assert_null(strstr(buf_cstr(&line), "123456789018"));
    buf_done(&line);
}

static void too_large_is_refused(void **state)
{
    (void)state;
    char *big = test_malloc(CONF_FILE_MAX + 1);
    memset(big, '\n', CONF_FILE_MAX + 1);
    struct conf c;
    struct buf line;
    assert_int_equal(parse(&c, CONF_A, slice_of(big, CONF_FILE_MAX + 1), &line).code, E_CONFIG);
    assert_non_null(strstr(buf_cstr(&line), "too large"));
    buf_done(&line);
    test_free(big);
}

static void long_text_is_refused(void **state)
{
    (void)state;
    struct buf yaml, line;
    struct conf c;
    buf_init(&yaml, 4096);
    buf_puts(&yaml, "audit_dir: /");
    for (int i = 0; i < CONF_TEXT_MAX; i++)
        buf_putc(&yaml, 'a');
    assert_int_equal(parse(&c, CONF_A, buf_slice(&yaml), &line).code, E_CONFIG);
    assert_non_null(strstr(buf_cstr(&line), "too long"));
    buf_done(&line);
    buf_done(&yaml);
}

static void file_is_loaded(void **state)
{
    (void)state;
    char path[] = "/tmp/conf_test_XXXXXX";
    int fd = mkstemp(path);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, AUDIT, sizeof AUDIT - 1), sizeof AUDIT - 1);
    close(fd);
    struct conf c;
    assert_int_equal(conf_load(&c, CONF_A, path).code, E_OK);
    assert_string_equal(c.audit_dir, "/var/a");
    conf_free(&c);
    unlink(path);
    assert_int_equal(conf_load(&c, CONF_A, path).code, E_CONFIG);
    assert_int_equal(conf_load(&c, CONF_A, "/tmp").code, E_CONFIG);
}

static void table_is_sound(void **state)
{
    (void)state;
    for (size_t i = 0; i < SETTINGS_N; i++) {
        const struct setting *s = settings_at(i);
        assert_ptr_equal(settings_find(slice_str(s->name)), s);
        assert_true(s->who != 0 && s->who < CONF__END);
        if (s->kind == SETTING_NUM)
            assert_true(s->min <= s->num_def && s->num_def <= s->max);
        assert_true(*s->help && *s->ja);
        assert_int_equal(strstr(s->help, "optional") != NULL, strstr(s->ja, "任意") != NULL);
        assert_int_equal(s->live & ~s->who, 0);
        assert_int_equal(s->live & (CONF_V | CONF_S), 0); /* they open no file once they run */
    }
    assert_false(setting_required(settings_find(LIT("door_host"))));
    assert_true(setting_required(settings_find(LIT("door_cert"))));
}

struct shown { char text[4096]; unsigned n_default, n_secret; };

static void note_row(void *arg, const struct conf_row *row)
{
    struct shown *s = arg;
    size_t n = strlen(s->text);
    if (row->line)
        snprintf(s->text + n, sizeof s->text - n, "%s=%s@%u ", row->name, row->text ? row->text : "", row->line);
    s->n_default += !row->line;
    s->n_secret += row->secret;
}

static void what_is_in_force_is_shown_with_its_source(void **state)
{
    (void)state;
    char path[] = "/tmp/conf_test_XXXXXX";
    int fd = mkstemp(path);
    struct shown s = { .n_default = 0 };
    assert_true(fd >= 0);
    assert_int_equal(write(fd, AUDIT, sizeof AUDIT - 1), sizeof AUDIT - 1);
    close(fd);
    assert_int_equal(conf_each(CONF_A, path, note_row, &s).code, E_OK);
    assert_string_equal(s.text, "audit_socket=/run/a.sock@1 audit_dir=/var/a@2 audit_sign_key=/k/s@7 audit_cap_intake_file=/k/i@3 audit_cap_front_file=/k/f@4 "
                                "audit_cap_vault_file=/k/v@5 audit_cap_ctl_file=/k/c@6 ");
    assert_true(s.n_default > 3 && s.n_secret == 6);
    const struct conf_spot named = conf_find(CONF_A, path, "audit_sign_key"), unnamed = conf_find(CONF_A, path, "log_level"), none = conf_find(CONF_A, "/nowhere", "audit_dir");
    assert_true(named.line == 7 && named.column == 1 && unnamed.line == 1 && unnamed.column == 1 && none.line == 1);
    fd = open(path, O_WRONLY | O_APPEND);
    assert_int_equal(write(fd, "no_such: 1\n", 11), 11);
    close(fd);
    s = (struct shown){ .n_default = 0 };
    assert_int_equal(conf_each(CONF_A, path, note_row, &s).code, E_CONFIG);
    assert_int_equal(s.n_default, 0);
    unlink(path);
}

static void credentials_are_what_systemd_handed_over(void **state)
{
    (void)state;
    static const char *const REFUSED[] = { "credential:", "credential:../x", "credential:a/b", "credential:.." };
    struct conf c;
    struct buf line;
    unsetenv("CREDENTIALS_DIRECTORY");
    assert_int_equal(parse(&c, CONF_A, LIT(AUDIT "audit_cap_courier_file: credential:c\n"), &line).code, E_CONFIG);
    assert_non_null(strstr(buf_cstr(&line), "x.yaml:8:25: audit_cap_courier_file:"));
    buf_done(&line);
    setenv("CREDENTIALS_DIRECTORY", "/run/credentials/a", 1);
    assert_int_equal(parse(&c, CONF_A, LIT(AUDIT "audit_cap_courier_file: credential:c\n"), &line).code, E_OK);
    assert_string_equal(c.audit_cap_courier_file, "/run/credentials/a/c");
    conf_free(&c);
    for (size_t i = 0; i < sizeof REFUSED / sizeof *REFUSED; i++) {
        char yaml[1024];
        snprintf(yaml, sizeof yaml, AUDIT "audit_cap_courier_file: \"%s\"\n", REFUSED[i]);
        assert_int_equal(parse(&c, CONF_A, slice_str(yaml), &line).code, E_CONFIG);
        buf_done(&line);
    }
    unsetenv("CREDENTIALS_DIRECTORY");
}

static void a_secret_stands_in_no_file_and_is_closed(void **state)
{
    (void)state;
    char path[] = "/tmp/conf_test_XXXXXX", key[] = "/tmp/conf_test_XXXXXX", more[128];
    struct conf c;
    struct buf line;
    buf_init(&line, 8192);
    assert_int_equal(conf_parse(&c, CONF_S, "x.yaml", LIT("signer_shc_uri: \"pkcs11:object=k?pin-value=000000\"\n"), &line).code, E_CONFIG);
    assert_null(strstr(buf_cstr(&line), "000000"));
    buf_done(&line);
    close(mkstemp(path));
    close(mkstemp(key));
    snprintf(more, sizeof more, "audit_cap_courier_file: %s\n", key);
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "%s%s", AUDIT, more) > 0);
    assert_int_equal(fclose(f), 0);
    assert_int_equal(chmod(key, 0604), 0);
    assert_int_equal(conf_load(&c, CONF_A, path).code, E_CONFIG);
    assert_int_equal(chmod(key, 0640), 0);
    assert_int_equal(conf_load(&c, CONF_A, path).code, E_OK);
    conf_free(&c);
    unlink(path);
    unlink(key);
}

static const char *ran;
static struct err run_well(const char *config) { ran = config; return OK; }
static struct err run_ill(const char *config) { ran = config; return FAIL(E_IO); }

static void words_of_a_daemon(void **state)
{
    (void)state;
    static const struct { const char *word, *file; struct err (*run)(const char *); int status; bool runs; } CASES[] = {
        { "--config", "a.yaml", run_well, 0, true }, { "--config", "a.yaml", run_ill, 1, true }, { "--help", NULL, run_ill, 0, false },
        { "--config", NULL, run_well, 64, false }, { "--other", "a.yaml", run_well, 64, false }, { NULL, NULL, run_well, 64, false },
        { "--routes", NULL, run_well, 64, false }, { "--version", NULL, run_ill, 0, false }, { "--help", "--markdown", run_ill, 0, false }, { "--help", "--other", run_ill, 64, false },
    };
    for (size_t i = 0; i < sizeof CASES / sizeof CASES[0]; i++) {
        char name[] = "pmhgw-audit", word[16] = "", file[16] = "";
        char *argv[] = { name, word, file, NULL };
        if (CASES[i].word)
            strcpy(word, CASES[i].word);
        if (CASES[i].file)
            strcpy(file, CASES[i].file);
        ran = NULL;
        const int argc = 1 + (CASES[i].word != NULL) + (CASES[i].file != NULL);
        assert_int_equal(conf_main(argc, argv, &(struct conf_program){ CONF_A, LITERAL("audit"), name, CASES[i].run, NULL, NULL }), CASES[i].status);
        assert_int_equal(ran != NULL, CASES[i].runs);
        if (ran)
            assert_string_equal(ran, "a.yaml");
    }
}

/* A file with AUDIT and `more`; path: of it. */
static void put_file(const char *path, const char *more)
{
    FILE *f = fopen(path, "w");
    assert_non_null(f);
    assert_true(fprintf(f, "%s%s", AUDIT, more) > 0);
    assert_int_equal(fclose(f), 0);
}

static void who_tells_it_himself_gets_the_line(void **state)
{
    (void)state;
    char path[] = "/tmp/pmhgw-conf-XXXXXX", want[64];
    const int fd = mkstemp(path);
    struct conf c;
    struct buf line;
    assert_true(fd >= 0);
    close(fd);
    put_file(path, "");
    buf_init(&line, CONF_LINE_MAX);
    assert_int_equal(conf_read(&c, CONF_A, path, &line).code, E_OK);
    assert_int_equal(line.n, 0);
    conf_free(&c);
    put_file(path, "log_level: 9\n");
    assert_int_equal(conf_read(&c, CONF_A, path, &line).code, E_CONFIG);
    snprintf(want, sizeof want, "%s:", path);
    assert_memory_equal(line.p, want, strlen(want));
    assert_non_null(strstr(buf_cstr(&line), ": log_level: "));
    assert_null(strchr(buf_cstr(&line), '\n'));
    buf_reset(&line);
    unlink(path);
    assert_int_equal(conf_read(&c, CONF_A, path, &line).code, E_CONFIG);
    assert_true(line.n > 0);
    buf_done(&line);
}

static void what_differs_between_two_readings_is_named(void **state)
{
    (void)state;
    struct conf a, b;
    struct buf line, names;
    assert_int_equal(parse(&a, CONF_A, LIT(AUDIT "log_level: 1\nuid: 7\n"), &line).code, E_OK);
    assert_int_equal(parse(&b, CONF_A, LIT(AUDIT "log_level: 2\naudit_keep_days: 5\naudit_origin: other\nuid: 7\n"), &line).code, E_OK);
    buf_init(&names, 256);
    conf_differ(&a, &b, CONF_A, &names);
    assert_string_equal(buf_cstr(&names), " audit_origin audit_keep_days");
    buf_reset(&names);
    conf_differ(&a, &a, CONF_A, &names);
    assert_int_equal(names.n, 0);
    assert_int_equal(conf_fixed(&a, &b, CONF_A, "x.yaml").code, E_CONFIG);
    conf_free(&b);
    assert_int_equal(parse(&b, CONF_A, LIT(AUDIT "log_level: 2\nuid: 7\n"), &line).code, E_OK);
    assert_int_equal(conf_fixed(&a, &b, CONF_A, "x.yaml").code, E_OK);
    buf_done(&names);
    conf_free(&a);
    conf_free(&b);
}

struct taking { unsigned times; bool refuse; };

static struct err take(void *ctx, const struct conf *now)
{
    struct taking *t = ctx;
    t->times++;
    assert_string_equal(now->audit_dir, "/var/a");
    return t->refuse ? FAIL(E_CONFIG) : OK;
}

static void a_hangup_takes_over_all_or_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/conf_test_XXXXXX";
    int fd = mkstemp(path);
    struct conf c;
    struct taking t = { 0 };
    assert_true(fd >= 0);
    close(fd);
    put_file(path, "log_level: 2\n");
    assert_int_equal(conf_load(&c, CONF_A, path).code, E_OK);
    struct conf_hup h = { .who = CONF_A, .daemon = LITERAL("pmhgw"), .path = path, .conf = &c, .take = take, .ctx = &t };
    put_file(path, "log_level: 3\nno_such: 1\n");
    conf_hup(&h);
    assert_true(c.log_level == 2 && t.times == 0); /* it cannot be read */
    put_file(path, "log_level: 3\n");
    t.refuse = true;
    conf_hup(&h);
    assert_true(c.log_level == 2 && t.times == 1); /* a part refused it */
    t.refuse = false;
    conf_hup(&h);
    assert_true(c.log_level == 3 && t.times == 2);
    put_file(path, "log_level: 1\naudit_origin: other\n");
    conf_hup(&h);
    assert_true(c.log_level == 1 && t.times == 3);
    assert_string_equal(c.audit_origin, "pmhgw.local/audit"); /* needs a start */
    unlink(path);
    conf_hup(&h);
    assert_true(c.log_level == 1 && t.times == 3);
    conf_free(&c);
    log_open(LITERAL("pmhgw"), LOG_INFO);
}

static struct err files_good(const struct conf *c, const char *config) { assert_string_equal(c->audit_dir, "/var/a"); assert_int_equal(access(config, R_OK), 0); return OK; }
static struct err files_bad(const struct conf *c, const char *config) { (void)c; (void)config; return FAIL(E_SEAL); }

static void a_check_starts_nothing(void **state)
{
    (void)state;
    char path[] = "/tmp/conf_test_XXXXXX", name[] = "pmhgw-audit", word[] = "--config", last[] = "--check";
    int fd = mkstemp(path);
    char *argv[] = { name, word, path, last, NULL };
    assert_true(fd >= 0);
    close(fd);
    ran = NULL;
    struct conf_program p = { .who = CONF_A, .daemon = LITERAL("audit"), .program = name, .run = run_well };
    put_file(path, "");
    assert_int_equal(conf_main(4, argv, &p), 0);
    p.check = files_good;
    assert_int_equal(conf_main(4, argv, &p), 0);
    p.check = files_bad;
    assert_int_equal(conf_main(4, argv, &p), 78);
    p.check = files_good;
    put_file(path, "wrong: 1\n");
    assert_int_equal(conf_main(4, argv, &p), 78);
    last[2] = 'x';
    assert_int_equal(conf_main(4, argv, &p), 64);
    assert_null(ran);
    unlink(path);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(good_file_is_read),      cmocka_unit_test(defaults_are_set),     cmocka_unit_test(bad_files_are_refused),
        cmocka_unit_test(values_are_not_repeated), cmocka_unit_test(too_large_is_refused), cmocka_unit_test(long_text_is_refused),
        cmocka_unit_test(file_is_loaded),         cmocka_unit_test(table_is_sound),       cmocka_unit_test(who_tells_it_himself_gets_the_line),
        cmocka_unit_test(what_is_in_force_is_shown_with_its_source),
        cmocka_unit_test(credentials_are_what_systemd_handed_over),
        cmocka_unit_test(a_secret_stands_in_no_file_and_is_closed), cmocka_unit_test(words_of_a_daemon),
        cmocka_unit_test(what_differs_between_two_readings_is_named), cmocka_unit_test(a_hangup_takes_over_all_or_nothing), cmocka_unit_test(a_check_starts_nothing),
    };
    return cmocka_run_group_tests_name("conf", tests, NULL, NULL);
}
