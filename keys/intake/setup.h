#ifndef GW_ZONE_NUMBER
#error "setup.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_SETUP_H
#define KEYS_INTAKE_SETUP_H

/* Start and end of pmhgw-intake's parts. */

#include "keys/intake/intake.h"

/* First thing of all: OpenSSL and libcurl wipe what they free. */
ERR nz_setup_memory(void);

/* Reads settings and keys, connects to Redis, vault, audit, prepares the upstream client. Not undone on failure: the
 * process ends. */
ERR nz_intake_open(struct nz_intake *in, const char *config);
/* --check: files that the settings name can be used. */
ERR nz_intake_check(const struct conf *c);
/* Closes what the doors and the outbox need; once, after both have ended. */
void nz_intake_close(struct nz_intake *in);
/* After the loop: the rest. */
void nz_intake_done(struct nz_intake *in);

/* Other keys from now on; the ring is moved in. On an error the keys that there were stay. */
ERR nz_intake_renew_keys(struct nz_intake *in, struct keyring *ring);

#endif
