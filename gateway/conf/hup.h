#ifndef GW_CONF_HUP_H
#define GW_CONF_HUP_H

/* SIGHUP of a daemon that is one process: reads its file anew, takes over what can become another while it works, and says in the log what came of it:
 *
 *   reloaded            everything that the file says is in force
 *   reload_needs_start  the rest takes effect when the daemon is started again; the settings are named on stderr
 *   reload_refused      the file, or one that it names, cannot be used: what is wrong is on stderr or in the log, and nothing has changed */

#include "gateway/base/log.h"
#include "gateway/conf/conf.h"

struct conf_hup {
    enum conf_daemon who;
    struct lit daemon;
    const char *path;         /* of the file */
    struct conf *conf;        /* in force; only its log_level is changed here */
    ERR (*take)(void *ctx, const struct conf *now); /* takes over what is `live` for the daemon in params.def, but for log_level: all or nothing; what is wrong has been said. NULL: there is nothing to take over */
    void *ctx;
};

/* A loop_fn: arg is the struct conf_hup. */
void conf_hup(void *arg);

#endif
