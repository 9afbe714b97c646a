#ifndef GW_AUDIT_DAEMON_H
#define GW_AUDIT_DAEMON_H

/* pmhgw-audit without its main: the socket, who may say what, and the writer behind it. */

#include "gateway/audit/writer.h"

struct audit_daemon;

struct audit_daemon_conf {
    const char *socket_path;
    const char *dir;
    struct secret *caps[IPC__ROLES]; /* intake, front, vault, ctl; moved in */
    const struct audit_disk *disk;
    const char *origin;              /* name of the log in its checkpoints; borrowed for the call */
    const struct secret *sign_seed;  /* key that signs them; borrowed for the call. NULL: no tree is kept (tests) */
    unsigned keep_days;              /* whole segments that are older lose their entries; 0: everything is kept */
};

/* Opens the log and the socket and appends AUDIT_START. Errors of audit_writer_new, audit_keeper_new and ipc_server_new. */
ERR audit_daemon_new(struct audit_daemon **ret_d, struct loop *l, struct audit_daemon_conf conf);
/* Commits what has arrived, replies, closes and frees. */
/* First lets the clients go, who find the next daemon. */
void audit_daemon_leave(struct audit_daemon *d);
void audit_daemon_close(struct audit_daemon *d);

/* Whether a daemon in this role can have seen such an event. */
bool audit_event_plausible(enum ipc_role from, enum audit_event event);

#endif
