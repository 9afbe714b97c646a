#ifndef MOCKS_DESK_INSIDE_H
#define MOCKS_DESK_INSIDE_H

/* Shared by the files of mocks/desk only.
 *
 *   desk.c  listener, key, file of URLs    head.c  what a request line and its headers say; sans I/O    relay.c  one connection */

#include <openssl/ssl.h>

#include "gateway/base/buf.h"
#include "gateway/loop/away.h"
#include "mocks/desk/desk.h"

enum { DESK_KEY_CHARS = 32, DESK_HEAD_MAX = 16 * 1024, DESK_CONNS_MAX = 64 };

enum desk_verdict { DESK_NEED, DESK_BAD, DESK_STRANGER /* its Host is none of ours */, DESK_GO };

struct desk_names {
    char key[DESK_KEY_CHARS + 1];
    unsigned port;
    const char *of[DESK_WAYS_MAX]; /* NULL: left out */
    size_t n;
};

/* The head of a request, from its first byte. GO: *ret_way, and appended to *out: the head for the door, which ends its connection after the answer; *ret_taken
 * bytes of in were it. */
enum desk_verdict desk__head(const struct desk_names *names, struct slice in, struct buf *out, size_t *ret_way, size_t *ret_taken);

struct relay;
struct desk {
    uv_tcp_t tcp;
    struct away away;
    struct loop *loop;
    struct desk_names names;
    SSL_CTX *tls[DESK_WAYS_MAX];
    unsigned ports[DESK_WAYS_MAX];
    char *file;
    struct relay *relays;
    unsigned n_relays, open;
};

void desk__relay_gone(struct desk *d); /* frees the desk after the last one */

/* relay.c */
bool relay__accept(struct desk *d); /* false: there is no memory, and the connection has not been accepted */
void relay__close(struct relay *k);

#endif
