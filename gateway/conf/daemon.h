#ifndef GW_CONF_DAEMON_H
#define GW_CONF_DAEMON_H

#include "gateway/base/log.h"
#include "gateway/conf/conf.h"

struct conf_program {
    enum conf_daemon who;
    struct lit daemon;                     /* its name in the log */
    const char *program;                   /* pmhgw-... */
    struct err (*run)(const char *config); /* until it is told to stop */
    void (*routes)(void);                  /* prints them; NULL: there is no --routes */
    struct err (*check)(const struct conf *c); /* the files that they name can be used; what cannot has been said. May be NULL */
};

/* main() of a daemon: --config FILE, --help, --routes. With --check behind the file: looks whether it could be started with it, and starts nothing.
 * The exit status: 0; 1: run() failed, the log has the error; 64: wrong words; 78: --check, and it could not. */
int conf_main(int argc, char **argv, const struct conf_program *p);

#endif
