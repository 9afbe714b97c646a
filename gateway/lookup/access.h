#ifndef GW_LOOKUP_ACCESS_H
#define GW_LOOKUP_ACCESS_H

/* One access to a person's data: every handler of the front opens one, asks the store, and ends it with what it found.
 * The end writes the audit record first and answers after. */

#include "gateway/audit/audit.h"
#include "gateway/basis/basis.h"
#include "gateway/basis/institutions.h"
#include "gateway/check/field.h"
#include "gateway/jose/jwe.h"
#include "gateway/jose/jws.h"
#include "gateway/lookup/fresh.h"
#include "gateway/lookup/judge.h"
#include "gateway/lookup/rhythm.h"
#include "gateway/lookup/told.h"
#include "gateway/redis/redis.h"
#include "gateway/serve/serve.h"
#include "gateway/store/store.h"
#include "gateway/vaccine/table.h"

struct cert_desk;
struct access_list; /* access_list.h */

/* What the handlers work with: door_conf.ctx of both doors. */
struct lookup_env {
    struct store *store;
    struct jwe_keys *link_keys;
    struct redis *redis;
    struct audit *audit;
    const struct basis *basis;               /* the register of legal bases */
    const struct institutions *institutions; /* NULL: none are registered */
    const struct vaccine_table *vaccines; /* NULL: no vaccination is recorded here */
    bool to_vrs;                             /* vaccination records are marked for VRS */
    uint64_t outbox_max;                     /* lanes of messages that may wait (notice_room) */
    uint64_t session_life_ms;
    struct cert_desk *certificates;          /* issues certificates of vaccination (gateway/portal); NULL: there are none */
    const struct jws_signer *statements;     /* signs statements of access; NULL: there are none */
    struct slice log_key;                    /* public key of the audit log, told in statements; SLICE_NONE: it is not told */
    struct slice link_key_issuer; /* the one environment whose link keys are taken */
    struct rhythm *rhythm; /* answers that must not tell wait for it */
    unsigned in_work; /* accesses and refusals that wait for redis, audit or the beat: these may close when there is none */
    ERR (*group)(void *arg, unsigned *ret_worker); /* what keeps other processes of this daemon from answering, for health; NULL: there are none */
    void *group_arg;
    struct told told; /* how often whose records were told */
    bool stopped;     /* they are closed: a new access is refused with CANCELED */
};

struct access { /* in the arena of the request, usually as the first member of the handler's own struct */
    struct req *r;
    struct lookup_env *env;
    struct buf *out;      /* what is told: req_out(), or of a part of a list its own */
    struct access_list *list; /* NULL: it is alone */
    struct audit_rec rec; /* subject, muni, count and what else it knows are the handler's to set */
    uint16_t fields;      /* of eligibility that may be told, see link_scope; 0: all */
    uint64_t store_turn;  /* redis_turn() when it was opened */
    uint64_t used_ms;     /* when it was used, told with USED; 0: not told; by access_use() */
    void (*extra)(struct jsonw *w, void *arg); /* further members of the problem document, when the caller hears what was recorded; NULL */
    void *extra_arg;
    struct err heard;
    /* Of municipalities beside that of rec, whose records are told too: a record each, for their logs, without the person. */
    const struct judge_muni *others;
    size_t n_others;
    unsigned waiting;     /* records on their way */
    bool others_told;
    bool may_be_used;     /* access_use(): the use is recorded, or nobody knows whether it is */
    bool always_on_the_beat; /* also when all went well: an answer that is to be the same for who is not there */
    bool on_the_beat;
    struct rhythm_place place;
    struct fresh fresh;   /* what it was judged by is judged again when the record took long: fresh.h */
    void (*fresh_done)(struct access *a);
    void (*used)(struct access *a, struct err e);
};

/* The beginnings of a handler. NULL or false: the request has been answered and is gone. */
#define ACCESS_MUST_USE __attribute__((warn_unused_result))
/* Zeroed memory of the request for the handler's own struct. */
ACCESS_MUST_USE void *access_new(struct req *r, size_t size);
/* Reads the body, a JSON object, by the table into target. */
ACCESS_MUST_USE bool access_body(struct req *r, const struct field *table, size_t n, void *target);
/* The same faults as problem document, for rules that no table has. */
void access_refuse_field(struct req *r, const char *field, enum field_rule rule);

/* Answers AUDIT_DOWN or STORE_DOWN while one of them is away: before anything is consumed. */
ACCESS_MUST_USE bool access_open(struct access *a, struct req *r, enum audit_event event);
/* rec.subject from the PMH key. */
ERR access_subject(struct access *a, struct slice pmh_key);
/* Sends a batch within the request's deadline, with time left for the audit record. */
void access_send(struct access *a, struct redis_batch *b, redis_done_fn *done, void *arg);

/* Writes the audit record and answers: why OK gives what is in a->out with 200, or 204 when that is empty; other reasons are
 * recorded as they are and heard as the table in access.c says, those that depend on a person on the beat of rhythm.h. The access is gone afterwards. */
void access_end(struct access *a, struct err why);

/* access_end() where the record is the use of a link key (audit_use): what would end with OK or a "nothing" is written only when it is the first of rec.ref, which has to be
 * remembered until rec.until_s. used: whether it is. OK: it is recorded so; the handler does what is left, then access_used(). USED: nothing was recorded; it takes back what
 * it left, then access_end(). Else: it is not known; then access_used(). What would end otherwise uses nothing up, and ends as by access_end() without used. */
typedef void access_used_fn(struct access *a, struct err e);
void access_use(struct access *a, struct err why, access_used_fn *used);
/* The use is recorded: what was said to access_use() leaves. Not OK: it is not known whether it is; the caller hears e. */
void access_used(struct access *a, struct err e);

/* The basis of an access whose purpose and kinds of data the link key says; for the record, too. items: AUDIT_ITEM_*, 0: the operation's own. BASIS. */
ERR access_basis(struct access *a, struct slice purpose, unsigned items);

/* door_conf.allow: some basis names this caller and this operation; where the operation has a purpose of its own, the basis fits it. BASIS. */
struct err access_allow(void *ctx, struct req *r);
/* door_conf.on_refused: the refusal is recorded, then told. */
void access_on_refused(void *ctx, struct req *r, struct err why, void (*done)(struct req *r, struct err e));
/* GET /health of both doors: every process of the daemon can answer. */
void access_health(struct req *r);
/* What keeps this one from it: CANCELED, AUDIT_DOWN, STORE_DOWN ... */
ERR access_able(const struct lookup_env *env);

/* The eligibility body: {"eligibility":[...], and the handler's own members, and `}`. Opens the object, judges today's
 * records and sets rec.muni and rec.count; the caller ends the object. On an error nothing is left in a->out. */
ERR access_judge(struct access *a, struct jsonw *w, const struct store_name *person, const struct redis_reply *hash);
/* The same body, whole, into another buffer, for views that are made of it; and for fresh.h: DEADLINE when that is not what is told any more. */
ERR access_judge_aside(struct access *a, struct buf *out, const struct store_name *person, const struct redis_reply *hash);
ERR access_judge_same(struct access *a, struct slice told, const struct store_name *person, const struct redis_reply *hash);
/* For fresh.h: judges anew. DEADLINE when other records would be told than those that stand in a->out. */
ERR access_judge_again(struct access *a, const struct redis_reply *hash);

#endif
