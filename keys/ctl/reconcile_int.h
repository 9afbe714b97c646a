#ifndef KEYS_CTL_RECONCILE_INT_H
#define KEYS_CTL_RECONCILE_INT_H

/* What pmhgw reconcile knows of the store, of the log, and of what it did. */

#include "keys/ctl/link_line.h"
#include "keys/ctl/replay.h"
#include "keys/ctl/replay_rows.h"

struct reconcile {
    const struct state *s;
    bool dry, all, to_vrs;
    struct link_line *line;
    struct keyring *ring;
    struct store *store;
    struct secret *audit_cap, *vault_cap;
    uint64_t now_ms, epoch, log, last; /* numbers of the store and of the log; the log's last entry when this began */
    struct redis_batch *acts;          /* that are collected */
    uint64_t count[REPLAY__MAX], failed, told_at;
    uint64_t lost_tasks, lost_rows, lost_marks, lost_from_ms, lost_links, lost_certificates, dropped_rows, vrs_marks;
    struct replay_rows *rows;
};

uint64_t reconcile__replayed(const struct reconcile *r); /* acts */
void reconcile__tell(const struct reconcile *r);         /* what was replayed, and what is lost */
/* The last line; older: the store was. The exit status. */
int reconcile__verdict(const struct reconcile *r, bool older);

#endif
