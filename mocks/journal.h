#ifndef MOCKS_JOURNAL_H
#define MOCKS_JOURNAL_H

/* What the nation must not forget over a crash: JSON lines, appended and synced in groups before anybody hears of them.
 * The disk work happens on libuv's threads. A torn last line, left by a crash, is cut off at start: nobody was told of it. */

#include "gateway/base/buf.h"
#include "gateway/loop/loop.h"

struct journal;

/* Reads the file line by line before anything is written; the line comes without its line break. An error ends the reading. */
typedef struct err journal_line_fn(void *arg, struct slice line);

/* Opens or makes the file (mode 0600), hands every whole line to each(), then is ready to append. IO. */
ERR journal_open(struct journal **ret_j, struct loop *l, const char *path, journal_line_fn *each, void *arg);
/* Waits for the write in progress, then frees; waiters are called. Nothing may be put afterwards. */
void journal_close(struct journal *j);

/* One line without its line break. FULL when more than 64 MiB wait, IO after a write has failed. */
ERR journal_put(struct journal *j, struct slice line);
typedef void journal_done_fn(void *arg, struct err e);
/* done once, from the loop, when everything put so far is on disk; IO when that failed.
 * FULL when too many wait already: then done is not called. */
ERR journal_sync(struct journal *j, journal_done_fn *done, void *arg);

#endif
