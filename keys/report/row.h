#ifndef GW_ZONE_NUMBER
#error "row.h belongs to the number zone"
#endif
#ifndef KEYS_REPORT_ROW_H
#define KEYS_REPORT_ROW_H

/* One mark: what stands there, what VRS is told of it, and what is written when it has answered. Sans I/O. */

#include "connectors/number/vrs_report.h"
#include "gateway/redis/redis.h"
#include "gateway/vaccine/vrs_mark.h"
#include "keys/vault/vault_msg.h"

enum nz_rep_state {
    NZ_REP_TELL,       /* its json is to be told */
    NZ_REP_CLEAR,      /* nothing is to be told: the mark goes */
    NZ_REP_ACCEPTED,   /* VRS has it: noted, the mark goes */
    NZ_REP_PUT_OFF,    /* later */
    NZ_REP_KEEP,       /* the mark stays as it is */
    NZ_REP_DEAD        /* see why */
};

enum nz_rep_why { NZ_REP_BECAUSE_REFUSED, NZ_REP_BECAUSE_BREACH, NZ_REP_BECAUSE_UNREADABLE, NZ_REP_BECAUSE_CLOSED, NZ_REP_BECAUSE_NO_NUMBER, NZ_REP_WHY__MAX };

struct nz_rep_row {
    struct store_name mark;
    struct slice field;                  /* in mark */
    struct person person;
    bool again;                          /* also what VRS has already */
    enum vrs_mark_kind kind;
    char muni[6];
    enum nz_rep_state state;
    enum nz_rep_why why;
    char code[NZ_VRS_CODE_MAX + 1];      /* of VRS, when it refused */
    struct buf sealed, end;              /* what stood there, and the end of the person in the municipality; empty: nothing */
    struct buf json;                     /* what is told of it */
    uint8_t id[NZ_VRS_ROW_ID], sid[SUBJECT_BYTES], handle[STORE_HANDLE_BYTES];
    uint64_t version;                    /* of a record; of a registration the score of its mark */
    uint64_t due_ms;                     /* the score */
};

/* False: these are no mark and its score. The row is empty then, otherwise nz_rep_row_done() ends it. */
bool nz_rep_row_begin(struct nz_rep_row *row, struct slice member, struct slice score);
void nz_rep_row_done(struct nz_rep_row *row);
void nz_rep_row_ask(const struct nz_rep_row *row, struct redis_batch *b); /* one command */
/* From its reply: state is TELL, CLEAR, PUT_OFF (its person is being moved) or DEAD. NOMEM, FULL, STORE_REFUSED: of ours. */
ERR nz_rep_row_read(struct nz_rep_row *row, struct store *s, const struct redis_reply *reply);
/* VRS accepted or refused the record, and the reply to nz_rep_row_ask() says what stands there now: somebody else noted who was told, or there is a newer version. */
ERR nz_rep_row_read_again(struct nz_rep_row *row, const struct redis_reply *reply);
/* One command, by the state; its reply is 1, or 0 when something else stands there meanwhile and nothing was done. None for KEEP: *ret_n 0. */
ERR nz_rep_row_settle(const struct nz_rep_row *row, struct store *s, uint64_t now_ms, uint64_t later_ms, struct redis_batch *b, size_t *ret_n);
const char *nz_rep_why_word(enum nz_rep_why why);
/* The same rows with the same contents have the same. */
ERR nz_rep_request_id(struct store *s, const struct nz_rep_row *const *rows, size_t n, char out[static NZ_VRS_REPORT_ID]);

#endif
