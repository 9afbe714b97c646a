#ifndef GW_RELAY_SECURE_H
#define GW_RELAY_SECURE_H

/* TLS 1.3 towards a server of ours, with our certificate: bytes in, bytes out. */

#include "gateway/base/buf.h"
#include "gateway/base/err.h"

struct secure;
struct secure_conf {
    const char *ca, *cert, *key; /* PEM files */
    const char *name;            /* that the certificates of all servers carry; "": each carries its address */
};
ERR secure_new(struct secure **ret_s, const struct secure_conf *conf); /* CONFIG: a file cannot be used */
void secure_free(struct secure *s); /* NULL is fine */

struct secure_conn;
struct secure_conn *secure_conn_new(struct secure *s, const char *ip); /* NULL when out of memory */
void secure_conn_free(struct secure_conn *c); /* NULL is fine */

enum secure_state { SECURE_SHAKING, SECURE_OPEN, SECURE_BROKEN /* refused, broken or ended */ };
/* Takes what came, appends what has to leave to *net_out and what was said to *plain_out. With an empty net_in at first: begins. */
enum secure_state secure_feed(struct secure_conn *c, struct slice net_in, struct buf *net_out, struct buf *plain_out);
/* While it is open. False: broken. */
bool secure_write(struct secure_conn *c, struct slice plain, struct buf *net_out);

#endif
