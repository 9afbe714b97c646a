#ifndef GW_CLINIC_VISIT_H
#define GW_CLINIC_VISIT_H

/* The one way from a session to its person, for all routes of the clinic door that have one: a session's token -> HGETALL p:{h} -> it is
 * open, for this caller, its consent holds, nothing silences the person. Whatever is wrong with it is the one answer of readSession. */

#include "gateway/clinic/session.h"
#include "gateway/lookup/access.h"

struct visit;
/* e: OK; SESSION, NOT_DISCLOSED, FORBIDDEN, BASIS ...: hand it to access_end(), perhaps after doing as much as for somebody; hash is NULL then unless it was read. */
typedef void visit_fn(struct visit *v, struct err e, const struct redis_reply *hash);
typedef struct err visit_good_fn(struct visit *v, const struct redis_reply *hash);

struct visit { /* the first member of the handler's own struct, in the arena of the request */
    struct access a;
    enum link_kind kind;
    unsigned items;
    visit_fn *fn;
    struct store_name person;
    struct session session;
    visit_good_fn *also; /* NULL, or what must hold too when the answer leaves late */
    struct judge judge;  /* after fn said OK: which municipalities the person has left, see judge_has_ended() */
};

#define VISIT_FIELD(form)                                                                                                                            \
    { .name = "session", .offset = offsetof(struct form, session), .cls = FC_ALNUM, .min = SESSION_TOKEN_CHARS, .max = SESSION_TOKEN_CHARS,             \
      .required = true }

/* Opens the access. kind: what the session must allow, LINK_KIND__MAX: whatever it does; items: AUDIT_ITEM_* for the basis and the record. fn from the loop; the
 * request may have been answered and gone on the return. What the handler tells is judged again by silence, the session and its consent when the audit record took long. */
void visit_open(struct visit *v, struct req *r, enum audit_event event, struct slice token, enum link_kind kind, unsigned items, visit_fn *fn);
/* Reads the person's hash again: fn as above. */
void visit_again(struct visit *v, visit_fn *fn);

static inline uint64_t visit_now_ms(const struct visit *v) { return clock_wall(loop_clock(req_loop(v->a.r))); }

#endif
