#ifndef CONNECTORS_CORE_ADDRESS_H
#define CONNECTORS_CORE_ADDRESS_H

/* Addresses that lead into this machine or its network, and not to a partner. Sans I/O. */

#include <stdbool.h>
#include <sys/socket.h>

/* Loopback, private, link-local, shared, multicast, unspecified and the IPv6 forms that hold such an IPv4 address; also what is neither IPv4 nor IPv6. */
bool address_is_inside(const struct sockaddr *a);

#endif
