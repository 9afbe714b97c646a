#ifndef KEYS_CTL_VERDICT_H
#define KEYS_CTL_VERDICT_H

/* What a daemon says in its log to an order that it was given by a signal. */

#include "keys/ctl/state.h"

enum verdict { VERDICT_NONE, VERDICT_TAKEN /* reloaded, upgraded */, VERDICT_NEEDS_START, VERDICT_REFUSED, VERDICT_AWAY /* it does not run */, VERDICT_LATE, VERDICT__MAX };

/* Sends the signal to the daemon and waits for what comes of it. Lines that it wrote meanwhile about settings that are wrong go to standard error. */
enum verdict verdict_of(const struct state *s, const char *daemon, int signum, unsigned timeout_ms);

/* One line of a log: VERDICT_NONE when it is no verdict. */
enum verdict verdict_line(struct slice line);
/* A line for people, or about a file that cannot be used: it is worth being shown. */
bool verdict_tells(struct slice line);

#endif
