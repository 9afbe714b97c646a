/* The disk of pmhgw-beside-audit-unsynced, which is pmhgw-audit in everything else (tests/CMakeLists.txt): a record is written, and told to be durable before it is.
 * What waiting for the disk costs is the difference. For measurements only: no setting of the real daemon does that. */

#include <unistd.h>

#include "gateway/audit/writer.h"

static int synced_at_once(int fd)
{
    (void)fd;
    return 0;
}

extern const struct audit_disk AUDIT_UNSYNCED;
const struct audit_disk AUDIT_UNSYNCED = { pwrite, synced_at_once };
