#ifndef GW_RELAY_NAMES_H
#define GW_RELAY_NAMES_H

/* Commands on their way to a Redis Cluster: every name of a key gets the tag before it, so that all lie in one slot, and scripts and transactions over many of them
 * stay possible. Nobody else knows of the tag: answers hold no names of keys, and what is sealed is bound to the name without it. */

#include "gateway/base/buf.h"

enum { NAMES_TAG_MAX = 32 };

bool names_tag_ok(struct slice tag); /* 1..NAMES_TAG_MAX of A-Z a-z 0-9 - _ */

struct names;
/* tag: the letters between the braces. NULL when out of memory. */
struct names *names_new(struct slice tag);
void names_free(struct names *n); /* NULL is fine */
/* Appends to *out what is to be sent for it. False: a command whose names we do not know, or none at all: nothing more may be fed. */
bool names_feed(struct names *n, struct slice in, struct buf *out);

#endif
