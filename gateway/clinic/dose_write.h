#ifndef GW_CLINIC_DOSE_WRITE_H
#define GW_CLINIC_DOSE_WRITE_H

/* What recording and correcting a vaccination have in common: reading what was sent, judging it by the rules, writing it while nothing has changed. */

#include "gateway/clinic/visit.h"
#include "gateway/vaccine/consequences.h"
#include "gateway/vaccine/gs1.h"
#include "gateway/vaccine/rules.h"

enum { DOSE_REQUEST_MIN = 16, DOSE_REQUEST_MAX = 64 };

struct dose_write;
struct dose_kind {
    enum audit_event event;
    enum vaccine_change what;
    /* The record that gets w->dose as its new version, after whatever has to be so; w->judged: the rules are to be asked. */
    ERR (*place)(struct dose_write *w, const struct redis_reply *hash);
};

struct dose_write { /* the first member of the handler's own struct */
    struct visit v;
    const struct dose_kind *kind;
    struct slice session, request;
    struct immun dose;              /* the version that is written */
    ymd_t made;                     /* of the lot, as the carton says; 0 */
    struct immun_book book;
    struct immun_place *place;
    const struct immun_record *corrected; /* NULL: a new one */
    bool names_ticket;              /* the caller said which */
    bool judged;
    uint32_t rules;                 /* that were broken */
    struct field_report report;     /* E_FIELD of what is stored */
    enum gs1_fault gs1_fault;
    unsigned tries;
    bool again;                     /* the same request was carried out before */
    size_t version;                 /* that is answered */
};

/* Reads the body by the table; "gs1" may hold the separator 0x1D, which no text of a form may, so it is taken out before. False: the request has been answered. */
bool dose_body(struct req *r, const struct field *table, size_t n, void *target, struct slice *ret_gs1);
/* Reads "immunization" and what the element string says of it into w->dose; what both say must be the same. False: the request has been answered. */
bool dose_read(struct dose_write *w, struct req *r, json_t *immunization, struct slice gs1);

/* All of it from here on. */
void dose_write_open(struct dose_write *w, struct req *r);

/* A version that this clinic wrote under this requestId: the answer is that. CONFLICT when it said something else then. */
ERR dose_was_written(struct dose_write *w, struct immun_place *p, size_t version);

#endif
