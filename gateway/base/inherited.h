#ifndef GW_BASE_INHERITED_H
#define GW_BASE_INHERITED_H

/* Listening sockets that whoever started this process keeps open (`pmhgw up`, systemd: LISTEN_PID, LISTEN_FDS): callers wait in their queue while one process
 * takes the place of another. They are known by the address that they are bound to. */

/* A descriptor, or -1: there is none with that address. It is the caller's. */
int inherited_unix(const char *path);
int inherited_tcp(const char *host, unsigned port);

#endif
