#ifndef GW_HTTP_GUARD_H
#define GW_HTTP_GUARD_H

/* The byte guard in front of llhttp. It sees every byte of a header section once, in order, and refuses what readers
 * of HTTP disagree about: control bytes, bare CR, bare LF, folded lines, an empty first line, a request line without
 * exactly two spaces, an empty field name. Its verdict depends on the bytes alone, never on how they were cut. */

#include "gateway/base/slice.h"

struct guard {
    size_t line_len; /* bytes of the current line so far */
    unsigned spaces; /* of the request line */
    bool first;      /* in the request line */
    bool cr;         /* a CR waits for its LF */
};

enum guard_ev { GUARD_MORE, GUARD_END /* of the header section */, GUARD_BAD };

void guard_init(struct guard *g);
/* *ret_n: bytes seen; with GUARD_END the last of them is the final LF, with GUARD_BAD the last is the offender. */
enum guard_ev guard_see(struct guard *g, struct slice in, size_t *ret_n);

/* Origin form: a path of [A-Za-z0-9._~/-] without empty, "." or ".." segments, and a query of visible ASCII.
 * false for anything else, percent-encoding included. */
bool guard_target(struct slice target, struct slice *ret_path, struct slice *ret_query);

#endif
