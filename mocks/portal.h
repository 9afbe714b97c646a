#ifndef MOCKS_PORTAL_H
#define MOCKS_PORTAL_H

/* Between the two files of the portal: accounts (portal.c) and what a citizen asks for (portal_ask.c). */

#include "mocks/partners.h"
#include "mocks/routes.h"

struct question;
struct login {
    struct nation *n;
    struct req *r;
    const struct question *q;
    json_t *asked; /* the body: lives as long as the request */
    struct fault fx;
    uint32_t at;
    struct login *next; /* in nation.portal.logins, while the link is not confirmed */
};

/* Makes the pseudonym and remembers the key until both are posted. */
bool portal_account(struct nation *n, uint32_t at, const char *pmh_key);
/* Posts (PMH key, pseudonym) to the gateway; then who waits goes on with portal_ask(). */
void portal_pair_post(struct nation *n, uint32_t at);
/* Asks the gateway, by pseudonym, and answers; g is gone then. */
void portal_ask(struct login *g);

#endif
