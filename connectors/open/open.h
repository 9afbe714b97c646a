#ifndef CONNECTORS_OPEN_OPEN_H
#define CONNECTORS_OPEN_OPEN_H

/* What is said to partners that never see the individual number, and what their answers mean. Sans I/O, a table: the courier (gateway/courier) sends,
 * signs, waits and tries again; a connector only writes a body and judges an answer. */

#include "gateway/base/arena.h"
#include "gateway/base/buf.h"
#include "gateway/notice/notice.h"
#include "gateway/vaccine/immun.h"

/* Signed bodies: header Pmhgw-Signature with a detached JWS (RFC 7515, appendix F): "<protected>..<signature>" over ASCII(protected) "." base64url(body). Protected is
 * {"alg":"ES256","kid":<RFC 7638 thumbprint>,"iat":<seconds>,"jti":<message id, 32 hex>,"aud":<notice.who>}; iat is of the attempt, jti is the same at every attempt.
 * Public keys: GET /.well-known/webhooks/jwks.json of the portal door, for anyone.
 *
 * The clinic's ids: session_id (told with every session that is opened), questionnaireId, immunizationId.
 *
 * With `pmhgw up` targets are, by port above the base: clinics +16 "/clinic-app/v1/webhooks", the portal +13 "/portal/v1", ID5 +17 "/id5/v1", the vaccination
 * database +18 "/vaccination-db/v1"; a step's path comes behind. */

enum { OPEN_STEPS_MAX = 2, OPEN_BODY_MAX = 64 * 1024, OPEN_ANSWER_MAX = 64 * 1024, OPEN_ID5_MAX = 128 };

/* Whom a step goes to; which URL that is stands in the courier's targets file and nowhere else. */
enum open_target { OPEN_CLINIC /* of notice.who */, OPEN_PORTAL /* of notice.who */, OPEN_ID5, OPEN_DATABASE, OPEN_TARGET__MAX };
const char *open_target_name(enum open_target t); /* "clinic", "portal", "id5", "database" */

/* One message at one attempt. What is not said in a comment is set by the courier before the first build(). Slices live in the arena of the attempt. */
struct open_case {
    const struct notice *n;
    char id[NOTICE_HEX + 1];            /* of the message: the same at every attempt, so that the partner sees a repetition */
    char ref[NOTICE_HEX + 1];           /* notice.ref in hex */
    char session[NOTICE_HEX + 1];       /* notice.session in hex; "" for kinds without */
    uint64_t now_ms;
    struct slice pseudonym;             /* NOTICE_CITIZEN: of the person at that portal */
    struct slice pmh_key;               /* NOTICE_PROVISION, for OPEN_ID5 alone */
    const struct immun_record *rec;     /* NOTICE_PROVISION: the record; version notice.version of it is told. Else NULL */
    char provision[NOTICE_HEX + 1];     /* NOTICE_PROVISION: names this version at the database; another one for every version of every record, and of no use elsewhere */
    char replaces[NOTICE_HEX + 1];      /* the same of the newest version that it was told before, or perhaps told; "": none */
    struct slice id5;                   /* set by the judge of a step at OPEN_ID5, for the steps after it */
};

/* DELIVERED: on to the next step, or done. LATER: tried again with back-off, from the first step. NEVER: a dead letter. UNKNOWN: it never had what this one replaces. */
enum open_verdict { OPEN_DELIVERED, OPEN_LATER, OPEN_NEVER, OPEN_UNKNOWN };

/* Why not; names in open_reason_name() are part of what is stored and shown. */
enum open_reason {
    OPEN_R_NONE,
    OPEN_R_DOWN,      /* "target_down": refused, lost, late, TLS */
    OPEN_R_SERVER,    /* "server_error": 5xx */
    OPEN_R_BUSY,      /* "busy": 408, 425, 429 */
    OPEN_R_REFUSED,   /* "refused": any other 4xx */
    OPEN_R_REDIRECT,  /* "redirect": 3xx; never followed */
    OPEN_R_STATUS,    /* "status": anything else */
    OPEN_R_SHAPE,     /* "wrong_shape": not the agreed answer, too long */
    OPEN_R_OTHER,     /* "other_id": an answer about another message, person or provision */
    OPEN_R_TARGET,    /* "no_target": not in the targets file */
    OPEN_R_CONTENT,   /* "no_content": what is to be told is not there, or cannot be read */
    OPEN_R_EXPIRED,   /* "gave_up": tried for too long */
    OPEN_R_BASIS,     /* "no_basis": no legal basis is registered for it */
    OPEN_R__MAX
};
const char *open_reason_name(enum open_reason r);
bool open_reason_parse(struct slice name, enum open_reason *ret_r);

/* By the status alone: 2xx DELIVERED; 408, 425, 429 and 5xx LATER; the rest, also 3xx, NEVER. For judges to begin with. */
enum open_verdict open_judge_status(int status, enum open_reason *ret_why);

struct open_step {
    enum open_target target;
    const char *path;           /* behind the target's URL, "" or "/..." */
    bool is_signed;             /* detached JWS over the body in Pmhgw-Signature */
    size_t answer_max;          /* bytes of the answer's body that are taken */
    /* The body, JSON. FIELD: nothing can be said; the message is a dead letter then. */
    ERR (*build)(const struct open_case *c, struct arena *a, struct buf *body);
    /* An HTTP answer came, any. Strict: what is not the agreed answer is OPEN_R_SHAPE. */
    enum open_verdict (*judge)(struct open_case *c, int status, struct slice answer, struct arena *a, enum open_reason *ret_why);
};
struct open_connector {
    enum notice_kind kind;
    size_t n_steps;
    struct open_step step[OPEN_STEPS_MAX];
};
/* NULL: nobody tells this kind. */
const struct open_connector *open_connector_of(enum notice_kind kind);

/* One each, in files of their own. */
extern const struct open_connector open_questionnaire, open_eligibility, open_record; /* clinic.c */
extern const struct open_connector open_citizen;                                       /* portal.c */
extern const struct open_connector open_provision;                                     /* provision.c: OPEN_ID5, then OPEN_DATABASE */

#endif
