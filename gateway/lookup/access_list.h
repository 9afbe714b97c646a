#ifndef GW_LOOKUP_ACCESS_LIST_H
#define GW_LOOKUP_ACCESS_LIST_H

/* Several accesses that one request asks for and one answer tells (a clinic's day list): {"results":[...]} in their order, of each what it would be told alone, or
 * {"problem":{...}}. Each is judged and recorded by itself, in whatever way it ends: access_end(), access_use() and access_used() do for a part what they do
 * for an access alone, but for the answer. That leaves when all have ended, on the beat when any of them would; what was read longer ago than fresh.h allows is read again
 * for all of them at once. A trouble of ours is the answer to the whole only when it is that of every part and nothing was used up by any. */

#include "gateway/lookup/access.h"

enum {
    ACCESS_LIST_MAX = 100,
    ACCESS_LIST_TOLD_MAX = 4 << 20            /* bytes that all parts together tell */
};

struct access_list { /* in the arena of the request */
    struct req *r;
    struct lookup_env *env;
    struct access *part[ACCESS_LIST_MAX];
    struct buf out[ACCESS_LIST_MAX]; /* of each part */
    size_t n, open;          /* open: that have not ended */
    size_t told;             /* bytes */
    struct rhythm_place place;
    bool rests;              /* it has given its place in work back */
};

/* n: 1 .. ACCESS_LIST_MAX, counted in the caller's rate; bytes: of memory that each takes beside what it tells. False: the request has been answered, nothing was consumed. */
ACCESS_MUST_USE bool access_list_open(struct access_list *s, struct req *r, size_t n, size_t bytes);
/* The next of the n. All of them, before any of them may end. */
void access_list_part(struct access_list *s, struct access *a, enum audit_event event);
/* What the part is going to tell is complete in a->out: BUSY when it is too much beside what others tell. Before it is recorded. */
ERR access_list_room(struct access *a);

#endif
