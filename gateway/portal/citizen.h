#ifndef GW_PORTAL_CITIZEN_H
#define GW_PORTAL_CITIZEN_H

/* The one way from a pseudonym to the person, for all routes of the portal door that are about somebody.
 *
 *   GET ps:<name> -> PMH key -> HGETALL p:{h} -> the person must not say another pseudonym
 *
 * A pseudonym that nobody has goes the same way, over a name that nobody has: as many round trips, the same answer. */

#include "gateway/lookup/access.h"
#include "gateway/portal/pseudonym.h"

struct citizen;
/* e: OK; NOTHING (nobody has this pseudonym; hash is empty then); or what went wrong, hash is NULL then. hash: the reply to HGETALL, borrowed for the call. */
typedef void citizen_fn(struct citizen *c, struct err e, const struct redis_reply *hash);

struct citizen { /* the first member of the handler's own struct, in the arena of the request */
    struct access a;
    struct pseudonym ps; /* person: p:{h}, or a name that nobody has */
    citizen_fn *fn;
    bool known;
    struct judge judge;  /* after citizen_heard(): which municipalities the person has left */
    bool tells_records;  /* the answer is what access_judge() wrote; otherwise only silence changes it */
    struct err (*also)(struct citizen *c, const struct redis_reply *hash); /* NULL, or what must hold besides that nothing silences the person, when the answer leaves late */
};

/* The field "pseudonym" of a form. */
#define CITIZEN_FIELD(form)                                                                                                                        \
    { .name = "pseudonym", .offset = offsetof(struct form, pseudonym), .cls = FC_TEXT, .min = PSEUDONYM_MIN, .max = PSEUDONYM_MAX, .required = true }

/* Opens the access and looks the person up; fn from the loop. The request may have been answered and gone on the return. */
void citizen_find(struct citizen *c, struct req *r, enum audit_event event, struct slice pseudonym, citizen_fn *fn);
/* The same of a pseudonym of another portal than the caller: for callers that have none of their own, when somebody who may vouch for it has said so. */
void citizen_find_at(struct citizen *c, struct req *r, enum audit_event event, struct slice portal, struct slice pseudonym, citizen_fn *fn);
/* Reads the person's hash again: fn as above, with OK or NOTHING as it was found before. */
void citizen_again(struct citizen *c, citizen_fn *fn);

/* The name of a hash that nobody has. */
void citizen_nobody(struct store_name *ret_k);

/* OK: nothing silences the person. NOT_DISCLOSED; NOTHING: no municipality has registered anything, ended or not; FORBIDDEN (a municipality's key is missing:
 * it might silence); SEAL. */
ERR citizen_heard(struct citizen *c, const struct redis_reply *hash);

static inline uint64_t citizen_now_ms(const struct citizen *c) { return clock_wall(loop_clock(req_loop(c->a.r))); }

#endif
