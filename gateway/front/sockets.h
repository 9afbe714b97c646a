#ifndef GW_FRONT_SOCKETS_H
#define GW_FRONT_SOCKETS_H

/* The listening sockets of the doors: opened once by the supervisor, and open for as long as it runs, whoever the workers are. What waits in the queue of a socket
 * that is closed would be reset. Every worker has sockets of its own (SO_REUSEPORT), so that the kernel spreads connections; workers that go leave theirs to the others. A socket that systemd hands over (inherited_tcp) is
 * that of all of them. */

#include <stdint.h>

#include "gateway/base/err.h"

enum { DOORS_MAX = 2, SOCKETS_MAX = 64 };

struct door_at { const char *host; uint64_t port; };
struct sockets { unsigned doors, n /* of each door */; int fd[DOORS_MAX][SOCKETS_MAX]; };

/* At least n for each of s->doors doors; those that are there stay. IO: errno tells. */
ERR sockets_grow(struct sockets *s, const struct door_at at[static DOORS_MAX], unsigned n);
/* Those of the i-th of n workers into out; how many. */
unsigned sockets_of(const struct sockets *s, unsigned door, unsigned i, unsigned n, int out[static SOCKETS_MAX]);
/* In the worker: closes those of the others. */
void sockets_leave(const struct sockets *s, unsigned i, unsigned n);
/* 0, or errno: why nobody can listen there. Asked without SO_REUSEPORT, so that another program is noticed instead of sharing the port with it. */
int sockets_taken(const struct door_at *at);

#endif
