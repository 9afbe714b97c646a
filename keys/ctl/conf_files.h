#ifndef KEYS_CTL_CONF_FILES_H
#define KEYS_CTL_CONF_FILES_H

/* The settings files of the daemons of a state: who reads which, and where they lie. */

#include "gateway/conf/conf.h"
#include "keys/ctl/state.h"

struct conf_file {
    const char *name;     /* of the file, without .yaml */
    const char *unit;     /* of systemd, without pmhgw- and .service */
    enum conf_daemon who;
    const char *store;    /* of a relay: the Redis in whose place it stands when it has a file; else NULL */
};
enum { FILE_FRONT, FILE_INTAKE, FILE_VAULT, FILE_AUDIT, FILE_SIGNER, FILE_COURIER, FILE_RELAY_VAULT, FILE_RELAY_LINK, CONF_FILES_N };
const struct conf_file *conf_file(size_t i);          /* i < CONF_FILES_N */
const struct conf_file *conf_file_of(const char *name); /* NULL: there is none of that name */

/* It is that of the packages: systemd starts the daemons, and holds their sockets. */
bool state_of_packages(const struct state *s);

/* STATE/conf/NAME.yaml; of the state of the packages, whose units read them there, /etc/pmhgw/NAME.yaml. */
struct state_path conf_file_path(const struct state *s, const struct conf_file *f);
/* "credential:NAME" in it stands for where systemd lays that for the unit, unless this command was handed credentials itself. */
void conf_file_as_unit(const struct conf_file *f);

/* The relay in the place of that Redis ("redis-link"); NULL: it is one of this machine. */
const struct conf_file *conf_file_relay(const struct state *s, const char *store);

#endif
