#ifndef GW_AUDIT_DAEMON_INT_H
#define GW_AUDIT_DAEMON_INT_H

/* Shared by daemon.c and answers.c only. */

#include "gateway/audit/daemon.h"
#include "gateway/audit/keeper.h"
#include "gateway/audit/reader.h"
#include "gateway/audit/retain.h"
#include "gateway/audit/use_desk.h"
#include "gateway/metrics/metrics.h"

struct audit_daemon {
    struct loop *loop;
    struct audit_writer *writer;
    struct audit_reader *reader;
    struct audit_keeper *keeper; /* NULL: no key to sign with was given (tests) */
    struct use_desk *uses;
    struct audit_retain *retain; /* NULL: everything is kept */
    struct ipc_server *server;
    const char *dir;
    struct timer *start_again;   /* AUDIT_START could not be written yet */
    struct timer *breach_later;  /* counts breaches, so that a flood of them is one record a second */
    struct timer *disk_watch;
    uint64_t warned_ms;          /* loop_now() of the last line about the disk; 0: none */
    uint32_t breaches;
    uint32_t cut;
    struct { metric *entries, *commits, *breaches; } count;
    bool closing;
};

/* answers.c: what is asked about the log. */
ipc_handler_fn audit_on_find, audit_on_prove, audit_on_checkpoint, audit_on_epoch, audit_on_acts, audit_on_status;
void audit_disk_look(void *daemon);

#endif
