#ifndef GW_PORTAL_CONSENTS_H
#define GW_PORTAL_CONSENTS_H

/* What the citizen sees and does about consents and sessions (docs/access.md). Shared by the files of gateway/portal only. */

#include "gateway/portal/citizen.h"

/* The whole body: {"consents":[...],"sessions":[...]}. */
ERR consents_write(struct citizen *c, const struct consent_book *b);

/* ---- a withdrawal, an end of sessions: read, change, read again, audit, answer ---- */

struct control;

struct control_kind {
    enum audit_event event;
    /* Adds the change of what is named to b and notes it in the record. false: nothing of it is there, and nothing was added. */
    bool (*add)(struct control *t, const struct redis_reply *hash, struct redis_batch *b, struct err *ret_e);
    /* Looks at t->book as it is now. true: what was named still holds, because somebody wrote at the same time. May be NULL. */
    bool (*left)(const struct control *t);
    /* The acts of one request that need a record of their own each: fills the i-th; the first is the access's own. NULL: one record. */
    size_t (*acts)(struct control *t, size_t i, struct audit_rec *rec);
};

struct control {
    struct citizen c;
    const struct control_kind *kind;
    bool all;                   /* otherwise name */
    struct consent_name name;
    struct consent_book book;   /* before the change, then after it */
    size_t n_ended;             /* for endSessions */
    struct session_entry ended[CONSENT_KEEP_MAX];
    uint64_t now_ms, first_ms;
    unsigned rounds;
    struct err why;             /* what the citizen hears; a silenced person's change is made all the same */
    unsigned waiting;
    struct err unrecorded;
};

/* Carries it out. t->kind, all and name are set. */
void control_begin(struct control *t, struct req *r, struct slice pseudonym);

/* Exactly one of the name (32 hex) and all: answers otherwise. */
bool control_target(struct control *t, struct req *r, const char *name_field, const struct field_value *name, const struct field_value *all);

#endif
