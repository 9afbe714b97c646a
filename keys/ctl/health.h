#ifndef KEYS_CTL_HEALTH_H
#define KEYS_CTL_HEALTH_H

/* What `status` and `doctor` ask of each process of the state. */

#include "keys/ctl/probe.h"

struct health {
    const char *name;    /* literal */
    int pid;             /* 0: nobody wrote one: it does not run, or systemd has started it */
    unsigned processes;  /* with its workers */
    uint64_t memory_kib; /* proportional share (PSS) of all of them; resident size where that may not be read */
    bool memory_is_pss;
    struct err answer;   /* OK, or how it failed to answer */
    bool relay;          /* of a Redis: it is elsewhere, and this is the relay to it */
};

static inline bool health_runs(const struct health *h) { return h->pid || err_ok(h->answer); }

/* In the order of probe_part(). The mocks are left out when they were not started. */
size_t health_read(const struct state *s, struct health out[static PROBE_PARTS]);

#endif
