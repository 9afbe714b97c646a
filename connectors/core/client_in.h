#ifndef CONNECTORS_CORE_CLIENT_IN_H
#define CONNECTORS_CORE_CLIENT_IN_H

/* Between the files of this folder. */

#include <curl/curl.h>

#include "connectors/core/client.h"
#include "gateway/base/secret.h"

enum { BEARER_MAX = 8192 };

enum call_state { CALL_FREE, CALL_LIVE, CALL_ENDED };

/* One request. FREE: in the list of free ones. LIVE: curl has it. ENDED: waits in the list of ended ones for its done(). */
struct call {
    struct call *next; /* of the free or the ended list */
    struct client *client;
    enum call_state state;
    CURL *easy;
    struct curl_slist *headers;
    struct buf body, answer;
    bool too_large;
    bool refused;      /* it would have gone inside */
    bool extra;        /* found no slot: freed after its done() */
    struct err e;
    int status;
    client_done_fn *done;
    void *arg;
};

struct calls {
    struct call *first, **last;
};

struct client {
    struct loop *loop;
    CURLM *multi;
    struct timer *curl_timer; /* what curl asks for */
    struct timer *end_timer;  /* ended calls that nobody on the stack will deliver */
    struct buf ca, cert;      /* PEM */
    struct secret *key;       /* PEM */
    struct call *slots;       /* queue_max */
    size_t n_slots;
    struct call *free;
    struct calls ended;
    bool outside_only;
    unsigned polls;           /* open uv_poll handles */
    bool closing, torn;       /* torn: everything but the polls is gone */
};

/* client_easy.c: a handle with every option set; the call's body and headers are ready. */
ERR client__easy_new(struct call *k, const struct client_req *req);
void client__easy_free(struct call *k);
struct err client__judge(struct call *k, CURLcode code);

/* client_poll.c */
ERR client__poll_setup(struct client *c);
void client__on_curl_timer(void *arg);

/* client.c: after curl has worked: ends what it has finished. */
void client__pump(struct client *c);
void client__maybe_free(struct client *c);

#endif
