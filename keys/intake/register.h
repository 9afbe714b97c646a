#ifndef GW_ZONE_NUMBER
#error "register.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_REGISTER_H
#define KEYS_INTAKE_REGISTER_H

/* One registration on its way to the outbox; everything lives in the request's arena. */

#include "keys/intake/intake.h"
#include "keys/intake/names.h"
#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"
#include "keys/registration/registration.h"

/* A row beside its struct nz_row. */
struct nz_reg_row {
    enum nz_result result;             /* WAITING: goes into the outbox */
    enum nz_code code;
    bool linked;                       /* has a subject: OK rows, and those that are held for an officer */
    bool has_key;                      /* the subject has its PMH key */
    bool has_ticket;                   /* asked for: the vault may know it */
    struct nz_subject subject;
    struct nz_ticket ticket;           /* when has_ticket */
    struct store_name rk;              /* n 0: no resident key */
    struct nz_seen_ties seen;          /* of a row that is held for its ties: what stood there */
};

struct nz_reg {
    struct req *r;
    struct nz_intake *in;
    enum nz_form form;
    char muni[6];
    size_t body_bytes;                 /* counted in nz_intake.body_bytes until the request ends */
    struct nz_rows *rows;
    struct nz_reg_row *x;              /* one for each row */
    struct nz_task_id task;
    uint64_t received_ms;
    uint64_t count[NZ_RESULT__MAX];
    /* the step that is under way */
    size_t next;                       /* row to be asked for next */
    size_t under_way;
    struct err failed;                 /* the first failure of the step */
};

/* The steps, in order. Each ends the request itself when it fails. */
void nz_reg_link(struct nz_reg *g);     /* register_link.c: subjects */
void nz_reg_judge(struct nz_reg *g);    /* register_judge.c: against what is stored */
void nz_reg_tickets(struct nz_reg *g);  /* register_link.c: tickets for rows without a PMH key */
void nz_reg_commit(struct nz_reg *g);   /* register_commit.c: audit, transaction, answer */

/* Nothing was sent to redis-link: the tickets are of no use to anybody and go, as far as the vault can be told so. Ends the request. */
void nz_reg_give_up(struct nz_reg *g, struct err e);

/* The whole result of row i as it stands; slices borrow from the rows. */
void nz_reg_result(const struct nz_reg *g, size_t i, struct nz_row_result *ret_r);

/* The resident key's name alone, without "rk:<muni>:"; empty when there is none. */
static inline struct slice nz_reg_rk_hex(const struct nz_reg_row *x)
{
    return x->rk.n >= NZ_RK_HEX ? slice_of(x->rk.c + x->rk.n - NZ_RK_HEX, NZ_RK_HEX) : SLICE_NONE;
}

#endif
