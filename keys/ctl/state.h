#ifndef KEYS_CTL_STATE_H
#define KEYS_CTL_STATE_H

/* The state directory of `pmhgw up` (docs/architecture.md), its paths, and small files in it. */

#include <limits.h>

#include "gateway/base/file.h"
#include "gateway/base/secret.h"

struct state_path { char c[PATH_MAX]; };

struct state {
    char dir[PATH_MAX];   /* absolute */
    char bin[PATH_MAX];   /* where the daemons are */
    char share[PATH_MAX]; /* where dev-ca and the templates are */
};

struct state_dirs { const char *state, *bin, *share; }; /* as given on the command line; NULL: the default */

/* Finds programs and templates, and makes the directory absolute. create: the directory may be made, else it must exist.
 * Says what is wrong and returns false. Default directory: PMHGW_STATE, else .state */
bool state_open(struct state *ret_s, const struct state_dirs *d, bool create);

/* <state>/<text>; too long a path aborts the command with a line. */
__attribute__((format(printf, 2, 3))) struct state_path state_at(const struct state *s, const char *fmt, ...);
struct state_path state_bin(const struct state *s, const char *program);

/* Makes the folders; says what is wrong. */
bool state_make_dirs(const struct state *s);

/* Written whole to a new file, synced, renamed. With the rights of the file that it replaces; a new one is 0600. */
ERR file_write(const char *path, struct slice content);
bool file_exists(const char *path);

/* The port that `up` was started with; 0 when it never ran. */
unsigned state_base_port(const struct state *s);

/* Offsets from the base port. */
enum { PORT_MUNICIPAL = 1, PORT_CLINIC = 2, PORT_PORTAL = 3, PORT_CONTROL = 10, PORT_PMH = 11, PORT_ONSHI = 12, PORT_MOCK_PORTAL = 13, PORT_VRS = 15, PORT_CLINIC_APP = 16,
       PORT_ID5 = 17, PORT_DATABASE = 18, PORT_CLAIMS = 19, PORT_DESK = 20, PORT_LAST = 20 };
enum { BASE_PORT_DEFAULT = 18440 };

/* Process id in run/<name>.pid that is alive, while `up` or anything that it has started is; else 0. */
int state_pid(const struct state *s, const char *name);

#endif
