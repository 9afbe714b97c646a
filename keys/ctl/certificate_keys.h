#ifndef KEYS_CTL_CERTIFICATE_KEYS_H
#define KEYS_CTL_CERTIFICATE_KEYS_H

/* The signer's keys, for `pmhgw certificate`. What is returned is the exit status of the command. */

#include "keys/ctl/state.h"

int certificate_keys(const struct state *s); /* those that pmhgw-signer has now, with their names */
int certificate_rotate_key(const struct state *s, const char *use);
int certificate_retire_key(const struct state *s, const char *use, const char *number);

#endif
