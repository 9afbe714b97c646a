#ifndef GW_TLS_REVOKE_H
#define GW_TLS_REVOKE_H

/* Which client certificates are revoked, now. One object a process, shared by its doors.
 *
 * A file holds the lists of all issuers. For each issuer the newest good list is held; what is wrong with a file or with a list in it is logged
 * and changes nothing for as long as the held list has not ended. An issuer without a list, or with one that has ended, is unknown: nobody with a
 * certificate of his is served. A list that is older than the one held (by number or time) is refused, so that nothing comes back to life by accident. */

#include <stdbool.h>

#include "gateway/loop/loop.h"
#include "gateway/tls/tls.h"

struct revocations;

struct revocations_conf {
    const char *ca_path;  /* PEM: issuers of client certificates */
    const char *crl_path; /* PEM: their lists */
    bool look;            /* at the file, every REVOKE_TICK_MS; else its owner does, and hands descriptors over */
    /* A list has taken effect; entries: of all that are held. Not before the loop runs. May be NULL. */
    void (*on_taken)(void *arg, uint64_t entries);
    void *arg;
};
enum { REVOKE_TICK_MS = 250 };

/* Reads the file, blocking. A file that is missing or bad is no error here: everybody is refused until a good one comes. CONFIG: ca_path. */
ERR revocations_new(struct revocations **ret_rv, struct loop *l, const struct revocations_conf *conf);
/* The file has changed: it is read and parsed beside the loop. fd: given. */
void revocations_take_fd(struct revocations *rv, int fd);
/* Other issuers of client certificates (PEM): lists of those that stay are kept; whose is new is unknown until the file is handed over again (or,
 * with conf.look, is read again by itself). CONFIG, NOMEM: nothing has changed. */
ERR revocations_renew(struct revocations *rv, struct slice ca);
/* Whether it can be done, for who changes a door with it: CONFIG when it cannot. */
ERR revocations_may_renew(struct slice ca);
/* on_taken is called again, with the next tick: it could not be recorded. */
void revocations_tell_again(struct revocations *rv);
/* Stops looking; what is held stays until the end. NULL is fine. */
void revocations_close(struct revocations *rv);
void revocations_free(struct revocations *rv); /* after the loop has run; NULL is fine */

/* OK, CERT_REFUSED (revoked), REVOCATION (unknown). Callers without an accepted certificate: OK, they are refused for that. */
ERR revocations_judge(const struct revocations *rv, const struct caller *who);
/* Another one when a judgement may have become another. Never 0. */
uint64_t revocations_turn(const struct revocations *rv);
/* For health: REVOCATION when some issuer's list is missing or has ended. */
ERR revocations_state(const struct revocations *rv);

/* fn(arg) from the loop after each new turn. The hook belongs to the caller. */
struct revoke_hook {
    void (*fn)(void *arg);
    void *arg;
    struct revoke_hook *next;
};
void revocations_hook(struct revocations *rv, struct revoke_hook *h);
void revocations_unhook(struct revocations *rv, struct revoke_hook *h);

#endif
