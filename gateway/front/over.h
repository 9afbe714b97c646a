#ifndef GW_FRONT_OVER_H
#define GW_FRONT_OVER_H

/* What one program hands to the next that takes its process over: in the environment, PMHGW_FRONT_OVER. Descriptors and children stay with the process. */

#include <stdbool.h>
#include <sys/types.h>

#include "gateway/base/buf.h"
#include "gateway/front/supervisor.h"

enum { OVER_CHILDREN_MAX = 2 * WORKERS_MAX };

struct over {
    bool back;         /* the next one has failed: this is the one that was there before */
    int exe;           /* the program before this one, to go back to; below 0: none */
    int life[2], ready[2];
    struct sockets sockets;
    unsigned n;
    struct { pid_t pid; unsigned number, name; int news; } child[OVER_CHILDREN_MAX];
};

#define OVER_ENV "PMHGW_FRONT_OVER"
enum { OVER_TEXT_MAX = 16 * 1024 };

/* Without I/O. */
void over_write(const struct over *o, struct buf *out);
/* false: not of this form. */
bool over_read(struct slice text, struct over *ret_o);

/* Every descriptor in it is left open, or not, for the next program. */
bool over_keep(const struct over *o, bool keep);

#endif
