#ifndef GW_RELAY_RELAY_H
#define GW_RELAY_RELAY_H

/* A unix socket of this machine in front of a Redis that is elsewhere: what comes in goes to the server that is the master now, byte by byte, and back.
 *
 * The daemons speak to the socket as to a Redis of their own; of TLS, Sentinels, nodes and addresses only this process knows. It holds no key of ours, and opens no sealed value.
 * All connections go to one server at a time: before the first one to another server is made, and before one to a server that was lost, every other has been closed. So
 * nobody is told out of a former master what somebody else has changed at the new one, and what decision 33 says of restarts holds of failovers too. */

#include "gateway/base/secret.h"
#include "gateway/loop/loop.h"
#include "gateway/relay/place.h"
#include "gateway/relay/secure.h"

enum { RELAY_CONNS_MAX = 1024 };

struct relay;
struct relay_conf {
    const char *listen;             /* path */
    const struct place *place;      /* borrowed for good, as all of it */
    struct secure *secure;          /* NULL: plain */
    const char *user;               /* asks a server for its role, and nodes of a Cluster for their slots */
    const struct secret *password;
    const char *sentinel_user;      /* "": Sentinels ask for none */
    const struct secret *sentinel_password;
    const char *tag;                /* of names, for a Cluster */
    bool here_only;                 /* to servers of this machine only, whoever Sentinels or nodes name */
};
ERR relay_new(struct relay **ret_r, struct loop *l, const struct relay_conf *conf); /* IO: nobody can listen there */
void relay_close(struct relay *r); /* NULL is fine */

#endif
