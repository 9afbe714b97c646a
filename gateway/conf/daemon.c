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
    struct err e = p->check ? p->check(&c) : OK;
    if (!err_ok(e))
        LOG(ERROR, "start_failed", LF("error", e));
    conf_free(&c);
    return err_ok(e) ? EXIT_SUCCESS : EX_CONFIG;
}

int conf_main(int argc, char **argv, const struct conf_program *p)
{
    const char *word = argc > 1 ? argv[1] : "";
    log_open(p->daemon, LOG_INFO);
    if (argc == 2 && strcmp(word, "--help") == 0) {
        conf_print_help(p->who, p->program);
        return EXIT_SUCCESS;
    }
    if (argc == 2 && p->routes && strcmp(word, "--routes") == 0) {
        p->routes();
        return EXIT_SUCCESS;
    }
    bool checks = argc == 4 && strcmp(argv[3], "--check") == 0;
    if ((argc != 3 && !checks) || strcmp(word, "--config") != 0) {
        fprintf(stderr, "%s --config FILE [--check] | --help%s\n", p->program, p->routes ? " | --routes" : "");
        return EX_USAGE;
    }
    if (checks)
        return check(p, argv[2]);
    struct err e = p->run(argv[2]);
    if (err_ok(e))
        return EXIT_SUCCESS;
    LOG(ERROR, "start_failed", LF("error", e));
    return EXIT_FAILURE;
}
