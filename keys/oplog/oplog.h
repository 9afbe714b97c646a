#ifndef GW_ZONE_NUMBER
#error "oplog.h belongs to the number zone"
#endif
#ifndef KEYS_OPLOG_OPLOG_H
#define KEYS_OPLOG_OPLOG_H

/* The operation log of a municipality (docs/audit-log.md): entries of the audit log whose actor or whose data is the caller's own municipality.
 * Another's are as if they did not exist: pmhgw-audit looks at each entry itself before it gives it out.
 *
 *   entries   checkpoint -> sequence numbers -> proofs -> the read is audited -> answer
 *   export    the same page by page, newest first, as lines; the read is audited before the first and before the last line */

#include "keys/intake/intake.h"

handler_fn nz_oplog_entries, nz_oplog_export;

#endif
