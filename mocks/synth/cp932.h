#ifndef MOCKS_SYNTH_CP932_H
#define MOCKS_SYNTH_CP932_H

/* What CP932 can hold, and text as CP932. */

#include "gateway/base/buf.h"

struct cp932;
ERR cp932_new(struct cp932 **ret_c); /* CONFIG: this machine has no such converter */
void cp932_free(struct cp932 *c);
bool cp932_holds(struct cp932 *c, const char *utf8);
/* FIELD when something cannot be held; FULL, NOMEM. */
ERR cp932_put(struct cp932 *c, struct slice utf8, struct buf *out);

#endif
