#include "gateway/conf/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

static int check(const struct conf_program *p, const char *path)
{
    struct conf c;
    if (!err_ok(conf_load(&c, p->who, path)))
        return EX_CONFIG;
    struct err e = p->check ? p->check(&c, path) : OK;
    if (!err_ok(e))
        LOG(ERROR, "start_failed", LF("error", e));
    conf_free(&c);
    return err_ok(e) ? EXIT_SUCCESS : EX_CONFIG;
}

static bool is(const char *word, const char *what) { return word && strcmp(word, what) == 0; }

/* Words that need no file. */
static bool told(int argc, char **argv, const struct conf_program *p)
{
    if (argc == 2 && is(argv[1], "--help"))
        conf_print_help(p->who, p->program);
    else if (argc == 3 && is(argv[1], "--help") && is(argv[2], "--markdown"))
        conf_print_markdown(p->who, p->program);
    else if (argc == 2 && is(argv[1], "--version"))
        printf("%s %s\n", p->program, PMHGW_VERSION);
    else if (argc == 2 && p->routes && is(argv[1], "--routes"))
        p->routes();
    else
        return false;
    return true;
}

enum conf_wish conf_asked(int argc, char **argv, const struct conf_program *p, int *ret_status)
{
    *ret_status = EXIT_SUCCESS;
    if (told(argc, argv, p))
        return CONF_ANSWERED;
    bool file = argc >= 3 && is(argv[1], "--config");
    if (file && argc == 3)
        return CONF_RUN;
    if (file && argc == 4 && is(argv[3], "--check"))
        return CONF_CHECK;
    if (file && argc == 4 && is(argv[3], "--show")) {
        *ret_status = err_ok(conf_show(p->who, argv[2])) ? EXIT_SUCCESS : EX_CONFIG;
        return CONF_ANSWERED;
    }
    fprintf(stderr, "%s --config FILE [--check | --show] | --help [--markdown] | --version%s\n", p->program, p->routes ? " | --routes" : "");
    *ret_status = EX_USAGE;
    return CONF_ANSWERED;
}

int conf_main(int argc, char **argv, const struct conf_program *p)
{
    int status;
    log_open(p->daemon, LOG_INFO);
    enum conf_wish wish = conf_asked(argc, argv, p, &status);
    if (wish == CONF_ANSWERED)
        return status;
    if (wish == CONF_CHECK)
        return check(p, argv[2]);
    struct err e = p->run(argv[2]);
    if (err_ok(e))
        return EXIT_SUCCESS;
    LOG(ERROR, "start_failed", LF("error", e));
    return EXIT_FAILURE;
}
