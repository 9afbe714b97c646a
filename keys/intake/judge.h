#ifndef GW_ZONE_NUMBER
#error "judge.h belongs to the number zone"
#endif
#ifndef KEYS_INTAKE_JUDGE_H
#define KEYS_INTAKE_JUDGE_H

/* What a row becomes, given what redis-link holds. Sans I/O. */

#include "keys/intake/payload.h"
#include "keys/intake/row_result.h"

struct nz_verdict {
    enum nz_result result;
    enum nz_code code;
    bool write; /* the record is to be stored */
    bool touch; /* the stored record gets the time of this row: an older row that still waits must not replace it */
    bool retie; /* the ties that contradict are to be overwritten: an officer said so */
};

/* What is stored about the ties of a subject; empty slices: nothing. */
struct nz_ties {
    struct slice sid;        /* of the row, 32 hex */
    struct slice rk;         /* of the row: name of its resident key, 32 hex; empty when it has none */
    struct slice rk_of_sid;  /* s:<sid> rk */
    struct slice sid_of_rk;  /* rk:<muni>:<rk> */
    struct slice to;         /* s:<sid> to: the subject that this one was merged into, or that took its place with a new number */
};
/* WAITING: no contradiction. Else QUARANTINED. */
struct nz_verdict nz_judge_ties(const struct nz_ties *t);
bool nz_judge_is_tie(enum nz_code code); /* a row is held with this code for its ties */
/* What an officer who releases the row will have had before him. */
void nz_judge_seen(const struct nz_ties *t, struct nz_seen_ties *ret_s);

/* Everything about one row that is about to be applied. */
struct nz_apply_view {
    struct nz_ties ties;
    struct slice pmh_key;         /* of the subject, as PMH or the store says */
    struct slice key_of_sid;      /* s:<sid> k, opened */
    struct slice sid_of_person;   /* p:{h} s:<muni>, 32 hex */
    const struct record *incoming;
    const struct record *stored;  /* the same certificate, or NULL */
    const struct record *sibling; /* another certificate of the same person in the same municipality, or NULL */
    bool released;                /* an officer looked at it: another name and birth date are no mix-up. Ties hold all the same */
    const struct nz_seen_ties *retie; /* an officer said that the key goes with the number: ties that stand as they were seen are overwritten. NULL: nobody did */
    struct slice owner_to, owner_al;  /* of s:<sid_of_rk>, when retie: whom that subject leads to, and who leads there (keys/change/plan.h) */
};
/* A removal (消除) of what is not registered: REFUSED, NZ_CODE_NOT_THERE; the same date again: UNCHANGED. */
struct nz_verdict nz_judge_apply(const struct nz_apply_view *v);

/* The record as it will be stored, by the verdict on the view; false: nothing is written. Borrows from both records of the view. A removal keeps
 * what is stored and ends it; it can raise a flag, never lower one. */
bool nz_judge_after(const struct nz_verdict *v, const struct record *incoming, const struct record *stored, struct record *ret_r);

/* Both objects (basicFiveInfo) have a name and a birth date, and both differ. */
bool nz_basic_mismatch(struct slice a, struct slice b);

#endif
