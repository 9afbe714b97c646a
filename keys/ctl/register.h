#ifndef KEYS_CTL_REGISTER_H
#define KEYS_CTL_REGISTER_H

/* The register of legal bases as the command sees it. */

#include "gateway/basis/basis.h"
#include "keys/ctl/state.h"

/* given; NULL: the one that the state's daemons read, else the shipped one. Says what is wrong and returns false. */
bool ctl_register(const struct state *s, const char *given, struct basis **ret_b);

#endif
