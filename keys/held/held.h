#ifndef GW_ZONE_NUMBER
#error "held.h belongs to the number zone"
#endif
#ifndef KEYS_HELD_HELD_H
#define KEYS_HELD_HELD_H

/* POST /v1/tasks/{id}/release, /discard and /replay: what an officer says of rows that are held (docs/bulk.md).
 *
 *   read which rows are held, and why -> the audit record, with the officer -> payloads, 64 at a time -> one script a row, which first looks
 *   whether the row is held just as it was read -> answer
 *
 * A crash or a 503 in between leaves every row either held or gone on; asking the same again is safe. Rows of API requests and of files are the
 * same here: tr: and o: of the task, see keys/intake/names.h. */

#include "keys/intake/intake.h"

handler_fn nz_held_release, nz_held_discard, nz_held_replay;

#endif
