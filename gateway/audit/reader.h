#ifndef GW_AUDIT_READER_H
#define GW_AUDIT_READER_H

/* Answers questions about the log (the messages FIND, PROVE, EPOCH, ACTS of audit.h) and keeps the index behind it. pmhgw-audit only.
 *
 * The segment that is being written has its index in memory. Everything that touches the disk runs on a worker, one piece after the other in the
 * order in which it was asked, so questions never keep an append waiting. A question goes through a bounded piece of the log and says where to go on. */

#include "gateway/audit/forecast.h"
#include "gateway/audit/index.h"
#include "gateway/loop/loop.h"

enum { READER_QUEUE_MAX = 8192, READER_FIND_SEGMENTS = 4096 /* index files that one FIND opens at most */, READER_SCANS = 8 /* segments without one */ };

struct audit_reader;

/* dir: borrowed for good. seq: entries in the log, of which those up to `pruned` were removed after their time. Reads the last segment: blocking.
 * The rest of the index is looked through, and made where it is missing, while questions are answered already. IO, NOMEM. */
ERR audit_reader_new(struct audit_reader **ret_r, struct loop *l, const char *dir, uint64_t seq, uint64_t pruned);
/* n entries as stored (AUDIT_ENTRY_BYTES each) behind those known so far, committed. From the loop. */
void audit_reader_grew(struct audit_reader *r, const uint8_t *entries, size_t n);
/* Entries up to seq were removed. */
void audit_reader_pruned(struct audit_reader *r, uint64_t seq);

/* The body of a message, of the size that its rule asks for; the reply's body is borrowed for the call. done once, maybe before the return.
 * PROTOCOL: the body cannot be. BUSY: too much waits. NOTHING, AUDIT_DOWN (the disk refuses). */
typedef void reader_done_fn(void *arg, struct err e, struct slice reply);
void audit_reader_ask(struct audit_reader *r, uint8_t message, struct slice body, reader_done_fn *done, void *arg);

/* What the log grew by. */
struct forecast *audit_reader_forecast(struct audit_reader *r);
/* Every full segment has been looked at since the start. */
bool audit_reader_caught_up(const struct audit_reader *r);

/* Finishes what waits, then frees the reader and calls fn(arg). NULL is fine. */
void audit_reader_close(struct audit_reader *r, loop_fn *fn, void *arg);

#endif
