#ifndef GW_ZONE_NUMBER
#error "op.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_OP_H
#define KEYS_CHANGE_OP_H

/* One change on its way. Rounds: find who is meant, lock, read everything, plan, write one step; until the plan says that it has ended.
 *
 *   apply.c   begin, numbers at vault and PMH, end          line.c      rows that wait: who is first, what is kept
 *   op.c      the rounds                                    op_read.c   reads, and what they mean */

#include "connectors/number/pmh.h"
#include "keys/change/change.h"
#include "keys/change/step.h"
#include "keys/intake/locks.h"

enum {
    NZ_OP_LOCKS = 7 + 3 * NZ_CH_ALIASES_MAX, /* a row about a subject that leads elsewhere is a row about the one it leads to */
    NZ_OP_ROUNDS = 64,           /* reads of one change; a move takes eight */
    NZ_OP_LOCK_WAIT_MS = 15,
    NZ_OP_ARENA = 48 << 20,
    NZ_OP_STEP_MS = 10000
};

struct nz_op {
    struct nz_intake *in;
    struct arena *arena;         /* of the round */
    struct timer *timer;         /* while a name is locked by somebody else */
    char muni[6];
    uint8_t task[16];
    uint32_t row;
    enum nz_change_type type;
    ymd_t effective;
    struct store_name ch;
    bool resume;                 /* only the journal is known: go on with it */
    bool dry;                    /* only the first decision is wanted */
    bool behind;                 /* it is not even judged */
    bool have_rk;
    char rk[NZ_CH_HEX], other_rk[NZ_CH_HEX]; /* other: merged and unmerged */
    bool has_other;
    /* from vault and PMH */
    const struct nz_mynum *number, *new_number; /* borrowed */
    bool has_number, number_known, has_new;
    bool released, has_from;     /* of a row that was kept: waiting.h */
    char from[NZ_CH_HEX];
    uint64_t received_ms;        /* the same; 0: it comes for the first time */
    uint64_t task_ms;            /* when its task was received */
    char number_sid[NZ_CH_HEX], new_sid[NZ_CH_HEX];
    char new_key[PMH_KEY_MAX + 1];
    struct nz_pmh_row pmh;
    /* who is meant */
    bool has_kept, has_gone;
    char kept[NZ_CH_HEX], gone[NZ_CH_HEX];
    char earlier[NZ_CH_ALIASES_MAX][NZ_CH_HEX]; /* subjects that a wrong registration took away, when it is to be taken back */
    size_t n_earlier;
    struct nz_ch_names names;
    uint8_t lock[NZ_OP_LOCKS][NZ_LOCK_BYTES];
    size_t n_locks;              /* held */
    /* the round */
    struct nz_ch_view view;
    struct nz_journal journal;
    struct slice ch_sealed;
    struct nz_ch_decision decision;
    bool audited;
    unsigned rounds;
    uint64_t deadline;
    struct err end_err;
    nz_change_done_fn *done;
    void *arg;
};

/* apply.c */
struct nz_op *nz_op_new(struct nz_intake *in, const char muni[static 6], uint64_t deadline, nz_change_done_fn *done, void *arg); /* NULL: no memory */
void nz_op_start(struct nz_op *o);               /* numbers first; never calls done before the return */
void nz_op_end(struct nz_op *o, struct err e);   /* from the loop */
void nz_op_numbering(struct nz_op *o);           /* new_number's PMH key, then a round */
uint64_t nz_op_deadline(const struct nz_op *o);
/* op.c */
void nz_op_round(struct nz_op *o);
void nz_op_over(struct nz_op *o, struct err e);  /* gives the locks back; what is held is audited first; then nz_op_end() */
/* line.c: whether an earlier change of a resident that it names waits; then a round, or it waits as well */
void nz_op_line(struct nz_op *o);
void nz_op_kept(const struct nz_op *o, struct nz_waiting *ret_w);
/* op_read.c */
ERR nz_op_find_ask(struct nz_op *o, struct redis_batch *b);
/* NOTHING: of a journal that is not there any more (resume). */
ERR nz_op_find_heard(struct nz_op *o, const struct redis_reply *const *replies, size_t n);
ERR nz_op_subjects_ask(struct nz_op *o, struct redis_batch *b);
/* *ret_again: the kept subject leads to another; ask once more. */
ERR nz_op_subjects_heard(struct nz_op *o, const struct redis_reply *const *replies, size_t n, bool *ret_again);
ERR nz_op_all_ask(struct nz_op *o, struct redis_batch *b);
/* Fills view and journal. *ret_moved: it is about others than those that are locked. */
ERR nz_op_all_heard(struct nz_op *o, const struct redis_reply *const *replies, size_t n, bool *ret_moved);
/* The subjects that lead to those of the change, and those that its journal leads back. Appended; no more than NZ_OP_LOCKS in all. */
void nz_op_aliases(const struct nz_op *o, uint8_t (*ret_sids)[NZ_LOCK_BYTES], size_t *io_n);

#endif
