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
    struct err (*check)(const struct conf *c, const char *config); /* the files that they name can be used; what cannot has been said. May be NULL */
};

/* The words of every daemon:
 *   --config FILE            run
 *   --config FILE --check    looks whether it could be started with it, and starts nothing
 *   --config FILE --show     every setting as it would be in force, and where it comes from
 *   --help [--markdown], --version, --routes
 * What only tells something is answered here; *ret_status: 0, 64 for wrong words, 78 for a file that cannot be used. */
enum conf_wish { CONF_ANSWERED, CONF_CHECK, CONF_RUN };
enum conf_wish conf_asked(int argc, char **argv, const struct conf_program *p, int *ret_status);

/* main() of a daemon. The exit status: 0; 1: run() failed, the log has the error; 64: wrong words; 78: --check, and it could not. */
int conf_main(int argc, char **argv, const struct conf_program *p);

#endif
