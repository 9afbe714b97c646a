#include "gateway/conf/hup.h"

#include <stdio.h>

enum { NAMES_MAX = 8192 };

/* What is another, and was not taken over. */
static bool tell_rest(const struct conf_hup *h, const struct conf *now)
{
    struct buf names;
    buf_init(&names, NAMES_MAX);
    conf_differ(h->conf, now, h->who, &names);
    bool any = names.n > 0 || names.failed;
    if (any)
        fprintf(stderr, "%s:%s: 起動し直すと有効になります / in force when it is started again\n", h->path, buf_cstr(&names) ? buf_cstr(&names) : "");
    buf_done(&names);
    return any;
}

void conf_hup(void *arg)
{
    struct conf_hup *h = arg;
    struct conf now;
    struct err e = conf_load(&now, h->who, h->path);
    bool read = err_ok(e);
    if (read && h->take)
        e = h->take(h->ctx, &now);
    if (!err_ok(e)) {
        LOG(NOTE, "reload_refused", LF("error", e));
    } else {
        h->conf->log_level = now.log_level;
        log_open(h->daemon, (enum log_level)now.log_level);
        if (tell_rest(h, &now))
            LOG(NOTE, "reload_needs_start");
        else
            LOG(NOTE, "reloaded");
    }
    if (read)
        conf_free(&now);
}
