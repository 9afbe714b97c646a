#ifndef KEYS_CTL_SOCKETS_H
#define KEYS_CTL_SOCKETS_H

/* Sockets that `up` keeps open for the daemons that are one process each: while one is exchanged for another, callers wait in the queue. */

#include "gateway/base/err.h"

/* Bound, not listening: nobody can connect before there was a daemon. IO with errno. */
ERR sockets_tcp(unsigned port, int *ret_fd); /* on 127.0.0.1 */
ERR sockets_unix(const char *path, int *ret_fd); /* mode 0600; an old socket file is replaced */

#endif
