#ifndef GW_BOX_BOX_H
#define GW_BOX_BOX_H

/* Gives privileges up, for good. Order at start: open files and sockets, read keys, forget the rest of the
 * configuration, then box_enter(), then the loop. */

#include <stdint.h>

#include "gateway/base/err.h"

enum box_role { BOX_VAULT, BOX_AUDIT, BOX_INTAKE, BOX_FRONT, BOX_SIGNER, BOX_SIGNER_TOKEN /* its keys are behind a PKCS#11 module, which reads files of its own */, BOX_COURIER, BOX_RELAY, BOX__MAX };

/* First thing in main: no core dumps, not dumpable, umask 077, stdin closed to /dev/null. */
ERR box_early(void);
/* uid 0: stay. No new privileges, then the role's system-call filter (an allow-list; what is not on it fails with EPERM and
 * cannot harm). libuv's worker threads are created before, so that they exist under the filter. */
ERR box_enter(enum box_role role, uint32_t uid);

#endif
