#ifndef MOCKS_DESK_DESK_H
#define MOCKS_DESK_DESK_H

/* The desk: doors for the browser of somebody who tries the gateway on one machine and has no client certificate. Development only, a part of the mock nation:
 * no program of the gateway links it (tests/lint/binaries.py).
 *
 * One plain HTTP listener on 127.0.0.1. Each way has a host name of its own, <name>.<key>.localhost, which browsers look up nowhere and take to this machine. The
 * key is random, another one each run, and in a file that only its owner reads: a page of any other site, also one whose name was rebound to this address, and
 * any other user of this machine does not know it, and hears nothing. A request with it goes to one TLS door of this machine, shown a certificate of the way's
 * own, byte for byte: uploads and streams pass. One request a connection. */

#include "gateway/loop/loop.h"

struct desk_way {
    const char *name; /* label of the host name: lower-case letters and '-' */
    unsigned port;    /* of the TLS door on 127.0.0.1 */
    const char *cert; /* certs/<cert>.pem and .key are shown to it; NULL: none */
    const char *page; /* "/console/": what its URL in the file ends with */
};

struct desk_conf {
    unsigned port;
    const char *certs; /* directory, with ca.pem */
    const char *file;  /* "name<TAB>URL", a line a way; 0600; removed by desk_close() */
    const struct desk_way *ways; /* names and pages are borrowed for good */
    size_t n_ways;
};

enum { DESK_WAYS_MAX = 8 };

struct desk;
/* A way whose certificate is not there is left out. IO: the port or the file cannot be had; CONFIG: no ca.pem. */
ERR desk_new(struct desk **ret_d, struct loop *l, const struct desk_conf *conf);
void desk_close(struct desk *d); /* cuts what is under way; NULL is fine */

#endif
