#ifndef KEYS_CTL_TASKS_H
#define KEYS_CTL_TASKS_H

/* The subcommands of `pmhgw tasks`. Each returns the exit status. */

#include "keys/ctl/muni_door.h"

struct tasks_opts {
    const char *task;    /* NULL: none was named */
    const char *rows, *officer, *verify, *receipt, *out;
    bool all, failed, csv, json, jsonl, no_wait;
    uint64_t timeout_s, show;
};
typedef int tasks_fn(struct muni_door *d, const struct tasks_opts *o);

tasks_fn tasks_list, tasks_show, tasks_follow, tasks_results, tasks_undo, tasks_cancel; /* tasks_look.c */
tasks_fn tasks_receipt;                                                   /* tasks_receipt.c */
tasks_fn tasks_release, tasks_discard, tasks_replay;                      /* tasks_held.c */

#endif
