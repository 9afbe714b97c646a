#ifndef MOCKS_SYNTH_SINK_H
#define MOCKS_SYNTH_SINK_H

/* A file that is written piece by piece and appears under its name only when it is whole. Mode 0600: it may hold numbers. */

#include "gateway/base/buf.h"

struct sink {
    struct buf path, part; /* the final name and the one it has meanwhile */
    struct buf out;        /* write into this, then call sink_flow */
    int fd;
};

ERR sink_open(struct sink *s, const char *dir, struct slice name);
/* Writes out what has gathered, when it is enough to be worth it. */
ERR sink_flow(struct sink *s);
/* Writes the rest, syncs, renames. */
ERR sink_commit(struct sink *s);
/* Frees; removes the part file when it was not committed. A zeroed sink is fine. */
void sink_done(struct sink *s);

#endif
