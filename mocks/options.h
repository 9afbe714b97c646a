#ifndef MOCKS_OPTIONS_H
#define MOCKS_OPTIONS_H

#include "mocks/nation.h"

/* The command line; texts are borrowed from argv. */
struct options {
    const char *state, *certs, *host, *portal_door, *link_key, *kid, *data; /* data may be NULL */
    const char *clinic_door, *audit_pub; /* may be NULL */
    unsigned base_port;
    enum pseudonym_order order; /* of a nation that has not been told otherwise yet */
    bool desk;                  /* mocks/desk/desk.h, on base_port + 20 */
};

/* Opens everything, runs until it is told to stop. What is wrong at the start is said on standard error. */
ERR nation_run(const struct options *o);

#endif
