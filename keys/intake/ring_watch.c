#include "keys/intake/ring_watch.h"

#include "keys/intake/setup.h"
#include "keys/intake/work.h"

enum { RECORD_MS = 30000 };

static void on_noted(void *arg, struct err e)
{
    (void)arg;
    if (!err_ok(e))
        LOG(WARN, "keys_change_not_recorded", LF("error", e));
}

static ERR take(void *arg, struct keyring *ring) { return nz_intake_renew_keys(arg, ring); }

/* count: the link keys that open now, of which the intake needs none. */
static void note(void *arg)
{
    struct nz_intake *in = arg;
    struct audit_rec rec = nz_outbox_audit(in, AU_KEYS_CHANGED, "000000", 0);
    audit_append(in->audit, &rec, loop_now(in->loop) + RECORD_MS, on_noted, NULL);
}

struct err nz_ring_watch_new(struct ring_watch **ret_w, struct nz_intake *in)
{
    return ring_watch_new(ret_w, in->loop, in->conf.link_ring, in->conf.link_master, &(struct ring_watch_on){ take, note, in });
}
