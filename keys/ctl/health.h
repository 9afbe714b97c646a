#ifndef KEYS_CTL_HEALTH_H
#define KEYS_CTL_HEALTH_H

/* What `status` and `doctor` ask of each process of the state. */

#include "keys/ctl/probe.h"

struct health {
    const char *name;    /* literal */
    int pid;             /* 0: not running */
    unsigned processes;  /* with its workers */
    uint64_t memory_kib; /* proportional share (PSS) of all of them; resident size where that may not be read */
    bool memory_is_pss;
    struct err answer;   /* OK, or how it failed to answer */
};

/* In the order of probe_part(). The mocks are left out when they were not started. */
size_t health_read(const struct state *s, struct health out[static PROBE_PARTS]);

#endif
