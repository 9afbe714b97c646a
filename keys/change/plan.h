#ifndef GW_ZONE_NUMBER
#error "plan.h belongs to the number zone"
#endif
#ifndef KEYS_CHANGE_PLAN_H
#define KEYS_CHANGE_PLAN_H

/* What is to be done next about one change, given what redis-link holds. Sans I/O. A change is carried out in steps; which step is next follows
 * from what is stored alone, so that a crash between two of them, or a repetition, goes on where it ended:
 *
 *   one person    SET_END, LIFT, UNEND, WIPE, UNWIPE: one script, journal included
 *   move          BEGIN (journal) -> COPY to the kept person -> TIES lead there -> REMOVE from the other -> FINISH
 *   undo of one   BACK_BEGIN -> BACK_COPY -> BACK_TIES -> BACK_REMOVE -> BACK_FINISH
 *
 * Subjects that lead to another (s:<sid> to) are listed at the one they lead to (s:<sid> al): sid in hex, then the name of its resident key in
 * hex, zeros when it has none (an earlier number of the same resident). */

#include "gateway/cert/stored.h"
#include "gateway/vaccine/consequences.h"
#include "keys/change/journal.h"
#include "keys/intake/judge.h"

struct nz_ch_item { /* a field of the municipality in p:{h}: a record, its end, or its control flags */
    struct slice field, plain, sealed;
};

/* Of every municipality; sealed under the common key: issued.h. */
struct nz_ch_cert { struct slice field, sealed; struct cert_stored c; };
struct nz_ch_told { struct slice field, plain; struct vaccine_notice n; };

struct nz_ch_side {
    bool there;                  /* the change has this side */
    char sid[NZ_CH_HEX];
    struct slice key;            /* PMH key of the person; empty: not known */
    struct slice rk, to, al;     /* of s:<sid>, as stored */
    struct slice subject;        /* s:<muni> of the person */
    bool open;                   /* a clinic may have the person open */
    struct slice turn;           /* iv of the person: gateway/vaccine/book.h */
    size_t n;
    struct nz_ch_item *item;
    size_t n_certs, n_told;
    struct nz_ch_cert *cert;     /* certificates that were issued */
    struct nz_ch_told *told;     /* the citizen's notices */
};

struct nz_ch_view {
    enum nz_change_type type;
    const char *muni;            /* 6 */
    ymd_t effective;
    uint64_t now_ms;
    bool to_vrs;             /* what is about vaccinations is marked for VRS where it has come to (gateway/vaccine/vrs_mark.h) */
    uint64_t received_ms;        /* of a row that was kept; else 0 */
    uint8_t task[16];
    uint32_t row;
    uint8_t rk[16], other_rk[16];
    const struct nz_journal *j;  /* NULL: none */
    struct nz_ch_side kept, gone;/* unmerged: as in the merge */
    bool same_person;            /* both have one PMH key */
    struct slice sid_of_rk;      /* whom the resident key leads to, as stored */
    bool rk_taken;               /* the resident key leads to another subject than kept */
    bool number_taken;           /* an earlier number of somebody whose registration was wrong is a resident of its own by now */
    bool has_number, number_known; /* myNumber was sent; the vault knows it */
    char number_sid[NZ_CH_HEX];  /* its subject */
    char new_sid[NZ_CH_HEX];     /* number_changed: the subject of newMyNumber */
    bool has_from;               /* number_changed: its resident was this one when it was judged before */
    char from[NZ_CH_HEX];
    bool released;               /* the rule about mix-ups is off */
};

#define NZ_CH_ACTIONS(X) \
    X(END) X(NUMBERING) X(SET_END) X(LIFT) X(UNEND) X(WIPE) X(UNWIPE) X(REDATE) \
    X(BEGIN) X(SAVE) X(COPY) X(TIES) X(REMOVE) X(FINISH) \
    X(BACK_BEGIN) X(BACK_COPY) X(BACK_TIES) X(BACK_REMOVE) X(BACK_FINISH)
enum nz_ch_action {
#define X(sym) NZ_CHA_##sym,
    NZ_CH_ACTIONS(X)
#undef X
    NZ_CHA__MAX
};

struct nz_ch_decision {
    enum nz_ch_action action;
    struct nz_verdict verdict; /* END: of the change. Others: what it will be when this was the last step */
};

/* kept and gone are filled as far as they are known. NUMBERING: the kept side needs its PMH key first. */
struct nz_ch_decision nz_ch_plan(const struct nz_ch_view *v);

/* The details of the steps, also for whoever writes the scripts. */
const struct nz_ch_item *nz_ch_item_find(const struct nz_ch_side *s, struct slice field);
bool nz_ch_is_end(struct slice field);                                                     /* e:<muni> */
/* COPY: the item of the gone side goes to the kept side. */
bool nz_ch_copies(const struct nz_ch_view *v, const struct nz_ch_item *i);
/* SAVE: the item is not in the journal as it stands. */
bool nz_ch_unsaved(const struct nz_ch_view *v, const struct nz_ch_item *i);
/* The kept side's item is the copy that this operation made; of a vaccination record, maybe told to more since. */
bool nz_ch_is_copy(const struct nz_ch_view *v, const struct nz_saved *s);
/* BACK_COPY: the saved field goes back to the gone side. */
bool nz_ch_copies_back(const struct nz_ch_view *v, const struct nz_saved *s);
/* BACK_COPY: control flags that the kept side got, or that were changed there, since the move: they were meant for the one human that both were. NULL: none. */
const struct nz_ch_item *nz_ch_flags_back(const struct nz_ch_view *v);
/* The end that SET_END writes. */
struct store_end nz_ch_end_of(const struct nz_ch_view *v);
/* The end that an operation wrote stands there still. */
bool nz_ch_end_is_ours(const struct nz_ch_view *v);
/* The alias list after a move, or after its undo, appended. FULL beyond NZ_CH_ALIASES_MAX. */
ERR nz_ch_aliases_after(const struct nz_ch_view *v, struct buf *out);
ERR nz_ch_aliases_back(const struct nz_ch_view *v, struct buf *out);
/* Aliases of the gone side that go with it, the kept side itself left out. */
ERR nz_ch_aliases_moved(const struct nz_ch_view *v, struct buf *out);

#endif
