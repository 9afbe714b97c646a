#ifndef KEYS_CTL_SETUP_H
#define KEYS_CTL_SETUP_H

/* Makes everything of the state directory that is missing; what exists is kept. */

#include "keys/ctl/cli.h"
#include "keys/ctl/state.h"

struct setup_conf {
    unsigned base_port;
    unsigned workers;
    const char *const *munis; /* 自治体コード, 6 digits each */
    size_t n_munis;
};

/* Development certificates, by config/dev-ca. */
ERR setup_certs(const struct state *s, const struct setup_conf *c);
/* Rings, master keys, capabilities, passwords. */
ERR setup_keys(const struct state *s, const struct setup_conf *c);
/* The signer's ring with a key of each use, and the certificate of the one that signs VDS-NC: setup_signer.c. */
ERR setup_signer(const struct state *s);
/* The public half of the newest key for VDS-NC of the ring, into certs/vds-signer.pub: what the country's CA certifies. */
ERR setup_signer_public(const struct state *s);
/* Runs config/dev-ca in certs/. */
ERR setup_dev_ca(const struct state *s, const char *name, const char *uri);
/* conf/: written anew, except files whose first line is not CONF_MARK (somebody made them his own). */
ERR setup_conf_files(const struct state *s, const struct setup_conf *c);

/* The file that says that `up` makes no certificates here: they are of `init`, or of somebody else's CA. */
#define SETUP_OWN_MARK "certs/OWN"

#define CONF_MARK "# Made by pmhgw up. Remove this line to keep your own changes.\n"

#endif
