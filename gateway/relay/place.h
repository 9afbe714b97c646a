#ifndef GW_RELAY_PLACE_H
#define GW_RELAY_PLACE_H

/* Where a Redis is that is not on this machine. Addresses of IP only: the daemons resolve no names.
 *
 *   tcp://127.0.0.1:6379                         one server
 *   sentinel://NAME@ADDRESS:PORT,ADDRESS:PORT..  whom most of these Sentinels call the master of that name
 *   cluster://ADDRESS:PORT,ADDRESS:PORT..        whom most of these nodes call the owner of our slot
 *
 * With `tls` as scheme, or `+tls` behind it (sentinel+tls, cluster+tls), everything of it is TLS: also what is said to the Sentinels. An address of IPv6 stands in
 * brackets. */

#include <sys/socket.h>

#include "gateway/base/err.h"
#include "gateway/base/slice.h"

enum { PLACE_ASKED_MAX = 9, PLACE_IP_MAX = 46, PLACE_NAME_MAX = 64 };

struct place_at {
    char ip[PLACE_IP_MAX]; /* as the kernel writes it */
    unsigned port;
};

struct place {
    enum place_kind { PLACE_ONE, PLACE_SENTINEL, PLACE_CLUSTER } kind;
    bool tls;
    char name[PLACE_NAME_MAX]; /* of the master, of PLACE_SENTINEL */
    struct place_at at[PLACE_ASKED_MAX];
    size_t n;
};

/* CONFIG: it is none of these, or names one twice, or too many. */
ERR place_parse(struct slice text, struct place *ret_p);
/* Address and port by themselves, as servers write them. */
bool place_at_parse(struct slice ip, struct slice port, struct place_at *ret_at);
bool place_at_same(const struct place_at *a, const struct place_at *b);
/* false: it is no address of IP. */
bool place_sockaddr(const struct place_at *at, struct sockaddr_storage *ret);
/* Nobody else is on the line. */
bool place_is_loopback(const struct place_at *at);

#endif
