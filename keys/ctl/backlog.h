#ifndef KEYS_CTL_BACKLOG_H
#define KEYS_CTL_BACKLOG_H

/* What waits at the gateway, by municipality: asked at the municipal door with the certificates that the state directory has. */

#include "keys/ctl/state.h"

enum { BACKLOG_MUNIS_MAX = 64 };

struct backlog {
    char muni[7];
    bool heard;        /* false: the door did not answer, and the rest is 0 */
    uint64_t rows;     /* that wait for an upstream */
    uint64_t oldest_s; /* age of the oldest of them */
    uint64_t files;    /* accepted and not ended */
    bool at_least;     /* there is more than was counted */
    char waits_task[64], waits_code[64], waits_ja[256], waits_en[256]; /* the file that does not go on, and why; "": none */
};
/* In the order of the codes. web_setup() comes first. */
size_t backlog_read(const struct state *s, struct backlog out[static BACKLOG_MUNIS_MAX]);

#endif
