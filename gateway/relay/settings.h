#ifndef GW_RELAY_SETTINGS_H
#define GW_RELAY_SETTINGS_H

/* What the settings of a relay say, and the files that they name, without a connection: for the relay at its start and its --check, and for `pmhgw doctor`. */

#include "gateway/base/secret.h"
#include "gateway/conf/conf.h"
#include "gateway/relay/place.h"
#include "gateway/relay/secure.h"

struct relay_settings {
    struct place place;
    struct secure *secure; /* NULL: without TLS */
    struct secret *password, *sentinel_password;
};
/* Which setting cannot be used, and why. */
struct relay_fault { const char *setting, *ja, *en; };

/* CONFIG, and *bad_fault then; what was read so far is in *to all the same. to: zeroed. */
ERR relay_settings_read(const struct conf *c, struct relay_settings *to, struct relay_fault *bad_fault);
void relay_settings_done(struct relay_settings *s); /* of a zeroed one too */

#endif
