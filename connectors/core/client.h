#ifndef CONNECTORS_CORE_CLIENT_H
#define CONNECTORS_CORE_CLIENT_H

/* HTTPS to partners: libcurl's multi interface on our loop. TLS 1.3, our client certificate, the configured CA only, no redirects,
 * no proxy, no netrc, https only, answers up to a limit, everything under a deadline. */

#include "gateway/base/buf.h"
#include "gateway/loop/loop.h"

struct client;
struct client_conf {
    const char *ca_path, *cert_path, *key_path; /* PEM */
    unsigned conns_max;                         /* connections at a time, to all partners; at least 1 */
    unsigned queue_max;                         /* requests waiting or running; more end with BUSY */
    bool outside_only;                          /* an address inside (address.h) is not connected to, whatever name led there: CONFIG */
};
/* Once per process, while it has one thread, before client_new; makes libcurl wipe what it frees. */
ERR client_setup(void);
/* Reads the three files, so that none is opened later. CONFIG: unreadable, or others may read the key. */
ERR client_new(struct client **ret_c, struct loop *l, const struct client_conf *conf);
void client_close(struct client *c); /* pending requests end with CANCELED, from the loop */

struct client_req {
    const char *method;        /* "GET", "POST", "PUT": literal */
    const char *url;           /* copied */
    const char *content_type;  /* literal or NULL */
    const char *bearer;        /* access token or NULL; copied */
    const char *header;        /* one more header, "Name: value", or NULL; copied */
    size_t answer_max;         /* bytes of the answer's body */
    unsigned timeout_ms;
};
/* e OK: an HTTP status came (any); body: borrowed for the call, wiped afterwards.
 * UPSTREAM_DOWN: refused, lost, late, TLS; UPSTREAM_BAD: not HTTP, too large; CONFIG: the url is not https; BUSY, CANCELED, NOMEM. Foreign texts are never passed on. */
typedef void client_done_fn(void *arg, struct err e, int status, struct slice body);
/* Takes the bytes of body (swapped out of *body). done once, from the loop, never before the return. */
void client_send(struct client *c, const struct client_req *req, struct buf *body, client_done_fn *done, void *arg);
/* Ends a request that could not even be made: done with e and nothing else, in the same way. */
void client_refuse(struct client *c, struct err e, client_done_fn *done, void *arg);

#endif
