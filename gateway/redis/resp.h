#ifndef GW_REDIS_RESP_H
#define GW_REDIS_RESP_H

/* RESP2 as a server sends it, a reply at a time, out of bytes that come in pieces. First its outline is followed, however often there is more of it; when it
 * is whole, it becomes one piece of memory. Shared by the files of gateway/redis only. Sans I/O. */

#include "gateway/base/slice.h"

enum { RESP_DEPTH_MAX = 8, RESP_LINE_MAX = 16 * 1024 };
enum resp { RESP_MORE, RESP_WHOLE, RESP_BAD /* no server of ours says this, or more than may come in one reply */ };

struct resp_scan {          /* zeros: at the beginning of a reply */
    size_t at;              /* followed so far */
    size_t items;           /* values of all levels */
    size_t depth;
    size_t left[RESP_DEPTH_MAX]; /* of each array that is open */
};

/* in: all bytes since the beginning of the reply, again those that were there before. WHOLE: it ends at s->at. */
enum resp resp_scan(struct resp_scan *s, struct slice in);

struct redis_reply;
/* Of a reply that resp_scan() has found whole: raw its bytes, items its s.items. Freed with redis__reply_free(). NULL: out of memory. */
struct redis_reply *resp_build(struct slice raw, size_t items);

#endif
