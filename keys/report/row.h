#ifndef GW_ZONE_NUMBER
#error "row.h belongs to the number zone"
#endif
#ifndef KEYS_REPORT_ROW_H
#define KEYS_REPORT_ROW_H

/* One mark: what stands there, what VRS is told of it, and what is written when it has answered. Sans I/O. */

#include "connectors/number/vrs_report.h"
#include "gateway/redis/redis.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/intake/vault_client.h"

enum nz_rep_state {
    NZ_REP_TELL,       /* its json is to be told */
    NZ_REP_CLEAR,      /* nothing is to be told: the mark goes */
    NZ_REP_ACCEPTED,   /* VRS has it: noted, the mark goes */
    NZ_REP_PUT_OFF,    /* later */
    NZ_REP_KEEP,       /* the mark stays as it is */
    NZ_REP_DEAD        /* see why */
};

enum nz_rep_why { NZ_REP_BECAUSE_REFUSED, NZ_REP_BECAUSE_BREACH, NZ_REP_BECAUSE_UNREADABLE, NZ_REP_BECAUSE_CLOSED, NZ_REP_BECAUSE_NO_NUMBER,
                  NZ_REP_BECAUSE_NO_TIE /* the person has it, and is no subject of the municipality */, NZ_REP_WHY__MAX };

struct nz_rep_row {
    struct vrs_mark_text mark;
    struct slice field;                  /* in mark */
    struct person person;
    bool again;                          /* also what VRS has already */
    bool gone;                           /* is taken back, under the number of sid, or of the ticket when the vault has erased that one */
    enum vrs_mark_kind kind;
    char muni[6];
    enum nz_rep_state state;
    enum nz_rep_why why;
    char code[NZ_VRS_CODE_MAX + 1];      /* of VRS, when it refused */
    struct buf sealed, end, flags;       /* what stood there, and the end and the control flags of the person in the municipality; empty: nothing */
    struct buf json;                     /* what is told of it */
    uint8_t id[NZ_VRS_ROW_ID], sid[SUBJECT_BYTES], handle[STORE_HANDLE_BYTES];
    uint64_t version;                    /* of a record; of a registration the score of its mark; of what is gone as its mark says */
    uint64_t due_ms;                     /* the score */
};

/* False: these are no mark and its score. The row is empty then, otherwise nz_rep_row_done() ends it. */
bool nz_rep_row_begin(struct nz_rep_row *row, struct slice member, struct slice score);
void nz_rep_row_done(struct nz_rep_row *row);
void nz_rep_row_ask(const struct nz_rep_row *row, struct redis_batch *b); /* one command */
/* From its reply: state is TELL, CLEAR or DEAD. NOMEM, FULL, STORE_REFUSED: of ours. */
ERR nz_rep_row_read(struct nz_rep_row *row, struct store *s, const struct redis_reply *reply);
/* VRS accepted or refused the record, and the reply to nz_rep_row_ask() says what stands there now: somebody else noted who was told, or there is a newer version. */
ERR nz_rep_row_read_again(struct nz_rep_row *row, const struct redis_reply *reply);
/* The vault has no number of it. An erasure takes away what stood there and marks it as gone, then the number, at last the tie, with which the mark ends (CLEAR): while
 * there is a tie and nothing else, what is read then says more. */
bool nz_rep_row_may_be_erased(const struct nz_rep_row *row);
/* One command, by the state; its reply is 1, or 0 when something else stands there meanwhile and nothing was done. None for KEEP: *ret_n 0. */
ERR nz_rep_row_settle(const struct nz_rep_row *row, struct store *s, uint64_t now_ms, uint64_t later_ms, struct redis_batch *b, size_t *ret_n);
/* The ticket under which the vault keeps the number of a subject that is erased while something of it is still to be taken back: always the same one. */
ERR nz_rep_ticket(struct store *s, const char muni[static 6], const uint8_t sid[static SUBJECT_BYTES], struct nz_ticket *ret_t);
/* Whether anything is to be taken back under the subject: one command; its reply has a length then. */
void nz_rep_ask_gone(const uint8_t sid[static SUBJECT_BYTES], struct redis_batch *b);
bool nz_rep_is_noted(const struct nz_rep_row *row); /* what VRS said of it is written into a record */
const char *nz_rep_why_word(enum nz_rep_why why);
/* The same rows with the same contents have the same. */
ERR nz_rep_request_id(struct store *s, const struct nz_rep_row *const *rows, size_t n, char out[static NZ_VRS_REPORT_ID]);

#endif
