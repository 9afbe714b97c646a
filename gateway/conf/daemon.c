#include "gateway/conf/daemon.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>

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
    if (argc != 3 || strcmp(word, "--config") != 0) {
        fprintf(stderr, "%s --config FILE | --help%s\n", p->program, p->routes ? " | --routes" : "");
        return EX_USAGE;
    }
    struct err e = p->run(argv[2]);
    if (err_ok(e))
        return EXIT_SUCCESS;
    LOG(ERROR, "start_failed", LF("error", e));
    return EXIT_FAILURE;
}
