#ifndef GW_SIGNER_DAEMON_H
#define GW_SIGNER_DAEMON_H

/* pmhgw-signer without its main: the socket, who may say what, and the keys behind it. */

#include "gateway/signer/box_of_keys.h"

struct signer_daemon;

struct signer_daemon_conf {
    const char *socket_path;
    struct secret *cap_front, *cap_ctl; /* moved in; the command may ask for the public keys only */
    struct secret *cap_courier;         /* moved in; NULL: there is none. It may sign messages, and the front may not */
    struct key_box *keys;               /* moved in */
};

/* Errors of ipc_server_new(). */
ERR signer_daemon_new(struct signer_daemon **ret_d, struct loop *l, struct signer_daemon_conf conf);
void signer_daemon_leave(struct signer_daemon *d); /* lets the clients go, who find the next daemon, then closes */
void signer_daemon_close(struct signer_daemon *d); /* and frees the keys */

#endif
