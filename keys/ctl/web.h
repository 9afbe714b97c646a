#ifndef KEYS_CTL_WEB_H
#define KEYS_CTL_WEB_H

/* One HTTPS call after another, blocking, to our doors and to the mock nation. Bodies may hold numbers: everything is wiped. */

#include "gateway/base/buf.h"
#include "keys/ctl/state.h"

/* Before anything else of libcurl and jansson: their memory is wiped when it is freed. */
ERR web_setup(void);

struct web;
/* cert: name in certs/, e.g. "muni-331007"; NULL: none is shown. */
ERR web_new(struct web **ret_w, const struct state *s, const char *cert);
void web_free(struct web *w); /* NULL is fine */

struct web_call {
    const char *method;       /* literal */
    unsigned port;            /* on 127.0.0.1 */
    const char *path;
    const char *content_type; /* NULL: no body */
    struct slice body;
    const char *bearer;       /* NULL: none */
    const char *range;        /* Content-Range of the body; NULL: none */
    unsigned timeout_ms;
    unsigned stall_s;         /* give up when nothing comes for so long; 0: only the timeout counts */
    /* Takes the body of a 200 as it comes instead of ret_a->body; false ends the call, which then is no failure. NULL: none. */
    bool (*on_data)(void *ctx, struct slice bytes);
    void *ctx;
};
struct web_answer {
    int status;
    unsigned retry_after_s;   /* 0: not said */
    char location[128];       /* "" when none */
    struct buf body;          /* web_answer_done() */
};
/* UPSTREAM_DOWN: refused, lost, late, TLS. CANCELED: Ctrl-C after web_hold_stop(). OK for any status. *ret_a is always initialised. */
ERR web_send(struct web *w, const struct web_call *c, struct web_answer *ret_a);
void web_answer_done(struct web_answer *a);

/* From here on SIGINT and SIGTERM no longer end the process: calls end with CANCELED, and web_stop_asked() tells. */
void web_hold_stop(void);
bool web_stop_asked(void);
/* Waits; less when a stop is asked for. */
void web_wait(uint64_t ms);

/* The `code` of a problem document as one of our own error codes; E_INTERNAL when it is none of ours. */
enum err_code web_problem_code(const struct web_answer *a);

#endif
