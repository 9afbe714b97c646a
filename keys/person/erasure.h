#ifndef GW_ZONE_NUMBER
#error "erasure.h belongs to the number zone"
#endif
#ifndef KEYS_PERSON_ERASURE_H
#define KEYS_PERSON_ERASURE_H

/* One erasure on its way. Everything that leads to the resident goes last, so that a repeat after a crash finds it and completes it:
 *
 *   find and lock -> note who is erased, for rows that are on their way -> records, end, flags (note: how many there were) -> rows that wait or are held -> numbers at the vault
 *                 -> pseudonyms, sessions, consents where nobody else has data -> ties and journals, with the epoch -> audit record -> note -> answer */

#include "keys/change/cas.h"
#include "keys/intake/row_result.h"
#include "keys/person/again.h"
#include "keys/person/find.h"
#include "keys/person/form.h"
#include "keys/vault/vault_msg.h"

enum {
    NZ_ERASE_SIDS = NZ_FOUND_IDS + 32,  /* its own, and those of rows that were never applied */
    NZ_ERASE_JOURNALS = 1000
};

struct nz_rows_walk {            /* erase_rows.c */
    uint64_t task_at;            /* tasks of the municipality before the page */
    size_t n_tasks, task;        /* of the page */
    char hex[64][NZ_CH_HEX];
    bool more;
    uint64_t cursor;             /* in o:<muni>:<task> */
    struct nz_ticket *ticket;    /* of the rows that are being dropped */
    size_t n_tickets;
    uint64_t dropped;
};

struct nz_erasure {
    struct req *r;
    struct nz_intake *in;
    struct nz_erase_ask ask;
    struct nz_again again;
    struct nz_found who;
    struct audit_rec rec;
    struct store_name note_name; /* ch:er:<muni>:<hex> */
    struct nz_erase_note note;
    size_t n_rks;
    char rk[NZ_FOUND_IDS + 1][NZ_CH_HEX];
    size_t n_sids;               /* the first n_own are the resident's */
    size_t n_own;
    uint8_t sid[NZ_ERASE_SIDS][SUBJECT_BYTES];
    bool untied[NZ_ERASE_SIDS];  /* of the others: nobody has it */
    size_t at;                   /* the sid whose number is being erased */
    bool kept;                   /* it stays at the vault for what VRS has to take back */
    size_t n_journals;
    struct slice *journal;       /* <muni>:<hex> */
    struct nz_rows_walk walk;
    bool alone;                  /* no other municipality has anything of the person */
    struct slice turn;           /* iv of the person when that was seen: gateway/vaccine/book.h */
    uint64_t store_turn;         /* redis_turn() when the ties were removed */
};

/* erase.c */
void nz_erasure_end(struct nz_erasure *x, struct err e);
void nz_erasure_send(struct nz_erasure *x, struct redis_batch *b, redis_done_fn *done); /* NULL: NOMEM */
/* What was read has changed meanwhile, or a change of the resident is under way: all of it is begun anew. What is done already is found done. */
void nz_erasure_again(struct nz_erasure *x);
/* Appends the command after which no row that was received until now is applied any more: keys/intake/erased.h. */
void nz_erasure_note(const struct nz_erasure *x, struct redis_batch *b);
void nz_erasure_records(struct nz_erasure *x); /* records, end and flags; then the rows */
/* 1 record, 2 end, 3 flags of this municipality; 0: anything else. */
int nz_erasure_rank(const struct nz_erasure *x, struct slice field);
bool nz_erasure_has_sid(const struct nz_erasure *x, const uint8_t sid[static SUBJECT_BYTES], size_t n);
bool nz_erasure_has_rk(const struct nz_erasure *x, struct slice hex);
ERR nz_erasure_add_sid(struct nz_erasure *x, const uint8_t sid[static SUBJECT_BYTES]); /* FULL */
/* erase_rows.c: every row of the municipality that waits or is held and is about the resident is dropped; then nz_erasure_vault(). */
void nz_erasure_rows(struct nz_erasure *x);
/* erase_numbers.c: the rows are gone; what the vault has goes; then nz_erasure_ties(). */
void nz_erasure_vault(struct nz_erasure *x);
/* erase_ties.c: what leads to the resident; then nz_erasure_audit(). */
void nz_erasure_ties(struct nz_erasure *x);
void nz_erasure_audit(struct nz_erasure *x);

#endif
